/**
 * The names under which clients look for the registry's own tools are nobody's to register: a server that few may see would
 * shut the door to all others. An operator's file may still say otherwise, and what was registered before stays.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { openSqliteRegistry } from '../../src/outbound/sqlite/registry-storage.ts';
import { errorOf, resultOf, textOf } from '../support/mcp-client.ts';
import { draftServer } from '../support/registry-drafts.ts';
import { type Caller, openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

let gateway: RegistryGateway;
beforeAll(async () => {
  gateway = await openRegistryGateway();
});
afterAll(() => gateway.remove());

const wishFor = (path: string): JsonObject => ({
  ...{ name: 'Mine', description: 'Mine alone', path, proxy_pass_url: gateway.ofFile.url, visibility: 'private' },
});

const KEPT = "path: is kept for the registry's own tools, which clients look for there: choose another";

async function shownTo(caller: Caller, path: string): Promise<string[]> {
  const client = await gateway.open('modern', caller, path);
  const reply = await client.request('tools/list');
  await client.close();
  return (resultOf(reply).tools as JsonObject[]).map(({ name }) => String(name));
}

describe.each([
  { path: '/mcpgw', because: 'it is the door by its first name' },
  { path: 'airegistry-tools/', because: 'it is the door by its later name, however it is written' },
  { path: '/McpGw', because: 'some proxies do not tell case apart' },
])('a server at $path is refused, because $because', ({ path }) => {
  test.each(['/api/servers/register', '/register'])('by REST at %s', async address => {
    for (const caller of ['admin', 'developer'] as const) {
      const { status, body } = await gateway.post(address, caller, wishFor(path));
      expect([status, body.detail]).toEqual([400, KEPT]);
    }
  });

  test.each(['legacy', 'modern'] as const)("by the registry's own tool, in the %s era", async era => {
    const client = await gateway.open(era, 'developer', '/mcpgw/mcp');
    const { name, ...more } = wishFor(path);
    const reply = await client.call('register_service', { server_name: name ?? null, ...more });
    await client.close();
    expect(errorOf(reply).message).toBe(KEPT);
  });

  test('and everybody finds the registry at that door', async () => {
    for (const door of ['/mcpgw/mcp', '/airegistry-tools/mcp'])
      expect(await shownTo('user', door)).toContain('search_registry');
  });
});

test('whoever may not register is not told which names are kept', async () => {
  const [kept, free] = await Promise.all(
    ['/mcpgw', '/free'].map(path => gateway.post('/api/servers/register', 'user', wishFor(path))),
  );
  expect([kept?.status, kept?.body.detail]).toEqual([403, free?.body.detail]);
});

test('below another part, and with more to it, the name is a name like any other', async () => {
  for (const path of ['/team/mcpgw', '/mcpgw-2']) {
    expect((await gateway.post('/api/servers/register', 'developer', wishFor(path))).status).toBe(201);
    expect((await gateway.post('/api/servers/remove', 'developer', { path })).status).toBe(200);
  }
});

test('a file of the operator may have the name, and the registry gets it back when it is dropped', async () => {
  gateway.write({ servers: { mcpgw: { url: gateway.ofFile.url } } });
  await gateway.reload();
  expect(await shownTo('user', '/mcpgw/mcp')).toContain('echo');
  expect(await shownTo('user', '/airegistry-tools/mcp')).toContain('search_registry');
  gateway.write({});
  await gateway.reload();
  expect(await shownTo('user', '/mcpgw/mcp')).toContain('search_registry');
});

test('a server that was registered there before is served, changed and removed like any other, once', async () => {
  await gateway.stop();
  const storage = openSqliteRegistry({ path: gateway.database, namespace: 'default' });
  await storage.servers.add(draftServer('/mcpgw', { proxyUrl: gateway.ofFile.url }));
  await storage.close();
  await gateway.start();

  const client = await gateway.open('modern', 'user', '/mcpgw/mcp');
  expect(textOf(await client.call('echo', { text: 'still here' }))).toBe('still here');
  await client.close();
  const changed = await gateway.send('PATCH', '/api/servers/mcpgw', 'admin', { description: 'Still here' });
  expect(changed).toMatchObject({ status: 200 });
  const version = { ...wishFor('/mcpgw'), visibility: 'public', version: 'v2.0.0' };
  expect((await gateway.post('/api/servers/register', 'admin', version)).status).toBe(201);

  expect((await gateway.post('/api/servers/remove', 'admin', { path: '/mcpgw' })).status).toBe(200);
  expect((await gateway.post('/api/servers/register', 'admin', wishFor('/mcpgw'))).body.detail).toBe(KEPT);
  expect(await shownTo('user', '/mcpgw/mcp')).toContain('search_registry');
});
