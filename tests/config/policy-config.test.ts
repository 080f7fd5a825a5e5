import { describe, expect, test } from 'vitest';
import { PolicySection, toPolicyConfig } from '../../src/config/policy-config.ts';
import { formatPath } from '../../src/config/problem.ts';
import { checkShape } from '../../src/config/schema.ts';

function read(written: unknown) {
  const shaped = checkShape(PolicySection, written, ['policy']);
  if (!shaped.ok)
    return { policy: null, said: shaped.mistakes.map(({ path, message }) => `${formatPath(path)} ${message}`) };
  const { policy, mistakes } = toPolicyConfig(shaped.value);
  return { policy, said: mistakes.map(({ path, message }) => `${formatPath(path)} ${message}`) };
}

const CONDITION = { server: 'fs', tool: ['read_*'], when: 'true', effect: 'deny' };

describe('the section policy', () => {
  test('enforces, and adds nothing, where nothing is written', () => {
    const nobody = { groups: [], scopes: [], agent: null };
    expect(toPolicyConfig(undefined)).toEqual({
      policy: { enforcement: 'enforce', conditions: [], actAs: new Map(), localCaller: nobody, keyHolder: nobody },
      mistakes: [],
    });
  });

  test('is read as it stands', () => {
    const { policy, said } = read({
      enforcement: 'shadow',
      conditions: [CONDITION, { ...CONDITION, id: 'b', agents: 'ci-*', scopes: ['s'], say: 'No.' }],
      actAs: { lead: ['dev', 'ops-*'], '*': [] },
      localCaller: { groups: ['admins'], agent: 'me' },
    });
    expect(said).toEqual([]);
    expect(policy).toMatchObject({
      enforcement: 'shadow',
      conditions: [
        { id: '0', agents: [], scopes: [], servers: ['fs'], tools: ['read_*'], say: null },
        { id: 'b', agents: ['ci-*'], scopes: ['s'], say: 'No.' },
      ],
      localCaller: { groups: ['admins'], scopes: [], agent: 'me' },
    });
    expect(policy?.actAs.get('lead')).toEqual(['dev', 'ops-*']);
  });

  test.each([
    { written: { enforcment: 'shadow' }, says: 'policy.enforcment is not a key this gateway knows' },
    { written: { enforcement: 'off' }, says: 'policy.enforcement must be one of enforce, shadow' },
    {
      written: { conditions: [{ ...CONDITION, server: undefined }] },
      says: 'policy.conditions[0].server must be text or a list of texts',
    },
    {
      written: { conditions: [{ ...CONDITION, effect: 'allow' }] },
      says: 'policy.conditions[0].effect must be one of deny, require',
    },
    {
      written: { conditions: [{ ...CONDITION, tool: 'a*b' }] },
      says: 'policy.conditions[0].tool may hold one *, alone, at the start or at the end',
    },
    {
      written: { conditions: [{ ...CONDITION, tool: [] }] },
      says: 'policy.conditions[0].tool is empty: leave it out, or name somebody',
    },
    {
      written: { conditions: [{ ...CONDITION, agents: [] }] },
      says: 'policy.conditions[0].agents is empty: leave it out, or name somebody',
    },
    { written: { conditions: [{ ...CONDITION, when: ' ' }] }, says: 'policy.conditions[0].when must not be empty' },
    {
      written: {
        conditions: [
          { ...CONDITION, id: 'a' },
          { ...CONDITION, id: 'a' },
        ],
      },
      says: 'policy.conditions[1].id "a" is another\'s id',
    },
    {
      written: { actAs: { 'a*': ['b'] } },
      says: 'policy.actAs["a*"] must be one agent, or "*" for any caller with a credential',
    },
    { written: { actAs: { a: ['b*c'] } }, says: 'policy.actAs.a[0] may hold one *, alone, at the start or at the end' },
  ])('$says', ({ written, says }) => expect(read(written).said).toContain(says));
});
