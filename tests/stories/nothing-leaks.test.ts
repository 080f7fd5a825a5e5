/** After many calls the gateway is as large as after few: heap after collection, handles, descriptors, processes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, IS_FULL, isStillThere, startGateway, waitFor } from '../support/gateway-process.ts';
import { openInspector } from '../support/inspector.ts';
import { type Client, openClient, resultOf, textOf } from '../support/mcp-client.ts';

const CALLS = IS_FULL ? 20_000 : 6_000;
const WARM = 2_000;
const CYCLES = IS_FULL ? 200 : 40;
const AT_ONCE = 10;

const started: StartedScripted[] = [];
let gateway: GatewayProcess;

beforeAll(async () => {
  for (const era of ['legacy', 'modern'] as const) started.push(await startScripted({ era }));
  gateway = await startGateway({
    servers: base(),
    nodeArgs: ['--inspect=127.0.0.1:0'],
    env: { GATEWAY_LOG_LEVEL: 'warn', GATEWAY_DEBUG: 'true' },
  });
});

afterAll(async () => {
  await gateway.stop();
  for (const server of started) await server.close();
});

const base = (): Record<string, JsonObject> => ({
  old: { url: started[0]?.url ?? '' },
  young: { url: started[1]?.url ?? '' },
  child: stdioScripted({ era: 'legacy' }),
});

/** What a day brings: calls, lists, questions, progress, errors, sessions that come and go, streams that break. */
async function live(clients: readonly Client[], calls: number): Promise<void> {
  let left = calls;
  const worker = async (client: Client) => {
    for (let n = 0; left > 0; n += 1) {
      left -= 1;
      const key = ['old', 'young', 'child'][n % 3] ?? 'old';
      const kind = n % 40;
      if (kind === 1) await client.request('tools/list');
      else if (kind === 2) await client.call(`${key}__no_such_tool`);
      else if (kind === 3 && key !== 'child') await client.call(`${key}__ask`);
      else if (kind === 4) await client.call(`${key}__slow`, { ms: 3 }, { progressToken: n });
      else if (kind === 5) await client.call(`${key}__json`, { result: { content: [], padding: 'x'.repeat(100_000) } });
      else if (kind === 6) {
        const call = client.begin('tools/call', { name: `${key}__slow`, arguments: { ms: 30 } }, { progressToken: n });
        await new Promise(resolve => setTimeout(resolve, 5));
        call.drop();
        await call.reply.catch(() => null);
      } else if (kind === 7) {
        const passing = await openClient(gateway.origin, client.era);
        const stream = await passing.listen({ toolsListChanged: true, resourceSubscriptions: ['test://watched'] });
        await passing.call(`${key}__echo`, { text: 'passing' });
        stream.drop();
        await passing.close();
      } else expect(textOf(await client.call(`${key}__echo`, { text: `${n}` }))).toBe(`${n}`);
    }
  };
  await Promise.all(clients.map(worker));
}

test(`the heap after ${CALLS} calls is within a tenth of that after ${WARM}`, { timeout: 600_000 }, async () => {
  const answer = () => ({ action: 'accept', content: { name: 'Ada' } });
  const eras = ['legacy', 'modern', 'legacy', 'modern', 'legacy', 'modern'] as const;
  const inspector = await openInspector(gateway);
  const measure = async () => {
    await waitFor(
      async () => ((await gateway.samples()).get('gatehouse_calls_in_flight') === 0 ? true : null),
      'quiet',
    );
    await waitFor(
      async () => ((await gateway.samples()).get('gatehouse_http_connections') === 1 ? true : null),
      'alone',
    );
    const { heapBytes, handles } = await inspector.measure();
    return {
      heapBytes,
      handles,
      descriptors: gateway.descriptors(),
      sessions: (await gateway.samples()).get('gatehouse_sessions'),
    };
  };
  const round = async (calls: number) => {
    const clients = await Promise.all(eras.map(era => openClient(gateway.origin, era, { answer })));
    await live(clients, calls);
    await Promise.all(clients.map(client => client.close()));
    return measure();
  };
  const early = await round(WARM);
  const most = early.heapBytes * 1.1;
  let late = await round(CALLS - WARM);
  // What is put off (a batch, a weak reference) goes within seconds; what leaks stays.
  for (let wait = 0; wait < 10 && late.heapBytes > most; wait += 1) {
    await sleep(1000);
    late = await measure();
  }
  await inspector.close();
  const MiB = 1024 * 1024;
  console.info(
    `heap ${(early.heapBytes / MiB).toFixed(1)} MiB after ${WARM}, ${(late.heapBytes / MiB).toFixed(1)} MiB after ${CALLS}; ` +
      `handles ${early.handles} and ${late.handles}; descriptors ${early.descriptors} and ${late.descriptors}; ` +
      `resident ${Math.round(gateway.residentBytes() / MiB)} MiB`,
  );
  expect(late.heapBytes).toBeLessThanOrEqual(most);
  expect(late.sessions).toBe(0);
  // Pooled connections to servers come and go; nothing else may.
  expect(late.handles).toBeLessThanOrEqual(early.handles + 12);
  expect(late.descriptors).toBeLessThanOrEqual(early.descriptors + 12);
});

