/**
 * What a client gives up is given up by the server: a modern client by closing the stream, a legacy one by saying so.
 * A legacy connection that is merely lost is not given up (MCP, cancellation).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, IS_FULL, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Client, openClient, resultOf, type Started, textOf } from '../support/mcp-client.ts';

const MANY = IS_FULL ? 1000 : 150;
const AT_ONCE = 25;
const SERVERS = ['legacy-http', 'legacy-sse', 'legacy-stdio', 'modern-http', 'modern-stdio'] as const;
const LEAVING = [
  { era: 'modern', how: 'closes the stream', leave: (_client: Client, call: Started) => call.drop() },
  {
    era: 'legacy',
    how: 'says so',
    leave: (client: Client, { id }: Started) => void client.tell('notifications/cancelled', { requestId: id }),
  },
] as const;

const started: StartedScripted[] = [];
let gateway: GatewayProcess;
let watcher: Client;

beforeAll(async () => {
  const remote = async (era: 'legacy' | 'modern', transport: 'http' | 'sse' = 'http') => {
    const server = await startScripted({ era, transport });
    started.push(server);
    return { url: server.url, ...(transport === 'sse' ? { transport: 'sse' } : {}) };
  };
  const servers: Record<string, JsonObject> = {
    'legacy-http': await remote('legacy'),
    'legacy-sse': await remote('legacy', 'sse'),
    'modern-http': await remote('modern'),
    'legacy-stdio': stdioScripted({ era: 'legacy' }),
    'modern-stdio': stdioScripted({ era: 'modern' }),
    narrow: { url: started[0]?.url ?? '', maxInFlight: 1, maxQueued: 5 },
  };
  gateway = await startGateway({ settings: { servers } });
  watcher = await openClient(gateway.origin, 'modern');
});

afterAll(async () => {
  await watcher.close();
  await gateway.stop();
  for (const server of started) await server.close();
});

interface Seen {
  inFlight: number;
  cancelled: number;
}

/** What the server itself has seen; this question is not counted. */
async function seenBy(server: string): Promise<Seen> {
  const stats = objectOrEmpty(resultOf(await watcher.call(`${server}____stats`)).structuredContent);
  return { inFlight: Number(stats.inFlight) - 1, cancelled: Number(stats.cancelled ?? 0) };
}

const untilSeen = (server: string, is: (seen: Seen) => boolean, what: string) =>
  waitFor(async () => (is(await seenBy(server)) ? true : null), `${server}: ${what}`);

const inFlight = async (server: string) =>
  (await gateway.samples()).get(`gatehouse_downstream_in_flight{server="${server}"}`);

