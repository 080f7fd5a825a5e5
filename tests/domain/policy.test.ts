import { describe, expect, test } from 'vitest';
import { LOCAL_CALLER } from '../../src/domain/identity.ts';
import {
  type Action,
  decide,
  mayMethod,
  needsArguments,
  OPEN_POLICY,
  type TargetKind,
} from '../../src/domain/policy.ts';
import { callerWith, policyOf, toolOf } from '../support/policies.ts';

const RULES = {
  agents: { a: { allow: { servers: ['git'], tools: { git: ['push', 'pull'] } } }, b: { allow: { servers: ['*'] } } },
};
const SCOPES = {
  git: [{ server: 'git', methods: ['tools/list', 'tools/call', 'prompts/get'], tools: ['pull', 'log'] }],
  res: [{ server: 'git', methods: ['resources/read'], tools: [] }],
};
const KEY = { ...LOCAL_CALLER, subject: 'key', method: 'api-key' as const };
const LOGIN = { ...LOCAL_CALLER, subject: 'login:root', method: 'login' as const };
const kindOf = (decision: ReturnType<typeof decide>) => decision.kind;

describe('without rules and scopes', () => {
  const closed = policyOf({});
  test.each([
    { policy: OPEN_POLICY, who: LOCAL_CALLER, answer: 'allow', because: 'the door is on loopback' },
    { policy: closed, who: KEY, answer: 'allow', because: 'the operator made the key holder the owner' },
    { policy: closed, who: LOCAL_CALLER, answer: 'deny', because: 'nothing grants it' },
    {
      policy: closed,
      who: callerWith({ groups: ['admin'], scopes: ['*'] }),
      answer: 'deny',
      because: 'nothing grants it',
    },
    { policy: closed, who: LOGIN, answer: 'allow', because: 'whoever knows the operator’s password is the operator' },
    {
      policy: closed,
      who: { ...LOGIN, method: 'vended' as const },
      answer: 'deny',
      because: 'a token is given, not shown',
    },
    { policy: closed, who: { ...KEY, subject: 'key:ci' }, answer: 'deny', because: 'a named key is not the owner’s' },
    {
      policy: closed,
      who: callerWith({ subject: 'key' }),
      answer: 'deny',
      because: 'a subject called so is not the key',
    },
    {
      policy: policyOf({ enforcement: 'shadow' }),
      who: LOCAL_CALLER,
      answer: 'deny',
      because: 'nothing is being tried out',
    },
  ])('$answer, because $because', ({ policy, who, answer }) =>
    expect(kindOf(decide(policy, who, 'call', toolOf('s', 't')))).toBe(answer),
  );

  test('rules or scopes close the open door', () => {
    expect(policyOf({ isOpenDoor: true }).mode).toBe('open');
    expect(policyOf({ isOpenDoor: true, rules: RULES }).mode).toBe('closed');
    expect(decide(policyOf({ isOpenDoor: true, scopes: {} }), KEY, 'call', toolOf('s', 't')).kind).toBe('deny');
    expect(decide(policyOf({ isOpenDoor: true, rules: RULES }), KEY, 'call', toolOf('s', 't')).kind).toBe('deny');
  });
});

describe('rules and scopes together', () => {
  const policy = policyOf({ rules: RULES, scopes: SCOPES });
  const who = callerWith({ agent: 'a', verified: true, scopes: ['git'] });
  test.each([
    { tool: 'pull', answer: 'allow', because: 'both allow' },
    { tool: 'push', answer: 'deny', because: 'the scope does not' },
    { tool: 'log', answer: 'deny', because: 'the rules do not' },
    { tool: 'gone', answer: 'deny', because: 'neither does' },
  ])('$answer $tool, because $because', ({ tool, answer }) => {
    expect(kindOf(decide(policy, who, 'call', toolOf('git', tool)))).toBe(answer);
    expect(kindOf(decide(policy, who, 'list', toolOf('git', tool)))).toBe(answer);
  });

  test('an agent without scopes and scopes without an agent are nobody', () => {
    expect(kindOf(decide(policy, callerWith({ agent: 'a' }), 'call', toolOf('git', 'pull')))).toBe('deny');
    expect(kindOf(decide(policy, callerWith({ scopes: ['git'] }), 'call', toolOf('git', 'pull')))).toBe('deny');
  });

  test('a scope is asked for only where it alone is missing', () => {
    const none = callerWith({ agent: 'a' });
    expect(decide(policy, none, 'call', toolOf('git', 'pull'))).toMatchObject({ missing: ['git'] });
    expect(decide(policy, none, 'call', toolOf('git', 'log'))).toMatchObject({ missing: [] });
    expect(decide(policy, none, 'list', toolOf('git', 'pull'))).toMatchObject({ missing: [] });
  });

  test('an allowed call names both rules', () =>
    expect(decide(policy, who, 'call', toolOf('git', 'pull'))).toMatchObject({
      permit: { rule: 'agents.a.allow.tools.git[1] and scopes.git[0]', wouldDeny: null },
    }));

  test.each<{ scopes: string[]; agent: string; seen: boolean; because: string }>([
    { scopes: ['git'], agent: 'a', seen: true, because: 'a tool may be called' },
    { scopes: ['res'], agent: 'b', seen: true, because: 'a resource may be read' },
    { scopes: [], agent: 'b', seen: false, because: 'nothing may be used' },
    { scopes: ['git'], agent: 'nobody', seen: false, because: 'the agent is none' },
  ])('the server is seen by $agent with $scopes: $seen, because $because', ({ scopes, agent, seen }) => {
    const caller = callerWith({ agent, scopes });
    const decision = decide(policy, caller, 'list', { kind: 'server', server: 'git', name: 'git' });
    expect(decision.kind === 'allow').toBe(seen);
  });

  test('a server is not seen where rules and scopes leave no tool between them', () => {
    const apart = policyOf({
      rules: { agents: { a: { allow: { servers: ['s'], tools: { s: ['x'] } } } } },
      scopes: { z: [{ server: 's', methods: ['tools/call'], tools: ['y'] }] },
    });
    const caller = callerWith({ agent: 'a', scopes: ['z'] });
    expect(kindOf(decide(apart, caller, 'list', { kind: 'server', server: 's', name: 's' }))).toBe('deny');
  });
});

