import { afterEach, describe, expect, test } from 'vitest';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { type JsonObject, objectOrEmpty } from '../../../src/domain/json.ts';
import { Session } from '../../../src/inbound/mcp/session.ts';
import { answerOf, type FakeServer, type Sent, tool } from '../../support/fake-downstreams.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { BOTH, type DoorKit, type DoorOptions, startDoor } from '../../support/mcp-door.ts';
import { settle } from '../../support/staircase.ts';

const echo = ({ params, line }: Sent) =>
  answerOf('legacy', {
    content: [{ type: 'text', text: JSON.stringify(params.arguments ?? null) }],
    client: line.clientInfo,
  });
/** Notifies once, then answers. */
const tellFirst = (method: string, params: (args: JsonObject) => JsonObject) => (sent: Sent) => {
  sent.line.notify(method, params(objectOrEmpty(sent.params.arguments)));
  return echo(sent);
};
const SERVERS: Record<string, FakeServer> = {
  a: { lists: { tools: [tool('echo'), tool('list_files')], resources: [{ uri: 'r://1', name: 'r' }] }, answer: echo },
  b: { lists: { tools: [tool('echo')], resources: [{ uri: 'r://1', name: 'r' }] }, answer: echo },
};

let door: DoorKit;
afterEach(() => door.close());
const open = async (options: DoorOptions = {}, servers = SERVERS) => {
  door = await startDoor(servers, options);
  return door;
};

describe('the handshake', () => {
  test.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])('speaks %s when asked to', async version => {
    await open();
    const { status, json, headers } = await door.rpc('initialize', { protocolVersion: version, capabilities: {} });
    expect([status, (json.result as JsonObject).protocolVersion]).toEqual([200, version]);
    expect(headers.get('mcp-session-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.get('content-type')).toBe('application/json');
  });

  test.each(['2031-01-01', '2026-07-28', ''])(
    'answers %j with the newest legacy version: a modern one has no handshake',
    async version => {
      await open();
      const { json } = await door.rpc('initialize', { protocolVersion: version, capabilities: {} });
      expect((json.result as JsonObject).protocolVersion).toBe('2025-11-25');
    },
  );

  test('without a version is refused, and opens no session', async () => {
    await open();
    expect(await door.rpc('initialize', {})).toMatchObject({ status: 400, json: { error: { code: -32602 } } });
    expect(door.sessions.size()).toBe(0);
  });

  test('gives an id of its own choice, never the client’s (session fixation)', async () => {
    await open();
    const planted = '11111111-1111-4111-8111-111111111111';
    const { headers } = await door.rpc('initialize', { protocolVersion: '2025-11-25' }, { 'mcp-session-id': planted });
    expect(headers.get('mcp-session-id')).not.toBe(planted);
  });

  test('is refused with 503 and Retry-After when the table is full of sessions in use', async () => {
    await open({ maxSessions: 1 });
    await door.initialize();
    const { status, headers, json } = await door.rpc('initialize', { protocolVersion: '2025-11-25' });
    expect([status, headers.get('retry-after'), (json.error as JsonObject).code]).toEqual([503, '1', -32005]);
  });
});

