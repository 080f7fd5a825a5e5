/**
 * What a page in somebody's browser, a confused proxy or a clever request could try at the listener: every route of a real
 * gateway, before a single call gets through.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { META } from '../../src/domain/era.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { type Answer, ask, eventually, exchange, openSocket } from '../inbound/http/wire.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, IS_FULL, startGateway } from '../support/gateway-process.ts';

let downstream: StartedScripted;
let gateway: GatewayProcess;
let port: number;

beforeAll(async () => {
  downstream = await startScripted({ era: 'legacy', name: 'one' });
  gateway = await startGateway({ settings: { servers: { one: { url: downstream.url } }, log: { level: 'warn' } } });
  port = Number(new URL(gateway.origin).port);
}, 60_000);

afterAll(async () => {
  await gateway.stop();
  await downstream.close();
});

/** Each with the methods it knows and one it does not. */
const ROUTES = [
  ...['/health', '/ready', '/metrics', '/', '/nowhere', '/favicon.ico'].flatMap(path => [
    `GET ${path}`,
    `POST ${path}`,
  ]),
  ...['/mcp', '/mcp/direct', '/mcp/agent', '/mcp/discovery', '/one/mcp', '/nobody/mcp'].flatMap(path =>
    ['GET', 'POST', 'DELETE', 'OPTIONS', 'PUT'].map(method => `${method} ${path}`),
  ),
  ...['/sse', '/messages?sessionId=x', '/one/sse', '/one/messages?sessionId=x'].flatMap(path =>
    ['GET', 'POST', 'OPTIONS'].map(method => `${method} ${path}`),
  ),
  ...['/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/mcp', '/one/.well-known/x'].map(
    path => `GET ${path}`,
  ),
  'GET /api/v1/servers',
  'POST /api/v1/servers',
  'GET /v0.1/servers',
  'OPTIONS *',
];

const CALL = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'one__echo', arguments: { text: 'x' } } };
const JSON_TYPE = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** What was called at the downstream so far. */
const callsSoFar = () => JSON.stringify(downstream.stats().calls);

function post(body: string | JsonObject, headers: Record<string, string> = {}, path = '/mcp'): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const all = Object.entries({
    host: `127.0.0.1:${port}`,
    connection: 'close',
    ...JSON_TYPE,
    'content-length': String(Buffer.byteLength(text)),
    ...headers,
  });
  return exchange(
    port,
    `POST ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${text}`,
  );
}

async function openSession(protocolVersion: string, path: string): Promise<string> {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  const opened = await post({ jsonrpc: '2.0', id: 1, method: 'initialize', params }, {}, path);
  const session = opened.headers.get('mcp-session-id');
  if (session === undefined) throw new Error(`no session: ${opened.raw}`);
  return session;
}

