/**
 * Every address of the registry, its older spellings too, asked once for what it is there for: each answers, and as the
 * document of the gateway prints it. One server, one agent and one group live through it from their coming to their end.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { openApiOf } from '../support/openapi-check.ts';
import { openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

let gateway: RegistryGateway;
let behind: StartedScripted;
beforeAll(async () => {
  [gateway, behind] = await Promise.all([openRegistryGateway(), startScripted()]);
});
afterAll(async () => {
  await gateway.remove();
  await behind.close();
});

interface Step {
  ask: string;
  body?: JsonObject;
  status?: number;
}

const server = (path: string, more: JsonObject = {}): JsonObject => ({
  ...{ path, name: `Server of ${path}`, description: 'Echoes', proxy_pass_url: behind.url, ...more },
});
const named = (path: string, more: JsonObject = {}): JsonObject => ({ path, ...more });
const members = (group: string): JsonObject => ({ server_name: '/team/mail', group_names: [group] });
const card = (more: JsonObject = {}): JsonObject => ({
  ...{ protocolVersion: '1.0', name: 'Helper', description: 'Helps', url: 'https://agents.example.test/helper' },
  ...{ path: '/helper', skills: [{ id: 'help', name: 'Help', description: 'Helps', tags: [] }], ...more },
});

const SERVERS = (): Step[] => [
  { ask: 'POST /api/servers/register', body: server('/team/mail'), status: 201 },
  { ask: 'POST /register', body: server('/one'), status: 201 },
  { ask: 'POST /api/register', body: server('/two'), status: 201 },
  { ask: 'POST /api/internal/register', body: server('/three'), status: 201 },
  { ask: 'POST /api/servers/check-duplicates', body: { name: 'Mail', proxy_pass_url: behind.url } },
  { ask: 'GET /api/servers' },
  { ask: 'GET /api/internal/list?limit=2' },
  { ask: 'GET /api/servers/team/mail' },
  { ask: 'GET /api/server_details/team/mail' },
  { ask: 'GET /api/server_details/all' },
  { ask: 'PATCH /api/servers/team/mail', body: { tags: ['post'] } },
  { ask: 'PUT /api/servers/one', body: { name: 'One', description: 'Anew', proxy_pass_url: behind.url } },
  { ask: 'POST /edit/one', body: { description: 'By a form' }, status: 303 },
  { ask: 'PATCH /api/servers/one/auth-credential', body: { auth_scheme: 'bearer', auth_credential: 'k9Rw2Lx7' } },
  { ask: 'POST /api/servers/toggle', body: named('/one', { new_state: false }) },
  { ask: 'POST /api/internal/toggle', body: named('/one', { new_state: true }) },
  { ask: 'POST /toggle/one', body: {} },
  { ask: 'POST /api/toggle/one', body: { enabled: 'on' } },
  { ask: 'POST /api/refresh/team/mail' },
  { ask: 'POST /api/internal/healthcheck', body: named('/team/mail') },
  { ask: 'POST /api/internal/healthcheck' },
  { ask: 'GET /api/servers/health' },
  { ask: 'GET /api/servers/team/mail/health' },
  { ask: 'GET /api/servers/team/mail/connect-config' },
  { ask: 'GET /api/tools/team/mail' },
  { ask: 'GET /api/tools/all' },
  { ask: 'GET /api/servers/tools/team/mail' },
  { ask: 'GET /api/tool-catalog' },
  { ask: 'POST /api/servers/register', body: server('/team/mail', { version: 'v2.0.0' }), status: 201 },
  { ask: 'GET /api/servers/team/mail/versions' },
  { ask: 'PUT /api/servers/team/mail/versions/default', body: { version: 'v2.0.0' } },
  { ask: 'DELETE /api/servers/team/mail/versions/v1.0.0' },
  { ask: 'POST /api/servers/team/mail/rate', body: { rating: 5 } },
  { ask: 'POST /api/v2/servers/team/mail/rate', body: { rating: 4 } },
  { ask: 'POST /api/v2/servers/team/mail/rating', body: { rating: 3 } },
  { ask: 'GET /api/servers/team/mail/rating' },
  { ask: 'GET /api/v2/servers/team/mail/rating' },
  { ask: 'GET /api/v2/servers/team/mail' },
  { ask: 'GET /api/servers/team/mail/security-scan', status: 404 },
  { ask: 'GET /api/v2/servers/team/mail/security-scan', status: 404 },
  { ask: 'POST /api/servers/team/mail/rescan', status: 404 },
  { ask: 'POST /api/v2/servers/team/mail/rescan', status: 404 },
  { ask: 'GET /v0.1/servers' },
  { ask: 'GET /v0.1/servers/io.mcpgateway%2Fteam--mail/versions' },
  { ask: 'GET /v0.1/servers/io.mcpgateway%2Fteam--mail/versions/latest' },
  { ask: 'GET /ws/health_status' },
  { ask: 'GET /api/health/ws/health_status' },
  { ask: 'GET /ws/stats' },
  { ask: 'POST /api/ws-ticket' },
  { ask: 'GET /api/version' },
  { ask: 'GET /api/stats' },
  { ask: 'GET /api/definitions/pending' },
  { ask: 'POST /api/definitions/acknowledge', body: { server: 'one', tool: 'nothing' }, status: 404 },
];
const GROUPS = (): Step[] => [
  { ask: 'POST /api/servers/groups/create', body: { group_name: 'night' }, status: 201 },
  { ask: 'POST /api/internal/create-group', body: { group_name: 'day' }, status: 201 },
  { ask: 'POST /api/servers/groups/add', body: members('night') },
  { ask: 'POST /api/internal/add-to-groups', body: members('day') },
  { ask: 'GET /api/servers/groups' },
  { ask: 'GET /api/internal/list-groups' },
  { ask: 'GET /api/servers/groups/night' },
  { ask: 'POST /api/servers/groups/import', body: { scope_name: 'night', ui_permissions: { list_service: ['one'] } } },
  { ask: 'POST /api/servers/groups/remove', body: members('night') },
  { ask: 'POST /api/internal/remove-from-groups', body: members('day') },
  { ask: 'POST /api/servers/groups/delete', body: { group_name: 'night' } },
  { ask: 'POST /api/internal/delete-group', body: { group_name: 'day' } },
];
const AGENTS = (): Step[] => [
  { ask: 'POST /api/agents/register', body: card(), status: 201 },
  { ask: 'POST /api/agents/register', body: card(), status: 409 },
  { ask: 'POST /api/agents/register', body: { path: '/odd' }, status: 422 },
  { ask: 'GET /api/agents' },
  { ask: 'GET /api/agents/helper' },
  { ask: 'PUT /api/agents/helper', body: card({ description: 'Helps more' }) },
  { ask: 'PATCH /api/agents/helper', body: { tags: ['kind'] } },
  { ask: 'POST /api/agents/helper/rate', body: { rating: 5 } },
  { ask: 'POST /api/v2/agents/helper/rate', body: { rating: 4 } },
  { ask: 'POST /api/v2/agents/helper/rating', body: { rating: 3 } },
  { ask: 'GET /api/agents/helper/rating' },
  { ask: 'GET /api/v2/agents/helper/rating' },
  { ask: 'GET /api/v2/agents/helper' },
  { ask: 'POST /api/agents/discover', body: { skills: ['Help'] } },
  { ask: 'GET /api/agents/discover/semantic?query=help' },
  { ask: 'POST /api/agents/discover/semantic?query=help' },
  { ask: 'POST /api/agents/helper/toggle?enabled=false' },
  { ask: 'DELETE /api/agents/helper', status: 204 },
];
const THE_END = (): Step[] => [
  { ask: 'POST /api/servers/remove', body: named('/one') },
  { ask: 'POST /api/internal/remove', body: named('/two') },
  { ask: 'DELETE /api/servers/team/mail' },
];

test.each([
  { what: 'servers', steps: SERVERS },
  { what: 'groups', steps: GROUPS },
  { what: 'agents', steps: AGENTS },
  { what: 'the end of servers', steps: THE_END },
])('$what, step by step', async ({ steps }) => {
  for (const { ask, body, status = 200 } of steps()) {
    const [method = '', path = ''] = ask.split(' ');
    const said = await gateway.send(method, path, 'admin', body);
    expect([ask, said.status, said.body.detail]).toEqual([ask, status, said.body.detail]);
  }
});

test('leaves out no operation of the registry', async () => {
  const check = await openApiOf(gateway.origin());
  const ours = check.operations('servers', 'ratings', 'groups', 'registry v0.1', 'agents', 'health');
  expect(ours.length).toBeGreaterThan(60);
  expect(ours.filter(operation => !check.seen.has(operation))).toEqual([]);
});
