import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { locateScopes } from '../../src/config/locate.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { parseRules, readRulesFile, warnAboutServers } from '../../src/config/rules-file.ts';
import { createDesk, type Desk } from './desk.ts';

let desk: Desk;
beforeEach(() => {
  desk = createDesk();
});
afterEach(() => desk.remove());

function problemsOf(content: unknown) {
  const path = desk.write('rules.json', content);
  const read = readRulesFile(path);
  return read.ok ? [] : read.problems.map(problem => formatProblem(problem).replace(path, 'rules.json'));
}

const agent = (section: object) => ({ agents: { x: { allow: section } } });

describe('a rules file', () => {
  test('with everything in it is read as it stands', () => {
    const read = readRulesFile(
      desk.write('rules.json', {
        $schema: 'https://example.test/rules.json',
        agents: {
          'team.lead': {
            allow: { servers: ['*'], tools: { git: ['get_*', 'push'], '*': ['x'] } },
            deny: { tools: { git: ['*_all'] } },
          },
        },
        defaults: { deny_on_missing_agent: false },
      }),
    );
    if (!read.ok) throw new Error('not read');
    expect(read.warnings).toEqual([]);
    expect(read.rules.denyOnMissingAgent).toBe(false);
    expect(read.rules.agents.get('team.lead')).toEqual({
      allow: {
        servers: ['*'],
        tools: new Map([
          ['git', ['get_*', 'push']],
          ['*', ['x']],
        ]),
      },
      deny: { servers: [], tools: new Map([['git', ['*_all']]]) },
    });
  });

  test.each([
    { content: {}, says: 'rules.json: agents: is missing (the file is { "agents": { ... } })' },
    { content: [], says: 'rules.json: must be a JSON object that holds "agents"' },
    { content: '{', says: 'rules.json: is not valid JSON: line 1, column 2' },
    { content: { agents: [] }, says: 'rules.json: agents: must be an object of agents' },
    {
      content: { agents: { 'a b': {} } },
      says: 'rules.json: agents["a b"]: an agent id may hold letters, digits, dots, underscores and hyphens only',
    },
    {
      content: { agents: { x: { alow: {} } } },
      says: 'rules.json: agents.x.alow: is not a key of the rules (did you mean allow?)',
    },
    {
      content: { agents: {}, default: {} },
      says: 'rules.json: default: is not a key of the rules (did you mean defaults?)',
    },
    {
      content: { agents: {}, defaults: { deny_on_missing_agent: 'no' } },
      says: 'rules.json: defaults.deny_on_missing_agent: must be true or false',
    },
    { content: agent({ servers: 'git' }), says: 'rules.json: agents.x.allow.servers: must be an array of strings' },
    { content: agent({ servers: ['git', 7] }), says: 'rules.json: agents.x.allow.servers[1]: must be a string' },
    {
      content: agent({ servers: ['a*b'] }),
      says: 'rules.json: agents.x.allow.servers[0]: may hold one *, alone, at the start or at the end',
    },
    {
      content: agent({ tools: { s: ['*a*'] } }),
      says: 'rules.json: agents.x.allow.tools.s[0]: may hold one *, alone, at the start or at the end',
    },
    {
      content: agent({ tools: { s: ['**'] } }),
      says: 'rules.json: agents.x.allow.tools.s[0]: may hold one *, alone, at the start or at the end',
    },
    {
      content: agent({ tools: { 's*': ['a'] } }),
      says: 'rules.json: agents.x.allow.tools["s*"]: must be the name of one server, or "*" for every server',
    },
    { content: agent({ tools: { s: 'a' } }), says: 'rules.json: agents.x.allow.tools.s: must be an array of strings' },
    { content: agent({ tools: { s: [''] } }), says: 'rules.json: agents.x.allow.tools.s[0]: must not be empty' },
    {
      content: agent({ tools: { s: [' a'] } }),
      says: 'rules.json: agents.x.allow.tools.s[0]: must not begin or end with a space',
    },
    {
      content: '{"agents":{"x":{"allow":{"servers":["*"]},\n"allow":{}}}}',
      says: 'rules.json: a key is there twice in one object: line 2',
    },
  ])('$says', ({ content, says }) => expect(problemsOf(content)).toEqual([says]));

  test('tells all its mistakes at once', () =>
    expect(
      problemsOf({ agents: { '': {}, x: { allow: { servers: ['**'], tools: [] }, deny: 1 } }, defaults: 1 }),
    ).toHaveLength(5));

  test('that is not there is a mistake', () =>
    expect(readRulesFile('/nowhere/rules.json')).toMatchObject({
      ok: false,
      problems: [{ message: expect.stringContaining('it does not exist') }],
    }));

  test('keeps names that are no names elsewhere', () => {
    const { rules, mistakes } = parseRules(
      JSON.parse('{"agents":{"__proto__":{"deny":{"tools":{"__proto__":["constructor"]}}}}}'),
    );
    expect(mistakes).toEqual([]);
    expect([...rules.agents.keys()]).toEqual(['__proto__']);
    expect(rules.agents.get('__proto__')?.deny.tools.get('__proto__')).toEqual(['constructor']);
    expect(({} as { deny?: unknown }).deny).toBeUndefined();
  });
});

describe('warnings', () => {
  test('name agent, section and server that is not there, until it is', () => {
    const { rules } = parseRules({
      agents: {
        x: {
          allow: { servers: ['git', 'gone', 'g*'], tools: { gone: ['a'], '*': ['b'] } },
          deny: { servers: ['lost'], tools: { lost: ['c'] } },
        },
      },
    });
    expect(warnAboutServers(rules, ['git'])).toEqual([
      'Agent "x" allow.servers references undefined server "gone"',
      'Agent "x" allow.tools references undefined server "gone"',
      'Agent "x" deny.servers references undefined server "lost"',
      'Agent "x" deny.tools references undefined server "lost"',
    ]);
    expect(warnAboutServers(rules, ['git', 'gone', 'lost'])).toEqual([]);
  });

  test('tell what empty and contradicting lists come to', () => {
    expect(parseRules({ agents: {} }).warnings).toEqual(['the rules name no agent: nobody may do anything']);
    expect(
      parseRules({ agents: { x: { allow: { servers: ['s'], tools: { s: [] } }, deny: { servers: ['s'] } } } }).warnings,
    ).toEqual([
      'Agent "x" has the server "s" in allow and in deny; deny wins',
      'Agent "x" allow.tools.s is empty, which allows every tool',
    ]);
    expect(parseRules({ agents: { x: {} } }).warnings).toEqual(['Agent "x" allow.servers is empty: it may do nothing']);
  });
});

test('scopes are looked for where rules are', () => {
  const look = (env: Record<string, string>) => locateScopes({ env, cwd: desk.cwd, home: desk.home });
  expect(look({})).toMatchObject({
    chosen: null,
    places: [{ because: 'working directory' }, { because: 'home' }, { because: 'config folder' }],
  });
  const inConfig = desk.write('cwd/config/scopes.yml', 'a: []');
  expect(look({}).chosen).toBe(inConfig);
  const inCwd = desk.write('cwd/scopes.yml', 'a: []');
  expect(look({}).chosen).toBe(inCwd);
  expect(look({ GATEWAY_SCOPES: '~/mine.yml' })).toMatchObject({ chosen: `${desk.home}/mine.yml`, named: true });
});
