/**
 * The registry over MCP, in both eras: what its finder returns goes into its caller as it is, and what an administrator does
 * by its tools is what the REST API would have done, with the same rights and the same lines in the book.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Era } from '../../src/domain/era.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { waitFor } from '../support/gateway-process.ts';
import { errorOf, type Reply, resultOf } from '../support/mcp-client.ts';
import { CALLERS, type Caller, openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

const ERAS: readonly Era[] = ['legacy', 'modern'];

let gateway: RegistryGateway;
let clock: StartedScripted;
beforeAll(async () => {
  [gateway, clock] = await Promise.all([openRegistryGateway(), startScripted()]);
});
afterAll(async () => {
  await gateway.remove();
  await clock.close();
});

async function use(
  era: Era,
  caller: Caller,
  name: string,
  args: JsonObject = {},
  path = '/mcp/registry',
): Promise<Reply> {
  const client = await gateway.open(era, caller, path);
  const reply = await client.call(name, args);
  await client.close();
  return reply;
}

const told = (reply: Reply) => resultOf(reply).structuredContent as JsonObject;
const textOf = (reply: Reply) => String((resultOf(reply).content as JsonObject[])[0]?.text);
const codeOf = (reply: Reply) => ((errorOf(reply).data ?? {}) as JsonObject).code;

async function listed(caller: Caller, path: string, era: Era = 'modern'): Promise<string[]> {
  const client = await gateway.open(era, caller, path);
  const reply = await client.request('tools/list');
  await client.close();
  return (resultOf(reply).tools as JsonObject[]).map(({ name }) => String(name));
}

const FINDING = ['find_tools', 'call_tool', 'intelligent_tool_finder', 'invoke_mcp_tool', 'search_registry'];
const SEEING = ['list_services', 'healthcheck'];
const KEEPING = ['add_server_to_scopes_groups', 'remove_server_from_scopes_groups', 'create_group', 'delete_group'];
const ABOUT_ONESELF = ['debug_auth_context', 'get_http_headers'];

describe('the door of the registry', () => {
  test.each<{ caller: Caller; shown: string[]; because: string }>([
    {
      ...{ caller: 'user', because: 'a user sees and changes nothing' },
      shown: [...FINDING, ...SEEING, ...ABOUT_ONESELF],
    },
    {
      ...{ caller: 'developer', because: 'who may register looks after its own' },
      shown: [
        ...[...FINDING, ...SEEING, 'register_service', 'toggle_service', 'refresh_service', 'remove_service'],
        ...ABOUT_ONESELF,
      ],
    },
    {
      ...{ caller: 'operator', because: 'an operator switches and refreshes' },
      shown: [...FINDING, ...SEEING, 'toggle_service', 'refresh_service', ...ABOUT_ONESELF],
    },
    {
      ...{ caller: 'admin', because: 'an administrator does it all' },
      shown: [
        ...[...FINDING, ...SEEING, 'register_service', 'toggle_service', 'refresh_service', 'remove_service'],
        ...['list_agents', ...KEEPING, 'list_groups', ...ABOUT_ONESELF],
      ],
    },
    {
      ...{ caller: 'stranger', because: 'to whoever was granted nothing there is nothing but itself' },
      shown: [...FINDING, ...ABOUT_ONESELF],
    },
  ])('shows the $caller what it may use: $because', async ({ caller, shown }) => {
    for (const era of ERAS) expect(await listed(caller, '/mcp/registry', era)).toEqual(shown);
  });

  test('is found under the names of other registries, by both transports', async () => {
    const shown = await listed('admin', '/mcp/registry');
    for (const path of ['/mcpgw/mcp', '/airegistry-tools/mcp'])
      for (const era of ERAS) expect(await listed('admin', path, era)).toEqual(shown);
    const stop = new AbortController();
    const stream = await fetch(`${gateway.origin()}/mcpgw/sse`, {
      headers: { authorization: `Bearer ${CALLERS.admin}`, accept: 'text/event-stream' },
      signal: stop.signal,
    });
    const { value } = (await stream.body?.getReader().read()) ?? {};
    stop.abort();
    expect(Buffer.from(value ?? []).toString()).toMatch(/event: endpoint\ndata: \/messages\?sessionId=/);
    expect((await fetch(`${gateway.origin()}/mcpgw/mcp`, { method: 'POST', body: '{}' })).status).toBe(401);
  });

  test('every schema it lists is an object that says what is needed', async () => {
    const client = await gateway.open('modern', 'admin', '/mcp/registry');
    const { tools } = resultOf(await client.request('tools/list')) as { tools: JsonObject[] };
    await client.close();
    for (const { name, description, inputSchema } of tools) {
      expect(inputSchema, String(name)).toMatchObject({ type: 'object' });
      expect(String(description).length, String(name)).toBeGreaterThan(20);
    }
    const register = tools.find(({ name }) => name === 'register_service')?.inputSchema as JsonObject;
    expect(register.required).toEqual(['server_name', 'path']);
  });

  test('the tools are called by name behind the agent and the discovery exposure too, where no list shows them', async () => {
    expect(await listed('admin', '/mcp/agent')).toEqual(['list_servers', 'get_server_tools', 'execute_tool']);
    expect(await listed('admin', '/mcp/discovery')).toEqual(['find_tools', 'call_tool']);
    for (const path of ['/mcp/agent', '/mcp/discovery'])
      expect(told(await use('modern', 'admin', 'list_services', {}, path))).toMatchObject({ total_count: 1 });
    expect(codeOf(await use('modern', 'admin', 'list_services', {}, '/mcp/direct'))).toBe('TOOL_NOT_FOUND');
  });
});

describe.each(ERAS)('in the %s era', era => {
  test('what the finder returns goes into the caller as it is', async () => {
    const query = { natural_language_query: 'add two numbers' };
    const [found, ...more] = told(await use(era, 'user', 'intelligent_tool_finder', query)).result as JsonObject[];
    expect(more).toEqual([]);
    expect(Object.keys(found ?? {}).sort()).toEqual(
      [
        ...['auth_provider', 'overall_similarity_score', 'service_name', 'service_path', 'supported_transports'],
        ...['tool_name', 'tool_parsed_description', 'tool_schema'],
      ].sort(),
    );
    expect(found).toMatchObject({ tool_name: 'add', service_path: '/everyday' });
    const reply = await use(era, 'user', 'invoke_mcp_tool', {
      ...{ ...found, server_name: found?.service_path ?? null },
      ...{ arguments: { a: 2, b: 3 }, mcp_registry_url: `${gateway.origin()}/mcpgw/mcp`, auth_token: 'none of ours' },
    });
    expect(textOf(reply)).toBe('5');
    const unchanged = { ...found, arguments: { a: 20, b: 3 } };
    expect(textOf(await use(era, 'user', 'invoke_mcp_tool', unchanged))).toBe('23');
  });

  test('three are asked for by every spelling, and come best first with distinct scores', async () => {
    for (const many of [{ top_n_tools: 3 }, { top_n: 3 }, { limit: 3 }]) {
      const args = { query: 'echo a text or add numbers', username: 'ada', password: 'x', ...many };
      const tools = told(await use(era, 'user', 'intelligent_tool_finder', args)).result as JsonObject[];
      const scores = tools.map(tool => Number(tool.overall_similarity_score));
      expect(scores).toHaveLength(3);
      expect(scores).toEqual([...new Set(scores)].sort((a, b) => b - a));
    }
  });

  test('a denied tool is refused by the policy that refuses a direct call, and is not found', async () => {
    const denied = await use(era, 'lob', 'invoke_mcp_tool', {
      ...{ server_name: '/everyday', tool_name: 'add', arguments: { a: 1, b: 1 } },
    });
    const direct = await use(era, 'lob', 'everyday__add', { a: 1, b: 1 }, '/mcp');
    expect(codeOf(denied)).toBe('DENIED_BY_POLICY');
    expect(codeOf(direct)).toBe('DENIED_BY_POLICY');
    expect(((errorOf(denied).data ?? {}) as JsonObject).rule).toEqual(
      ((errorOf(direct).data ?? {}) as JsonObject).rule,
    );
    const query = { query: 'add two numbers', max_results: 50 };
    const found = told(await use(era, 'lob', 'search_registry', query));
    expect((found.tools as JsonObject[]).map(({ tool_name: name }) => name)).toEqual(['echo']);
    expect(found).toMatchObject({ total_results: 2, agents: [], skills: [], status: 'ok' });
    expect(found.servers).toMatchObject([{ path: '/everyday', matching_tools: [], num_tools: 1 }]);
  });

  test('a registry elsewhere is refused, and nobody there is asked', async () => {
    let asked = 0;
    const elsewhere = createServer((_req, res) => {
      asked++;
      res.end();
    });
    await new Promise<void>(resolve => elsewhere.listen(0, '127.0.0.1', resolve));
    const { port } = elsewhere.address() as AddressInfo;
    const call = { server_name: '/everyday', tool_name: 'add', arguments: { a: 2, b: 3 } };
    for (const url of [`http://127.0.0.1:${port}`, 'https://registry.example.com', 'not a url']) {
      const reply = await use(era, 'admin', 'invoke_mcp_tool', { ...call, mcp_registry_url: url });
      expect(errorOf(reply), url).toMatchObject({ data: { code: 'INVALID_PARAMS' } });
    }
    elsewhere.close();
    expect(asked).toBe(0);
  });

  test('a name that no server has is said to be none, with where to find the right one', async () => {
    for (const [tool, args] of [
      ['invoke_mcp_tool', { server_name: 'evryday', tool_name: 'echo', arguments: {} }],
      ['call_tool', { server_name: 'evryday', tool_name: 'echo', arguments: {} }],
    ] as const)
      expect(errorOf(await use(era, 'user', tool, args))).toMatchObject({
        message: expect.stringMatching(/^There is no server evryday: .*intelligent_tool_finder/),
        data: { code: 'SERVER_UNAVAILABLE', server: 'evryday' },
      });
  });

  test('an administrator registers, switches, refreshes and removes, and REST says the same', async () => {
    const path = `/clock-${era}`;
    const registered = await use(era, 'admin', 'register_service', {
      ...{ server_name: 'Clock', path, proxy_pass_url: clock.url, description: 'Tells the time' },
      tags: ['time', 'demo'],
    });
    expect(told(registered)).toEqual({
      ...{ service_path: path, service_name: 'Clock', version: 'v1.0.0', registered_as: 'new' },
    });
    const card = (await gateway.read(`/api/servers${path}`, 'admin')).body;
    expect(card).toMatchObject({ display_name: 'Clock', tags: ['time', 'demo'], is_enabled: true });
    const again = { server_name: 'Other', path, proxy_pass_url: clock.url };
    expect(codeOf(await use(era, 'admin', 'register_service', again))).toBe('CONFLICT');

    await waitFor(
      async () => Number(told(await use(era, 'admin', 'refresh_service', { service_path: path })).num_tools) > 0,
      `tools of ${path}`,
    );
    const tagged = { query: 'echo a text', tags: ['TIME', 'demo'], top_n_tools: 5 };
    const found = told(await use(era, 'user', 'intelligent_tool_finder', tagged)).result as JsonObject[];
    expect(new Set(found.map(tool => tool.service_path))).toEqual(new Set([path]));
    expect(found[0]).toMatchObject({ service_name: 'Clock' });
    const none = { ...tagged, tags: ['time', 'nothing has this'] };
    expect(told(await use(era, 'user', 'intelligent_tool_finder', none)).result).toEqual([]);

    const off = told(await use(era, 'operator', 'toggle_service', { service_path: path, enabled: false }));
    expect(off).toMatchObject({ service_path: path, new_enabled_state: false });
    expect((await gateway.read(`/api/servers${path}`, 'admin')).body.is_enabled).toBe(false);
    expect(told(await use(era, 'operator', 'toggle_service', { service_path: path }))).toMatchObject({
      new_enabled_state: true,
    });

    const all = told(await use(era, 'user', 'list_services')).services as JsonObject[];
    expect(all.map(({ service_path: listedPath }) => listedPath)).toEqual([path, '/everyday']);
    const health = told(await use(era, 'user', 'healthcheck', { service_path: path })).services as JsonObject;
    expect(Object.keys(health)).toEqual([path]);
    // All at once take the same right as over REST.
    expect((await gateway.read('/api/servers/health', 'user')).status).toBe(403);
    expect(codeOf(await use(era, 'user', 'healthcheck'))).toBe('DENIED_BY_POLICY');
    const ofAll = told(await use(era, 'operator', 'healthcheck')).services as JsonObject;
    expect(Object.keys(ofAll)).toEqual(Object.keys((await gateway.read('/api/servers/health', 'operator')).body));

    expect(told(await use(era, 'admin', 'remove_service', { service_path: path }))).toMatchObject({ removed: true });
    expect((await gateway.read(`/api/servers${path}`, 'admin')).status).toBe(404);
    expect(codeOf(await use(era, 'admin', 'remove_service', { service_path: path }))).toBe('NOT_FOUND');
  });

  test('groups are made, filled, emptied and deleted, and grant what they grant over REST', async () => {
    const group = `registry-${era}-team`;
    expect(told(await use(era, 'admin', 'create_group', { group_name: group }))).toMatchObject({
      ...{ scope_name: group, server_access: [], group_mappings: [group] },
    });
    const members = { server_name: '/everyday', group_names: [group] };
    expect(told(await use(era, 'admin', 'add_server_to_scopes_groups', members))).toEqual({
      ...{ service_path: '/everyday', groups: [group] },
    });
    const { body } = await gateway.read(`/api/servers/groups/${group}`, 'admin');
    expect(body.server_access).toEqual([{ server: 'everyday', methods: ['all'], tools: ['all'] }]);
    expect(told(await use(era, 'admin', 'list_groups')).groups).toEqual([body]);
    await use(era, 'admin', 'remove_server_from_scopes_groups', members);
    expect((await gateway.read(`/api/servers/groups/${group}`, 'admin')).body.server_access).toEqual([]);
    expect(told(await use(era, 'admin', 'delete_group', { group_name: group }))).toMatchObject({ deleted: true });
    expect((await gateway.read('/api/servers/groups', 'admin')).body.total).toBe(0);
  });

  test.each<{ caller: Caller; tool: string; args: JsonObject; because: string }>([
    {
      ...{ caller: 'user', tool: 'register_service', because: 'a reader registers nothing' },
      args: { server_name: 'X', path: '/x', proxy_pass_url: 'http://127.0.0.1:9/' },
    },
    {
      ...{ caller: 'user', tool: 'toggle_service', args: { service_path: '/everyday' } },
      because: 'a reader switches nothing',
    },
    {
      ...{ caller: 'operator', tool: 'remove_service', args: { service_path: '/everyday' } },
      because: 'an operator removes nothing',
    },
    {
      ...{ caller: 'developer', tool: 'toggle_service', args: { service_path: '/everyday' } },
      because: 'what is not its own a developer leaves alone',
    },
    {
      ...{ caller: 'developer', tool: 'create_group', args: { group_name: 'admins' } },
      because: 'groups are an administrator’s',
    },
    { caller: 'stranger', tool: 'list_services', args: {}, because: 'no right to list is no list' },
    { caller: 'stranger', tool: 'register_service', args: {}, because: 'who may not is not told what is missing' },
  ])('$because', async ({ caller, tool, args }) => {
    const before = await gateway.read('/api/servers', 'admin');
    expect(codeOf(await use(era, caller, tool, args))).toBe('DENIED_BY_POLICY');
    expect((await gateway.read('/api/servers', 'admin')).body).toEqual(before.body);
  });

  test('agents are listed for whom REST lists them, and for nobody else', async () => {
    const path = `/${era}-helper`;
    const skills = [{ id: 'help', name: 'Help', description: 'Helps', tags: [] }];
    const card = { protocolVersion: '1.0', name: 'Helper', description: 'Helps', url: 'https://agents.example.test/' };
    await gateway.post('/api/agents/register', 'admin', { ...card, path, skills });
    await gateway.post(`/api/agents${path}/toggle?enabled=false`, 'admin');
    for (const { args, query } of [
      { args: {}, query: '' },
      { args: { enabled_only: true }, query: '?enabled_only=true' },
      { args: { query: 'helps', limit: 1 }, query: '?query=helps&limit=1' },
    ]) {
      const { agents, ...page } = told(await use(era, 'admin', 'list_agents', args));
      const { agents: rest, ...restPage } = (await gateway.read(`/api/agents${query}`, 'admin')).body;
      expect(page).toEqual(restPage);
      const paths = (items: unknown) => (items as JsonObject[]).map(item => [item.path, item.is_enabled]);
      expect(paths(agents)).toEqual(paths(rest));
    }
    expect(codeOf(await use(era, 'user', 'list_agents'))).toBe('DENIED_BY_POLICY');
    expect((await gateway.read('/api/agents', 'user')).status).toBe(403);
    await gateway.send('DELETE', `/api/agents${path}`, 'admin');
  });

  test('a search tells what it left out where a receipt is asked for', async () => {
    const query = { query: 'echo a text', max_results: 1 };
    const plain = told(await use(era, 'user', 'search_registry', query));
    expect(plain).not.toHaveProperty('discovery_receipt');
    const { discovery_receipt: receipt, ...found } = told(
      await use(era, 'user', 'search_registry', { ...query, include_discovery_receipt: true }),
    );
    expect(found).toEqual(plain);
    const { withheld, total_withheld: total } = receipt as { withheld: JsonObject[]; total_withheld: number };
    expect(total).toBeGreaterThan(0);
    expect(withheld.length).toBe(Math.min(total, 10));
    for (const each of withheld)
      expect(each).toEqual({
        ...{ kind: expect.any(String), id: expect.any(String), name: expect.any(String), reason: 'max_results' },
      });
    const hidden = told(
      await use(era, 'stranger', 'search_registry', { ...query, include_discovery_receipt: true }),
    ).discovery_receipt;
    expect(hidden).toEqual({ withheld: [], total_withheld: 0 });
  });

  test('a misspelled argument is said, and nothing is done', async () => {
    const reply = await use(era, 'admin', 'toggle_service', { service_path: '/everyday', enable: false });
    expect(errorOf(reply)).toMatchObject({
      data: { code: 'INVALID_PARAMS' },
      message: expect.stringMatching(/enable/),
    });
    expect((await gateway.read('/api/servers/everyday', 'admin')).body.is_enabled).toBe(true);
  });

  test('a caller is told who it is and what it may do, and nothing that it showed', async () => {
    const reply = await use(era, 'admin', 'debug_auth_context');
    expect(told(reply)).toMatchObject({
      ...{ subject: 'key:admin', auth_method: 'api-key', groups: ['registry-admins'], is_admin: true },
      evaluated_scopes: expect.arrayContaining(['admins', 'unrestricted']),
      ui_permissions: { list_service: ['all'] },
    });
    expect(told(await use(era, 'lob', 'debug_auth_context'))).toMatchObject({
      ...{ is_admin: false, accessible_servers: ['everyday'], ui_permissions: { list_service: ['everyday'] } },
    });
    const headers = await use(era, 'admin', 'get_http_headers');
    expect(told(headers)).toMatchObject({
      ...{ available: true, headers: { authorization: '[redacted]', 'content-type': 'application/json' } },
    });
    for (const { text, frames } of [reply, headers])
      expect(`${text} ${JSON.stringify(frames)}`).not.toContain(CALLERS.admin);
  });
});

test('what has an effect is announced in the book under the name of its tool, and what it did stands after it', async () => {
  await use('modern', 'admin', 'toggle_service', { service_path: '/everyday', enabled: true });
  await use('modern', 'user', 'toggle_service', { service_path: '/everyday', enabled: false });
  const { body } = await gateway.read('/api/audit/events?operation=toggle_service&limit=2', 'admin');
  const [denied, done] = body.events as JsonObject[];
  expect(done).toMatchObject({ operation: 'toggle_service', decision: 'ALLOW', subject: 'key:admin' });
  expect(JSON.stringify(done)).toContain('/everyday');
  expect(denied).toMatchObject({ decision: 'DENY', subject: 'key:user', rule: 'ui: no grant of toggle_service' });
});

test('over REST, too, the book names the server by its path, wherever the request did', async () => {
  await gateway.post('/toggle/everyday', 'operator', new URLSearchParams({ enabled: 'on' }));
  for (const field of ['path', 'service_path'])
    await gateway.post('/api/servers/toggle', 'operator', { [field]: 'everyday', new_state: true });
  const { body } = await gateway.read('/api/audit/events?operation=servers/toggle&limit=3', 'admin');
  const once = { target: '/everyday', metadata: { enabled: true } };
  expect((body.events as JsonObject[]).map(({ target, metadata }) => ({ target, metadata }))).toEqual([
    once,
    once,
    once,
  ]);
});