test('what may be listed may be used, kind by kind', () => {
  const policy = policyOf({ rules: RULES, scopes: SCOPES });
  const kinds: [TargetKind, Action[]][] = [
    ['tool', ['call']],
    ['resource', ['read', 'subscribe', 'complete']],
    ['template', ['read', 'complete']],
    ['prompt', ['get', 'complete']],
  ];
  for (const who of [[], ['git'], ['res'], ['git', 'res']].map(scopes => callerWith({ agent: 'b', scopes }))) {
    for (const [kind, actions] of kinds) {
      for (const name of ['pull', 'push', 'file:///x']) {
        const listed = decide(policy, who, 'list', { kind, server: 'git', name }).kind;
        for (const action of actions)
          expect(decide(policy, who, action, { kind, server: 'git', name }).kind).toBe(listed);
      }
    }
  }
});

test('a task belongs to whoever may call a tool on its server', () => {
  const policy = policyOf({ scopes: SCOPES });
  const task = { kind: 'task' as const, server: 'git', name: 'task-1' };
  expect(kindOf(decide(policy, callerWith({ scopes: ['git'] }), 'call', task))).toBe('allow');
  expect(kindOf(decide(policy, callerWith({ scopes: ['res'] }), 'call', task))).toBe('deny');
});

describe('a token bound to one server', () => {
  test.each([OPEN_POLICY, policyOf({ rules: RULES, enforcement: 'shadow' })])(
    'is good for no other, whatever the policy',
    policy => {
      const who = callerWith({ agent: 'b', boundServer: 'git' });
      expect(decide(policy, who, 'call', toolOf('web', 't'))).toMatchObject({
        kind: 'deny',
        rule: 'token: bound to another server',
        missing: [],
      });
      expect(kindOf(decide(policy, who, 'call', toolOf('git', 't')))).toBe('allow');
      expect(mayMethod(policy, who, 'web', 'initialize')).toBe(false);
    },
  );
});

describe('shadow enforcement', () => {
  const policy = policyOf({
    rules: RULES,
    scopes: SCOPES,
    conditions: [{ when: 'args.force == true', tools: ['pull'] }],
    enforcement: 'shadow',
  });
  test('lets through what is denied, and says by which rule', () => {
    const who = callerWith({ agent: 'a', scopes: ['git'] });
    expect(decide(policy, who, 'call', toolOf('git', 'push'))).toMatchObject({
      permit: { wouldDeny: 'scopes: no grant' },
    });
    expect(decide(policy, who, 'call', toolOf('web', 't'))).toMatchObject({
      permit: { wouldDeny: 'agents.a.allow.servers: no allow entry' },
    });
    expect(decide(policy, who, 'call', toolOf('git', 'pull'), { force: true })).toMatchObject({
      permit: { wouldDeny: 'policy.conditions.0' },
    });
    expect(decide(policy, who, 'call', toolOf('git', 'pull'), { force: false })).toMatchObject({
      permit: { wouldDeny: null },
    });
    expect(mayMethod(policy, who, 'web', 'tools/call')).toBe(true);
  });

  test('lets nobody manage what they may not', () => {
    const who = callerWith({ agent: 'a', scopes: ['git'] });
    expect(kindOf(decide(policy, who, 'manage', { kind: 'server', server: 'git', name: 'git' }))).toBe('deny');
  });
});

