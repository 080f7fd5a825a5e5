import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import { type LintWorld, lintPolicy } from '../../../src/services/policy/lint.ts';
import { policyOf } from '../../support/policies.ts';

const WORLD: LintWorld = {
  servers: new Set(['git', 'web', 'db']),
  tools: new Map([
    ['git', ['push', 'pull', 'log']],
    ['db', ['query', 'drop_table']],
  ]),
};
const ofAgent = (agent: object) =>
  lintPolicy(policyOf({ rules: { agents: { x: agent } } }), WORLD).map(({ kind, path }) => `${kind} ${path}`);
const ofScopes = (scopes: object) => lintPolicy(policyOf({ scopes }), WORLD).map(({ kind, path }) => `${kind} ${path}`);

describe('in the rules', () => {
  test.each([
    {
      agent: { allow: { servers: ['git'], tools: { git: ['push', 'pull'] } } },
      found: [],
      because: 'nothing is wrong',
    },
    {
      agent: { deny: { servers: ['git'] } },
      found: ['grants-nothing agents.x.allow.servers'],
      because: 'no server is allowed',
    },
    {
      agent: { allow: { servers: ['git', 'web'] }, deny: { servers: ['g*'] } },
      found: ['never-matches agents.x.allow.servers[0]'],
      because: 'a deny covers an allow',
    },
    {
      agent: {
        allow: { servers: ['db'], tools: { db: ['drop_table', 'query', 'drop_*'] } },
        deny: { tools: { db: ['drop_*'] } },
      },
      found: [
        'duplicate agents.x.allow.tools.db[0]',
        'never-matches agents.x.allow.tools.db[0]',
        'never-matches agents.x.allow.tools.db[2]',
      ],
      because: 'a deny covers some of the allowed tools',
    },
    {
      agent: { allow: { servers: ['git'], tools: { git: ['pull'] } }, deny: { tools: { '*': ['p*'] } } },
      found: ['never-matches agents.x.allow.tools.git[0]'],
      because: 'a deny on every server covers it',
    },
    {
      agent: { allow: { servers: ['git'], tools: { web: ['*'] } } },
      found: ['never-matches agents.x.allow.tools.web'],
      because: 'the server is not allowed',
    },
    {
      agent: { allow: { servers: ['git'] }, deny: { tools: { web: ['*'] } } },
      found: ['never-matches agents.x.deny.tools.web'],
      because: 'the server is not allowed anyway',
    },
    {
      agent: { allow: { servers: ['git', 'gone'] } },
      found: ['unknown-server agents.x.allow.servers[1]'],
      because: 'there is no such server',
    },
    {
      agent: { allow: { servers: ['git'], tools: { git: ['pusch'] } } },
      found: ['unknown-tool agents.x.allow.tools.git[0]'],
      because: 'there is no such tool',
    },
    {
      agent: { allow: { servers: ['git'], tools: { git: ['pus?'] } } },
      found: ['never-matches agents.x.allow.tools.git[0]'],
      because: 'a question mark is a name',
    },
    {
      agent: { allow: { servers: ['git', 'git', '*'] } },
      found: ['duplicate agents.x.allow.servers[0]', 'duplicate agents.x.allow.servers[1]'],
      because: 'entries say the same',
    },
    {
      agent: { allow: { servers: ['git'], tools: { git: [] } } },
      found: ['wider-than-it-looks agents.x.allow.tools.git'],
      because: 'an empty list is no list',
    },
    {
      agent: { allow: { servers: ['*'], tools: { '*': ['pull'], db: ['query'] } } },
      found: ['wider-than-it-looks agents.x.allow.tools.db'],
      because: 'a list of its own takes the place of *',
    },
  ])('$because', ({ agent, found }) => expect(ofAgent(agent)).toEqual(found));
});

describe('in the scopes', () => {
  test.each([
    {
      scopes: { s: [{ server: 'git', methods: ['tools/list', 'tools/call'], tools: ['push'] }] },
      found: [],
      because: 'nothing is wrong',
    },
    {
      scopes: { s: [{ server: 'git', methods: ['tools/list'], tools: [] }] },
      found: ['visible-not-callable scopes.s[0]'],
      because: 'tools are listed but none may be called',
    },
    {
      scopes: { s: [{ server: 'git', methods: ['tools/list'], tools: ['push'] }] },
      found: ['visible-not-callable scopes.s[0]', 'visible-not-callable scopes.s[0]'],
      because: 'tools are named but not to be called',
    },
    {
      scopes: {
        s: [
          { server: 'git', methods: ['tools/list'], tools: [] },
          { server: '*', methods: ['tools/call'], tools: ['log'] },
        ],
      },
      found: [],
      because: 'another entry of the scope grants the call',
    },
    {
      scopes: { s: [{ server: 'git', methods: ['resources/list', 'tools/call'], tools: ['log'] }] },
      found: ['visible-not-callable scopes.s[0]'],
      because: 'resources are listed but none may be read',
    },
    {
      scopes: { s: [{ server: 'gone', methods: ['tools/call'], tools: ['x'] }] },
      found: ['unknown-server scopes.s[0]'],
      because: 'there is no such server',
    },
    {
      scopes: { s: [{ server: 'db', methods: ['tools/call'], tools: ['querry'] }] },
      found: ['unknown-tool scopes.s[0]'],
      because: 'there is no such tool',
    },
    {
      scopes: { s: [{ server: '*', methods: '*', tools: '*' }] },
      found: ['wider-than-it-looks scopes.s[0]'],
      because: 'everything is granted',
    },
    {
      scopes: { group_mappings: { g: ['gone'] } },
      found: ['never-applies scopes.group_mappings.g[0]'],
      because: 'a group maps to nothing',
    },
  ])('$because', ({ scopes, found }) => expect(ofScopes(scopes)).toEqual(found));
});

