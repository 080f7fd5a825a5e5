/** However the gateway ends, it loses nothing it accepted while it may still finish it, and leaves no process behind. */

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, isStillThere, startGateway, waitFor } from '../support/gateway-process.ts';
import { openClient, textOf } from '../support/mcp-client.ts';

const STUBBORN = fileURLToPath(new URL('../support/children/stubborn.sh', import.meta.url));
/** Less than a drain by far, and more than it takes for one call each to have begun. */
const SLOW_MS = 4000;
const SERVERS = ['legacy-stdio', 'modern-stdio', 'legacy-http', 'modern-http'] as const;

let started: StartedScripted[];
let gateway: GatewayProcess;
let servers: Record<string, JsonObject>;

beforeEach(async () => {
  started = [await startScripted({ era: 'legacy' }), await startScripted({ era: 'modern' })];
  servers = {
    'legacy-http': { url: started[0]?.url ?? '' },
    'modern-http': { url: started[1]?.url ?? '' },
    'legacy-stdio': stdioScripted({ era: 'legacy' }),
    'modern-stdio': stdioScripted({ era: 'modern' }),
  };
  gateway = await startGateway({ servers });
});

afterEach(async () => {
  gateway.discard();
  await gateway.ended;
  for (const server of started) await server.close();
});

/** The outcome of a request made now: its status, or why there was no connection. */
async function knock(path: string): Promise<number | string> {
  try {
    return (await gateway.get(path)).status;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

const untilUnderWay = (of: GatewayProcess, calls: number) =>
  waitFor(
    async () => ((await of.samples()).get('gatehouse_calls_in_flight') === calls ? true : null),
    `${calls} are under way`,
  );

describe('SIGTERM', () => {
  test('lets every call that was accepted finish, refuses new ones, and ends with 0', async () => {
    const clients = await Promise.all((['legacy', 'modern'] as const).map(era => openClient(gateway.origin, era)));
    await Promise.all(clients.flatMap(client => SERVERS.map(key => client.call(`${key}__echo`, { text: 'warm' }))));
    const underWay = clients.flatMap(client => SERVERS.map(key => client.call(`${key}__slow`, { ms: SLOW_MS })));
    await untilUnderWay(gateway, underWay.length);
    const below = gateway.offspring();
    expect(below.length).toBeGreaterThanOrEqual(2);
    gateway.signal('SIGTERM');
    const refused = await waitFor(async () => {
      const outcome = await knock('/ready');
      return outcome === 200 ? null : outcome;
    }, 'it says that it is not ready');
    expect([503, 'ECONNREFUSED', 'ECONNRESET']).toContain(refused);
    for (const client of clients) {
      const said = await client.call('legacy-http__echo', { text: 'too late' }).then(
        reply => reply.status,
        (error: NodeJS.ErrnoException) => error.code ?? 'closed',
      );
      expect([503, 'ECONNREFUSED', 'ECONNRESET']).toContain(said);
    }
    expect((await Promise.all(underWay)).map(textOf)).toEqual(underWay.map(() => `slept ${SLOW_MS} ms`));
    expect(await gateway.ended).toBe(0);
    expect(below.filter(isStillThere)).toEqual([]);
  });

  test('ends standing streams in good order', async () => {
    const old = await openClient(gateway.origin, 'legacy');
    const young = await openClient(gateway.origin, 'modern');
    const streams = [await old.listen(), await young.listen({ toolsListChanged: true })];
    await waitFor(() => (streams[1]?.frames.length ? true : null), 'the subscription is acknowledged');
    gateway.signal('SIGTERM');
    const ends = await Promise.all(streams.map(({ ended }) => ended));
    expect(ends.map(({ isWhole }) => isWhole)).toEqual([true, true]);
    expect(ends[1]?.frames.at(-1)).toMatchObject({ result: { resultType: 'complete' } });
    expect(await gateway.ended).toBe(0);
  });

  test('a second time ends it at once', async () => {
    const client = await openClient(gateway.origin, 'legacy');
    const lost = client.call('legacy-stdio__slow', { ms: 60_000 }).then(textOf, () => 'cut');
    await untilUnderWay(gateway, 1);
    const below = gateway.offspring();
    gateway.signal('SIGTERM');
    await waitFor(async () => ((await knock('/ready')) === 200 ? null : true), 'the first is heeded');
    // Sooner it would be taken for the same wish: a terminal signals us and npm alike.
    await sleep(1000);
    const before = performance.now();
    gateway.signal('SIGTERM');
    expect(await gateway.ended).toBe(143);
    // The drain alone would have taken 10 s.
    expect(performance.now() - before).toBeLessThan(7000);
    expect(await lost).not.toBe('slept 60000 ms');
    await waitFor(() => (below.some(isStillThere) ? null : true), 'no process is left');
  });

  test('does not wait for a call longer than the drain allows, and still leaves nothing', async () => {
    const brief = await startGateway({ settings: { servers, drain: '500ms' } });
    const client = await openClient(brief.origin, 'modern');
    const lost = ['legacy-stdio', 'modern-http'].map(key =>
      client.call(`${key}__slow`, { ms: 60_000 }).then(textOf, () => 'cut'),
    );
    await untilUnderWay(brief, lost.length);
    await brief.stop();
    for (const said of await Promise.all(lost)) expect(said).not.toBe('slept 60000 ms');
  });
});

describe('kill -9', () => {
  test('leaves no process behind, not even one that ignores every signal it can', async () => {
    const client = await openClient(gateway.origin, 'legacy');
    gateway.writeServers({ ...servers, stubborn: { command: 'sh', args: [STUBBORN, 'story'] } });
    await waitFor(
      () => gateway.offspring().find(it => it.commandLine.includes('stubborn.sh')) ?? null,
      'it is started',
    );
    void client.call('legacy-stdio__slow', { ms: 60_000 }).catch(() => {});
    await untilUnderWay(gateway, 1);
    const below = gateway.offspring();
    expect(below.length).toBeGreaterThanOrEqual(3);
    gateway.signal('SIGKILL');
    expect(await gateway.ended).toBe('SIGKILL');
    await waitFor(() => (below.some(isStillThere) ? null : true), 'no process is left');
  });
});
