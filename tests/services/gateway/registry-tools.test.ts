/** The table of the registry's tools: who may use each, what is announced of it, and which name leads to it. */
import { describe, expect, test } from 'vitest';
import type { Door } from '../../../src/domain/call.ts';
import { EMPTY_CATALOG } from '../../../src/domain/catalog.ts';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { type JsonObject, objectOrEmpty } from '../../../src/domain/json.ts';
import { OPEN_POLICY } from '../../../src/domain/policy.ts';
import { createMayCall } from '../../../src/services/gateway/may-call.ts';
import { findToolDenial } from '../../../src/services/gateway/registry-tools/registry-tool.ts';
import {
  createRegistryTools,
  findRegistryTool,
  REGISTRY_TOOLS,
  registryToolItems,
} from '../../../src/services/gateway/registry-tools/registry-tools.ts';
import { callRecord } from '../../support/call-record.ts';
import { tool } from '../../support/fake-downstreams.ts';
import { createFakeLine } from '../../support/fake-line.ts';
import { callerWith, policyOf } from '../../support/policies.ts';
import { createEmptyQuarantine, createKeptBook, createOpenPins } from '../../support/quiet-house.ts';
import { NO_SEARCH } from '../../support/small-registry.ts';
import { contentOf, createStaircase, resultOf, type Staircase } from '../../support/staircase.ts';

const REGISTRY: Door = { server: null, exposure: 'registry' };
const SERVERS = { git: { lists: { tools: [tool('push'), tool('healthcheck')] } } };
const CLOCK = { server_name: 'Clock', path: '/clock', proxy_pass_url: 'https://clock.test/mcp' };

const use = (house: Staircase, name: string, args: JsonObject = {}, door = REGISTRY) =>
  house.handle('tools/call', { name, arguments: args }, { door });

const SCOPES = {
  'UI-Scopes': {
    admins: {
      ...{ list_service: ['all'], register_service: ['all'], modify_service: ['all'], toggle_service: ['all'] },
      health_check_service: ['all'],
    },
    some: { list_service: ['/git'], modify_service: ['/git'] },
  },
  group_mappings: { admins: ['admins'], some: ['some'] },
};
const admin = callerWith({ groups: ['admins'] });
const some = callerWith({ groups: ['some'] });
const nobody = callerWith({ groups: [] });

describe('the table', () => {
  test('has one entry per name, and each says which arguments it takes and no others', () => {
    expect(new Set(REGISTRY_TOOLS.map(({ name }) => name)).size).toBe(REGISTRY_TOOLS.length);
    for (const { name, inputSchema } of registryToolItems(OPEN_POLICY, LOCAL_CALLER))
      expect(inputSchema, String(name)).toMatchObject({ type: 'object', additionalProperties: false });
  });

  test('says of each whether it changes anything', () => {
    const effects = registryToolItems(OPEN_POLICY, LOCAL_CALLER).filter(
      ({ annotations }) => objectOrEmpty(annotations).readOnlyHint === false,
    );
    expect(effects.map(({ name }) => name)).toEqual([
      ...['register_service', 'toggle_service', 'refresh_service', 'remove_service', 'add_server_to_scopes_groups'],
      ...['remove_server_from_scopes_groups', 'create_group', 'delete_group'],
    ]);
  });

  test.each([
    { who: admin, tool: 'delete_group', rule: null, because: 'who may change every server keeps the groups' },
    {
      who: some,
      tool: 'delete_group',
      rule: 'ui: no grant of modify_service on all',
      because: 'one server is not all',
    },
    { who: admin, tool: 'remove_service', rule: null, because: 'who may change every server may remove one' },
    { who: some, tool: 'remove_service', rule: 'ui: no grant of delete_service', because: 'a change is no removal' },
    { who: some, tool: 'list_services', rule: null, because: 'one server is enough to list' },
    { who: nobody, tool: 'list_services', rule: 'ui: no grant of list_service', because: 'no server is not' },
    { who: nobody, tool: 'search_registry', rule: null, because: 'what is found is decided tool by tool' },
    { who: nobody, tool: 'debug_auth_context', rule: null, because: 'it tells of nobody else' },
    {
      ...{ who: callerWith({ groups: ['admins'], boundServer: 'git' }), tool: 'search_registry' },
      ...{ rule: 'token: bound to another server', because: 'a token for one server is for nothing else' },
    },
    {
      ...{ who: callerWith({ groups: ['admins'], boundServer: 'git' }), tool: 'debug_auth_context' },
      ...{ rule: null, because: 'what it is bound to may be asked with it' },
    },
  ])('$tool, $rule: $because', async ({ who, tool: name, rule }) => {
    const policy = policyOf({ scopes: SCOPES });
    const found = findRegistryTool(name);
    if (found === null) throw new Error(`no tool ${name}`);
    expect(findToolDenial(policy, who, found)).toBe(rule);
    expect(registryToolItems(policy, who).some(item => item.name === name)).toBe(rule === null);
    const mayCall = createMayCall({
      ...{
        policy: () => policy,
        catalog: () => EMPTY_CATALOG,
        quarantine: createEmptyQuarantine(),
        pins: createOpenPins(),
      },
      ...{ settledOne: async () => {}, defaultAgent: null, debug: false },
    });
    const verdict = await mayCall(who, { server: null, method: 'tools/call', params: { name } });
    expect(verdict).toMatchObject({ kind: rule === null ? 'allowed' : 'denied', rule });
  });
});