describe('the lenient door', () => {
  test('takes document 2’s exchange literally: JSON alone accepted, no initialized sent', async () => {
    await open({ exposure: 'agent' });
    const accept = { accept: 'application/json' };
    const shaken = await door.rpc('initialize', { protocolVersion: '2024-11-05', capabilities: {} }, accept, '/');
    const session = shaken.headers.get('mcp-session-id') ?? '';
    expect([shaken.status, shaken.json.result !== undefined]).toEqual([200, true]);
    const params = { name: 'list_servers', arguments: { agent_id: 'researcher' } };
    const listed = await door.rpc('tools/call', params, { ...accept, 'mcp-session-id': session }, '/');
    expect(listed).toMatchObject({ status: 200, json: { result: { isError: false } } });
    expect(listed.headers.get('content-type')).toBe('application/json');
  });

  test('answers a request without a session, the strict door does not', async () => {
    await open();
    expect((await door.rpc('tools/list', {}, {}, '/')).status).toBe(200);
    expect((await door.rpc('tools/list', {}, {}, '/mcp')).status).toBe(400);
  });

  test('keeps nothing of a request without a session', async () => {
    await open();
    expect(await door.rpc('resources/subscribe', { uri: 'r://1' }, {}, '/')).toMatchObject({
      json: { error: { data: { code: 'METHOD_NOT_FOUND' } } },
    });
    expect(door.downstreams.watched.size).toBe(0);
    expect(door.sessions.size()).toBe(0);
  });

  test('gives callers without a session no common session at a server that keeps one per session', async () => {
    await open({}, { a: { ...SERVERS.a, spec: { sharing: 'per-session' } } });
    await door.rpc('tools/call', { name: 'a__echo' }, {}, '/');
    expect(door.downstreams.sent.map(({ line, route }) => [line.sessionId, route.partition])).toEqual([[null, 'main']]);
  });

  test('is a page for people to who only looks', async () => {
    await open();
    expect((await door.send('/')).status).toBe(404);
  });
});

describe('a session', () => {
  test.each([
    { id: undefined, status: 400, because: 'none was shown' },
    { id: '../x', status: 400, because: 'that is no id' },
    { id: 'x'.repeat(300), status: 400, because: 'that is too long for an id' },
    { id: 'a b', status: 400, because: 'an id has no spaces' },
    { id: '00000000-0000-4000-8000-000000000000', status: 404, because: 'nobody opened it: the client starts anew' },
  ])('$id is $status: $because', async ({ id, status }) => {
    await open();
    const res = await door.rpc('tools/list', {}, id === undefined ? {} : { 'mcp-session-id': id });
    expect(res.status).toBe(status);
    if (id !== undefined) expect(res.text).not.toContain(id);
  });

  test('ends with DELETE; afterwards it is unknown, a second DELETE too', async () => {
    await open();
    const headers = await door.initialize();
    const statuses = [];
    for (const method of ['DELETE', 'DELETE']) statuses.push((await door.send('/mcp', { method, headers })).status);
    statuses.push((await door.rpc('tools/list', {}, headers)).status);
    expect(statuses).toEqual([204, 404, 404]);
  });

  test('expires when idle, and every use gives it its whole time again', async () => {
    const clock = createFrozenClock();
    await open({ ttlMs: 2_000, clock });
    const headers = await door.initialize();
    for (let n = 0; n < 3; n++) {
      clock.advance(1_500);
      expect((await door.rpc('ping', {}, headers)).status).toBe(200);
    }
    clock.advance(3_000);
    expect((await door.rpc('ping', {}, headers)).status).toBe(404);
  });

  test('of one caller is as unknown to another as a random id', async () => {
    // One key is one caller, so the other is made by hand.
    await open();
    const session = door.sessions.open(
      { ...LOCAL_CALLER, subject: 'alice', method: 'api-key' },
      { server: null, exposure: null },
      '2025-11-25',
    );
    if (!(session instanceof Session)) throw new Error('there is no room');
    const stolen = await door.rpc('tools/list', {}, { 'mcp-session-id': session.id });
    const random = await door.rpc('tools/list', {}, { 'mcp-session-id': '00000000-0000-4000-8000-000000000000' });
    expect([stolen.status, stolen.text]).toEqual([random.status, random.text]);
  });

  test('belongs to the door it was opened at: names mean something else behind another', async () => {
    await open();
    const headers = await door.initialize({ path: '/a/mcp' });
    expect((await door.rpc('tools/list', {}, headers, '/a/mcp')).json.result).toMatchObject({
      tools: [{ name: 'echo' }, { name: 'list_files' }],
    });
    expect((await door.rpc('tools/list', {}, headers, '/b/mcp')).status).toBe(404);
    expect((await door.rpc('tools/list', {}, headers, '/mcp')).status).toBe(404);
  });

  test.each(['1999-01-01', '2026-13-99', 'x'])('is not served under the protocol version %s: 400', async version => {
    await open();
    const headers = await door.initialize();
    expect((await door.rpc('tools/list', {}, { ...headers, 'mcp-protocol-version': version })).status).toBe(400);
  });

  test('is served without a version header: 2025-03-26 had none', async () => {
    await open();
    const { 'mcp-protocol-version': _version, ...headers } = await door.initialize();
    expect((await door.rpc('tools/list', {}, headers)).status).toBe(200);
  });
});

