/**
 * A legacy client that lost a stream comes back with the last event it saw and gets every later one exactly once; what
 * is no longer kept is said to be lost. A reader that does not read is cut off instead of filling memory.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, IS_FULL, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Client, openLegacy, textOf } from '../support/mcp-client.ts';

const POINTS = IS_FULL ? 100 : 24;
const MAX_EVENTS = 64;
const MiB = 1024 * 1024;

let web: StartedScripted;
let gateway: GatewayProcess;
let client: Client;

beforeAll(async () => {
  web = await startScripted({ era: 'legacy' });
  gateway = await startGateway({
    settings: {
      servers: { web: { url: web.url }, child: stdioScripted({ era: 'modern' }) },
      sessions: { maxEvents: MAX_EVENTS },
    },
  });
  client = await openLegacy(gateway.origin);
});

afterAll(async () => {
  await client.close();
  await gateway.stop();
  await web.close();
});

const isProgress = ({ method }: JsonObject) => method === 'notifications/progress';

describe.each(['web', 'child'])('the stream of a call to %s', server => {
  test(`dropped at ${POINTS} points gives every event exactly once`, { timeout: 300_000 }, async () => {
    await Promise.all(
      Array.from({ length: POINTS }, async (_, point) => {
        // Each in a session of its own: the log is bounded per session.
        const mine = await openLegacy(gateway.origin);
        const ms = 650;
        const call = mine.begin(
          'tools/call',
          { name: `${server}__slow`, arguments: { ms } },
          { id: point, progressToken: `p${point}` },
        );
        const seen: { id: string; frame: JsonObject | null }[] = [];
        const take = (events: readonly { id: string | null; data: string }[]) => {
          for (const { id, data } of events) {
            expect(id).not.toBeNull();
            seen.push({ id: id ?? '', frame: data === '' ? null : (JSON.parse(data) as JsonObject) });
          }
        };
        await waitFor(() => call.events[0] ?? null, 'the stream has begun');
        // Somewhere in the life of the call, and up to four times.
        await sleep((point * 650) / POINTS);
        call.drop();
        await call.reply;
        take(call.events);
        for (let again = 0; again < 4; again += 1) {
          const stream = await mine.listen({}, seen.at(-1)?.id);
          const isLast = again === 3;
          if (!isLast) {
            await sleep(60 + ((point * 37) % 90));
            stream.drop();
          }
          await stream.ended;
          take(stream.events);
        }
        const ids = seen.map(({ id }) => id);
        expect(new Set(ids).size, 'no event twice').toBe(ids.length);
        const frames = seen.flatMap(({ frame }) => (frame === null ? [] : [frame]));
        const steps = frames.filter(isProgress).map(({ params }) => Number(objectOrEmpty(params).progress));
        // One every 100 ms: a lost one would be a gap.
        expect(steps.length).toBeGreaterThan(0);
        expect(steps).toEqual(steps.map((_, i) => Math.min(100 * (i + 1), ms)));
        expect(frames.filter(({ id }) => id === point)).toHaveLength(1);
        expect(frames.at(-1)).toMatchObject({ id: point, result: { content: [{ text: `slept ${ms} ms` }] } });
        await mine.close();
      }),
    );
  });
});

test('the standing stream gives what came while it was away, once', async () => {
  const mine = await openLegacy(gateway.origin);
  await mine.request('resources/subscribe', { uri: await watched(mine) });
  const first = await mine.listen();
  await mine.call('web__touch');
  await waitFor(() => (first.frames.length > 0 ? true : null), 'the first update');
  const last = first.events.at(-1)?.id ?? '';
  first.drop();
  await first.ended;
  const before = first.frames.length;
  for (let i = 0; i < 5; i += 1) await mine.call('web__touch');
  await sleep(100);
  const second = await mine.listen({}, last);
  await waitFor(() => (second.frames.length >= 5 ? true : null), 'the five that were missed');
  await mine.call('web__touch');
  await waitFor(() => (second.frames.length >= 6 ? true : null), 'and the next');
  const ids = [...first.events, ...second.events].map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(before + second.frames.filter(({ method }) => method === 'notifications/resources/updated').length).toBe(7);
  second.drop();
  await mine.close();
});

async function watched(of: Client): Promise<string> {
  const { answer } = await of.request('resources/list');
  const { resources } = objectOrEmpty(answer?.result);
  const uris = (resources as JsonObject[]).map(({ uri }) => String(uri)).filter(uri => uri.includes('watched'));
  for (const uri of uris) {
    const text = () => of.request('resources/read', { uri }).then(reply => JSON.stringify(reply.answer?.result));
    const before = await text();
    await of.call('web__touch');
    if ((await text()) !== before) return uri;
  }
  throw new Error('nothing is watched');
}

describe('an event that cannot be gone on from', () => {
  test.each([
    { id: 'nonsense', because: 'it is none of ours' },
    { id: 'AAAAAAAAAAAA.1', because: 'its stream is unknown' },
    { id: '', because: 'it is empty' },
  ])('is answered with 404 where $because', async ({ id }) => {
    const mine = await openLegacy(gateway.origin);
    await expect(mine.listen({}, id)).rejects.toThrow('404');
    expect(textOf(await mine.call('web__echo', { text: 'anew' }))).toBe('anew');
    await mine.close();
  });

  test('is answered with 404 outside the window, not with a silent gap', async () => {
    const mine = await openLegacy(gateway.origin);
    const call = mine.begin('tools/call', { name: 'web__slow', arguments: { ms: 250 } }, { progressToken: 1 });
    await call.reply;
    const first = call.events[0]?.id ?? '';
    expect((await mine.listen({}, first)).frames).toBeDefined();
    // More events than are kept.
    await Promise.all(
      Array.from({ length: MAX_EVENTS }, () => mine.call('web__slow', { ms: 150 }, { progressToken: 'n' })),
    );
    await expect(mine.listen({}, first)).rejects.toThrow('404');
    await mine.close();
  });

  test("is answered with 404 where it is another session's", async () => {
    const [mine, other] = [await openLegacy(gateway.origin), await openLegacy(gateway.origin)];
    const call = mine.begin('tools/call', { name: 'web__slow', arguments: { ms: 200 } }, { progressToken: 1 });
    await call.reply;
    await expect(other.listen({}, call.events[0]?.id ?? '')).rejects.toThrow('404');
    await Promise.all([mine.close(), other.close()]);
  });
});

test('a client that never reads is cut off at a bound, and others do not notice', { timeout: 200_000 }, async () => {
  const mine = await openLegacy(gateway.origin);
  await mine.request('logging/setLevel', { level: 'debug' });
  const { port } = new URL(gateway.origin);
  const readers = Array.from({ length: 10 }, () => {
    const socket = connect(Number(port), '127.0.0.1');
    socket.pause();
    socket.on('error', () => {});
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'web__big', arguments: { bytes: 12 * MiB } },
    });
    socket.write(
      `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\n` +
        `accept: application/json, text/event-stream\r\nmcp-session-id: ${mine.sessionId}\r\n` +
        `content-length: ${body.length}\r\n\r\n${body}`,
    );
    return socket;
  });
  const before = gateway.residentBytes();
  await waitFor(
    async () => ((await gateway.samples()).get('gatehouse_calls_in_flight') === 0 ? true : null),
    'all are answered',
    60_000,
  );
  for (let i = 0; i < 50; i += 1) expect(textOf(await mine.call('child__echo', { text: `${i}` }))).toBe(`${i}`);
  // Each may hold one answer, which was there twice while it was put together; on a busy machine, for a little longer.
  await waitFor(
    async () => (gateway.residentBytes() - before < 10 * 3 * 12 * MiB + 100 * MiB ? true : null),
    'what was put together is given back',
    60_000,
  );
  if (IS_FULL) {
    const connections = async () => (await gateway.samples()).get('gatehouse_http_connections') ?? 0;
    await waitFor(async () => ((await connections()) <= 3 ? true : null), 'they are cut off', 120_000);
  }
  for (const socket of readers) socket.destroy();
  await mine.close();
});

test('a stream that nobody reads is closed when more waits than may', { timeout: 120_000 }, async () => {
  const flooding = await startScripted({
    era: 'legacy',
    script: [{ on: 'tools/call', name: 'echo', do: 'flood', bytes: 48 * MiB }],
  });
  const alone = await startGateway({
    settings: { servers: { flood: { url: flooding.url }, child: stdioScripted({ era: 'legacy' }) } },
  });
  const deaf = await openLegacy(alone.origin);
  await deaf.request('logging/setLevel', { level: 'debug' });
  const before = alone.residentBytes();
  const call = deaf.begin('tools/call', { name: 'flood__echo', arguments: { text: 'x' } }, { paused: true });
  await call.head;
  const ended = await Promise.race([
    call.reply.then(
      () => 'cut',
      () => 'cut',
    ),
    untilQuiet(alone),
  ]);
  const other = await openLegacy(alone.origin);
  for (let i = 0; i < 20; i += 1) expect(textOf(await other.call('child__echo', { text: `${i}` }))).toBe(`${i}`);
  const grown = alone.residentBytes() - before;
  expect(grown, `ended ${ended}`).toBeLessThan(200 * MiB);
  console.info(`48 MiB for a reader that reads nothing: ${ended}, memory grew by ${Math.round(grown / MiB)} MiB`);
  call.drop();
  await Promise.all([deaf.close(), other.close()]);
  await alone.stop();
  await flooding.close();
});

const untilQuiet = (of: GatewayProcess) =>
  waitFor(
    async () => ((await of.samples()).get('gatehouse_calls_in_flight') === 0 ? 'answered' : null),
    'it is over',
    60_000,
  );
