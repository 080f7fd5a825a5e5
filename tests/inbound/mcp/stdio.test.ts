import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { META } from '../../../src/domain/era.ts';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { Json, JsonObject } from '../../../src/domain/json.ts';
import { overThePipe } from '../../../src/inbound/mcp/arrival.ts';
import { createKeepAlive } from '../../../src/inbound/mcp/keep-alive.ts';
import { dispatchLegacy, mostVerbose } from '../../../src/inbound/mcp/legacy-dispatch.ts';
import { Session } from '../../../src/inbound/mcp/session.ts';
import { createSessionTable } from '../../../src/inbound/mcp/session-table.ts';
import { serveStdio } from '../../../src/inbound/mcp/stdio.ts';
import { createChallenges } from '../../../src/services/identity/challenge.ts';
import { answerOf, type FakeServer, type Sent, tool } from '../../support/fake-downstreams.ts';
import { createFreeLimiter } from '../../support/quiet-house.ts';
import { createStaircase, settle } from '../../support/staircase.ts';

const MODERN = { [META.protocolVersion]: '2026-07-28', [META.clientCapabilities]: {} };
const SERVERS: Record<string, FakeServer> = { a: { lists: { tools: [tool('echo')] } } };

async function start(servers = SERVERS, maxBodyBytes = 10_000) {
  const house = await createStaircase(servers);
  const { clock } = house;
  const sessions = createSessionTable({ clock, ttlMs: 1_000, maxSessions: 1, onEnd: () => {} });
  const [input, output] = [new PassThrough(), new PassThrough()];
  const deps = {
    ...house,
    identify: () => LOCAL_CALLER,
    refuseDoor: () => null,
    stillValid: () => true,
    refused: () => null,
    findVersion: () => null,
    turnedAway: house.turnedAway.request,
    challenges: createChallenges({ publicUrl: null, scopes: [] }),
    addressOf: () => {
      throw new Error('a pipe has no address');
    },
    forwardable: () => null,
    sessions,
    limiter: createFreeLimiter(),
    limits: { maxEvents: 1, maxEventBytes: 1 },
    keepAlive: createKeepAlive(clock),
    version: '9.9.9',
    maxBodyBytes,
    nextRequestId: () => 'r',
  };
  const door = serveStdio(deps, LOCAL_CALLER, { input, output });
  const heard: JsonObject[] = [];
  let text = '';
  output.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n')) {
      heard.push(JSON.parse(text.slice(0, at)) as JsonObject);
      text = text.slice(at + 1);
    }
  });
  return {
    house,
    deps,
    door,
    input,
    heard,
    async say(...messages: (Json | Buffer)[]) {
      for (const message of messages) input.write(Buffer.isBuffer(message) ? message : `${JSON.stringify(message)}\n`);
      await settle();
      return heard;
    },
  };
}

const request = (id: number | string, method: string, params: JsonObject = {}): JsonObject => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});
const modern = (id: number | string, method: string, params: JsonObject = {}) =>
  request(id, method, { ...params, _meta: MODERN });

describe('a legacy client over stdio', () => {
  test('shakes hands, lists and calls, one message a line', async () => {
    const { say } = await start();
    const heard = await say(
      request(0, 'initialize', { protocolVersion: '2025-06-18', capabilities: {} }),
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      request(1, 'tools/list'),
      request(2, 'tools/call', { name: 'a__echo', arguments: { x: 'a\nb' } }),
    );
    expect(heard.map(({ id }) => id).sort()).toEqual([0, 1, 2]);
    expect(heard[0]?.result).toMatchObject({ protocolVersion: '2025-06-18' });
  });

  test('hears of what is unreadable under the id null: every number may be somebody’s id', async () => {
    const { say } = await start();
    const heard = await say(Buffer.from('{\n'), 5, [], { jsonrpc: '2.0', id: 1.5, method: 'ping' }, request(0, 'ping'));
    expect(heard.map(({ id, error }) => [id, (error as JsonObject | undefined)?.code])).toEqual([
      [null, -32700],
      [null, -32600],
      [null, -32600],
      [null, -32600],
      [0, undefined],
    ]);
    expect(heard[0]?.error).toMatchObject({ data: { code: 'PARSE_ERROR' } });
  });

  test('counts when servers are told the most verbose level that anybody wants', async () => {
    const { say, door, deps } = await start();
    deps.sessions.adopt(door.session);
    await say(request(1, 'logging/setLevel', { level: 'debug' }));
    const other = deps.sessions.open(LOCAL_CALLER, { server: null, exposure: null }, '2025-11-25');
    if (!(other instanceof Session)) throw new Error('the table has room for one');
    const outlet = { message: () => true, answer: () => {} };
    const quiet = { kind: 'request' as const, id: 2, method: 'logging/setLevel', params: { level: 'error' } };
    dispatchLegacy(deps, other, quiet, outlet, overThePipe('r'));
    expect(deps.downstreams.logLevel).toBe('debug');
    deps.sessions.end(other, 'done');
    expect(mostVerbose(deps, null)).toBe('debug');
  });

  test('may cut its messages anywhere', async () => {
    const { say } = await start();
    const bytes = Buffer.from(`${JSON.stringify(request('ü', 'ping'))}\r\n${JSON.stringify(request(2, 'ping'))}\n`);
    for (const byte of bytes) await say(Buffer.from([byte]));
    expect((await say()).map(({ id }) => id)).toEqual(['ü', 2]);
  });

  test('is told that a line was too long, and is heard again afterwards', async () => {
    const { say } = await start(SERVERS, 100);
    const heard = await say(Buffer.from(`"${'x'.repeat(1_000)}"\n`), request(1, 'ping'));
    expect(heard.map(({ id, error }) => [id, (error as JsonObject | undefined)?.code])).toEqual([
      [null, -32600],
      [1, undefined],
    ]);
  });
});