describe('what is refused before it is a call', () => {
  test.each([
    { type: 'text/plain', because: 'a page of another origin may send it without asking' },
    { type: 'application/x-www-form-urlencoded', because: 'a form may send it without asking' },
    { type: 'application/jsonx', because: 'it only begins like JSON' },
    { type: 'application/json-patch+json', because: 'it is another format' },
  ])('$type with 415: $because', async ({ type }) => {
    await open();
    const headers = await door.initialize();
    expect((await door.rpc('tools/list', {}, { ...headers, 'content-type': type })).status).toBe(415);
  });

  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset=UTF-8'])(
    'nothing that is JSON: %s',
    async type => {
      await open();
      const headers = await door.initialize();
      expect((await door.rpc('tools/list', {}, { ...headers, 'content-type': type })).status).toBe(200);
    },
  );

  test.each([
    { accept: 'application/json', status: 200, because: 'JSON is enough for a JSON answer' },
    { accept: '*/*', status: 200, because: 'anything is JSON too' },
    { accept: 'application/*', status: 200, because: 'JSON is one of them' },
    { accept: 'text/html, Application/JSON;q=0.5', status: 200, because: 'names of types have no case' },
    { accept: 'text/html', status: 406, because: 'neither JSON nor a stream' },
    { accept: 'text/event-stream', status: 406, because: 'the answer may be JSON' },
  ])('Accept: $accept with $status: $because', async ({ accept, status }) => {
    await open();
    const headers = await door.initialize();
    expect((await door.rpc('tools/list', {}, { ...headers, accept })).status).toBe(status);
  });

  test.each([
    { path: '/mcp', init: {}, status: 406, code: -32000, says: 'NOT_ACCEPTABLE' },
    { path: '/mcp', init: { headers: { accept: BOTH } }, status: 400, code: -32000, says: 'SESSION_REQUIRED' },
    {
      path: '/mcp',
      init: { headers: { accept: BOTH, 'mcp-session-id': 'nobodys' } },
      status: 404,
      code: -32001,
      says: 'SESSION_UNKNOWN',
    },
    { path: '/mcp', init: { method: 'PUT' }, status: 405, code: -32000, says: 'METHOD_NOT_ALLOWED' },
    { path: '/mcp', init: { method: 'POST', body: '{}' }, status: 415, code: -32600, says: 'UNSUPPORTED_MEDIA' },
    { path: '/messages', init: { method: 'POST', body: '{}' }, status: 400, code: -32000, says: 'SESSION_REQUIRED' },
    { path: '/sse', init: { method: 'POST', body: '{}' }, status: 405, code: -32000, says: 'METHOD_NOT_ALLOWED' },
    { path: '/sse', init: { headers: { accept: 'text/html' } }, status: 406, code: -32000, says: 'NOT_ACCEPTABLE' },
  ])('$path with $status says $says', async ({ path, init, status, code, says }) => {
    await open();
    const res = await door.send(path, init);
    expect(res).toMatchObject({ status, json: { id: null, error: { code, data: { code: says } } } });
  });

  test.each(['PUT', 'PATCH', 'HEAD'])('%s with 405 and the methods there are', async method => {
    await open();
    const res = await door.send('/mcp', { method });
    expect([res.status, res.headers.get('allow')]).toEqual([405, 'GET, POST, DELETE']);
  });

  test('the methods that overriding headers ask for', async () => {
    await open();
    const headers = await door.initialize();
    expect((await door.rpc('tools/list', {}, { ...headers, 'x-http-method-override': 'DELETE' })).status).toBe(200);
    expect(door.sessions.size()).toBe(1);
  });

  test.each([
    { body: '{', code: -32700, status: 400, because: 'not JSON' },
    { body: '', code: -32700, status: 400, because: 'nothing' },
    { body: '[]', code: -32000, status: 400, because: 'a batch without a session' },
    { body: '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', code: -32600, status: 400, because: 'a fraction as id' },
    {
      body: '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}',
      code: -32600,
      status: 400,
      because: 'an id that cannot be echoed',
    },
    {
      body: '{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}',
      code: -32602,
      status: 400,
      because: 'positional parameters',
    },
    { body: '['.repeat(10_000), code: -32600, status: 400, because: 'nested too deeply' },
    { body: '['.repeat(1_000_000), code: -32600, status: 400, because: 'nested far too deeply' },
  ])('a body of $body.length characters with $code: $because', async ({ body, code, status }) => {
    await open();
    const res = await door.send('/mcp', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    expect([res.status, (res.json.error as JsonObject).code]).toEqual([status, code]);
  });

  test.each([
    { session: {}, status: 400, says: 'SESSION_REQUIRED', because: 'no session is named' },
    { session: { 'mcp-session-id': '../x' }, status: 400, says: 'SESSION_REQUIRED', because: 'what is named is none' },
    { session: { 'mcp-session-id': 'nobodys' }, status: 404, says: 'SESSION_UNKNOWN', because: 'nobody has it' },
  ])('a request without its session under its own id: $because', async ({ session, status, says }) => {
    await open();
    const reply = await door.post({ jsonrpc: '2.0', id: 'a-7', method: 'tools/list' }, session);
    expect(reply).toMatchObject({ status, json: { id: 'a-7', error: { data: { code: says } } } });
  });

  test('a body beyond the cap with 413, and the door stays open', async () => {
    await open({ maxBodyBytes: 10_000 });
    const headers = await door.initialize();
    expect(
      (await door.rpc('tools/call', { name: 'a__echo', arguments: { x: 'y'.repeat(10_000) } }, headers)).status,
    ).toBe(413);
    expect((await door.rpc('tools/call', { name: 'a__echo', arguments: { x: 1 } }, headers)).status).toBe(200);
  });

  test('a missing or wrong credential with 401, one JSON body and a challenge, before anything is read', async () => {
    const apiKey = 'k9vQ2mX7wLr4Tz8uYb3nHs6dFg1cJp5a';
    await open({ apiKey });
    for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
      for (const path of ['/mcp', '/', '/sse', '/messages', '/a/mcp']) {
        const res = await door.rpc('tools/list', {}, headers, path);
        expect([
          res.status,
          res.headers.get('content-type'),
          res.headers.get('www-authenticate')?.startsWith('Bearer'),
        ]).toEqual([401, 'application/json', true]);
        expect(res.json.error).toMatchObject({ code: -32600, data: { code: 'UNAUTHENTICATED' } });
      }
    }
    const headers = await door.initialize({ headers: { authorization: `Bearer ${apiKey}` } });
    expect((await door.rpc('tools/list', {}, headers)).status).toBe(200);
  });

  test('a server nobody configured with 404', async () => {
    await open();
    expect((await door.rpc('initialize', { protocolVersion: '2025-11-25' }, {}, '/ghost/mcp')).status).toBe(404);
  });
});

