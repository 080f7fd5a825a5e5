import { expect, test } from 'vitest';
import type { Identity } from '../../src/domain/identity.ts';
import { type Action, decide, type PolicySet, type Target } from '../../src/domain/policy.ts';
import { callerWith, policyOf, toolOf } from '../support/policies.ts';
import {
  mayPlainly,
  type PlainCaller,
  type PlainEntry,
  type PlainRules,
  type PlainScopes,
  type PlainSection,
} from './policy-reference.ts';

/** A small generator of numbers from a seed, so that a failure can be had again. */
function createDice(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number) => Math.floor(next() * n);
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
  const some = <T>(items: readonly T[], most: number): T[] =>
    Array.from({ length: below(most + 1) }, () => pick(items));
  return { next, below, pick, some };
}
type Dice = ReturnType<typeof createDice>;

// Few and alike, so that rules meet questions, and with the names that break naive tables.
const SERVERS = ['git', 'gith', 'GIT', 'web', '__proto__', 'constructor', 'a.b', 'api2'];
const TOOLS = [
  'get_user',
  'get_?',
  'get_',
  'delete_user',
  'delete_all',
  'user',
  '__proto__',
  'toString',
  'get_usér',
  'x',
];
const SERVER_ENTRIES = [...SERVERS, '*', '*', '*', 'g*', '*b', 'git*'];
const TOOL_ENTRIES = [...TOOLS, '*', 'get_*', '*_user', 'delete_*', '__*', '[g]*'];
const AGENTS = ['a', 'b', '__proto__', 'team.lead'];
const SCOPES = ['s/read', 's/execute', 'all-of-it', '__proto__', 'lob'];
const GROUPS = ['g1', 'g2', '__proto__'];
const METHODS = ['initialize', 'tools/list', 'tools/call', 'resources/read', 'prompts/get', 'get_user'];
const KINDS = ['tool', 'tool', 'tool', 'resource', 'template', 'prompt'] as const;
const USES: Record<(typeof KINDS)[number], readonly Action[]> = {
  tool: ['call'],
  resource: ['read', 'subscribe'],
  template: ['read', 'complete'],
  prompt: ['get', 'complete'],
};

/** Own keys only, `__proto__` too. */
const record = <T>(pairs: [string, T][]): Record<string, T> => Object.fromEntries(pairs);

function rollSection(dice: Dice, most: number): PlainSection {
  const section: PlainSection = {};
  if (dice.next() < 0.85) section.servers = dice.some(SERVER_ENTRIES, most);
  if (dice.next() < 0.6)
    section.tools = record(dice.some([...SERVERS, '*', '*'], 4).map(server => [server, dice.some(TOOL_ENTRIES, 3)]));
  return section;
}

function rollRules(dice: Dice): PlainRules {
  return {
    agents: record(
      dice.some(AGENTS, 8).map(id => {
        const agent: PlainRules['agents'][string] = {};
        if (dice.next() < 0.9) agent.allow = rollSection(dice, 4);
        if (dice.next() < 0.5) agent.deny = rollSection(dice, 1);
        return [id, agent];
      }),
    ),
  };
}

function rollScopes(dice: Dice): PlainScopes {
  const list = (names: readonly string[], most: number) =>
    dice.next() < 0.2 ? dice.pick(['*', 'all']) : dice.some(names, most);
  const entry = (): PlainEntry => ({
    server: dice.pick([...SERVERS, '/git/', '*', 'all', '*', 'api']),
    methods: list(METHODS, 5),
    tools: list(TOOLS, 4),
  });
  return {
    mappings: record(dice.some(GROUPS, 3).map(group => [group, dice.some([...SCOPES, 'gone'], 3)])),
    servers: record(dice.some(SCOPES, 9).map(scope => [scope, Array.from({ length: dice.below(4) }, entry)])),
  };
}

function rollCaller(dice: Dice): PlainCaller {
  return {
    agent: dice.next() < 0.1 ? null : dice.pick(AGENTS),
    groups: dice.some([...GROUPS, 'g3'], 3),
    scopes: dice.some([...SCOPES, 'openid'], 5),
    boundServer: dice.next() < 0.05 ? dice.pick(SERVERS) : null,
  };
}

function rollPolicy(dice: Dice) {
  const rules = dice.next() < 0.75 ? rollRules(dice) : null;
  const scopes = dice.next() < 0.75 ? rollScopes(dice) : null;
  const document = scopes && record<unknown>([['group_mappings', scopes.mappings], ...Object.entries(scopes.servers)]);
  return { rules, scopes, policy: policyOf({ rules, scopes: document }) };
}

const asTold = ({ agent, groups, scopes, boundServer }: PlainCaller): Identity =>
  callerWith({ agent, verified: true, groups, scopes, boundServer });

const allows = (policy: PolicySet, who: Identity, action: Action, target: Target) =>
  decide(policy, who, action, target).kind === 'allow';

