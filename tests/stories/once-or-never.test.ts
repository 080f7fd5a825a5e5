/**
 * A call has its effect at most once, and exactly once where it was answered; who cannot know says so. A server that
 * stopped answering is left alone until it was seen to answer again.
 */
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { objectOrEmpty } from '../../src/domain/json.ts';
import { type Rule, type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, IS_FULL, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Client, errorOf, openClient, type Reply, textOf } from '../support/mcp-client.ts';

const CALLS = IS_FULL ? 2500 : 120;
const AT_ONCE = 5;
const every = (n: number, from: number) => Array.from({ length: 600 }, (_, i) => from + i * n);
const FAULTS: readonly Rule[] = [
  { on: 'tools/call', name: 'effect', nth: every(17, 3), do: 'close' },
  { on: 'tools/call', name: 'effect', nth: every(23, 7), do: 'close', ran: true },
  { on: 'tools/call', name: 'effect', nth: every(29, 11), do: 'half' },
  { on: 'tools/call', name: 'effect', nth: every(31, 5), do: 'http-status', status: 503 },
  { on: 'tools/call', name: 'effect', nth: every(37, 9), do: 'wrong-type' },
  { on: 'tools/call', name: 'effect', nth: every(41, 13), do: 'duplicate' },
];

const codeOf = (reply: Reply) => objectOrEmpty(errorOf(reply).data).code;

/** Answers of `calls` calls, each with a key of its own. */
async function causeEffects(client: Client, server: string, calls: number): Promise<Map<string, string>> {
  const outcomes = new Map<string, string>();
  for (let n = 0; n < calls; n += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, i) => {
        const key = `${client.era}-${n + i}`;
        const reply = await client.call(`${server}__effect`, { key });
        outcomes.set(key, reply.answer?.error === undefined ? textOf(reply) : String(codeOf(reply)));
      }),
    );
    if ([...outcomes.values()].at(-1) === 'SERVER_UNAVAILABLE') {
      await waitFor(
        async () => (textOf(await client.call(`${server}__echo`, { text: 'up' })) === 'up' ? 1 : null),
        'up',
        60_000,
      );
    }
  }
  return outcomes;
}

function check(
  outcomes: ReadonlyMap<string, string>,
  times: (key: string) => number,
): { done: number; unknown: number } {
  let done = 0;
  let unknown = 0;
  for (const [key, outcome] of outcomes) {
    expect(times(key), `${key}: ${outcome}`).toBeLessThanOrEqual(1);
    if (outcome === `done ${key}`) {
      expect(times(key), key).toBe(1);
      done += 1;
    } else {
      expect(['OUTCOME_UNKNOWN', 'SERVER_UNAVAILABLE', 'BAD_ANSWER'], `${key}: ${outcome}`).toContain(outcome);
      if (outcome === 'SERVER_UNAVAILABLE') expect(times(key), `${key} was refused`).toBe(0);
      unknown += 1;
    }
  }
  return { done, unknown };
}

describe('an effect', () => {
  const servers: { key: string; server: StartedScripted }[] = [];
  let gateway: GatewayProcess;
  const ledger = join(mkdtempSync(join(tmpdir(), 'effects-')), 'ledger');

  beforeAll(async () => {
    for (const era of ['legacy', 'modern'] as const)
      servers.push({ key: `${era}-http`, server: await startScripted({ era, script: FAULTS }) });
    const sse = FAULTS.filter(({ do: fault }) => fault === 'close');
    servers.push({ key: 'legacy-sse', server: await startScripted({ era: 'legacy', transport: 'sse', script: sse }) });
    gateway = await startGateway({
      servers: {
        ...Object.fromEntries(
          servers.map(({ key, server }) => [key, { url: server.url, type: key.endsWith('sse') ? 'sse' : 'http' }]),
        ),
        mortal: stdioScripted({
          era: 'legacy',
          ledger,
          script: [{ on: 'tools/call', name: 'effect', nth: [4, 11], do: 'die', ran: true }],
        }),
      },
    });
  });

  afterAll(async () => {
    await gateway.stop();
    for (const { server } of servers) await server.close();
  });

  test.each(['legacy', 'modern'] as const)(
    'of a %s client happens once or is said to be unknown',
    { timeout: 600_000 },
    async era => {
      const client = await openClient(gateway.origin, era);
      for (const { key, server } of servers) {
        const outcomes = await causeEffects(client, key, key === 'legacy-sse' ? 30 : CALLS);
        const effects = objectOrEmpty(server.stats().effects);
        const { done, unknown } = check(outcomes, call => Number(effects[`effect ${call}`] ?? 0));
        expect(done, key).toBeGreaterThan(0);
        expect(unknown, key).toBeGreaterThan(0);
        console.info(`${era} at ${key}: ${done} done once, ${unknown} refused or said to be unknown`);
      }
      await client.close();
    },
  );

  test('happens once or is said to be unknown while its process dies', { timeout: 300_000 }, async () => {
    const client = await openClient(gateway.origin, 'legacy');
    const outcomes = await causeEffects(client, 'mortal', 25);
    const lines = readFileSync(ledger, 'utf8').trim().split('\n');
    check(outcomes, key => lines.filter(line => line === `effect ${key}`).length);
    expect([...outcomes.values()]).toContain('OUTCOME_UNKNOWN');
    await client.close();
  });
});