describe('a legacy call', () => {
  test('is answered as JSON when it is quick, with the id it came with', async () => {
    await open();
    const headers = await door.initialize();
    for (const id of [0, 'x', '', -7, Number.MAX_SAFE_INTEGER, 'y'.repeat(65_536)]) {
      const { json, headers: got } = await door.rpc(
        'tools/call',
        { name: 'a__echo', arguments: { id } },
        headers,
        '/mcp',
        id,
      );
      expect([json.id, got.get('content-type')]).toEqual([id, 'application/json']);
    }
  });

  test('turns into a stream with its first notification; the answer comes last', async () => {
    await open(
      {},
      {
        a: {
          ...SERVERS.a,
          answer: sent => {
            for (let n = 1; n <= 3; n++) sent.line.notify('notifications/progress', { progress: n });
            return echo(sent);
          },
        },
      },
    );
    const headers = await door.initialize();
    const res = await door.rpc(
      'tools/call',
      { name: 'a__echo', arguments: {}, _meta: { progressToken: 'mine' } },
      headers,
      '/mcp',
      9,
    );
    expect(res.headers.get('content-type')).toBe('text/event-stream');
    expect(res.messages.map(({ method, id }) => method ?? id)).toEqual([...Array(3).fill('notifications/progress'), 9]);
    expect(res.messages[0]?.params).toEqual({ progress: 1, progressToken: 'mine' });
  });

  test('accepting JSON alone gets JSON, without what came before the answer', async () => {
    await open(
      {},
      {
        a: { ...SERVERS.a, answer: tellFirst('notifications/message', () => ({ level: 'info' })) },
      },
    );
    const headers = await door.initialize();
    const res = await door.rpc('tools/call', { name: 'a__echo' }, { ...headers, accept: 'application/json' });
    expect([res.headers.get('content-type'), res.json.id]).toEqual(['application/json', 1]);
  });

  test('asks the client on its stream and takes the answer from another POST', async () => {
    await open(
      {},
      {
        a: {
          ...SERVERS.a,
          answer: async ({ line }) => {
            const answer = await line.ask('elicitation/create', { message: 'Who?' });
            return answerOf('legacy', { said: answer.kind === 'result' ? answer.result : { no: true } });
          },
        },
      },
    );
    const headers = await door.initialize({ capabilities: { elicitation: {} } });
    const body = JSON.stringify({ jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'a__echo' } });
    const call = await door.stream('/mcp', {
      method: 'POST',
      body,
      headers: { ...headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    });
    const question = (await call.next()).message;
    expect(question).toMatchObject({ method: 'elicitation/create', params: { message: 'Who?' } });
    const answered = await door.post({ jsonrpc: '2.0', id: question?.id ?? 0, result: { action: 'accept' } }, headers);
    expect(answered.status).toBe(202);
    expect((await call.next()).message).toMatchObject({ id: 5, result: { said: { action: 'accept' } } });
  });

  test('is cancelled by a notification, and not by a dropped connection', async () => {
    const started: Sent[] = [];
    const stopped: string[] = [];
    await open(
      {},
      {
        a: {
          ...SERVERS.a,
          answer: sent => {
            started.push(sent);
            return new Promise(resolve => {
              sent.line.whenCancelled(reason => {
                stopped.push(reason);
                resolve(answerOf('legacy', {}));
              });
            });
          },
        },
      },
    );
    const headers = await door.initialize();
    const gone = new AbortController();
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'a__echo' } });
    const dropped = fetch(`${door.url}/mcp`, {
      method: 'POST',
      body,
      headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
      signal: gone.signal,
    }).catch(() => null);
    await waitFor(() => started.length === 1);
    gone.abort();
    await dropped;
    await settle();
    expect(stopped).toEqual([]);
    const status = (await door.notify('notifications/cancelled', { requestId: 1, reason: 'enough' }, headers)).status;
    await waitFor(() => stopped.length === 1);
    expect([status, stopped]).toEqual([202, ['enough']]);
  });

  test.each(['server/discover', 'subscriptions/listen', 'tasks/get', 'no/such', '__proto__'])(
    'of %s is unknown',
    async method => {
      await open();
      const headers = await door.initialize();
      expect(await door.rpc(method, {}, headers)).toMatchObject({ status: 200, json: { error: { code: -32601 } } });
    },
  );

  test('sets the level of its session’s log messages, and tells the servers the most verbose one wanted', async () => {
    await open();
    const [one, two] = [await door.initialize(), await door.initialize()];
    await door.rpc('logging/setLevel', { level: 'error' }, one);
    await door.rpc('logging/setLevel', { level: 'debug' }, two);
    await door.rpc('logging/setLevel', { level: 'warning' }, one);
    expect(door.downstreams.logLevel).toBe('debug');
    expect((await door.rpc('logging/setLevel', { level: 'loud' }, one)).json.error).toMatchObject({ code: -32602 });
  });
});