describe('conditions', () => {
  const policy = policyOf({
    isOpenDoor: true,
    conditions: [
      {
        id: 'no-etc',
        servers: ['fs'],
        tools: ['read_*'],
        when: 'args.path.startsWith("/etc")',
        say: 'Not below /etc.',
      },
      { id: 'small', servers: ['pay'], tools: ['send'], when: 'args.amount < 100', effect: 'require' },
      { id: 'ops', servers: ['ops'], when: '"ops" in caller.groups', effect: 'require' },
    ],
  });
  const ask = (server: string, tool: string, args?: object | null, who = callerWith({})) =>
    decide(policy, who, 'call', toolOf(server, tool), args as never);

  test.each([
    {
      call: ['fs', 'read_file', { path: '/etc/passwd' }],
      rule: 'policy.conditions.no-etc',
      because: 'the path is denied',
    },
    { call: ['fs', 'read_file', { path: '/tmp/x' }], rule: null, because: 'the path is not denied' },
    { call: ['fs', 'write', { path: '/etc/passwd' }], rule: null, because: 'the condition is on other tools' },
    {
      call: ['fs', 'read_file', {}],
      rule: 'policy.conditions.no-etc: could not be worked out',
      because: 'a missing argument is a no',
    },
    {
      call: ['fs', 'read_file', { path: 7 }],
      rule: 'policy.conditions.no-etc: could not be worked out',
      because: 'a wrong type is a no',
    },
    {
      call: ['fs', 'read_file', null],
      rule: 'policy.conditions.no-etc: could not be worked out',
      because: 'no arguments are a no',
    },
    {
      call: ['fs', 'read_file', undefined],
      rule: 'policy.conditions.no-etc: the arguments were not read',
      because: 'unread arguments are a no',
    },
    { call: ['pay', 'send', { amount: 99.5 }], rule: null, because: 'the demand is met' },
    { call: ['pay', 'send', { amount: 100 }], rule: 'policy.conditions.small', because: 'the demand is not met' },
    {
      call: ['pay', 'send', { amount: '1' }],
      rule: 'policy.conditions.small: could not be worked out',
      because: 'a text is no number',
    },
    { call: ['ops', 'restart', {}], rule: 'policy.conditions.ops', because: 'the caller is not of the group' },
  ] as const)('$call: $because', ({ call: [server, tool, args], rule }) => {
    const decision = ask(server, tool, args);
    expect(decision.kind === 'deny' ? decision.rule : null).toBe(rule);
  });

  test('on arguments hide nothing; others hide what cannot be called', () => {
    const list = (server: string, tool: string, groups: string[]) =>
      decide(policy, callerWith({ groups }), 'list', toolOf(server, tool)).kind;
    expect(list('fs', 'read_file', [])).toBe('allow');
    expect(list('ops', 'restart', [])).toBe('deny');
    expect(list('ops', 'restart', ['ops'])).toBe('allow');
  });

  test('tell the caller what the operator wants said', () =>
    expect(ask('fs', 'read_file', { path: '/etc/x' })).toMatchObject({ say: 'Not below /etc.' }));

  test('arguments are wanted only where a condition reads them', () => {
    const needs = (server: string, tool: string) => needsArguments(policy, callerWith({}), toolOf(server, tool));
    expect([needs('fs', 'read_file'), needs('fs', 'write'), needs('ops', 'restart'), needs('pay', 'send')]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  test('may be for some agents and some scopes only', () => {
    const narrow = policyOf({
      isOpenDoor: true,
      conditions: [
        { when: 'true', agents: ['ci-*'] },
        { when: 'true', scopes: ['guest'] },
      ],
    });
    const kind = (who: ReturnType<typeof callerWith>) => decide(narrow, who, 'call', toolOf('s', 't'), {}).kind;
    expect(kind(callerWith({ agent: 'ci-1' }))).toBe('deny');
    expect(kind(callerWith({ agent: 'dev' }))).toBe('allow');
    expect(kind(callerWith({}))).toBe('allow');
    expect(kind(callerWith({ scopes: ['guest'] }))).toBe('deny');
  });
});

test('another policy is in force with the next decision', () => {
  const who = callerWith({ agent: 'a', groups: ['g'] });
  const scoped = (tools: string[]) =>
    policyOf({ scopes: { group_mappings: { g: ['s'] }, s: [{ server: 'git', methods: ['tools/call'], tools }] } });
  expect(kindOf(decide(scoped(['pull']), who, 'call', toolOf('git', 'pull')))).toBe('allow');
  expect(kindOf(decide(scoped(['push']), who, 'call', toolOf('git', 'pull')))).toBe('deny');
});
