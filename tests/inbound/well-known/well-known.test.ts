import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import { createWellKnown, type WellKnownDeps } from '../../../src/inbound/well-known/well-known.ts';

const PUBLIC = 'https://gw.example.test';
const open: Server[] = [];

afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(more: Partial<WellKnownDeps> = {}) {
  const wellKnown = createWellKnown({
    publicUrl: PUBLIC,
    issuers: ['https://id.example.test'],
    scopes: ['mcp:tools.list'],
    issuerMetadata: () => null,
    ...more,
  });
  const server = createServer((req, res) => {
    if (!wellKnown.handle(req, res, req.url ?? '')) res.writeHead(418).end();
  });
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return (path: string, init?: RequestInit) => fetch(`${origin}${path}`, init);
}

const RESOURCE = '/.well-known/oauth-protected-resource';

test.each([
  { path: '', resource: PUBLIC },
  { path: '/mcp', resource: `${PUBLIC}/mcp` },
  { path: '/mcp/agent', resource: `${PUBLIC}/mcp/agent` },
  { path: '/github/mcp', resource: `${PUBLIC}/github/mcp` },
  { path: '/no-such-server/mcp', resource: `${PUBLIC}/no-such-server/mcp` },
])(
  'describes the endpoint $path under its own name, whether or not there is such a server',
  async ({ path, resource }) => {
    const get = await serve();
    const response = await get(`${RESOURCE}${path}`, { headers: { 'x-forwarded-host': 'evil.test' } });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      resource,
      authorization_servers: ['https://id.example.test'],
      scopes_supported: ['mcp:tools.list'],
      bearer_methods_supported: ['header'],
    });
  },
);

test('may be kept for five minutes, read by any page, and without credentials', async () => {
  const { headers } = await (await serve())(`${RESOURCE}/mcp`);
  expect(headers.get('cache-control')).toBe('public, max-age=300');
  expect(headers.get('content-type')).toBe('application/json');
  expect(headers.get('access-control-allow-origin')).toBe('*');
  expect(headers.get('access-control-allow-credentials')).toBeNull();
});

test.each(['/', '/nope', '/mcp/', '/mcp/nope', '/github', '/github/mcp/x', '/metrics', '/%6dcp'])(
  'has nothing for %s, least of all the document of another',
  async path => expect((await (await serve())(`${RESOURCE}${path}`)).status).toBe(404),
);

test('leaves every other path alone', async () => {
  const get = await serve();
  for (const path of ['/', '/mcp', '/.well-known/other', `${RESOURCE}x`]) expect((await get(path)).status).toBe(418);
});

test('refuses what is not a reading', async () => {
  const get = await serve();
  const response = await get(`${RESOURCE}/mcp`, { method: 'POST' });
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  const head = await get(`${RESOURCE}/mcp`, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
});

test('serves nothing where no issuer is configured', async () => {
  expect((await (await serve({ publicUrl: null }))(`${RESOURCE}/mcp`)).status).toBe(404);
  expect(createWellKnown({ publicUrl: null } as WellKnownDeps).isPublic(`${RESOURCE}/mcp`)).toBe(false);
});

test('hands on what the only issuer says of itself, unchanged, and nothing where it said nothing', async () => {
  const metadata: JsonObject = { issuer: 'https://id.example.test', token_endpoint: 'https://id.example.test/t' };
  const get = await serve({ issuerMetadata: () => metadata });
  expect(await (await get('/.well-known/oauth-authorization-server')).json()).toEqual(metadata);
  expect((await (await serve())('/.well-known/oauth-authorization-server')).status).toBe(404);
});
