import { describe, expect, test } from 'vitest';
import { decide, isInSight, type PolicySet } from '../../src/domain/policy.ts';
import { sees, toRestrictions } from '../../src/domain/visibility.ts';
import { callerWith, policyOf, toolOf } from '../support/policies.ts';
import { draftServer } from '../support/registry-drafts.ts';

const ALICE = 'https://issuer.test|alice';
const SCOPES = {
  'UI-Scopes': { keepers: { modify_service: ['all'] }, some: { modify_service: ['own'] } },
  group_mappings: { team: ['everything'], keepers: ['keepers', 'everything'] },
  everything: [{ server: '*', methods: '*', tools: '*' }],
  some: [{ server: '*', methods: '*', tools: '*' }],
};

const restricted = toRestrictions([
  { ...draftServer('/own', { visibility: 'private', owner: ALICE, allowedGroups: ['team'] }), revision: 1 },
  {
    ...draftServer('/team/one', { visibility: 'group-restricted', owner: ALICE, allowedGroups: ['red', 'blue'] }),
    revision: 1,
  },
  { ...draftServer('/open', { visibility: 'public', owner: ALICE }), revision: 1 },
]);
const policy = policyOf({ scopes: SCOPES, restricted });

const bob = { subject: 'https://issuer.test|bob', groups: ['team'] };

describe('who a server is there for', () => {
  test.each([
    { server: 'open', who: bob, is: true, because: 'it is public' },
    { server: 'elsewhere', who: bob, is: true, because: 'what nobody registered is not kept from anybody' },
    { server: 'own', who: { groups: ['team'] }, is: true, because: 'it is the caller’s own' },
    { server: 'own', who: bob, is: false, because: 'groups mean nothing while it is private' },
    { server: 'team/one', who: bob, is: false, because: 'the caller is in none of its groups' },
    { server: 'team/one', who: { ...bob, groups: ['team', 'blue'] }, is: true, because: 'one of its groups is enough' },
    { server: 'own', who: { ...bob, groups: ['keepers'] }, is: true, because: 'the caller may change every server' },
    { server: 'own', who: { ...bob, scopes: ['some'] }, is: false, because: 'to change this one is not to change all' },
  ])('$server is $is: $because', ({ server, who, is }) => {
    const caller = callerWith(who);
    expect(isInSight(policy, caller, server)).toBe(is);
    for (const action of ['list', 'call'] as const)
      expect(decide(policy, caller, action, toolOf(server, 'x')).kind).toBe(is ? 'allow' : 'deny');
  });

  test('is said neither by a challenge for scopes nor lifted by shadow enforcement', () => {
    const trial: PolicySet = policyOf({ scopes: SCOPES, restricted, enforcement: 'shadow' });
    expect(decide(trial, callerWith(bob), 'call', toolOf('own', 'x'))).toMatchObject({ kind: 'deny', missing: [] });
  });

  test('an empty list of groups is the owner alone', () => {
    expect(sees({ owner: ALICE, groups: new Set() }, callerWith({ ...bob, groups: [''] }))).toBe(false);
  });
});

describe('a group of the registry', () => {
  const group = {
    ...{ scopeName: 'stored', scopeType: 'server_scope', description: '', groupMappings: ['readers'] },
    serverAccess: [{ server: 'git', methods: ['tools/call'], tools: ['log'] }],
    ...{ uiPermissions: { list_service: ['/git'] }, createdAtMs: 0, updatedAtMs: 0, revision: 1 },
  };
  const reader = callerWith({ groups: ['readers'] });

  test('counts like a scope of the file, beside it or without it', () => {
    for (const scopes of [SCOPES, null]) {
      const both = policyOf({ scopes, groups: [group] });
      expect(decide(both, reader, 'call', toolOf('git', 'log'))).toMatchObject({ kind: 'allow' });
      expect(decide(both, reader, 'call', toolOf('git', 'push')).kind).toBe('deny');
    }
  });

  test('adds to a scope that the file has too, and takes nothing from it', () => {
    const same = policyOf({ scopes: SCOPES, groups: [{ ...group, scopeName: 'everything' }] });
    expect(decide(same, reader, 'call', toolOf('git', 'log')).kind).toBe('allow');
    expect(decide(same, callerWith({ groups: ['team'] }), 'call', toolOf('any', 'tool')).kind).toBe('allow');
  });
});