describe('many clients with the same ids', () => {
  test('each get their own answers (security C1)', async () => {
    await open();
    const clients = await Promise.all(Array.from({ length: 25 }, () => door.initialize()));
    await Promise.all(
      clients.flatMap((headers, client) =>
        Array.from({ length: 20 }, async (_, id) => {
          const { json } = await door.rpc(
            'tools/call',
            { name: 'a__echo', arguments: { client, id } },
            headers,
            '/mcp',
            id,
          );
          expect(json).toMatchObject({ id, result: { content: [{ text: JSON.stringify({ client, id }) }] } });
        }),
      ),
    );
    expect(door.gateway.inFlight()).toBe(0);
  });

  test('even one client that uses an id a hundred times at once', async () => {
    await open();
    const headers = await door.initialize();
    const texts = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const { json } = await door.rpc('tools/call', { name: 'a__echo', arguments: { n } }, headers, '/mcp', 'same');
        return JSON.stringify(json.result).includes(`{\\"n\\":${n}}`);
      }),
    );
    expect(texts.every(Boolean)).toBe(true);
  });

  test('and equal progress tokens each hear of their own call (security C11)', async () => {
    await open(
      {},
      {
        a: {
          ...SERVERS.a,
          answer: tellFirst('notifications/progress', args => ({ progress: args.n ?? 0 })),
        },
      },
    );
    const clients = await Promise.all(Array.from({ length: 20 }, () => door.initialize()));
    await Promise.all(
      clients.map(async (headers, n) => {
        const { messages } = await door.rpc(
          'tools/call',
          { name: 'a__echo', arguments: { n }, _meta: { progressToken: 1 } },
          headers,
        );
        expect(messages[0]?.params).toEqual({ progress: n, progressToken: 1 });
      }),
    );
  });
});