describe.each(ROUTES)('%s', route => {
  const line = `${route} HTTP/1.1`;

  test('is closed to foreign hosts and origins, and says so alike', async () => {
    const before = callsSoFar();
    for (const [headers, status] of [
      [{ host: 'evil.example' }, 403],
      [{ host: `localhost.evil.example:${port}` }, 403],
      [{ host: 'gw/?x' }, 400],
      [{ host: 'a@127.0.0.1' }, 400],
      [{ host: 'a#b' }, 400],
      [{ origin: 'http://evil.example' }, 403],
      [{ origin: 'http://localhost.evil.example' }, 403],
      [{ origin: 'null' }, 403],
      [{ origin: 'http://evil.example', authorization: 'Bearer x', cookie: 'a=b' }, 403],
    ] as const) {
      const answer = await ask(port, headers, line);
      expect([answer.status, JSON.stringify(headers)]).toEqual([status, JSON.stringify(headers)]);
      expect([...answer.headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([]);
      expect(JSON.parse(answer.body)).toEqual({ error: expect.any(String), detail: expect.any(String) });
    }
    expect(callsSoFar()).toBe(before);
  });

  test('is closed to requests that name two places', async () => {
    const twins = await exchange(port, `${line}\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    expect(twins.status).toBe(400);
    const keys = 'Authorization: Bearer a\r\nAuthorization: Bearer b\r\n';
    expect((await exchange(port, `${line}\r\nHost: 127.0.0.1\r\n${keys}Connection: close\r\n\r\n`)).status).toBe(400);
    if (route.endsWith('*')) return;
    const absolute = line.replace(' /', ' http://evil.example/');
    expect((await ask(port, { host: '127.0.0.1' }, absolute)).status).toBe(400);
  });
});

describe('two readings of one message', () => {
  test.each([
    {
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"one__echo"}}',
      because: 'two methods',
    },
    {
      body: '{"jsonrpc":"2.0","id":1,"Method":"tools/call","params":{"name":"one__echo"}}',
      because: 'a method with a capital',
    },
    {
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x__y","name":"one__echo"}}',
      because: 'two names',
    },
    {
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"one__echo","Name":"rm"}}',
      because: 'a name with a capital',
    },
    {
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","param\u017f":{"name":"one__echo"},"params":{"name":"x__y"}}',
      because: 'a long s',
    },
    {
      body: '[{"jsonrpc":"2.0","id":1,"method":"tools/list"},{"jsonrpc":"2.0","id":2,"method":"ping","method":"tools/call","params":{"name":"one__echo"}}]',
      because: 'in the second of a batch',
    },
  ])('is answered 400 before anybody decides about it: $because', async ({ body }) => {
    const before = callsSoFar();
    for (const path of ['/mcp', '/one/mcp', '/']) {
      const session = path === '/' ? null : await openSession('2025-03-26', path);
      const answer = await post(body, session === null ? {} : { 'mcp-session-id': session }, path);
      expect(answer.status, path).toBe(400);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: -32600 } });
    }
    expect(callsSoFar()).toBe(before);
  });

  test.each([
    { line: 'POST /mcp HTTP/1.1', extra: 'Content-Length: 3\r\nTransfer-Encoding: chunked', because: 'two framings' },
    {
      line: 'POST /messages?sessionId=x HTTP/1.1',
      extra: 'Content-Length: 3\r\nContent-Length: 4',
      because: 'two lengths',
    },
    {
      line: 'POST /one/mcp HTTP/1.1',
      extra: 'Content-Type: application/json\r\nTransfer-Encoding: xchunked',
      because: 'an unknown coding',
    },
    { line: 'GET /sse HTTP/1.1', extra: 'X-A: b\r\n folded', because: 'a folded header' },
    { line: 'GET /metrics HTTP/1.1', extra: 'Content-Length : 3', because: 'a space before the colon' },
  ])(
    'of one request ends the connection, and what hides behind it is not served: $because',
    async ({ line, extra }) => {
      const hidden = 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
      const answer = await exchange(port, `${line}\r\nHost: 127.0.0.1\r\n${extra}\r\n\r\n0\r\n\r\n${hidden}`);
      expect(answer.status).toBe(400);
      expect(answer.raw.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    },
  );

  test('headers of the modern era that disagree with the body are answered 400 with -32020, and nothing is called', async () => {
    const before = callsSoFar();
    const params = {
      name: 'one__echo',
      arguments: { text: 'x' },
      _meta: { [META.protocolVersion]: '2026-07-28', [META.clientCapabilities]: {} },
    };
    const good = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'one__echo' };
    for (const [name, value] of [
      ['mcp-method', 'tools/list'],
      ['mcp-method', ''],
      ['mcp-name', 'one__fail'],
      ['mcp-name', '=?base64?b25lX19mYWls?='],
      ['mcp-protocol-version', '2025-11-25'],
    ] as const) {
      const answer = await post({ ...CALL, params }, { ...good, [name]: value });
      expect([answer.status, JSON.parse(answer.body).error.code, `${name}: ${value}`]).toEqual([
        400,
        -32020,
        `${name}: ${value}`,
      ]);
    }
    expect(callsSoFar()).toBe(before);
  });
});

describe('what a page can send without asking', () => {
  test.each([
    { headers: { 'content-type': 'text/plain' }, path: '/mcp', status: 415, because: 'JSON that says it is text' },
    { headers: { 'content-type': 'application/x-www-form-urlencoded' }, path: '/mcp', status: 415, because: 'a form' },
    { headers: { 'content-type': 'text/plain' }, path: '/one/mcp', status: 415, because: 'at the door of a server' },
    { headers: { 'content-type': 'text/plain' }, path: '/', status: 415, because: 'at the lenient door' },
    { headers: { 'content-encoding': 'gzip' }, path: '/mcp', status: 415, because: 'a coding nobody accepts' },
  ])('is not taken: $because', async ({ headers, path, status }) => {
    const before = callsSoFar();
    expect((await post(CALL, headers as unknown as Record<string, string>, path)).status).toBe(status);
    expect(callsSoFar()).toBe(before);
  });

  test('no header and no query makes another method of a request', async () => {
    const before = callsSoFar();
    for (const override of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
      const body = JSON.stringify(CALL);
      const headers = { ...JSON_TYPE, [override]: 'POST', 'content-length': String(body.length) };
      const all = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      for (const path of ['/mcp', '/mcp?_method=POST', '/sse', '/one/mcp']) {
        const bytes = `PUT ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${all.join('')}\r\n${body}`;
        expect((await exchange(port, bytes)).status, path).toBe(405);
      }
      for (const path of ['/health', '/metrics']) {
        const answer = await ask(port, { [override]: 'GET' }, `DELETE ${path} HTTP/1.1`);
        expect(answer.status).toBe(405);
      }
    }
    expect(callsSoFar()).toBe(before);
  });
});

test('batches exist in one revision alone: where there is none they are answered 400 and nothing in them is done', async () => {
  const before = callsSoFar();
  const session = await openSession('2025-11-25', '/mcp');
  const batch = JSON.stringify([CALL, CALL]);
  expect((await post(batch, { 'mcp-session-id': session })).status).toBe(400);
  const modern = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'one__echo' };
  expect((await post(batch, modern)).status).toBe(400);
  expect(callsSoFar()).toBe(before);
});

test('what it does not know it says so, without a word about itself', async () => {
  const meta = (version: string) => ({ [META.protocolVersion]: version, [META.clientCapabilities]: {} });
  const send = (version: string, method: string) =>
    post(
      { jsonrpc: '2.0', id: 1, method, params: { _meta: meta(version) } },
      { 'mcp-protocol-version': version, 'mcp-method': method },
    );
  const version = await send('2099-01-01', 'tools/list');
  expect(version.status).toBe(400);
  expect(JSON.parse(version.body).error).toMatchObject({ code: -32022, data: { supported: ['2026-07-28'] } });
  const method = await send('2026-07-28', 'rm/everything');
  expect(method.status).toBe(404);
  expect(JSON.parse(method.body).error.code).toBe(-32601);
  const note = await post({ jsonrpc: '2.0', method: 'notifications/unheard-of' });
  expect([202, 400]).toContain(note.status);
  for (const { body } of [version, method, note]) expect(body).not.toMatch(/\.ts|node_modules|at .*:\d+/);
});

test.runIf(IS_FULL)(
  'five thousand idle connections and heads that never end take nothing from a healthy client, and are closed',
  async () => {
    const idle = [];
    for (let i = 0; i < 50; i++) idle.push(...(await Promise.all(Array.from({ length: 100 }, () => openSocket(port)))));
    let closed = 0;
    for (const socket of idle) socket.resume().on('close', () => closed++);
    for (const socket of idle.slice(0, 200)) socket.write('POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ');
    const head = `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n`;
    for (const socket of idle.slice(200, 400)) socket.write(`${head}{`);
    const answers = await Promise.all(Array.from({ length: 500 }, () => ask(port)));
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(495);
    const until = Date.now() + 100_000;
    while (closed < idle.length && Date.now() < until) await new Promise(resolve => setTimeout(resolve, 500));
    expect(closed).toBe(idle.length);
  },
  120_000,
);

test('after all of this it is as healthy as before, and a call that does none of it gets through', async () => {
  const session = await openSession('2025-11-25', '/mcp');
  const before = callsSoFar();
  expect((await post(CALL, { 'mcp-session-id': session })).status).toBe(200);
  expect(callsSoFar()).not.toBe(before);
  expect((await ask(port)).status).toBe(200);
  await eventually(() => gateway.offspring().length === 0, 'no process was started');
  expect(gateway.stderr()).not.toContain('request failed');
});
