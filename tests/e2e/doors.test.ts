/** Every MCP door of a process: who may come in (key, Host, Origin), and what stands behind each kind of server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, startGateway } from '../support/gateway-process.ts';
import { errorOf, openLegacy, openModern, resultOf, textOf } from '../support/mcp-client.ts';
import { askRaw } from './raw-http.ts';
import { connectSdk, type Sdk } from './sdk-clients.ts';

const KEY = 'kq7Zt1vXw9Lr4Ns8Pd2Hf6Jb3Mc5Ty0GuEoIa';
const BEARER = { authorization: `Bearer ${KEY}` };
const PAGE = 'https://console.example';

const HELLO = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};
const POSTED = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** Every URL an MCP client may be pointed at, with a request that is good there but for what a test adds. */
const DOORS: readonly { path: string; method: 'GET' | 'POST' | 'DELETE' }[] = [
  ...['/mcp', '/', '/mcp/direct', '/mcp/agent', '/mcp/discovery', '/echo/mcp'].map(
    path => ({ path, method: 'POST' }) as const,
  ),
  ...['/messages?sessionId=x', '/echo/messages?sessionId=x'].map(path => ({ path, method: 'POST' }) as const),
  ...['/mcp', '/echo/mcp', '/sse', '/echo/sse'].map(path => ({ path, method: 'GET' }) as const),
  ...['/mcp', '/echo/mcp'].map(path => ({ path, method: 'DELETE' }) as const),
];

let open: GatewayProcess;
let locked: GatewayProcess;
let web: StartedScripted;
let old: StartedScripted;

beforeAll(async () => {
  [web, old] = await Promise.all([startScripted({ name: 'web' }), startScripted({ name: 'old', transport: 'sse' })]);
  const echo = stdioScripted({ name: 'echo' });
  [open, locked] = await Promise.all([
    startGateway({
      servers: {
        echo,
        web: { url: web.url, headers: { 'X-Api-Key': 'of-the-operator' } },
        old: { url: old.url, type: 'sse' },
      },
      settings: { listen: { allowedHosts: ['gateway.example'] } },
      env: { GATEWAY_CORS_ORIGINS: `${PAGE}, https://other.example` },
    }),
    startGateway({ servers: { echo, gone: { command: '/no/such/program' } }, env: { GATEWAY_API_KEY: KEY } }),
  ]);
});

afterAll(async () => {
  await Promise.all([open?.stop(), locked?.stop()]);
  await Promise.all([web?.close(), old?.close()]);
});

function knock(gateway: GatewayProcess, { path, method }: (typeof DOORS)[number], headers: Record<string, string>) {
  const accept = method === 'GET' ? { accept: 'text/event-stream' } : POSTED;
  const body = method === 'POST' ? { body: JSON.stringify(HELLO) } : {};
  return askRaw(gateway.origin + path, { method, headers: { ...accept, ...headers }, ...body });
}

describe.each(DOORS)('$method $path', door => {
  test('is closed to pages of other origins, however they spell localhost', async () => {
    for (const origin of ['http://evil.example', 'http://localhost.evil.example', 'null', `${PAGE}.evil.example`]) {
      const { status, text, headers } = await knock(open, door, { origin });
      expect([origin, status]).toEqual([origin, 403]);
      expect(JSON.parse(text)).toMatchObject({
        error: 'forbidden_origin',
        detail: expect.stringContaining('listen.corsOrigins'),
      });
      expect(headers['access-control-allow-origin']).toBe(undefined);
    }
  });

  test('is closed to names that are not ours (DNS rebinding)', async () => {
    for (const host of ['evil.example', 'localhost.evil.example', 'gateway.example.evil.example']) {
      const { status, text } = await knock(open, door, { host });
      expect([host, status]).toEqual([host, 403]);
      expect(JSON.parse(text)).toMatchObject({
        error: 'forbidden_host',
        detail: expect.stringContaining('listen.allowedHosts'),
      });
    }
  });

  test('lets in listed pages and names, and callers that are no page', async () => {
    for (const headers of [{}, { origin: PAGE }, { origin: 'http://localhost:3000' }, { host: 'gateway.example' }]) {
      const reply = await knock(open, door, headers as Record<string, string>);
      expect(reply.status).not.toBe(403);
      if ('origin' in headers) expect(reply.headers['access-control-allow-origin']).toBe(headers.origin);
    }
  });

  test('answers 401 without the key or with a wrong one, in JSON, and lets the right one in', async () => {
    for (const headers of [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: KEY },
      { authorization: `Basic ${KEY}` },
    ]) {
      const { status, headers: given, text } = await knock(locked, door, headers as Record<string, string>);
      expect(status).toBe(401);
      expect(given['www-authenticate']).toMatch(/^Bearer/);
      expect(given['content-type']).toBe('application/json');
      expect(JSON.parse(text)).toMatchObject({ error: { data: { code: 'UNAUTHENTICATED' } } });
      expect(text).not.toContain(KEY);
    }
    expect((await knock(locked, door, BEARER)).status).not.toBe(401);
  });
});