describe('batches', () => {
  const ping = (id: number | string) => ({ jsonrpc: '2.0', id, method: 'ping' });
  const old = () => door.initialize({ version: '2025-03-26' });

  test('are answered in 2025-03-26, each element for itself', async () => {
    await open();
    const headers = await old();
    const batch = [
      ping('a'),
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', id: 'b', method: 'no/such' },
      { jsonrpc: '2.0', id: 'c', method: 'tools/call', params: { name: 'a__echo' } },
    ];
    const { status, json } = await door.post(batch, headers);
    const answers = json as unknown as JsonObject[];
    expect([status, answers.map(({ id }) => id).sort()]).toEqual([200, ['a', 'b', 'c']]);
    expect(answers.find(({ id }) => id === 'b')?.error).toMatchObject({ code: -32601 });
  });

  test('of notifications alone are accepted with 202 and nothing to read', async () => {
    await open();
    const res = await door.post([{ jsonrpc: '2.0', method: 'notifications/initialized' }], await old());
    expect([res.status, res.text]).toEqual([202, '']);
  });

  test('with something unreadable answer that with the id null: every number may be somebody’s id', async () => {
    await open();
    const { json } = await door.post([5, ping(0)], await old());
    const answers = json as unknown as JsonObject[];
    expect(answers.map(({ id, error }) => [id, error !== undefined])).toEqual([
      [null, true],
      [0, false],
    ]);
  });

  test.each([
    { version: '2025-06-18', size: 1, because: 'later versions have none' },
    { version: '2025-11-25', size: 1, because: 'later versions have none' },
    { version: '2024-11-05', size: 1, because: 'earlier ones have none here' },
    { version: '2025-03-26', size: 0, because: 'an empty one is none' },
    { version: '2025-03-26', size: 101, because: 'that is more than a hundred' },
  ])('of $size in $version are refused: $because', async ({ version, size }) => {
    await open();
    const headers = await door.initialize({ version });
    const { status, json } = await door.post(
      Array.from({ length: size }, (_, n) => ping(n)),
      headers,
    );
    expect([status, (json.error as JsonObject).code]).toEqual([400, -32600]);
  });
});