interface Halves {
  /** Of one group: servers it lists, servers whose tools it calls, other grants of it. */
  cards: string[];
  uses: string[];
  ui?: JsonObject;
  grant?: JsonObject;
  /** How many are told. */
  halves: number;
  because: string;
}

const HALVES: readonly Halves[] = [
  { cards: ['git', '/db'], uses: ['git', 'db'], halves: 0, because: 'a group lists what it calls' },
  { cards: ['all'], uses: ['git'], halves: 0, because: 'a group lists all and calls tools of one, as it says' },
  { cards: ['all', 'db'], uses: ['git'], halves: 0, because: 'a group lists all, and one by name as well' },
  { cards: ['git'], uses: ['git', 'db', 'web'], halves: 2, because: 'a group calls what it does not list' },
  { cards: ['git', 'db'], uses: ['git'], halves: 1, because: 'a group lists what it cannot use' },
  { cards: ['git'], uses: ['*'], halves: 1, because: 'a group calls everything and lists one server' },
  { cards: [], uses: ['git'], halves: 0, because: 'a machine only calls' },
  { cards: ['git'], uses: [], halves: 0, because: 'an auditor only looks' },
  {
    ...{ cards: ['git', 'db'], uses: ['git'], ui: { modify_service: ['/db'] }, halves: 0 },
    because: 'a group looks after what it does not use',
  },
  {
    ...{ cards: ['git', 'db'], uses: ['git'], ui: { register_service: ['all'] }, halves: 0 },
    because: 'a group looks after everything',
  },
  {
    ...{ cards: ['git', 'db'], uses: ['git'], ui: { get_agent: ['db'] }, halves: 1 },
    because: 'what a group may do to an agent is nothing to a server',
  },
  ...[['initialize', 'ping'], ['resources/list'], []].map(methods => ({
    ...{ cards: ['git', 'db'], uses: ['git'], grant: { server: 'db', methods, tools: 'all' }, halves: 1 },
    because: `a group that lists a server has no use of it by ${methods.join(' and ') || 'no method'}`,
  })),
  {
    ...{ cards: ['git', 'db'], uses: ['git'], grant: { server: 'db', methods: ['tools/call'], tools: [] }, halves: 1 },
    because: 'a group that lists a server may call none of its tools',
  },
  ...['resources/read', 'prompts/get', 'all'].map(method => ({
    ...{ cards: ['git'], uses: ['git'], grant: { server: 'db', methods: [method], tools: [] }, halves: 1 },
    because: `a group does not list what it uses by ${method}`,
  })),
];

test.each(HALVES)('in the scopes: $because', ({ cards, uses, ui, grant, halves }) => {
  const found = ofScopes({
    group_mappings: { g: ['s'] },
    'UI-Scopes': { s: { list_service: cards, ...ui } },
    s: [
      ...uses.map(server => ({ server, methods: ['tools/list', 'tools/call'], tools: 'all' })),
      ...(grant === undefined ? [] : [grant]),
    ],
  });
  const told = found.filter(each => each.startsWith('granted-by-halves'));
  expect(told).toEqual(Array.from({ length: halves }, () => 'granted-by-halves scopes.group_mappings.g'));
});

test('in the settings: conditions and grants for what is not there', () => {
  const policy = policyOf({
    rules: { agents: { x: { allow: { servers: ['git'] } } } },
    conditions: [{ id: 'c', when: 'true', servers: ['gone'], agents: ['y'] }],
    actAs: { z: ['x', 'w', 'w*'] },
  });
  expect(lintPolicy(policy, WORLD).map(({ kind, path }) => `${kind} ${path}`)).toEqual([
    'unknown-server policy.conditions.c',
    'never-applies policy.conditions.c',
    'never-applies policy.actAs.z',
    'never-applies policy.actAs.z',
  ]);
});
