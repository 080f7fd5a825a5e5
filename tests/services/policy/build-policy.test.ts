import { expect, test } from 'vitest';
import { compileCel } from '../../../src/outbound/policy/cel.ts';
import { buildPolicy } from '../../../src/services/policy/build-policy.ts';

test('tells every expression that is wrong, with its place, and builds nothing', () => {
  const condition = { agents: [], scopes: [], servers: ['*'], tools: ['*'], effect: 'deny' as const, say: null };
  const whens = ['args.a == 1', 'args.a ==', 'caller.grops == []', 'args.path.matches("a+")'];
  const built = buildPolicy(
    {
      ...{ version: 2, isOpenDoor: true, enforcement: 'enforce', rules: null, scopes: null, actAs: new Map() },
      conditions: whens.map((when, place) => ({ ...condition, id: String(place), when })),
    },
    compileCel,
  );
  expect(built.ok).toBe(false);
  expect(built.ok ? [] : built.mistakes.map(({ path }) => path)).toEqual([
    ['policy', 'conditions', 1, 'when'],
    ['policy', 'conditions', 2, 'when'],
    ['policy', 'conditions', 3, 'when'],
  ]);
});
