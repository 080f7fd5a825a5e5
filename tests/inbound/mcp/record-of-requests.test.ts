/** What is known of a request besides its message: in the record of it, whatever the transport. */
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { META } from '../../../src/domain/era.ts';
import { failure } from '../../../src/domain/error.ts';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { createFindClientAddress } from '../../../src/inbound/http/client-address.ts';
import type { McpDeps } from '../../../src/inbound/mcp/deps.ts';
import { serveStdio } from '../../../src/inbound/mcp/stdio.ts';
import { answerOf, type FakeServer, tool } from '../../support/fake-downstreams.ts';
import { BOTH, type DoorKit, MODERN, startDoor } from '../../support/mcp-door.ts';
import { settle } from '../../support/staircase.ts';

const SERVERS: Record<string, FakeServer> = { a: { lists: { tools: [tool('echo')] } } };
const CALL = { name: 'a__echo', arguments: {} };
const BEHIND_PROXY = { 'x-forwarded-for': '6.6.6.6, 198.51.100.7' };

/** What our stdio answers to these lines. */
async function pipe(deps: McpDeps, ...lines: (object | string)[]): Promise<string> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  serveStdio(deps, LOCAL_CALLER, { input, output });
  for (const line of lines) input.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`);
  await settle();
  return String(output.read() ?? '');
}

let door: DoorKit;
afterEach(() => door.close());

describe('the address in the record', () => {
  const calls: { era: string; call: (headers: Record<string, string>) => Promise<unknown> }[] = [
    { era: 'legacy', call: async headers => door.rpc('tools/call', CALL, await door.initialize({ headers })) },
    { era: 'modern', call: headers => door.modern('tools/call', CALL, { headers }) },
  ];

  test.each(calls)('is the peer’s, and what a stranger writes is not believed ($era)', async ({ call }) => {
    door = await startDoor(SERVERS);
    await call(BEHIND_PROXY);
    expect(door.records.map(({ method, address }) => [method, address])).toEqual([['tools/call', '127.0.0.1']]);
  });

  test.each(calls)('is what a trusted proxy says ($era)', async ({ call }) => {
    door = await startDoor(SERVERS, { addressOf: createFindClientAddress(['127.0.0.0/8']) });
    await call(BEHIND_PROXY);
    expect(door.records.map(({ address }) => address)).toEqual(['198.51.100.7']);
  });

  test('is none over the pipe', async () => {
    door = await startDoor(SERVERS);
    await pipe(door.deps, { jsonrpc: '2.0', id: 1, method: 'tools/call', params: CALL });
    expect(door.records.map(({ method, address }) => [method, address])).toEqual([['tools/call', null]]);
  });
});

describe('the headers that a caller may be shown', () => {
  const seen: (Record<string, string> | null | undefined)[] = [];
  const watching: FakeServer = {
    lists: { tools: [tool('echo')] },
    answer({ line }) {
      seen.push(line?.shownHeaders?.());
      return answerOf('legacy', {});
    },
  };
  afterEach(() => void seen.splice(0));

  test('are those of the very request, without its credentials', async () => {
    door = await startDoor({ a: watching }, { forwardable: new Set(['x-tenant']) });
    const session = await door.initialize();
    const more = { authorization: 'Bearer of-nobody', 'x-tenant': 'blue', 'x-color': 'red' };
    await door.rpc('tools/call', CALL, { ...session, ...more });
    await door.rpc('tools/call', CALL, { ...session, 'x-color': 'green' });
    await door.modern('tools/call', CALL, { headers: more });
    expect(seen.map(shown => shown?.['x-color'])).toEqual(['red', 'green', 'red']);
    const masked = { authorization: '[redacted]', 'x-tenant': '[redacted]', accept: BOTH };
    expect(seen[0]).toMatchObject({ ...masked, 'mcp-session-id': '[redacted]' });
    expect(seen[2]).toMatchObject({ ...masked, 'mcp-method': 'tools/call' });
    expect(JSON.stringify(seen)).not.toMatch(/of-nobody|blue/);
  });

  test('are none over the pipe', async () => {
    door = await startDoor({ a: watching });
    await pipe(door.deps, { jsonrpc: '2.0', id: 1, method: 'tools/call', params: CALL });
    expect(seen).toEqual([null]);
  });
});

describe('x-request-id', () => {
  const idOf = ({ headers }: { headers: Headers }) => headers.get('x-request-id');
  const listen = (headers: Record<string, string>) => ({ headers: { accept: 'text/event-stream', ...headers } });

  test('is the id in the record, for calls of both eras, answered as JSON or on a stream', async () => {
    const chatty: FakeServer = {
      lists: { tools: [tool('echo')] },
      answer: async ({ line }) => {
        line?.notify('notifications/progress', { progress: 1 });
        return answerOf('legacy', {});
      },
    };
    door = await startDoor({ a: chatty });
    const session = await door.initialize();
    const meta = { _meta: { progressToken: 1 } };
    const answers = [
      await door.rpc('tools/call', CALL, session),
      await door.rpc('tools/call', { ...CALL, ...meta }, session),
      await door.modern('tools/call', CALL),
      await door.modern('tools/call', CALL, { meta: meta._meta }),
    ];
    expect(answers.map(({ headers }) => headers.get('content-type')?.includes('stream'))).toEqual([
      ...[false, true, false, true],
    ]);
    expect(answers.map(idOf)).toEqual(door.records.map(({ id }) => id));
    expect(new Set(answers.map(idOf)).size).toBe(4);
  });

  test('of a batch is what the ids of its calls begin with', async () => {
    door = await startDoor(SERVERS);
    const call = { jsonrpc: '2.0', method: 'tools/call', params: CALL };
    const session = await door.initialize({ version: '2025-03-26' });
    const answer = await door.post(
      [
        { ...call, id: 1 },
        { ...call, id: 2 },
      ],
      session,
    );
    expect(door.records.map(({ id }) => id)).toEqual([`${idOf(answer)}.1`, `${idOf(answer)}.2`]);
  });

  test('is on every other answer too: handshakes, notifications, streams, the end of a session', async () => {
    door = await startDoor(SERVERS);
    const session = await door.initialize();
    const [stream, sse] = [await door.stream('/mcp', listen(session)), await door.stream('/sse', listen({}))];
    const endpoint = (await sse.next()).data;
    const answers = [
      ...[stream, sse],
      await door.rpc('initialize', { protocolVersion: '2025-11-25' }),
      await door.notify('notifications/initialized', {}, session),
      await door.rpc('ping', {}, session),
      await door.modern('server/discover'),
      await door.rpc('ping', {}, {}, endpoint),
      await door.send('/nobody/mcp', { method: 'POST' }),
      await door.send('/mcp', { method: 'DELETE', headers: session }),
      await door.rpc('ping', {}, session),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 202, 200, 200, 202, 404, 204, 404]);
    const ids = answers.map(idOf);
    expect(ids.filter(id => id === null)).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('of a refused credential is the one it is written down under', async () => {
    const written: (string | undefined)[] = [];
    const refused: McpDeps['refused'] = (_req, _path, _challenge, id) => {
      written.push(id);
      return null;
    };
    door = await startDoor(SERVERS, { apiKey: 'k'.repeat(32), refused });
    const answer = await door.rpc('ping');
    expect([answer.status, idOf(answer)]).toEqual([401, written[0]]);
    expect(written).toHaveLength(1);
  });

  test('of a conversation that may not begin is the one its denial is written under, and that once', async () => {
    const written: string[] = [];
    door = await startDoor(SERVERS, {
      refuseDoor(_who, _door, method, { id, address }) {
        written.push(`${id} ${method} ${address}`);
        return failure('DENIED_BY_POLICY');
      },
    });
    const answers = [
      await door.rpc('initialize', { protocolVersion: '2025-11-25' }, {}, '/a/mcp'),
      await door.send('/a/sse', { headers: { accept: 'text/event-stream' } }),
      await door.modern('server/discover', {}, { path: '/a/mcp' }),
    ];
    const methods = ['initialize', 'initialize', 'server/discover'];
    expect(written).toEqual(answers.map((answer, n) => `${idOf(answer)} ${methods[n]} 127.0.0.1`));
    expect(answers.map(({ json }) => json)).toMatchObject(
      methods.map(() => ({ error: { data: { code: 'DENIED_BY_POLICY' } } })),
    );
    expect(door.audit.lines).toEqual([]);
  });

  test('is never the client’s own', async () => {
    door = await startDoor(SERVERS);
    expect(idOf(await door.modern('server/discover', {}, { headers: { 'x-request-id': 'mine' } }))).toBe('r1');
  });
});

describe('what did not become a call', () => {
  const message = (method: string, params: object = {}) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const JSON_BODY = { 'content-type': 'application/json', accept: BOTH };
  const post = (body: string, headers: Record<string, string> = {}) =>
    door.send('/mcp', { method: 'POST', body, headers: { ...JSON_BODY, ...headers } });
  const envelope = { _meta: { [META.protocolVersion]: MODERN, [META.clientCapabilities]: {} } };
  const modern = (method: string) => ({ 'mcp-protocol-version': MODERN, 'mcp-method': method });

  test.each([
    { send: () => post('{'), code: 'PARSE_ERROR', method: 'POST' },
    { send: () => post('{"jsonrpc":"2.0"}'), code: 'INVALID_REQUEST', method: 'POST' },
    { send: () => post('{}', { 'content-type': 'text/plain' }), code: 'UNSUPPORTED_MEDIA', method: 'POST' },
    { send: () => post('{}', { accept: 'text/html' }), code: 'NOT_ACCEPTABLE', method: 'POST' },
    { send: () => post(' '.repeat(5_000_000)), code: 'TOO_LARGE', method: 'POST' },
    { send: () => post(message('tools/list')), code: 'SESSION_REQUIRED', method: 'tools/list' },
    { send: () => post(message('x', {}), { 'mcp-session-id': 'x' }), code: 'SESSION_UNKNOWN', method: 'x' },
    { send: () => post(message('initialize')), code: 'INVALID_PARAMS', method: 'initialize' },
    { send: () => post(message('x', envelope), modern('y')), code: 'HEADER_MISMATCH', method: 'x' },
    { send: () => post(message('ping', envelope), modern('ping')), code: 'METHOD_NOT_FOUND', method: 'ping' },
    {
      send: () => post(message('tasks/get', { taskId: 't', ...envelope }), { ...modern('tasks/get'), 'mcp-name': 't' }),
      ...{ code: 'MISSING_CAPABILITY', method: 'tasks/get' },
    },
    { send: () => door.send('/mcp', { method: 'PUT' }), code: 'METHOD_NOT_ALLOWED', method: 'PUT' },
    { send: () => door.send('/mcp', { headers: { accept: 'a/b' } }), code: 'NOT_ACCEPTABLE', method: 'GET' },
    { send: () => door.send('/sse', { method: 'POST' }), code: 'METHOD_NOT_ALLOWED', method: 'POST' },
    { send: () => door.send('/messages', { method: 'POST' }), code: 'SESSION_REQUIRED', method: 'POST' },
  ])('is in the book once, by whom and why: $code of $method', async ({ send, code, method }) => {
    door = await startDoor(SERVERS);
    const { json, headers } = await send();
    expect(headers.get('x-request-id')).toBe('r1');
    expect(json).toMatchObject({ error: { data: { code } } });
    const said = { id: 'r1', subject: LOCAL_CALLER.subject, operation: method, code, address: '127.0.0.1' };
    expect(door.audit.lines).toEqual([expect.objectContaining({ ...said, server: null, outcome: 'error' })]);
    expect(door.records).toEqual([expect.objectContaining(said)]);
  });

  test('is written for each element of a batch that was none, under an id of its own', async () => {
    door = await startDoor(SERVERS);
    const session = await door.initialize({ version: '2025-03-26' });
    const call = { jsonrpc: '2.0', method: 'tools/call', params: CALL };
    await door.post([{ ...call, id: 1 }, { nothing: true }, { ...call, id: 2, method: 'tasks/get' }], session);
    expect(door.audit.lines.map(({ id, operation, code }) => `${id} ${operation} ${code}`).sort()).toEqual([
      'r2.1 tools/call null',
      'r2.2 POST INVALID_REQUEST',
      'r2.3 tasks/get METHOD_NOT_FOUND',
    ]);
  });

  test.each([
    { line: '{', code: 'PARSE_ERROR', method: 'message' },
    { line: message('tasks/get'), code: 'METHOD_NOT_FOUND', method: 'tasks/get' },
    { line: message('logging/setLevel', { level: 'loud' }), code: 'INVALID_PARAMS', method: 'logging/setLevel' },
    { line: message('ping', envelope), code: 'METHOD_NOT_FOUND', method: 'ping' },
    { line: message('x', { _meta: { [META.protocolVersion]: MODERN } }), code: 'INVALID_PARAMS', method: 'x' },
  ])('over stdio too: $code of $method', async ({ line, code, method }) => {
    door = await startDoor(SERVERS);
    expect(await pipe(door.deps, line)).toContain(`"${code}"`);
    expect(door.audit.lines).toEqual([expect.objectContaining({ operation: method, code, address: null })]);
  });

  test('is not written when the client left while it sent: nobody was refused', async () => {
    door = await startDoor(SERVERS);
    const stop = new AbortController();
    const body = new ReadableStream({ start: to => to.enqueue(Buffer.from('{"jsonrpc"')) });
    const init = { method: 'POST', headers: JSON_BODY, body, duplex: 'half', signal: stop.signal };
    const sent = fetch(`${door.url}/mcp`, init as RequestInit).catch(() => {});
    await new Promise(resolve => setTimeout(resolve, 100));
    stop.abort();
    await sent;
    await door.rpc('nothing', {}, await door.initialize());
    expect(door.audit.lines.map(({ code }) => code)).toEqual(['METHOD_NOT_FOUND']);
  });
});