/** Passes bytes on while it is open, and refuses or cuts connections while it is not. */
async function startGate(
  target: string,
): Promise<{ url: string; shut(): Promise<void>; open(): Promise<void>; accepted(): number }> {
  const { port: to } = new URL(target);
  const { connect } = await import('node:net');
  const sockets = new Set<Socket>();
  let accepted = 0;
  let server: Server | null = null;
  let port = 0;
  const listen = () =>
    new Promise<void>(resolve => {
      server = createServer(inner => {
        accepted += 1;
        const outer = connect(Number(to), '127.0.0.1');
        for (const socket of [inner, outer]) {
          sockets.add(socket);
          socket.on('error', () => {});
          socket.on('close', () => {
            sockets.delete(socket);
            inner.destroy();
            outer.destroy();
          });
        }
        inner.pipe(outer).pipe(inner);
      }).listen(port, '127.0.0.1', () => {
        const address = server?.address();
        port = typeof address === 'object' && address !== null ? address.port : 0;
        resolve();
      });
    });
  await listen();
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    accepted: () => accepted,
    open: listen,
    shut: () =>
      new Promise(resolve => {
        server?.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

describe('a server', () => {
  test('that cannot be reached is refused fast, and used again once it can', async () => {
    const behind = await startScripted({ era: 'modern' });
    const gate = await startGate(behind.url);
    onTestFinished(async () => {
      await gate.shut();
      await behind.close();
    });
    const gateway = await startGateway({ servers: { web: { url: gate.url } } });
    onTestFinished(() => gateway.stop());
    const client = await openClient(gateway.origin, 'modern');
    expect(textOf(await client.call('web__effect', { key: 'before' }))).toBe('done before');
    await gate.shut();
    const refused = await client.call('web__effect', { key: 'during' });
    expect(['SERVER_UNAVAILABLE', 'OUTCOME_UNKNOWN']).toContain(codeOf(refused));
    // A connection that was never made has certainly sent nothing.
    const again = await client.call('web__effect', { key: 'during' });
    expect(codeOf(again)).toBe('SERVER_UNAVAILABLE');
    expect(objectOrEmpty(behind.stats().effects)['effect during']).toBeUndefined();
    await gate.open();
    await waitFor(
      async () => (textOf(await client.call('web__effect', { key: 'after' })).startsWith('done') ? true : null),
      'it is used again',
      60_000,
    );
    await client.close();
  }, 90_000);

  test('that fails five times is left alone but for one probe at a time, and comes back', async () => {
    const web = await startScripted({ era: 'legacy' });
    onTestFinished(() => web.close());
    const gateway = await startGateway({ servers: { web: { url: web.url } } });
    onTestFinished(() => gateway.stop());
    const client = await openClient(gateway.origin, 'legacy');
    const breaker = async () => (await gateway.samples()).get('gatehouse_downstream_breaker_open{server="web"}');
    const calls = () => Number(objectOrEmpty(web.stats().calls).echo ?? 0);
    await client.call('web__echo', { text: 'well' });

    web.setScript([{ on: '*', do: 'http-status', status: 503 }]);
    for (let i = 0; i < 5; i += 1) await client.call('web__echo', { text: 'x' });
    await waitFor(async () => ((await breaker()) === 1 ? true : null), 'it is open');
    const before = calls();
    const probes = () => Number(objectOrEmpty(web.stats().requests).ping ?? 0);
    const [probed, since] = [probes(), performance.now()];
    const refused = await Promise.all(Array.from({ length: 50 }, () => client.call('web__echo', { text: 'x' })));
    for (const reply of refused) expect(codeOf(reply)).toBe('SERVER_UNAVAILABLE');
    await waitFor(() => (probes() > probed ? true : null), 'it is probed', 60_000);
    expect(calls(), 'calls that reached it while it is open').toBe(before);
    // The shortest wait between two probes is half a second.
    expect(probes() - probed).toBeLessThanOrEqual(1 + (performance.now() - since) / 500);
    web.setScript([]);
    await waitFor(
      async () => (textOf(await client.call('web__echo', { text: 'back' })) === 'back' ? true : null),
      'it is back',
      60_000,
    );
    expect(await breaker()).toBe(0);
    await client.close();
  }, 120_000);

  test('that asks for a very long wait is not believed in full', async () => {
    const status: Rule = {
      on: 'tools/call',
      name: 'echo',
      do: 'http-status',
      status: 503,
      headers: { 'retry-after': '999999' },
    };
    const web = await startScripted({ era: 'modern', script: [status] });
    onTestFinished(() => web.close());
    const gateway = await startGateway({ servers: { web: { url: web.url } } });
    onTestFinished(() => gateway.stop());
    const client = await openClient(gateway.origin, 'modern');
    let last: Reply | null = null;
    for (let i = 0; i < 7; i += 1) last = await client.call('web__echo', { text: 'x' });
    expect(last === null ? null : codeOf(last)).toBe('SERVER_UNAVAILABLE');
    const waits = gateway.logged().map(({ retryAfterMs }) => Number(retryAfterMs ?? 0));
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
    await client.close();
  });

  test('whose tools report failures is not counted as failing', async () => {
    const web = await startScripted({ era: 'legacy', script: [{ on: 'tools/call', name: 'add', do: 'error' }] });
    onTestFinished(() => web.close());
    const gateway = await startGateway({ servers: { web: { url: web.url } } });
    onTestFinished(() => gateway.stop());
    const client = await openClient(gateway.origin, 'legacy');
    for (let i = 0; i < 30; i += 1) await client.call(i % 2 === 0 ? 'web__fail' : 'web__add', { a: 1, b: 1 });
    expect((await gateway.samples()).get('gatehouse_downstream_breaker_open{server="web"}')).toBe(0);
    expect(textOf(await client.call('web__echo', { text: 'well' }))).toBe('well');
    await client.close();
  });
});