describe('the key', () => {
  test('opens metrics too, and is not needed to see that the process is alive', async () => {
    expect((await locked.get('/metrics')).status).toBe(401);
    expect((await askRaw(`${locked.origin}/metrics`, { method: 'GET', headers: BEARER })).status).toBe(200);
    expect((await locked.get('/health')).status).toBe(200);
    expect((await locked.get('/ready')).status).toBe(200);
  });

  test.each(['/mcp', '/mcp/agent', '/echo/mcp', '/sse', '/echo/sse'])(
    'lets SDK clients work through %s',
    async path => {
      const sdks: readonly Sdk[] = path.endsWith('sse') ? ['v1', 'v2 legacy'] : ['v1', 'v2 legacy', 'v2 auto'];
      for (const sdk of sdks) {
        const kind = path.endsWith('sse') ? 'sse' : 'http';
        const url = locked.origin + path;
        const client = await connectSdk(sdk, { kind, url, headers: BEARER });
        expect((await client.tools()).length).toBeGreaterThan(2);
        const tool = path.startsWith('/echo') ? 'echo' : 'echo__echo';
        expect((await client.call(tool, { text: 'in' })).texts).toEqual(['in']);
        await client.close();
        await expect(connectSdk(sdk, { kind, url })).rejects.toThrow(/401|Unauthorized|Authentication required/i);
      }
    },
  );
});

describe('what SDK clients read when something is wrong', () => {
  test.each(['v1', 'v2 legacy', 'v2 auto'] as const)('SDK %s', async sdk => {
    const client = await connectSdk(sdk, { kind: 'http', url: `${locked.origin}/mcp`, headers: BEARER });
    const modern = sdk === 'v2 auto';
    const no = (name: string, args: JsonObject = {}) =>
      client.call(name, args).then(
        () => null,
        (error: { code: number; message: string; data?: unknown }) => error,
      );
    expect(await no('echo__nobody')).toMatchObject({
      code: modern ? -31002 : -32002,
      message: expect.stringContaining('No such tool on the server echo: nobody'),
      data: { code: 'TOOL_NOT_FOUND', tool: 'nobody', server: 'echo' },
    });
    expect(await no('nothing')).toMatchObject({ message: expect.stringContaining('No such tool: nothing') });
    const down = await no('gone__anything');
    expect(down).toMatchObject({
      code: modern ? -31001 : -32001,
      message: expect.stringMatching(/The server gone is unavailable: \S+/),
      data: { code: 'SERVER_UNAVAILABLE', server: 'gone', reason: expect.any(String) },
    });
    expect(JSON.stringify(down) + down?.message).not.toContain('/no/such');
    const late = await no('execute_tool', { server: 'echo', tool: 'slow', args: { ms: 9000 }, timeout_ms: 50 });
    expect(late).toMatchObject({ code: modern ? -31004 : -32004, message: expect.stringContaining('50 ms') });
    const failed = await client.call('echo__fail');
    expect(failed).toMatchObject({ isError: true, texts: ['this tool always fails'] });
    await client.close();
  });
});

