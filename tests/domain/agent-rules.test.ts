import { describe, expect, test } from 'vitest';
import { weighAnyTool, weighServer, weighTool } from '../../src/domain/agent-rules.ts';
import { agentRules } from '../support/policies.ts';

/** One agent `x`; the answer and its rule. */
function ask(rules: object, server: string, tool: string) {
  const { isAllowed, rule } = weighTool(agentRules({ agents: { x: rules } }), 'x', server, tool);
  return [isAllowed ? 'allow' : 'deny', rule];
}

const BRAVE = { servers: ['*'], tools: { brave: ['web'] } };
const NOTION = { allow: BRAVE, deny: { servers: ['notion'], tools: { playwright: ['browser_type'] } } };
const DB = {
  allow: { servers: ['db'], tools: { db: ['delete_user', 'get_user'] } },
  deny: { tools: { db: ['delete_*'] } },
};

describe('the worked cases', () => {
  test.each([
    { rules: { allow: { servers: ['*'] } }, ask: 'git push', answer: 'allow', rule: 'agents.x.allow.servers[0]' },
    { rules: { allow: BRAVE }, ask: 'brave web', answer: 'allow', rule: 'agents.x.allow.tools.brave[0]' },
    {
      rules: { allow: BRAVE },
      ask: 'brave local',
      answer: 'deny',
      rule: 'agents.x.allow.tools.brave: no allow entry',
    },
    { rules: { allow: BRAVE }, ask: 'github anything', answer: 'allow', rule: 'agents.x.allow.servers[0]' },
    { rules: NOTION, ask: 'notion search', answer: 'deny', rule: 'agents.x.deny.servers[0]' },
    {
      rules: NOTION,
      ask: 'playwright browser_type',
      answer: 'deny',
      rule: 'agents.x.deny.tools.playwright[0]',
    },
    { rules: NOTION, ask: 'playwright browser_navigate', answer: 'allow', rule: 'agents.x.allow.servers[0]' },
    { rules: DB, ask: 'db delete_user', answer: 'deny', rule: 'agents.x.deny.tools.db[0]' },
    { rules: DB, ask: 'db get_user', answer: 'allow', rule: 'agents.x.allow.tools.db[1]' },
    { rules: DB, ask: 'db insert_user', answer: 'deny', rule: 'agents.x.allow.tools.db: no allow entry' },
    {
      rules: { allow: { servers: ['s'], tools: { s: [] } } },
      ask: 's any',
      answer: 'allow',
      rule: 'agents.x.allow.servers[0]',
    },
    {
      rules: { allow: { servers: ['s'] }, deny: { servers: ['s'] } },
      ask: 's any',
      answer: 'deny',
      rule: 'agents.x.deny.servers[0]',
    },
  ])('$ask: $answer by $rule', ({ rules, ask: question, answer, rule }) => {
    const [server = '', tool = ''] = question.split(' ');
    expect(ask(rules, server, tool)).toEqual([answer, rule]);
  });

  test('leave 20 of 21 tools where one is denied', () => {
    const tools = ['browser_type', ...Array.from({ length: 20 }, (_, i) => `browser_${i}`)];
    expect(tools.filter(tool => ask(NOTION, 'playwright', tool)[0] === 'allow')).toHaveLength(20);
  });
});

describe('names and patterns', () => {
  const deny = (entry: string) => ({ allow: { servers: ['*'] }, deny: { tools: { s: [entry] } } });
  test.each([
    { entry: 'get_?', tool: 'get_a', answer: 'allow', because: 'a question mark is a question mark' },
    { entry: 'get_?', tool: 'get_?', answer: 'deny', because: 'it is the name itself' },
    { entry: '[ab]*', tool: 'a', answer: 'allow', because: 'brackets are no class' },
    { entry: 'get_*', tool: 'get_', answer: 'deny', because: 'a star may take nothing' },
    { entry: '*_user', tool: 'get_user', answer: 'deny', because: 'a star may stand in front' },
    { entry: 'Get_*', tool: 'get_a', answer: 'allow', because: 'case counts' },
    { entry: 'caf\u00E9', tool: 'cafe\u0301', answer: 'allow', because: 'nothing is normalised' },
    { entry: 'a/b', tool: 'a%2Fb', answer: 'allow', because: 'nothing is decoded' },
    { entry: 'a/b', tool: 'a\uFF0Fb', answer: 'allow', because: 'what looks alike is another name' },
  ])('$entry and $tool: $because', ({ entry, tool, answer }) => expect(ask(deny(entry), 's', tool)[0]).toBe(answer));

  test('an exact name is found before a pattern that stands before it', () => {
    const rules = { allow: { servers: ['s'] }, deny: { tools: { s: ['a*', 'ab'] } } };
    expect(ask(rules, 's', 'ab')).toEqual(['deny', 'agents.x.deny.tools.s[1]']);
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s is a name like any other', name => {
    const none = agentRules({ agents: { x: { allow: { servers: ['s'], tools: { s: ['t'] } } } } });
    expect(weighTool(none, name, 's', 't').isAllowed).toBe(false);
    expect(weighTool(none, 'x', name, 't').isAllowed).toBe(false);
    expect(weighTool(none, 'x', 's', name).isAllowed).toBe(false);
    const document = JSON.parse(
      `{"agents":{"${name}":{"allow":{"servers":["${name}"],"tools":{"${name}":["${name}"]}}}}}`,
    );
    const all = agentRules(document);
    expect(weighTool(all, name, name, name)).toEqual({
      isAllowed: true,
      rule: `agents.${name}.allow.tools.${name}[0]`,
    });
    expect(weighTool(all, name, name, 't').isAllowed).toBe(false);
    expect(weighTool(all, name, 's', name).isAllowed).toBe(false);
  });

  test('an agent id with a dot is quoted, for it is no path', () => {
    const rules = agentRules({ agents: { 'team.lead': { allow: { servers: ['s'] } } } });
    expect(weighServer(rules, 'team.lead', 's').rule).toBe('agents["team.lead"].allow.servers[0]');
  });
});

