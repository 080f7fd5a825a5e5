/**
 * Credentials and headers of registered servers: they go with every request to that server and nowhere else. No list, card,
 * error or file shows them, and a server that moves leaves them behind.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type RecordedServer, startRecorded } from '../support/downstreams/recorded.ts';
import { waitFor } from '../support/gateway-process.ts';
import { type Caller, openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

const canary = () => `canary-${randomBytes(16).toString('hex')}`;
const [BEARER, KEY, TENANT, OTHER] = [canary(), canary(), canary(), canary()];
const CANARIES = [BEARER, KEY, TENANT, OTHER];

let gateway: RegistryGateway;
let behind: RecordedServer;
let elsewhere: RecordedServer;
beforeAll(async () => {
  const setup = { transport: 'http', era: 'legacy' } as const;
  [gateway, behind, elsewhere] = await Promise.all([openRegistryGateway(), startRecorded(setup), startRecorded(setup)]);
});
afterAll(async () => {
  await gateway.remove();
  await Promise.all([behind.close(), elsewhere.close()]);
});

const register = (path: string, more: JsonObject) =>
  gateway.post('/api/servers/register', 'admin', {
    ...{ name: path.slice(1), description: 'Keeps a secret', path, proxy_pass_url: behind.url },
    ...more,
  });

async function call(server: string, caller: Caller = 'user'): Promise<void> {
  const client = await gateway.open('modern', caller, `/${server}/mcp`);
  await client.call('echo', { text: 'hello' });
  await client.close();
}

const untilHeard = (method: string, count: number) =>
  waitFor(() => (behind.of(method).length >= count ? true : null), `${method} behind the gateway`);

describe('a credential', () => {
  test.each([
    {
      path: '/bearer',
      auth: { auth_scheme: 'bearer', auth_credential: BEARER },
      name: 'authorization',
      sent: `Bearer ${BEARER}`,
    },
    { path: '/api-key', auth: { auth_scheme: 'api_key', auth_credential: KEY }, name: 'x-api-key', sent: KEY },
    {
      path: '/named',
      auth: { auth_scheme: 'api_key', auth_credential: KEY, auth_header_name: 'X-Secret' },
      name: 'x-secret',
      sent: KEY,
    },
  ])('of $path goes with lists and calls alike, beside ten headers', async ({ path, auth, name, sent }) => {
    behind.seen.length = 0;
    const own = Array.from({ length: 10 }, (_, i) => ({ name: `X-Own-${i}`, value: `${TENANT}-${i}` }));
    expect((await register(path, { ...auth, custom_headers: own })).status).toBe(201);
    await untilHeard('tools/list', 1);
    await call(path.slice(1));
    await untilHeard('tools/call', 1);
    for (const method of ['initialize', 'tools/list', 'tools/call']) {
      const seen = behind.of(method);
      expect(seen.length).toBeGreaterThan(0);
      for (const { headers } of seen) expect(headers).toMatchObject({ [name]: sent, 'x-own-9': `${TENANT}-9` });
    }
    await gateway.post('/api/servers/remove', 'admin', { path });
  });

  test('is on no card, in no list and in no file', async () => {
    const headers = [{ name: 'X-Tenant', value: TENANT }];
    await register('/kept', { auth_scheme: 'bearer', auth_credential: BEARER, custom_headers: headers });
    const shown: string[] = [gateway.storedText()];
    for (const path of [
      '/api/servers',
      '/api/servers/kept',
      '/api/server_details/all',
      '/v0.1/servers',
      '/api/tools/all',
    ])
      shown.push(JSON.stringify((await gateway.read(path, 'admin')).body));
    shown.push(JSON.stringify((await gateway.read('/api/servers/kept/connect-config', 'user')).body));
    expect(shown.join('')).toContain('kept');
    for (const secret of CANARIES) expect(shown.join('')).not.toContain(secret);
  });

  test('and its headers are shown to whoever may change the server, and to nobody else', async () => {
    const forAdmin = await gateway.read('/api/servers/kept/connect-config', 'admin');
    expect(forAdmin.body.custom_headers).toEqual({ 'X-Tenant': TENANT });
    expect(forAdmin.headers.get('cache-control')).toBe('no-store');
    expect(JSON.stringify(forAdmin.body)).not.toContain(BEARER);
    expect((await gateway.read('/api/servers/kept/connect-config', 'user')).body.custom_headers).toBeNull();
  });

  test('is changed by itself, and counts with the next call', async () => {
    const changed = await gateway.send('PATCH', '/api/servers/kept/auth-credential', 'admin', {
      ...{ auth_scheme: 'api_key', auth_credential: OTHER, auth_header_name: 'X-Other' },
    });
    expect(changed).toMatchObject({ status: 200, body: { auth_scheme: 'api_key', auth_header_name: 'X-Other' } });
    expect(JSON.stringify(changed.body)).not.toContain(OTHER);
    behind.seen.length = 0;
    await call('kept');
    await untilHeard('tools/call', 1);
    expect(behind.of('tools/call')[0]?.headers).toMatchObject({ 'x-other': OTHER, 'x-tenant': TENANT });
    expect(behind.of('tools/call')[0]?.headers.authorization).toBeUndefined();
  });

  test('does not move along: a server that goes to another address has to be given it anew', async () => {
    const moved = await gateway.send('PATCH', '/api/servers/kept', 'admin', { proxy_pass_url: elsewhere.url });
    expect([moved.status, moved.body.detail]).toEqual([400, expect.stringContaining('anew')]);
    expect(elsewhere.seen).toEqual([]);
    const bare = { proxy_pass_url: elsewhere.url, auth_scheme: 'none', custom_headers: [] };
    expect((await gateway.send('PATCH', '/api/servers/kept', 'admin', bare)).status).toBe(200);
    await waitFor(() => (elsewhere.seen.length > 0 ? true : null), 'a request at the new address');
    for (const { whole } of elsewhere.seen) for (const secret of CANARIES) expect(whole).not.toContain(secret);
  });

  test('survives a restart, and still goes where it went', async () => {
    await register('/lasting', { auth_scheme: 'bearer', auth_credential: BEARER });
    await untilHeard('tools/list', 1);
    await gateway.stop();
    behind.seen.length = 0;
    await gateway.start();
    await untilHeard('tools/list', 1);
    await call('lasting');
    expect(behind.of('tools/call')[0]?.headers).toMatchObject({ authorization: `Bearer ${BEARER}` });
  });
});

test.each([
  { headers: [{ name: 'Host', value: 'x' }], because: 'it is of the connection' },
  { headers: [{ name: 'Mcp-Session-Id', value: 'x' }], because: 'it is of the protocol' },
  { headers: [{ name: 'X-User', value: 'root' }], because: 'it says who calls' },
  { headers: [{ name: 'X-A', value: 'x\r\nX-Admin: 1' }], because: 'a line break is another header' },
  { headers: [{ name: 'X A', value: 'x' }], because: 'a blank is in no name' },
  {
    headers: [
      { name: 'X-A', value: 'x' },
      { name: 'x-a', value: 'y' },
    ],
    because: 'the second is the first',
  },
  { headers: Array.from({ length: 11 }, (_, i) => ({ name: `X-${i}`, value: 'x' })), because: 'eleven are too many' },
])('refuses headers when $because', async ({ headers }) => {
  const { status, body } = await register('/refused', { custom_headers: headers });
  expect([status, body.detail]).toEqual([400, expect.stringContaining('custom_headers')]);
  expect((await gateway.read('/api/servers/refused', 'admin')).status).toBe(404);
});