describe('the standing stream', () => {
  const listen = (headers: Record<string, string>, more: Record<string, string> = {}) =>
    door.stream('/mcp', { headers: { ...headers, accept: 'text/event-stream', ...more } });
  const changeTools = async () => {
    door.downstreams.relist('a', { tools: [tool(`new${Math.random()}`)] });
    await door.tellNews();
  };

  test('brings news', async () => {
    await open();
    const stream = await listen(await door.initialize());
    expect([stream.status, stream.headers.get('content-type'), stream.headers.get('x-accel-buffering')]).toEqual([
      200,
      'text/event-stream',
      'no',
    ]);
    await changeTools();
    expect((await stream.next()).message).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/tools/list_changed',
      params: {},
    });
  });

  test('begins with an event to resume from in 2025-11-25, and with none before', async () => {
    await open();
    const first = await (await listen(await door.initialize())).nextRaw();
    expect([first.data, first.id !== null]).toEqual(['', true]);
    const older = await listen(await door.initialize({ version: '2025-06-18' }));
    await changeTools();
    expect((await older.nextRaw()).data).toContain('list_changed');
  });

  test('continues where it broke: what was missed comes in order, nothing twice, then what is new', async () => {
    await open();
    const headers = await door.initialize();
    const stream = await listen(headers);
    const first = await stream.nextRaw();
    const told = (n: number) =>
      door.news.publish({
        kind: 'notification',
        server: 'a',
        partition: 'main',
        method: 'notifications/x',
        params: { n },
      });
    told(1);
    const seen = await stream.next();
    stream.close();
    await stream.ended;
    for (const n of [2, 3, 4]) told(n);
    for (const [from, missed] of [
      [seen.id, [2, 3, 4]],
      [first.id, [1, 2, 3, 4]],
    ] as const) {
      const again = await listen(headers, { 'last-event-id': from ?? '' });
      const got = [];
      for (const _ of missed) got.push((await again.next()).message?.params);
      expect(got).toEqual(missed.map(n => ({ n })));
      again.close();
      await again.ended;
    }
    const last = await listen(headers, { 'last-event-id': first.id ?? '' });
    for (let n = 1; n <= 4; n++) await last.next();
    told(5);
    expect((await last.next()).message?.params).toEqual({ n: 5 });
  });

  test('does not show what another session was told, whatever event id is shown (security C4)', async () => {
    await open();
    const alice = await listen(await door.initialize());
    const { id } = await alice.nextRaw();
    const bob = await listen(await door.initialize(), { 'last-event-id': id ?? '' });
    expect(bob.status).toBe(404);
  });

  test('says 404 when what was missed is gone, instead of leaving a gap', async () => {
    await open({ maxEvents: 3 });
    const headers = await door.initialize();
    const stream = await listen(headers);
    const { id } = await stream.nextRaw();
    stream.close();
    await stream.ended;
    for (let n = 0; n < 5; n++)
      door.news.publish({
        kind: 'notification',
        server: 'a',
        partition: 'main',
        method: 'notifications/x',
        params: { n },
      });
    expect((await listen(headers, { 'last-event-id': id ?? '' })).status).toBe(404);
  });

  test('is resumable after any number of streamed calls', async () => {
    const notifying = {
      a: {
        ...SERVERS.a,
        answer: tellFirst('notifications/message', () => ({ level: 'info' })),
      },
    };
    await open({ maxEvents: 10 }, notifying);
    const headers = await door.initialize();
    const stream = await listen(headers);
    await stream.nextRaw();
    for (let n = 0; n < 15; n++) await door.rpc('tools/call', { name: 'a__echo' }, headers);
    door.news.publish({
      kind: 'notification',
      server: 'a',
      partition: 'main',
      method: 'notifications/x',
      params: { n: 1 },
    });
    const seen = await stream.next();
    stream.close();
    await stream.ended;
    door.news.publish({
      kind: 'notification',
      server: 'a',
      partition: 'main',
      method: 'notifications/x',
      params: { n: 2 },
    });
    const again = await listen(headers, { 'last-event-id': seen.id ?? '' });
    expect([again.status, (await again.next()).message?.params]).toEqual([200, { n: 2 }]);
  });

  test('of a call that is still running is resumed too, and brings the answer', async () => {
    let finish = () => {};
    const slow = {
      a: {
        ...SERVERS.a,
        answer: (sent: Sent) => {
          sent.line.notify('notifications/progress', { progress: 1 });
          return new Promise<ReturnType<typeof echo>>(resolve => {
            finish = () => {
              sent.line.notify('notifications/progress', { progress: 2 });
              resolve(echo(sent));
            };
          });
        },
      },
    };
    await open({}, slow);
    const headers = await door.initialize();
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 3,
      method: 'tools/call',
      params: { name: 'a__echo', _meta: { progressToken: 1 } },
    });
    const call = await door.stream('/mcp', {
      method: 'POST',
      body,
      headers: { ...headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    });
    const seen = await call.next();
    call.close();
    await call.ended;
    const again = await listen(headers, { 'last-event-id': seen.id ?? '' });
    finish();
    expect([(await again.next()).message, (await again.next()).message]).toMatchObject([
      { params: { progress: 2 } },
      { id: 3 },
    ]);
    await again.ended;
  });

  test('keeps its session alive as long as it is open', async () => {
    const clock = createFrozenClock();
    await open({ clock, ttlMs: 2_000 });
    const headers = await door.initialize();
    const stream = await listen(headers);
    clock.advance(60_000);
    expect((await door.rpc('ping', {}, headers)).status).toBe(200);
    stream.close();
    await stream.ended;
    await waitFor(() => [...door.sessions.all()].every(({ uses }) => uses === 0));
    clock.advance(3_000);
    expect((await door.rpc('ping', {}, headers)).status).toBe(404);
  });

  test('needs a session and the stream’s media type', async () => {
    await open();
    const headers = await door.initialize();
    expect((await door.send('/mcp', { headers: { accept: 'text/event-stream' } })).status).toBe(400);
    expect((await door.send('/mcp', { headers: { ...headers, accept: 'application/json' } })).status).toBe(406);
  });

  test('takes no place of the calls under way', async () => {
    await open();
    await listen(await door.initialize());
    expect(door.held.size).toBe(1);
  });

  test('brings updates of a resource to who subscribed to it, and of another server’s with the same URI to nobody', async () => {
    await open();
    const [atA, atB, all] = [
      await door.initialize({ path: '/a/mcp' }),
      await door.initialize({ path: '/b/mcp' }),
      await door.initialize(),
    ];
    const streamAt = (path: string, headers: Record<string, string>) =>
      door.stream(path, { headers: { ...headers, accept: 'text/event-stream' } });
    const streams = [await streamAt('/a/mcp', atA), await streamAt('/b/mcp', atB), await streamAt('/mcp', all)];
    await door.rpc('resources/subscribe', { uri: 'r://1' }, atA, '/a/mcp');
    await door.rpc('resources/subscribe', { uri: 'r://1' }, atB, '/b/mcp');
    await door.rpc('resources/subscribe', { uri: 'b+r://1' }, all);
    for (const [n, server] of ['a', 'b'].entries())
      door.downstreams.emit({ kind: 'resource-updated', server, uri: 'r://1', params: { uri: 'r://1', n } });
    door.news.publish({ kind: 'list-changed', what: 'prompts' });
    const heard = [];
    for (const stream of streams) {
      const own = [];
      for (
        let event = await stream.next();
        event.message?.method !== 'notifications/prompts/list_changed';
        event = await stream.next()
      )
        own.push(event.message?.params);
      heard.push(own);
    }
    expect(heard).toEqual([[{ uri: 'r://1', n: 0 }], [{ uri: 'r://1', n: 1 }], [{ uri: 'b+r://1', n: 1 }]]);
  });

  test('ends when its session does, and what it watched is let go', async () => {
    await open();
    const headers = await door.initialize();
    const stream = await listen(headers);
    await door.rpc('resources/subscribe', { uri: 'r://1' }, headers);
    await door.send('/mcp', { method: 'DELETE', headers });
    await stream.ended;
    expect([...(door.downstreams.watched.get('a') ?? [])]).toEqual([]);
  });
});

/** Waits for something another process turn brings about; fails with the test's own time limit. */
async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5));
}