describe('a modern client over stdio', () => {
  test('needs the envelope and no headers', async () => {
    const { say } = await start();
    const heard = await say(modern(1, 'server/discover'), modern(2, 'tools/list'), request(3, 'tools/list'));
    const byId = new Map(heard.map(message => [message.id, message]));
    expect([1, 2, 3].map(id => byId.get(id))).toMatchObject([
      { result: { resultType: 'complete' } },
      { result: { resultType: 'complete' } },
      { error: { code: -32602 } },
    ]);
  });

  test('may fall back: a probe, then the legacy handshake', async () => {
    const { say } = await start();
    const heard = await say(
      modern(1, 'server/discover'),
      request(2, 'initialize', { protocolVersion: '2025-11-25' }),
      request(3, 'ping'),
    );
    expect(heard).toMatchObject([
      { id: 1 },
      { id: 2, result: { protocolVersion: '2025-11-25' } },
      { id: 3, result: {} },
    ]);
  });

  test('cancels with a notification, and may not use an id twice at once', async () => {
    const stopped: string[] = [];
    const hanging = ({ line }: Sent) =>
      new Promise<ReturnType<typeof answerOf>>(resolve => {
        line.whenCancelled(reason => {
          stopped.push(reason);
          resolve(answerOf('legacy', {}));
        });
      });
    const { say } = await start({ a: { ...SERVERS.a, answer: hanging } });
    const call = modern(1, 'tools/call', { name: 'a__echo' });
    expect(await say(call, call)).toMatchObject([{ id: 1, error: { code: -32600 } }]);
    await say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1, _meta: MODERN } });
    expect(stopped).toHaveLength(1);
  });
});

test('the door is finished when stdin ended and the last answer was written', async () => {
  let finish = () => {};
  const slow = () =>
    new Promise<ReturnType<typeof answerOf>>(resolve => (finish = () => resolve(answerOf('legacy', {}))));
  const { say, door, input, heard } = await start({ a: { ...SERVERS.a, answer: slow } });
  await say(request(0, 'initialize', { protocolVersion: '2025-11-25' }), request(1, 'tools/call', { name: 'a__echo' }));
  let finished = false;
  void door.finished.then(() => {
    finished = true;
  });
  input.end();
  await settle();
  expect(finished).toBe(false);
  finish();
  await settle();
  expect([finished, heard.at(-1)?.id]).toEqual([true, 1]);
});

test('a call that is never answered holds the door open for half a minute at most', async () => {
  const { say, door, input, house } = await start({ a: { ...SERVERS.a, answer: () => new Promise(() => {}) } });
  await say(request(0, 'initialize', { protocolVersion: '2025-11-25' }), request(1, 'tools/call', { name: 'a__echo' }));
  let finished = false;
  void door.finished.then(() => {
    finished = true;
  });
  input.end();
  await settle();
  house.clock.advance(29_000);
  await settle();
  expect(finished).toBe(false);
  house.clock.advance(1_000);
  await settle();
  expect(finished).toBe(true);
});

test('a question that nobody can answer any more does not hold the door open', async () => {
  const asking = async ({ line }: Sent) =>
    answerOf('legacy', {
      said: (await line.ask('roots/list', {})).kind,
      again: (await line.ask('roots/list', {})).kind,
    });
  const { say, door, input, heard } = await start({ a: { ...SERVERS.a, answer: asking } });
  await say(request(0, 'initialize', { protocolVersion: '2025-11-25' }), request(1, 'tools/call', { name: 'a__echo' }));
  input.end();
  await door.finished;
  await settle();
  expect(heard.at(-1)).toMatchObject({ id: 1, result: { said: 'error', again: 'error' } });
});