test('decides as the documents say, on 100,000 random cases', () => {
  const dice = createDice(20_261_121);
  let cases = 0;
  let allowed = 0;
  while (cases < 100_000) {
    const { rules, scopes, policy } = rollPolicy(dice);
    for (let i = 0; i < 5; i++) {
      const plain = rollCaller(dice);
      const who = asTold(plain);
      for (let j = 0; j < 10; j++) {
        const kind = dice.pick(KINDS);
        const target: Target = { kind, server: dice.pick(SERVERS), name: dice.pick(TOOLS) };
        const expected = mayPlainly(rules, scopes, plain, kind, target.server, target.name);
        const action = dice.pick(USES[kind]);
        if (allows(policy, who, action, target) !== expected)
          expect.fail(JSON.stringify({ rules, scopes, plain, action, target, expected }));
        if (allows(policy, who, 'list', target) !== expected)
          expect.fail(`listed otherwise: ${JSON.stringify(target)}`);
        cases++;
        if (expected) allowed++;
      }
    }
  }
  // A generator that hardly ever allows, or denies, shows nothing.
  process.stdout.write(`${cases} cases, ${allowed} of them allowed\n`);
  expect(allowed).toBeGreaterThan(cases * 0.05);
  expect(allowed).toBeLessThan(cases * 0.6);
});

test('lists exactly what may be called, and a server exactly where something may be used', () => {
  const dice = createDice(7);
  for (let i = 0; i < 400; i++) {
    const { policy } = rollPolicy(dice);
    const who = asTold(rollCaller(dice));
    for (const server of SERVERS) {
      const listed = TOOLS.filter(name => allows(policy, who, 'list', toolOf(server, name)));
      const callable = TOOLS.filter(name => allows(policy, who, 'call', toolOf(server, name)));
      expect(listed).toEqual(callable);
      const isUsable =
        callable.length > 0 ||
        allows(policy, who, 'read', { kind: 'resource', server, name: 'x' }) ||
        allows(policy, who, 'get', { kind: 'prompt', server, name: 'x' });
      const isSeen = allows(policy, who, 'list', { kind: 'server', server, name: server });
      // Of a name nobody thought of there may be a tool, too.
      if (isUsable) expect(isSeen).toBe(true);
      if (!isSeen) expect(callable).toEqual([]);
    }
  }
});

test('the scope that a refusal names would have been enough', () => {
  const dice = createDice(99);
  let named = 0;
  for (let i = 0; i < 3000; i++) {
    const { policy } = rollPolicy(dice);
    const plain = rollCaller(dice);
    const target = toolOf(dice.pick(SERVERS), dice.pick(TOOLS));
    const decision = decide(policy, asTold(plain), 'call', target);
    if (decision.kind === 'allow' || decision.missing.length === 0) continue;
    named++;
    const richer = asTold({ ...plain, scopes: [...plain.scopes, ...decision.missing] });
    expect(decide(policy, richer, 'call', target).kind).toBe('allow');
  }
  expect(named).toBeGreaterThan(50);
});

test('shadow enforcement would deny exactly what enforcement denies', () => {
  const dice = createDice(3);
  for (let i = 0; i < 3000; i++) {
    const { policy, rules, scopes } = rollPolicy(dice);
    if (rules === null && scopes === null) continue;
    const who = asTold({ ...rollCaller(dice), boundServer: null });
    const target = toolOf(dice.pick(SERVERS), dice.pick(TOOLS));
    const shadow = decide({ ...policy, enforcement: 'shadow' }, who, 'call', target);
    const real = decide(policy, who, 'call', target);
    expect(shadow).toMatchObject({ kind: 'allow', permit: { wouldDeny: real.kind === 'deny' ? real.rule : null } });
  }
});

test('1,000 rules, 10,000 decisions: the time is told, not judged', () => {
  const tools = (kind: string) => Array.from({ length: 500 }, (_, i) => (i % 2 ? `${kind}_${i}_*` : `${kind}_${i}`));
  const document = {
    agents: {
      a: {
        allow: { servers: ['*'], tools: { s: tools('allow') } },
        deny: { tools: { s: tools('deny') } },
      },
    },
  };
  const scopes = {
    group_mappings: { g: ['one', 'two'] },
    one: [{ server: 's', methods: ['tools/call'], tools: tools('allow').filter(name => !name.includes('*')) }],
    two: [{ server: '*', methods: ['tools/call', 'tools/list'], tools: '*' }],
  };
  const one = policyOf({
    rules: {
      agents: {
        a: { allow: { servers: ['s'], tools: { s: ['t', 'u'] } }, deny: { servers: ['x'], tools: { s: ['v'] } } },
      },
    },
    scopes,
  });
  const many = policyOf({ rules: document, scopes });
  const who = callerWith({ agent: 'a', groups: ['g'] });
  const told = (name: string, policy: PolicySet, targets: Target[]) => {
    for (let i = 0; i < 20_000; i++) decide(policy, who, 'call', targets[i % targets.length] as Target);
    const began = performance.now();
    for (let i = 0; i < 10_000; i++) decide(policy, who, 'call', targets[i % targets.length] as Target);
    const ms = performance.now() - began;
    process.stdout.write(
      `${name}: 10,000 decisions in ${ms.toFixed(1)} ms, ${Math.round((ms * 1e6) / 10_000)} ns each\n`,
    );
  };
  told('1,000 rules, exact names', many, [toolOf('s', 'allow_0'), toolOf('s', 'deny_0'), toolOf('s', 'allow_498')]);
  told('1,000 rules, every pattern tried', many, [toolOf('s', 'allow_499_x'), toolOf('s', 'nothing_matches')]);
  told('5 rules and scopes', one, [toolOf('s', 't'), toolOf('s', 'u')]);
  told('5 rules alone', { ...one, scopes: null }, [toolOf('s', 't'), toolOf('s', 'u')]);
  expect(decide(many, who, 'call', toolOf('s', 'allow_499_x')).kind).toBe('allow');
});
