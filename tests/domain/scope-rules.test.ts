import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { decide, evaluatedScopes, findMethodDenial, mayMethod, mayUi } from '../../src/domain/policy.ts';
import { isScopedAdmin, weighUi } from '../../src/domain/scope-rules.ts';
import { callerWith, policyOf, toolOf } from '../support/policies.ts';

const FILE = parse(`
UI-Scopes:
  registry-admins: {list_agents: [all], list_service: [all], register_service: [all], toggle_service: [all], modify_service: [all], health_check_service: [all]}
  registry-operators: {list_service: [all], toggle_service: [all], health_check_service: [all]}
  registry-users-lob1: {list_agents: [/code-reviewer, /test-automation], list_service: [currenttime, mcpgw]}
group_mappings:
  admins: [registry-admins, mcp-servers-unrestricted/read, mcp-servers-unrestricted/execute]
  4c46ec66-0000-0000-0000-000000000000: [registry-admins]
  operators: [registry-operators]
  lob1: [registry-users-lob1, gone]
  finance: [mcp-servers-restricted/read, mcp-servers-restricted/execute]
  readers: [mcp-servers-restricted/read]
  nobody: []
mcp-servers-unrestricted/read:
  - {server: '*', methods: [initialize, ping, tools/list, resources/list], tools: '*'}
mcp-servers-unrestricted/execute:
  - {server: '*', methods: [initialize, notifications/initialized, ping, tools/list, tools/call, resources/list, resources/read, GET, POST], tools: '*'}
  - {server: api, methods: [tokens, GET, POST]}
mcp-servers-restricted/read:
  - {server: fininfo, methods: [initialize, tools/list], tools: [get_stock_aggregates]}
mcp-servers-restricted/execute:
  - {server: /fininfo/, methods: [initialize, tools/list, tools/call], tools: [get_stock_aggregates, print_stock_data, prompts/get]}
registry-users-lob1:
  - {server: currenttime, methods: [initialize, ping, tools/list, tools/call], tools: [current_time_by_timezone]}
  - agents: {actions: [{action: get_agent, resources: [/code-reviewer]}]}
`);

const policy = policyOf({ scopes: FILE });
const member = (...groups: string[]) => callerWith({ groups });
const may = (who: ReturnType<typeof member>, server: string, tool: string) =>
  decide(policy, who, 'call', toolOf(server, tool)).kind === 'allow';

describe('tools by scope', () => {
  test.each([
    { groups: ['finance'], ask: 'fininfo get_stock_aggregates', may: true, because: 'the scope names it' },
    { groups: ['finance'], ask: 'fininfo drop', may: false, because: 'the scope does not name it' },
    { groups: ['finance'], ask: 'currenttime get_stock_aggregates', may: false, because: 'it is another server' },
    { groups: ['readers'], ask: 'fininfo get_stock_aggregates', may: false, because: 'to read is not to call' },
    {
      groups: ['lob1'],
      ask: 'currenttime current_time_by_timezone',
      may: true,
      because: 'both halves of a group count',
    },
    { groups: ['admins'], ask: 'anything at-all', may: true, because: 'a star is every server and every tool' },
    { groups: ['Admins'], ask: 'anything at-all', may: false, because: 'case counts' },
    { groups: ['admin'], ask: 'anything at-all', may: false, because: 'a beginning of a name is another name' },
    { groups: ['nobody'], ask: 'fininfo get_stock_aggregates', may: false, because: 'an empty list is nobody' },
    { groups: ['strangers'], ask: 'fininfo get_stock_aggregates', may: false, because: 'an unmapped group is nothing' },
    { groups: ['mcp-servers-unrestricted/execute'], ask: 'a b', may: false, because: 'a group is no scope' },
    { groups: ['readers', 'lob1'], ask: 'currenttime current_time_by_timezone', may: true, because: 'grants add up' },
    {
      groups: ['finance'],
      ask: 'fininfo/ get_stock_aggregates',
      may: false,
      because: 'what is asked for is compared as it is',
    },
    { groups: ['finance'], ask: '__proto__ constructor', may: false, because: 'these are names' },
  ])('$groups on $ask: $because', ({ groups, ask, may: expected }) => {
    const [server = '', tool = ''] = ask.split(' ');
    expect(may(member(...groups), server, tool)).toBe(expected);
  });

  test('scopes of the credential count where the file knows them', () => {
    const who = callerWith({ scopes: ['mcp-servers-restricted/execute', 'openid', 'UI-Scopes', 'group_mappings'] });
    expect(may(who, 'fininfo', 'print_stock_data')).toBe(true);
    expect(evaluatedScopes(policy, who)).toEqual(['mcp-servers-restricted/execute']);
  });

  test('a token of ours has the scopes it was given, not those its groups would bring back', () => {
    const vended = callerWith({ method: 'vended', groups: ['admins'], scopes: ['mcp-servers-restricted/read'] });
    expect(may(vended, 'fininfo', 'get_stock_aggregates')).toBe(false);
    expect(evaluatedScopes(policy, vended)).toEqual(['mcp-servers-restricted/read']);
  });

  test('the rule names scope and entry', () => {
    const decision = decide(policy, member('admins'), 'call', toolOf('a', 'b'));
    expect(decision).toMatchObject({ permit: { rule: 'scopes["mcp-servers-unrestricted/execute"][0]' } });
  });

  test('a refusal names the narrowest scope that would have done', () => {
    const decision = decide(policy, member('readers'), 'call', toolOf('fininfo', 'print_stock_data'));
    expect(decision).toMatchObject({
      kind: 'deny',
      missing: ['mcp-servers-restricted/execute'],
      rule: 'scopes: no grant',
    });
    const elsewhere = decide(policy, member('readers'), 'call', toolOf('other', 't'));
    expect(elsewhere).toMatchObject({ missing: ['mcp-servers-unrestricted/execute'] });
  });
});