describe('the book', () => {
  test('has the operation and its target before the effect, and nothing of a credential', async () => {
    const house = await createStaircase(SERVERS);
    const secret = 'never-in-the-book-5531';
    await use(house, 'register_service', { ...CLOCK, headers: { 'x-own': secret } });
    expect(house.audit.intents).toMatchObject([
      { operation: 'register_service', target: '/clock', method: 'tools/call' },
    ]);
    expect(JSON.stringify([house.audit.intents, house.audit.lines, house.records])).not.toContain(secret);
  });

  test('that cannot be written stops what has an effect, and what would give something away', async () => {
    const house = await createStaircase(SERVERS);
    house.audit.isFull = true;
    expect(await use(house, 'register_service', CLOCK)).toMatchObject({ kind: 'failure', code: 'AUDIT_UNAVAILABLE' });
    expect(await use(house, 'list_services')).toMatchObject({ kind: 'failure', code: 'AUDIT_UNAVAILABLE' });
    expect(house.registry.current().servers.size).toBe(0);
    house.audit.isFull = false;
    expect(await use(house, 'register_service', CLOCK)).toMatchObject({ kind: 'answer' });
    expect([...house.registry.current().servers.keys()]).toEqual(['/clock']);
  });

  test('has the rule by which the registry refused what was granted elsewhere', async () => {
    const house = await createStaircase(SERVERS);
    await use(house, 'register_service', CLOCK);
    const ui = { list_service: ['all'], toggle_service: ['/git'] };
    house.policy.swap(policyOf({ scopes: { 'UI-Scopes': { some: ui }, group_mappings: { some: ['some'] } } }));
    const args = { service_path: '/clock', enabled: false };
    const refused = await house.handle(
      'tools/call',
      { name: 'toggle_service', arguments: args },
      { door: REGISTRY, who: some },
    );
    const rule = 'ui: no grant of toggle_service there';
    expect(refused).toMatchObject({ kind: 'failure', code: 'DENIED_BY_POLICY', data: { rule } });
    expect(house.records.at(-1)).toMatchObject({ outcome: 'denied', metadata: { rule } });
  });

  test('has nothing announced of what only reads', async () => {
    const house = await createStaircase(SERVERS);
    await use(house, 'list_services');
    expect(house.audit.intents).toEqual([]);
    expect(house.records.at(-1)).toMatchObject({ operation: 'list_services', outcome: 'ok' });
  });
});

test('whoever is shut out of the API is shut out of the tools', async () => {
  const house = await createStaircase(SERVERS);
  const tools = createRegistryTools({
    ...{
      registry: house.registry,
      agents: { list: async () => ({ items: [], total: 0 }) },
      finder: house.finder,
      search: NO_SEARCH,
      policy: () => OPEN_POLICY,
      servers: () => [],
    },
    ...{ defaultAgent: null, audit: createKeptBook() },
    quarantine: { isBlocked: (_who, server) => server === 'api' },
  });
  const found = findRegistryTool('register_service');
  if (found === null) throw new Error('no such tool');
  const call = { id: '1', method: 'tools/call', params: {}, argumentBytes: null, door: REGISTRY, receivedAtMs: 0 };
  const turn = { who: LOCAL_CALLER, caller: LOCAL_CALLER, line: createFakeLine(), record: callRecord() };
  const handled = await tools.run(found, { ...turn, call: { ...call, era: 'legacy' } }, CLOCK);
  expect(handled).toMatchObject({ kind: 'failure', code: 'DENIED_BY_POLICY', data: { rule: 'quarantine' } });
  expect(house.registry.current().servers.size).toBe(0);
});

describe('a name that a server has too', () => {
  const inDiscovery: Door = { server: null, exposure: 'discovery' };

  test('is the registry’s at its own door, and the server’s at every other', async () => {
    const house = await createStaircase(SERVERS, { prefix: 'none' });
    expect(contentOf(await use(house, 'healthcheck'))).toEqual({ services: {}, total_count: 0 });
    await use(house, 'healthcheck', {}, inDiscovery);
    expect(house.records.at(-1)).toMatchObject({ operation: 'tools/call', server: 'git', target: 'healthcheck' });
  });

  test('is nobody’s but the server’s where everything is shown', async () => {
    const house = await createStaircase(SERVERS);
    await use(house, 'healthcheck', {}, { server: null, exposure: 'direct' });
    expect(house.records.at(-1)).toMatchObject({ server: 'git', target: 'healthcheck' });
    const handled = await use(house, 'list_services', {}, { server: null, exposure: 'direct' });
    expect(handled).toMatchObject({ kind: 'failure', code: 'TOOL_NOT_FOUND' });
  });
});

describe('get_http_headers', () => {
  test('shows what the line shows, and nothing else', async () => {
    const house = await createStaircase(SERVERS);
    const headers = { 'user-agent': 'curl/8', authorization: '[redacted]' };
    const line = { ...createFakeLine(), shownHeaders: () => headers };
    const handled = await house.handle('tools/call', { name: 'get_http_headers' }, { door: REGISTRY, line });
    expect(contentOf(handled)).toMatchObject({ available: true, headers });
  });

  test('says so where there are none', async () => {
    const house = await createStaircase(SERVERS);
    const { structuredContent } = resultOf(await use(house, 'get_http_headers'));
    expect(structuredContent).toMatchObject({ available: false, headers: {} });
  });
});

test('large arguments that stayed bytes are read all the same', async () => {
  const house = await createStaircase(SERVERS);
  const handled = await house.gateway.handle(
    LOCAL_CALLER,
    {
      ...{ id: '1', method: 'tools/call', params: { name: 'register_service' }, door: REGISTRY, era: 'legacy' },
      ...{ argumentBytes: Buffer.from(JSON.stringify(CLOCK)), receivedAtMs: 0 },
    },
    createFakeLine(),
  );
  expect(contentOf(handled)).toMatchObject({ service_path: '/clock', registered_as: 'new' });
});
