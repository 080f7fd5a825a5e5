/**
 * Who sees, registers and changes which server: by role, by owner, by group. What a caller is shown is the same in every
 * list, and what it is not shown it cannot call either.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { waitFor } from '../support/gateway-process.ts';
import { errorOf } from '../support/mcp-client.ts';
import { type Caller, openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

let gateway: RegistryGateway;
let behind: StartedScripted;
beforeAll(async () => {
  [gateway, behind] = await Promise.all([openRegistryGateway(), startScripted()]);
});
afterAll(async () => {
  await gateway.remove();
  await behind.close();
});

const serverAt = (path: string, more: JsonObject = {}): JsonObject => ({
  ...{ name: path.slice(1), description: `Server ${path}`, path, proxy_pass_url: behind.url },
  ...more,
});
const register = (caller: Caller, path: string, more: JsonObject = {}) =>
  gateway.post('/api/servers/register', caller, serverAt(path, more));

async function pathsFor(caller: Caller): Promise<string[]> {
  const { body } = await gateway.read('/api/servers?include_tools=false', caller);
  return ((body.servers ?? []) as JsonObject[]).map(({ path }) => String(path));
}

async function pathsInV01(caller: Caller): Promise<string[]> {
  const { body } = await gateway.read('/v0.1/servers', caller);
  const internal = (entry: JsonObject) =>
    ((entry.server as JsonObject)._meta as JsonObject)['io.mcpgateway/internal'] as JsonObject;
  return ((body.servers ?? []) as JsonObject[]).map(entry => String(internal(entry).path)).sort();
}

async function callAt(caller: Caller, server: string): Promise<string> {
  const client = await gateway.open('modern', caller, `/${server}/mcp`);
  const reply = await client.call('echo', { text: 'hello' });
  await client.close();
  const { code } = (errorOf(reply).data ?? {}) as JsonObject;
  return typeof code === 'string' ? code : reply.answer?.result === undefined ? `status ${reply.status}` : 'ok';
}

const untilThere = (server: string, caller: Caller) =>
  waitFor(async () => ((await callAt(caller, server)) === 'ok' ? true : null), `a call of ${server}`);

describe('a role', () => {
  const ROLES = ['admin', 'user', 'developer', 'operator', 'stranger'] as const;
  const done: Record<string, (caller: Caller) => Promise<{ status: number }>> = {
    list: caller => gateway.read('/api/servers', caller),
    register: caller => register(caller, `/by-${caller}`),
    toggle: caller => gateway.post('/api/servers/toggle', caller, { path: '/of-admin', new_state: true }),
    modify: caller => gateway.send('PATCH', '/api/servers/of-admin', caller, { description: `by ${caller}` }),
    health: caller => gateway.read('/api/servers/health', caller),
    refresh: caller => gateway.post('/api/refresh/of-admin', caller),
    delete: caller => gateway.post('/api/servers/remove', caller, { path: `/target-${caller}` }),
    group: caller => gateway.post('/api/servers/groups/create', caller, { group_name: `group-${caller}` }),
  };
  beforeAll(async () => {
    await register('admin', '/of-admin');
    for (const role of ROLES) await register('admin', `/target-${role}`);
  });

  test.each([
    { action: 'list', may: ['admin', 'user', 'developer', 'operator'] },
    { action: 'register', may: ['admin', 'developer'] },
    { action: 'toggle', may: ['admin', 'operator'] },
    { action: 'modify', may: ['admin'] },
    { action: 'health', may: ['admin', 'developer', 'operator'] },
    { action: 'refresh', may: ['admin', 'developer', 'operator'] },
    { action: 'delete', may: ['admin'] },
    { action: 'group', may: ['admin'] },
  ])('may $action: $may', async ({ action, may }) => {
    for (const role of ROLES) {
      const { status } = (await done[action]?.(role)) ?? { status: 0 };
      expect(status < 300 ? 'yes' : status, `${role} wants to ${action}`).toBe(may.includes(role) ? 'yes' : 403);
    }
  });

  test('is nothing without a credential', async () => {
    expect((await gateway.read('/api/servers', null)).status).toBe(401);
    expect((await gateway.post('/register', null, serverAt('/nobody'))).status).toBe(401);
  });
});

describe('an owner', () => {
  test('changes, switches and removes what it registered, and nothing else', async () => {
    expect((await register('developer', '/mine')).status).toBe(201);
    expect((await gateway.send('PATCH', '/api/servers/mine', 'developer', { tags: ['a', 'b'] })).status).toBe(200);
    expect((await gateway.post('/toggle/mine', 'developer', { enabled: false })).status).toBe(200);
    const refused = await gateway.send('PATCH', '/api/servers/of-admin', 'developer', { tags: [] });
    const rule = 'ui: no grant of modify_service there';
    expect([refused.status, refused.body.detail]).toEqual([403, `Denied by policy: ${rule}.`]);
    const written = `/api/audit/events/${refused.headers.get('x-request-id')}`;
    expect((await gateway.read(written, 'admin')).body.events).toMatchObject([{ metadata: { rule } }]);
    expect((await gateway.post('/api/servers/remove', 'developer', { path: '/mine' })).status).toBe(200);
  });
});

describe('visibility', () => {
  beforeAll(async () => {
    await register('developer', '/private-one', { visibility: 'private' });
    await register('admin', '/for-lob', {
      visibility: 'group-restricted',
      allowed_groups: 'registry-lob,registry-users',
    });
    await untilThere('private-one', 'developer');
    await untilThere('for-lob', 'user');
  });

  test.each([
    { caller: 'developer', sees: ['private-one'], notSees: ['for-lob'], because: 'it owns one and is in no group' },
    { caller: 'user', sees: ['for-lob'], notSees: ['private-one'], because: 'a group of its own is named' },
    { caller: 'admin', sees: ['for-lob', 'private-one'], notSees: [], because: 'it may change every server' },
    { caller: 'operator', sees: [], notSees: ['for-lob', 'private-one'], because: 'none of it is for operators' },
  ] as const)('$caller finds and calls $sees, not $notSees: $because', async ({ caller, sees, notSees }) => {
    const listed = await pathsFor(caller);
    expect(await pathsInV01(caller)).toEqual([...listed].sort());
    for (const server of sees) {
      expect(listed).toContain(`/${server}`);
      expect(await callAt(caller, server)).toBe('ok');
    }
    for (const server of notSees) {
      expect(listed).not.toContain(`/${server}`);
      // Its role may use every server, so it is told what it would be of a name that nobody has.
      expect(await callAt(caller, server)).toBe('status 404');
      expect((await gateway.read(`/api/servers/${server}`, caller)).status).toBe(403);
      expect((await gateway.read(`/v0.1/servers/io.mcpgateway%2F${server}/versions`, caller)).status).toBe(404);
      expect((await gateway.post(`/api/servers/${server}/rate`, caller, { rating: 1 })).status).toBe(403);
    }
    const { body } = await gateway.read('/api/tool-catalog', caller);
    const servers = new Set((body.tools as JsonObject[]).map(({ server_path: path }) => path));
    for (const server of notSees) expect(servers).not.toContain(`/${server}`);
  });

  test('that changes is in force with the next request', async () => {
    expect(await callAt('operator', 'for-lob')).toBe('status 404');
    const opened = await gateway.send('PATCH', '/api/servers/for-lob', 'admin', { visibility: 'public' });
    expect(opened).toMatchObject({ status: 200, body: { visibility: 'public' } });
    expect(await callAt('operator', 'for-lob')).toBe('ok');
    await gateway.send('PATCH', '/api/servers/for-lob', 'admin', { visibility: 'private' });
    expect(await callAt('operator', 'for-lob')).toBe('status 404');
  });

  test('of a group without groups is refused', async () => {
    const { status, body } = await register('admin', '/nobodys', { visibility: 'group-restricted' });
    expect([status, body.detail]).toEqual([400, expect.stringContaining('allowed_groups')]);
  });
});

describe('a group of the registry', () => {
  test('opens a server to its members from the moment it is in it, until it is taken out', async () => {
    await register('admin', '/grouped');
    await untilThere('grouped', 'user');
    expect(await callAt('stranger', 'grouped')).toBe('DENIED_BY_POLICY');

    const group = { scope_name: 'wanderers', group_mappings: ['registry-lob'] };
    expect((await gateway.post('/api/servers/groups/import', 'admin', group)).status).toBe(200);
    const into = { server_name: 'grouped', group_names: 'wanderers' };
    expect((await gateway.post('/api/servers/groups/add', 'admin', new URLSearchParams(into))).status).toBe(200);
    expect(await callAt('lob', 'grouped')).toBe('ok');
    expect(await pathsFor('lob')).toEqual(['/everyday', '/grouped']);

    expect((await gateway.post('/api/servers/groups/remove', 'admin', into)).status).toBe(200);
    expect(await callAt('lob', 'grouped')).toBe('DENIED_BY_POLICY');
    expect(await pathsFor('lob')).toEqual(['/everyday']);
  });

  test('forgets a server that is removed: whatever comes to its path later is not in it', async () => {
    await register('admin', '/first');
    await gateway.post('/api/servers/groups/add', 'admin', { server_name: '/first', group_names: ['wanderers'] });
    await gateway.post('/api/servers/remove', 'admin', { path: '/first' });
    await register('admin', '/first');
    expect(await pathsFor('lob')).toEqual(['/everyday']);
    const { body } = await gateway.read('/api/servers/groups/wanderers', 'admin');
    expect(body).toMatchObject({ server_access: [], ui_permissions: {} });
  });

  test('is deleted with all it granted', async () => {
    await gateway.post('/api/servers/groups/add', 'admin', { server_name: '/grouped', group_names: ['wanderers'] });
    expect(await callAt('lob', 'grouped')).toBe('ok');
    expect((await gateway.post('/api/servers/groups/delete', 'admin', { group_name: 'wanderers' })).status).toBe(200);
    expect(await callAt('lob', 'grouped')).toBe('DENIED_BY_POLICY');
    expect((await gateway.read('/api/servers/groups/wanderers', 'admin')).status).toBe(404);
  });

  test('of the scopes file is changed in the file alone', async () => {
    const { status, body } = await gateway.post('/api/servers/groups/delete', 'admin', { group_name: 'lob-only' });
    expect([status, body.detail]).toEqual([409, expect.stringContaining('scopes.yml')]);
  });
});