describe('CORS', () => {
  const preflight = (origin: string) =>
    askRaw(`${open.origin}/mcp`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'mcp-session-id' },
    });

  test('tells a listed page what it may send and read, and itself alone', async () => {
    const { status, headers } = await preflight(PAGE);
    expect(status).toBe(204);
    expect(headers['access-control-allow-origin']).toBe(PAGE);
    expect(headers['access-control-expose-headers']).toContain('mcp-session-id');
    expect(headers['access-control-allow-methods']).toContain('POST');
    for (const name of ['authorization', 'content-type', 'mcp-session-id', 'mcp-protocol-version', 'last-event-id']) {
      expect(headers['access-control-allow-headers']).toContain(name);
    }
    expect(headers['access-control-allow-credentials']).toBe(undefined);
    const hello = await knock(open, { path: '/mcp', method: 'POST' }, { origin: PAGE });
    expect(hello.headers['access-control-allow-origin']).toBe(PAGE);
    expect(hello.headers['access-control-expose-headers']).toContain('mcp-session-id');
  });

  test('tells other pages nothing', async () => {
    const { status, headers } = await preflight('https://evil.example');
    expect(status).toBe(403);
    expect(headers['access-control-allow-origin']).toBe(undefined);
  });
});

describe('the doors of one server', () => {
  test.each(['echo', 'web', 'old'])('%s is reached under its own names, over whatever it speaks itself', async key => {
    for (const client of [
      await openLegacy(open.origin, { path: `/${key}/mcp` }),
      openModern(open.origin, { path: `/${key}/mcp` }),
    ]) {
      const { tools } = resultOf(await client.request('tools/list'));
      const names = (tools as JsonObject[]).map(({ name }) => name);
      expect(names).toContain('add');
      expect(names).toHaveLength(21);
      const added = await client.request('tools/call', { name: 'add', arguments: { a: 1, b: 2 } });
      expect(textOf(added)).toBe('3');
      expect(errorOf(await client.request('tools/call', { name: `${key}__add`, arguments: {} }))).toMatchObject({
        data: { code: 'TOOL_NOT_FOUND' },
      });
      await client.close();
    }
  });

  test('the three kinds of server list and answer alike', async () => {
    const seen = new Set<string>();
    for (const key of ['echo', 'web', 'old']) {
      const client = await openLegacy(open.origin, { path: `/${key}/mcp` });
      const list = resultOf(await client.request('tools/list'));
      const answer = resultOf(await client.request('tools/call', { name: 'structured', arguments: {} }));
      seen.add(JSON.stringify([list, answer]));
      await client.close();
    }
    expect(seen.size).toBe(1);
  });

  test('over HTTP+SSE: the stream names where to post, and answers what is posted', async () => {
    const stream = await knock(open, { path: '/echo/sse', method: 'GET' }, {});
    expect(stream).toMatchObject({ status: 200, headers: { 'content-type': 'text/event-stream' } });
    expect(stream.text).toMatch(/^event: endpoint\ndata: \/echo\/messages\?sessionId=\S+\n\n/m);
    const client = await connectSdk('v1', { kind: 'sse', url: `${open.origin}/echo/sse` });
    expect((await client.call('add', { a: 2, b: 2 })).texts).toEqual(['4']);
    await client.close();
  });

  test('a server nobody configured has no door', async () => {
    for (const path of ['/nobody/mcp', '/nobody/sse']) {
      const { status } = await knock(open, { path, method: path.endsWith('sse') ? 'GET' : 'POST' }, {});
      expect(status).toBe(404);
    }
  });

  test("the operator's headers reach the server on list and call, the caller's credential never does", async () => {
    const client = await openLegacy(open.origin, { path: '/web/mcp', headers: { authorization: `Bearer ${KEY}` } });
    const seen = resultOf(await client.request('tools/call', { name: 'whoami', arguments: {} }));
    const text = JSON.stringify(seen);
    expect(text).toContain('of-the-operator');
    expect(text).not.toContain(KEY);
    await client.close();
    const stats = JSON.stringify(web.stats());
    expect(stats).not.toContain(KEY);
  });
});