describe.each(LEAVING)('a $era client that $how', ({ era, leave }) => {
  test.each(SERVERS)('cancels the call at %s', async server => {
    const client = await openClient(gateway.origin, era);
    const before = await seenBy(server);
    const call = client.begin('tools/call', { name: `${server}__slow`, arguments: { ms: 60_000 } });
    await untilSeen(server, seen => seen.inFlight === before.inFlight + 1, 'the call has arrived');
    leave(client, call);
    await untilSeen(server, seen => seen.cancelled === before.cancelled + 1, 'it was cancelled');
    await untilSeen(server, seen => seen.inFlight === before.inFlight, 'nothing is under way');
    await waitFor(async () => ((await inFlight(server)) === 0 ? true : null), 'its place is free');
    await client.close();
  });

  test.each(SERVERS)(`frees every place at %s, ${MANY} times`, { timeout: 300_000 }, async server => {
    const client = await openClient(gateway.origin, era);
    const before = await seenBy(server);
    for (let done = 0; done < MANY; done += AT_ONCE) {
      const calls = Array.from({ length: AT_ONCE }, () =>
        client.begin('tools/call', { name: `${server}__slow`, arguments: { ms: 60_000 } }),
      );
      await untilSeen(server, seen => seen.inFlight === before.inFlight + AT_ONCE, 'all have arrived');
      for (const call of calls) leave(client, call);
      await untilSeen(server, seen => seen.inFlight === before.inFlight, 'nothing is under way');
    }
    expect((await seenBy(server)).cancelled - before.cancelled).toBe(MANY);
    await waitFor(async () => ((await inFlight(server)) === 0 ? true : null), 'its places are free');
    await client.close();
  });

  test('leaves the queue of a busy server without ever having been sent', async () => {
    const client = await openClient(gateway.origin, era);
    const calls = () => Number(objectOrEmpty(started[0]?.stats().calls).slow ?? 0);
    const before = calls();
    const first = client.begin('tools/call', { name: 'narrow__slow', arguments: { ms: 60_000 } });
    await waitFor(() => (calls() === before + 1 ? true : null), 'the first has arrived');
    const second = client.begin('tools/call', { name: 'narrow__slow', arguments: { ms: 60_000 } });
    await waitFor(
      async () => ((await gateway.samples()).get('gatehouse_downstream_queued{server="narrow"}') === 1 ? true : null),
      'the second waits',
    );
    leave(client, second);
    await waitFor(
      async () => ((await gateway.samples()).get('gatehouse_downstream_queued{server="narrow"}') === 0 ? true : null),
      'nobody waits',
    );
    leave(client, first);
    await waitFor(async () => ((await inFlight('narrow')) === 0 ? true : null), 'its place is free');
    expect(textOf(await client.call('narrow__echo', { text: 'next' }))).toBe('next');
    expect(calls()).toBe(before + 1);
    await client.close();
  });
});

test.each(SERVERS)('a lost legacy connection cancels nothing at %s', async server => {
  const client = await openClient(gateway.origin, 'legacy');
  const before = await seenBy(server);
  const connections = async () => (await gateway.samples()).get('gatehouse_http_connections') ?? 0;
  const call = client.begin('tools/call', { name: `${server}__slow`, arguments: { ms: 3000 } }, { progressToken: 1 });
  await untilSeen(server, seen => seen.inFlight === before.inFlight + 1, 'the call has arrived');
  await waitFor(() => call.events.find(({ id }) => id !== null) ?? null, 'its stream has begun');
  const open = await connections();
  call.drop();
  await waitFor(async () => ((await connections()) < open ? true : null), 'the gateway has noticed');
  expect((await seenBy(server)).inFlight).toBe(before.inFlight + 1);
  await untilSeen(server, seen => seen.inFlight === before.inFlight, 'it came to its end');
  expect((await seenBy(server)).cancelled).toBe(before.cancelled);
  // And what it brought is there for who comes back.
  const back = await client.listen({}, call.events.at(-1)?.id ?? '');
  await back.ended;
  expect(back.frames.at(-1)).toMatchObject({ id: call.id, result: { content: [{ text: 'slept 3000 ms' }] } });
  await client.close();
});

test('a session that is ended cancels what it had under way', async () => {
  const client = await openClient(gateway.origin, 'legacy');
  const before = await seenBy('legacy-http');
  client.begin('tools/call', { name: 'legacy-http__slow', arguments: { ms: 60_000 } });
  await untilSeen('legacy-http', seen => seen.inFlight === before.inFlight + 1, 'the call has arrived');
  await client.close();
  await untilSeen('legacy-http', seen => seen.cancelled === before.cancelled + 1, 'it was cancelled');
});

test('a cancellation of an id that is not under way, or of another client, changes nothing', async () => {
  const [mine, other] = [await openClient(gateway.origin, 'legacy'), await openClient(gateway.origin, 'legacy')];
  const before = await seenBy('legacy-http');
  const call = mine.begin('tools/call', { name: 'legacy-http__slow', arguments: { ms: 1000 } }, { id: 77 });
  await untilSeen('legacy-http', seen => seen.inFlight === before.inFlight + 1, 'the call has arrived');
  for (const requestId of [77, '77', 78, null, {}]) await other.tell('notifications/cancelled', { requestId });
  await mine.tell('notifications/cancelled', { requestId: '77' });
  expect(textOf(await call.reply)).toBe('slept 1000 ms');
  await Promise.all([mine.close(), other.close()]);
});