describe('methods by scope', () => {
  test.each([
    { groups: ['readers'], ask: 'fininfo tools/list', may: true, because: 'the read scope lists it' },
    { groups: ['readers'], ask: 'fininfo tools/call', may: false, because: 'the read scope does not' },
    { groups: ['finance'], ask: 'fininfo tools/call', may: true, because: 'the execute scope does' },
    { groups: ['finance'], ask: 'fininfo tasks/get', may: true, because: 'a task belongs to a call' },
    { groups: ['finance'], ask: 'fininfo ping', may: true, because: 'who may use a server may talk to it' },
    { groups: ['readers'], ask: 'currenttime ping', may: false, because: 'who may use nothing may not' },
    { groups: ['finance'], ask: 'fininfo prompts/get', may: false, because: 'a method among the tools grants nothing' },
    { groups: ['admins'], ask: 'x resources/subscribe', may: true, because: 'to read is to subscribe' },
    { groups: ['admins'], ask: 'api GET', may: true, because: 'the entry for the REST API says so' },
    { groups: ['admins'], ask: 'api resources/read', may: false, because: 'what is granted on every server is not' },
    { groups: ['admins'], ask: 'api DELETE', may: false, because: 'the entry for the REST API does not' },
  ])('$groups with $ask: $because', ({ groups, ask, may: expected }) => {
    const [server = '', method = ''] = ask.split(' ');
    expect(mayMethod(policy, member(...groups), server, method)).toBe(expected);
  });

  test('every server is not the REST API', () => {
    const all = policyOf({ scopes: { all: [{ server: '*', methods: '*', tools: '*' }] } });
    const who = callerWith({ scopes: ['all'] });
    expect(mayMethod(all, who, 'api', 'GET')).toBe(false);
    expect(mayMethod(all, who, 'x', 'anything/else')).toBe(true);
  });

  test('rules of agents have no say in the REST API', () => {
    const rules = { agents: { a: { allow: { servers: ['*'] } } } };
    const both = policyOf({ rules, scopes: FILE, enforcement: 'shadow' });
    expect(mayMethod(both, member('admins'), 'api', 'GET')).toBe(true);
    expect(mayMethod(both, callerWith({ agent: 'a' }), 'api', 'GET')).toBe(false);
    expect(mayMethod(both, { ...member('admins'), boundServer: 'x' }, 'api', 'GET')).toBe(false);
    expect(mayMethod(policyOf({ rules }), callerWith({ agent: 'a' }), 'api', 'GET')).toBe(false);
  });

  test('a refused method says which scope it wants', () => {
    expect(findMethodDenial(policy, member('readers'), 'fininfo', 'tools/call')).toMatchObject({
      missing: ['mcp-servers-restricted/execute'],
    });
  });
});

describe('the registry by scope', () => {
  const matrix = {
    admins: ['list_service', 'register_service', 'toggle_service', 'modify_service', 'health_check_service'],
    operators: ['list_service', 'toggle_service', 'health_check_service'],
    lob1: ['list_service'],
    strangers: [],
  };
  const actions = [...matrix.admins, 'delete_service', '__proto__', 'constructor'];
  test.each(Object.entries(matrix))('%s may do what is mapped and nothing else', (group, granted) => {
    const may = actions.filter(action => mayUi(policy, member(group), action, 'currenttime'));
    expect(may).toEqual(granted);
  });

  test('a resource is one whether it is written with slashes or without', () => {
    expect(mayUi(policy, member('lob1'), 'list_service', '/currenttime')).toBe(true);
    expect(mayUi(policy, member('lob1'), 'list_agents', 'code-reviewer/')).toBe(true);
    expect(mayUi(policy, member('lob1'), 'get_agent', '/code-reviewer')).toBe(true);
    expect(mayUi(policy, member('lob1'), 'get_agent', '/test-automation')).toBe(false);
    expect(mayUi(policy, member('lob1'), 'get_agent', '/code-reviewer/../test-automation')).toBe(false);
  });

  test('to be an administrator is to change everything of a kind, not to use every server', () => {
    const { scopes } = policy;
    if (scopes === null) throw new Error('no scopes');
    const everyServer = callerWith({ scopes: ['mcp-servers-unrestricted/execute'] });
    expect(
      [member('admins'), member('operators'), member('lob1'), everyServer].map(who => isScopedAdmin(scopes, who)),
    ).toEqual([true, true, false, false]);
    expect(weighUi(scopes, member('admins'), 'list_agents', null).rule).toBe(
      'scopes.UI-Scopes.registry-admins.list_agents',
    );
  });

  test('a token bound to one server is no key to others', () => {
    const bound = { ...member('admins'), boundServer: 'currenttime' };
    expect(mayUi(policy, bound, 'list_service', 'currenttime')).toBe(true);
    expect(mayUi(policy, bound, 'list_service', 'fininfo')).toBe(false);
    expect(mayUi(policy, bound, 'list_service', null)).toBe(false);
  });
});

test('names of groups and scopes are the operator’s own', () => {
  const text = JSON.stringify(FILE)
    .replaceAll('registry-', 'r-')
    .replaceAll('mcp-servers-', 'm-')
    .replaceAll('"finance"', '"f"');
  const renamed = policyOf({ scopes: JSON.parse(text) });
  const who = callerWith({ groups: ['f'] });
  expect(decide(renamed, who, 'call', toolOf('fininfo', 'get_stock_aggregates')).kind).toBe('allow');
  expect(decide(renamed, who, 'call', toolOf('fininfo', 'drop')).kind).toBe('deny');
});
