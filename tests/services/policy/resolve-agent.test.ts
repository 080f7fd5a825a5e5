import { describe, expect, test } from 'vitest';
import { type Identity, LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { decide, OPEN_POLICY, type PolicySet } from '../../../src/domain/policy.ts';
import { resolveAgent } from '../../../src/services/policy/resolve-agent.ts';
import { callerWith, policyOf, toolOf } from '../../support/policies.ts';

const AGENTS = {
  developer: { allow: { servers: ['*'] } },
  lob1: { allow: { servers: ['web'] } },
  admin: { allow: { servers: ['*'] } },
};
const strict = policyOf({ rules: { agents: AGENTS } });
const lenient = policyOf({ rules: { agents: AGENTS, defaults: { deny_on_missing_agent: false } } });
const withDefault = policyOf({
  rules: {
    agents: { ...AGENTS, default: { allow: { servers: ['web'] } } },
    defaults: { deny_on_missing_agent: false },
  },
});
const granted = policyOf({ rules: { agents: AGENTS }, actAs: { lob1: ['dev*'], '*': ['shared'] } });
const local = LOCAL_CALLER;
const key: Identity = { ...local, subject: 'key', method: 'api-key' };
const lob1 = callerWith({ agent: 'lob1', verified: true });
const nobody = callerWith({});

/** The agent it comes to, or the code of the error. */
function ask(policy: PolicySet, who: Identity, claimed: string | null, fallback: string | null = null) {
  const found = resolveAgent(policy, who, claimed, fallback);
  return found.kind === 'identity' ? found.agent : found.code;
}

describe('the chain', () => {
  test.each([
    {
      policy: strict,
      who: local,
      id: 'developer',
      fallback: null,
      to: 'developer',
      because: 'an id is taken as given without a credential',
    },
    { policy: strict, who: key, id: 'developer', fallback: null, to: 'developer', because: 'the one key names nobody' },
    {
      policy: strict,
      who: local,
      id: 'ghost',
      fallback: null,
      to: 'INVALID_AGENT_ID',
      because: 'an unknown id is refused',
    },
    {
      policy: lenient,
      who: local,
      id: 'ghost',
      fallback: null,
      to: 'INVALID_AGENT_ID',
      because: 'an unknown id is refused without a default',
    },
    {
      policy: lenient,
      who: local,
      id: 'ghost',
      fallback: 'developer',
      to: 'developer',
      because: 'a configured default stands in',
    },
    {
      policy: withDefault,
      who: local,
      id: 'ghost',
      fallback: null,
      to: 'default',
      because: 'the agent called default stands in',
    },
    {
      policy: strict,
      who: local,
      id: 'ghost',
      fallback: 'developer',
      to: 'INVALID_AGENT_ID',
      because: 'strict ends the chain',
    },
    { policy: strict, who: local, id: null, fallback: null, to: 'INVALID_AGENT_ID', because: 'strict wants an id' },
    {
      policy: strict,
      who: local,
      id: null,
      fallback: 'developer',
      to: 'INVALID_AGENT_ID',
      because: 'strict wants an id, default or not',
    },
    {
      policy: lenient,
      who: local,
      id: null,
      fallback: 'developer',
      to: 'developer',
      because: 'the configured default',
    },
    {
      policy: withDefault,
      who: local,
      id: null,
      fallback: 'developer',
      to: 'developer',
      because: 'the configured default comes first',
    },
    {
      policy: lenient,
      who: local,
      id: null,
      fallback: 'absent',
      to: 'FALLBACK_AGENT_NOT_IN_RULES',
      because: 'a default that is none',
    },
    {
      policy: withDefault,
      who: local,
      id: null,
      fallback: 'absent',
      to: 'FALLBACK_AGENT_NOT_IN_RULES',
      because: 'nothing is tried after a wrong default',
    },
    { policy: withDefault, who: local, id: null, fallback: null, to: 'default', because: 'the agent called default' },
    { policy: lenient, who: local, id: null, fallback: null, to: 'NO_FALLBACK_CONFIGURED', because: 'there is none' },
    {
      policy: lenient,
      who: local,
      id: '__proto__',
      fallback: null,
      to: 'INVALID_AGENT_ID',
      because: 'it is no agent of the rules',
    },
    {
      policy: OPEN_POLICY,
      who: local,
      id: 'any.thing',
      fallback: null,
      to: 'any.thing',
      because: 'without rules every id is as good',
    },
    {
      policy: OPEN_POLICY,
      who: local,
      id: null,
      fallback: 'developer',
      to: 'developer',
      because: 'a default needs no rules',
    },
    {
      policy: OPEN_POLICY,
      who: local,
      id: null,
      fallback: null,
      to: null,
      because: 'without rules nobody needs an agent',
    },
    { policy: OPEN_POLICY, who: local, id: 'a b', fallback: null, to: 'INVALID_AGENT_ID', because: 'it is malformed' },
    { policy: OPEN_POLICY, who: local, id: '', fallback: null, to: 'INVALID_AGENT_ID', because: 'it is malformed' },
    {
      policy: OPEN_POLICY,
      who: local,
      id: 'a'.repeat(201),
      fallback: null,
      to: 'INVALID_AGENT_ID',
      because: 'it is too long',
    },
  ])('$because', ({ policy, who, id, fallback, to }) => expect(ask(policy, who, id, fallback)).toBe(to));
});

describe('a credential names the agent', () => {
  test.each([
    { policy: strict, who: lob1, id: null, to: 'lob1', because: 'it is the caller' },
    { policy: strict, who: lob1, id: 'lob1', to: 'lob1', because: 'to name oneself is no claim' },
    { policy: strict, who: lob1, id: 'admin', to: 'DENIED_BY_POLICY', because: 'another one needs a grant' },
    { policy: strict, who: lob1, id: 'ghost', to: 'DENIED_BY_POLICY', because: 'whether it exists is not told' },
    { policy: OPEN_POLICY, who: lob1, id: 'admin', to: 'DENIED_BY_POLICY', because: 'not even without rules' },
    { policy: granted, who: lob1, id: 'developer', to: 'developer', because: 'there is a grant' },
    { policy: granted, who: lob1, id: 'admin', to: 'DENIED_BY_POLICY', because: 'the grant is for others' },
    {
      policy: granted,
      who: lob1,
      id: 'dev9',
      to: 'INVALID_AGENT_ID',
      because: 'the grant is for one that is not there',
    },
    {
      policy: granted,
      who: callerWith({ agent: 'admin', verified: true }),
      id: 'developer',
      to: 'DENIED_BY_POLICY',
      because: 'the grant is another’s',
    },
    {
      policy: strict,
      who: nobody,
      id: 'admin',
      to: 'DENIED_BY_POLICY',
      because: 'a credential without an agent may not pick one',
    },
    {
      policy: strict,
      who: callerWith({ agent: 'admin' }),
      id: 'admin',
      to: 'DENIED_BY_POLICY',
      because: 'an agent beside the credential is a claim',
    },
    {
      policy: lenient,
      who: callerWith({ agent: 'admin' }),
      id: null,
      to: 'NO_FALLBACK_CONFIGURED',
      because: 'an agent beside the credential counts for nothing',
    },
    { policy: strict, who: nobody, id: null, to: 'INVALID_AGENT_ID', because: 'strict wants an agent' },
    { policy: withDefault, who: nobody, id: null, to: 'default', because: 'lenient gives it the default' },
    {
      policy: strict,
      who: { ...key, subject: 'key:ci' },
      id: 'admin',
      to: 'DENIED_BY_POLICY',
      because: 'a named key is a credential',
    },
    {
      policy: lenient,
      who: callerWith({ agent: 'gone', verified: true }),
      id: null,
      to: 'INVALID_AGENT_ID',
      because: 'an agent the rules do not know',
    },
  ])('$because', ({ policy, who, id, to }) => expect(ask(policy, who, id)).toBe(to));

  test('who acts as another is remembered, and is not verified as that other', () => {
    expect(resolveAgent(granted, lob1, 'developer', null)).toMatchObject({
      ...{ agent: 'developer', actingAgent: 'lob1', agentVerified: false, subject: lob1.subject },
    });
    expect(resolveAgent(strict, local, 'developer', null)).not.toHaveProperty('actingAgent');
  });

  test('a grant to everybody is for whoever showed a credential', () => {
    const policy = policyOf({
      rules: { agents: { ...AGENTS, shared: { allow: { servers: ['web'] } } } },
      actAs: { '*': ['shared'] },
    });
    expect(ask(policy, nobody, 'shared')).toBe('shared');
    expect(ask(policy, lob1, 'shared')).toBe('shared');
    expect(ask(policy, nobody, 'admin')).toBe('DENIED_BY_POLICY');
  });

  test('a refusal says what was missing and names no other agents', () =>
    expect(resolveAgent(strict, lob1, 'admin', null, 'tools/call')).toMatchObject({
      data: { agent_id: 'admin', operation: 'tools/call', rule: 'policy.actAs.lob1: no allow entry' },
    }));
});

test('the same caller as the same agent is the same object', () => {
  expect(resolveAgent(strict, lob1, null, null)).toBe(lob1);
  expect(resolveAgent(strict, local, 'admin', null)).toBe(resolveAgent(strict, local, 'admin', null));
  expect(resolveAgent(OPEN_POLICY, local, null, null)).toBe(local);
});

test('many ids of one caller are not all kept', () => {
  for (let i = 0; i < 1000; i++) resolveAgent(OPEN_POLICY, local, `agent-${i}`, null);
  expect(resolveAgent(OPEN_POLICY, local, 'agent-999', null)).not.toBe(
    resolveAgent(OPEN_POLICY, local, 'agent-999', null),
  );
});

test('while rules are tried out, an agent they do not know is let in and noted', () => {
  const trial = policyOf({ rules: { agents: AGENTS }, enforcement: 'shadow' });
  for (const id of ['ghost', null]) {
    const who = resolveAgent(trial, local, id, null);
    if (who.kind !== 'identity') throw new Error(who.code);
    expect(decide(trial, who, 'call', toolOf('s', 't'))).toMatchObject({
      permit: { wouldDeny: expect.stringMatching(/^agents: /) },
    });
  }
  expect(ask(trial, lob1, 'admin')).toBe('DENIED_BY_POLICY');
});