describe('lists under the server key *', () => {
  test('deny on every server, besides its own list', () => {
    const rules = { allow: { servers: ['*'] }, deny: { tools: { '*': ['delete_*'], git: ['push'] } } };
    expect(ask(rules, 'web', 'delete_all')).toEqual(['deny', 'agents.x.deny.tools["*"][0]']);
    expect(ask(rules, 'git', 'delete_all')[0]).toBe('deny');
    expect(ask(rules, 'git', 'push')[0]).toBe('deny');
    expect(ask(rules, 'web', 'push')[0]).toBe('allow');
  });

  test('allow on servers without a list of their own, and never widen one', () => {
    const rules = { allow: { servers: ['*'], tools: { '*': ['get_*'], db: ['query'], old: [] } } };
    expect(ask(rules, 'web', 'get_page')).toEqual(['allow', 'agents.x.allow.tools["*"][0]']);
    expect(ask(rules, 'web', 'put_page')).toEqual(['deny', 'agents.x.allow.tools["*"]: no allow entry']);
    expect(ask(rules, 'db', 'query')[0]).toBe('allow');
    expect(ask(rules, 'db', 'get_row')[0]).toBe('deny');
    expect(ask(rules, 'old', 'get_row')[0]).toBe('allow');
    expect(ask(rules, 'old', 'put_row')[0]).toBe('deny');
  });

  test('are not reached by a server of that name alone', () => {
    expect(ask({ allow: { servers: ['a'], tools: { '*': ['*'] } } }, '*', 't')[0]).toBe('deny');
  });
});

describe('any tool at all', () => {
  test.each([
    { rules: { allow: { servers: ['s'] } }, may: true, because: 'every tool is allowed' },
    { rules: { allow: { servers: ['s'] }, deny: { tools: { s: ['a*', '*b'] } } }, may: true, because: 'some are left' },
    { rules: { allow: { servers: ['s'] }, deny: { tools: { '*': ['*'] } } }, may: false, because: 'all are denied' },
    {
      rules: { allow: { servers: ['s'], tools: { s: ['ab'] } }, deny: { tools: { s: ['a*'] } } },
      may: false,
      because: 'the only one is denied',
    },
    {
      rules: { allow: { servers: ['s'], tools: { s: ['a*'] } }, deny: { tools: { s: ['ab*', 'a'] } } },
      may: true,
      because: 'a pattern has more names than a narrower one takes',
    },
    {
      rules: { allow: { servers: ['s'], tools: { s: ['ab*'] } }, deny: { tools: { s: ['a*'] } } },
      may: false,
      because: 'a wider pattern takes them all',
    },
    { rules: { allow: { servers: ['t'] } }, may: false, because: 'the server is not allowed' },
  ])('$because', ({ rules, may }) =>
    expect(weighAnyTool(agentRules({ agents: { x: rules } }), 'x', 's').isAllowed).toBe(may),
  );
});

test('a matcher that is made to work hard stays linear', () => {
  const stars = Array.from({ length: 1000 }, (_, i) => `${'a'.repeat(200)}${i}*`);
  const rules = agentRules({ agents: { x: { allow: { servers: ['*'] }, deny: { tools: { s: stars } } } } });
  expect(weighTool(rules, 'x', 's', 'a'.repeat(100_000)).isAllowed).toBe(true);
});
