/**
 * What the registry says about itself: how much there is, which is what the lists show to the same caller, and what it has
 * not done, which it does not pretend to have.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { waitFor } from '../support/gateway-process.ts';
import { type Caller, openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

let gateway: RegistryGateway;
let behind: StartedScripted;
beforeAll(async () => {
  [gateway, behind] = await Promise.all([openRegistryGateway(), startScripted()]);
  const described = { name: 'A server', description: 'Does things', proxy_pass_url: behind.url };
  const servers: [Caller, JsonObject][] = [
    ['admin', { path: '/open' }],
    ['admin', { path: '/off' }],
    ['developer', { path: '/hidden', visibility: 'private' }],
  ];
  for (const [caller, more] of servers)
    expect((await gateway.post('/api/servers/register', caller, { ...described, ...more })).status).toBe(201);
  await gateway.post('/toggle/off', 'admin', { enabled: false });
  const card = { protocolVersion: '1.0', name: 'Helper', description: 'Helps', url: 'https://agents.example.test/' };
  const skills = [{ id: 'help', name: 'Help', description: 'Helps', tags: [] }];
  for (const more of [{ path: '/helper' }, { path: '/private-helper', visibility: 'private' }])
    expect((await gateway.post('/api/agents/register', 'admin', { ...card, skills, ...more })).status).toBe(201);
  await gateway.post('/api/servers/groups/create', 'admin', { group_name: 'night' });
  await waitFor(async () => {
    const { body } = await gateway.read('/api/tools/hidden', 'developer');
    return Number(body.num_tools) > 0 ? true : null;
  }, 'tools of a private server');
});
afterAll(async () => {
  await gateway.remove();
  await behind.close();
});

describe('the counts', () => {
  test.each<Caller>(['admin', 'user', 'developer', 'lob', 'stranger'])(
    'are for the %s those of its lists',
    async who => {
      const { status, body } = await gateway.read('/api/stats', who);
      const total = async (path: string) => Number((await gateway.read(path, who)).body.total_count ?? 0);
      const groups = await gateway.read('/api/servers/groups', who);
      expect([status, body]).toEqual([
        200,
        {
          servers: { total: await total('/api/servers'), enabled: await total('/api/servers?status=enabled') },
          tools: await total('/api/tool-catalog'),
          agents: { total: await total('/api/agents'), enabled: await total('/api/agents?enabled_only=true') },
          groups: groups.status === 200 ? groups.body.total : null,
          uptime_seconds: expect.any(Number),
        },
      ]);
    },
  );

  test('hold nothing of what is hidden from a caller', async () => {
    const counted = async (who: Caller) => (await gateway.read('/api/stats', who)).body;
    expect(await counted('admin')).toMatchObject({
      servers: { total: 4, enabled: 3 },
      agents: { total: 2 },
      groups: 1,
    });
    expect(await counted('developer')).toMatchObject({ servers: { total: 4, enabled: 3 } });
    expect(await counted('user')).toMatchObject({
      servers: { total: 3, enabled: 2 },
      agents: { total: 0 },
      groups: null,
    });
    expect(await counted('stranger')).toMatchObject({ servers: { total: 0 }, tools: 0, agents: { total: 0 } });
    expect((await gateway.read('/api/stats', null)).status).toBe(401);
  });
});

test('which version answers is told to anybody, as it is at /health', async () => {
  const { status, body } = await gateway.read('/api/version', null);
  expect([status, body]).toEqual([200, { version: '9.9.9', service: 'mcp-gatehouse' }]);
});

describe('a scan', () => {
  test.each<{ ask: string; who: Caller; status: number; says: string; because: string }>([
    { ask: 'GET /open/security-scan', who: 'user', status: 404, says: 'not been scanned', because: 'none was made' },
    { ask: 'GET /hidden/security-scan', who: 'user', status: 403, says: 'Denied', because: 'it is not for the caller' },
    { ask: 'GET /gone/security-scan', who: 'user', status: 404, says: 'no server at', because: 'there is none' },
    { ask: 'GET /open/security-scan', who: 'stranger', status: 403, says: 'list_service', because: 'it may not list' },
    { ask: 'POST /open/rescan', who: 'admin', status: 404, says: 'cannot be scanned', because: 'nothing scans' },
    { ask: 'POST /gone/rescan', who: 'admin', status: 404, says: 'no server at', because: 'there is none' },
    {
      ask: 'POST /open/rescan',
      who: 'user',
      status: 403,
      says: 'no administrator',
      because: 'it is for administrators',
    },
  ])('$ask answers the $who $status: $because', async ({ ask, who, status, says }) => {
    const [method = '', path = ''] = ask.split(' ');
    for (const prefix of ['/api/servers', '/api/v2/servers']) {
      const said = await gateway.send(method, prefix + path, who);
      expect([said.status, said.body.detail]).toEqual([status, expect.stringContaining(says)]);
    }
  });
});
