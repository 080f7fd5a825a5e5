import { describe, expect, test } from 'vitest';
import type { ConditionFacts } from '../../../src/domain/conditions.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { compileCel } from '../../../src/outbound/policy/cel.ts';

const facts = (args: JsonObject): ConditionFacts => ({
  args,
  caller: { subject: 'i|alice', agent: '', groups: ['eng'], scopes: [] },
  server: 'fs',
  tool: 'read',
});

function run(expression: string, args: JsonObject = {}) {
  const compiled = compileCel(expression);
  if (!compiled.ok) throw new Error(compiled.message);
  return compiled.test(facts(args));
}

describe('an expression', () => {
  const args = JSON.parse('{"path":"/etc/x","n":5,"f":1.5,"none":null,"list":["a","b"],"__proto__":{"x":1}}');
  test.each([
    ['args.path.startsWith("/etc") && args.n > 3', true],
    ['args.f < 2.0 && args.none == null', true],
    ['int(args.n) + 1 == 6', true],
    ['"eng" in caller.groups && caller.agent == ""', true],
    ['server == "fs" && tool == "read"', true],
    ['has(args.missing) || has(args.toString) || has(args.constructor)', false],
    ['args.list.all(x, ["a", "b"].exists(y, x == y))', true],
    ['args.list.all(x, x in caller.groups)', false],
    ['size(args.list) == 2', true],
  ])('%s is %s', (expression, answer) => expect(run(expression, args)).toBe(answer));

  test.each(['args.missing == 1', 'args.path', 'args.n.startsWith("a")', 'args.path > 3'])(
    'without an answer throws: %s',
    expression => expect(() => run(expression, args)).toThrow(),
  );

  test('cannot change what it is given', () => {
    const before = JSON.stringify(args);
    run('args.list.map(x, x + "!").size() == 2', args);
    expect(JSON.stringify(args)).toBe(before);
    expect(Object.prototype).not.toHaveProperty('x');
  });

  test('tells whether it reads arguments', () => {
    expect(compileCel('caller.subject == "x"')).toMatchObject({ ok: true, usesArguments: false });
    expect(compileCel('[1].exists(x, x == 1) || size(args) == 0')).toMatchObject({ ok: true, usesArguments: true });
  });
});

describe('whether it tells callers apart who have the same agent, groups and scopes', () => {
  test.each([
    ['caller.subject == "x"', true],
    ['has(caller.subject)', true],
    ['caller["subject"] == "x"', true],
    ['caller["agent"] == "x"', true],
    ['["a"].exists(x, x == caller.subject)', true],
    ['size([caller]) == 1', true],
    ['caller.agent == "x" && "a" in caller.groups && "b" in caller.scopes', false],
    ['args.subject == "x"', false],
    ['server == "caller"', false],
    ['true', false],
  ])('%s: %s', (expression, usesSubject) => {
    expect(compileCel(expression)).toMatchObject({ ok: true, usesSubject });
  });
});

describe('refused when it is read', () => {
  test.each([
    { expression: 'args.path.matches("(a+)+$")', says: 'matches()', because: 'a regular expression may take forever' },
    {
      expression: 'args.a.all(x, args.a.exists(y, x == y))',
      says: 'loop',
      because: 'the work would grow with the square',
    },
    { expression: 'args.a.all(x, x in args.a)', says: 'loop', because: 'the work would grow with the square, hidden' },
    {
      expression: 'cel.bind(b, args.a, args.a.all(x, x in b))',
      says: 'loop',
      because: 'another name is the same data',
    },
    { expression: 'args.a.all(x, x.all(y, y == 1))', says: 'loop', because: 'loops stay one deep over data' },
    { expression: `${'('.repeat(60)}true${')'.repeat(60)}`, says: 'maxDepth', because: 'it is too deep' },
    { expression: `true${' || true'.repeat(400)}`, says: '', because: 'it has too many parts' },
    { expression: 'a'.repeat(5000), says: 'longer', because: 'it is too long' },
    { expression: 'caller.group == "x"', says: 'group', because: 'there is no such field' },
    { expression: 'arg.path == "x"', says: 'arg', because: 'there is no such variable' },
    { expression: 'size(args)', says: 'true or false', because: 'it is a number' },
    { expression: 'args.a ==', says: 'column', because: 'it is not finished' },
    { expression: '', says: '', because: 'it is empty' },
  ])('$because', ({ expression, says }) => {
    const compiled = compileCel(expression);
    expect(compiled.ok).toBe(false);
    expect(compiled.ok ? '' : compiled.message).toContain(says);
    expect(compiled.ok ? '' : compiled.message).not.toContain('\n');
  });
});

test('arguments as large as a body are no trouble', () => {
  const list = Array.from({ length: 200_000 }, (_, i) => `item ${i}`);
  expect(run('args.list.all(x, ["item", "thing"].exists(p, x.startsWith(p)))', { list })).toBe(true);
});