describe('servers that come and go', () => {
  test(`${CYCLES} starts, stops and crashes leave no process and no descriptor`, { timeout: 600_000 }, async () => {
    const agent = await openClient(gateway.origin, 'modern', { path: '/mcp/agent' });
    const client = await openClient(gateway.origin, 'modern');
    /** An attempt that began since then, and is over. */
    const isReadSince = async (writtenMs: number) => {
      const { structuredContent } = resultOf(await agent.call('get_gateway_status'));
      const { mcp_config } = objectOrEmpty(objectOrEmpty(structuredContent).reload_status);
      const { last_attempt, last_success } = objectOrEmpty(mcp_config);
      const [begunMs, overMs] = [Date.parse(String(last_attempt)), Date.parse(String(last_success))];
      return begunMs >= writtenMs && overMs >= begunMs;
    };
    const apply = async (servers: Record<string, JsonObject>) => {
      gateway.writeServers(servers, 'by rename');
      const writtenMs = Date.now();
      gateway.signal('SIGHUP');
      await waitFor(async () => ((await isReadSince(writtenMs)) ? true : null), 'it was read again');
    };
    const deadly = { era: 'legacy', script: [{ on: 'tools/call', name: 'touch', do: 'die' }] } as const;
    const born = new Map<number, ReturnType<GatewayProcess['offspring']>[number]>();
    const steady = gateway.offspring().map(({ pid }) => pid);
    let before = 0;
    let crashes = 0;
    for (let done = 0; done < CYCLES; done += AT_ONCE) {
      const passing = Object.fromEntries(
        Array.from({ length: AT_ONCE }, (_, i): [string, JsonObject] => [
          `pass-${i}`,
          i === 8
            ? { command: 'sh', args: ['-c', 'exit 3'] }
            : i === 9
              ? { command: 'gatehouse-no-such-command' }
              : stdioScripted({ ...deadly, name: `pass-${done + i}` }),
        ]),
      );
      await apply({ ...base(), ...passing });
      // Some are stopped while they start, some after they were used, some die of it.
      await Promise.all(
        [0, 1, 2, 3].map(async i => {
          const said = await client.call(`pass-${i}__echo`, { text: 'used' });
          expect(textOf(said)).toBe('used');
          if (i % 2 === 0) return;
          await client.call(`pass-${i}__touch`);
          crashes += 1;
        }),
      );
      for (const it of gateway.offspring()) if (!steady.includes(it.pid)) born.set(it.pid, it);
      await apply(base());
      await waitFor(
        () => (gateway.offspring().every(({ pid }) => steady.includes(pid)) ? true : null),
        'they are gone',
      );
      if (done === 0) before = gateway.descriptors();
    }
    expect([...born.values()].filter(isStillThere)).toEqual([]);
    await waitFor(() => (gateway.descriptors() <= before ? true : null), `descriptors are back at ${before}`, 30_000);
    console.info(
      `${CYCLES} cycles, ${born.size} processes seen, ${crashes} crashes; descriptors ${before} and ${gateway.descriptors()}`,
    );
    expect(textOf(await client.call('child__echo', { text: 'well' }))).toBe('well');
    await Promise.all([agent.close(), client.close()]);
  });
});
