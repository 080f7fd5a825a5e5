import { describe, expect, test } from 'vitest';
import { decide } from '../../../src/domain/policy.ts';
import { explain } from '../../../src/services/policy/explain.ts';
import { simulate } from '../../../src/services/policy/simulate.ts';
import { callerWith, policyOf, toolOf } from '../../support/policies.ts';

const RULES = { agents: { a: { allow: { servers: ['git'] }, deny: { tools: { git: ['push'] } } } } };
const SCOPES = { s: [{ server: 'git', methods: ['tools/call'], tools: ['pull'] }] };
const CONDITIONS = [{ id: 'no-force', when: 'has(args.force)', servers: ['git'], say: 'No force.' }];
const policy = policyOf({ rules: RULES, scopes: SCOPES, conditions: CONDITIONS });

describe('an explanation', () => {
  test('tells every part’s answer, though the first no decides', () => {
    const who = callerWith({ agent: 'a', scopes: ['s'] });
    expect(explain(policy, who, 'call', toolOf('git', 'push'), { force: true })).toEqual({
      answer: 'deny',
      rule: 'agents.a.deny.tools.git[0]',
      wouldDeny: null,
      steps: [
        { part: 'rules', answer: 'deny', rule: 'agents.a.deny.tools.git[0]' },
        { part: 'scopes', answer: 'deny', rule: 'scopes: no grant' },
        { part: 'conditions', answer: 'deny', rule: 'policy.conditions.no-force' },
      ],
      scopes: ['s'],
      missing: [],
      say: null,
    });
  });

  test('is the decision itself, whoever asks for whatever', () => {
    const shadow = policyOf({ rules: RULES, scopes: SCOPES, conditions: CONDITIONS, enforcement: 'shadow' });
    for (const one of [
      policy,
      shadow,
      policyOf({}),
      policyOf({ isOpenDoor: true }),
      policyOf({ rules: RULES }),
      policyOf({ scopes: SCOPES, conditions: CONDITIONS }),
    ]) {
      for (const agent of ['a', 'b', null]) {
        for (const scopes of [[], ['s']]) {
          for (const boundServer of [null, 'git']) {
            for (const server of ['git', 'web']) {
              for (const tool of ['push', 'pull']) {
                for (const args of [undefined, null, { force: 1 }]) {
                  for (const action of ['list', 'call', 'manage'] as const) {
                    const who = callerWith({ agent, scopes, boundServer });
                    const decision = decide(one, who, action, toolOf(server, tool), args);
                    const told = explain(one, who, action, toolOf(server, tool), args);
                    const first = told.steps.find(step => step.answer === 'deny')?.rule ?? null;
                    expect(told.answer).toBe(decision.kind);
                    if (decision.kind === 'deny')
                      expect([told.rule, told.missing, told.say, first]).toEqual([
                        decision.rule,
                        decision.missing,
                        decision.say,
                        decision.rule,
                      ]);
                    else
                      expect([told.rule, told.wouldDeny, first]).toEqual([
                        decision.permit.rule,
                        decision.permit.wouldDeny,
                        decision.permit.wouldDeny,
                      ]);
                  }
                }
              }
            }
          }
        }
      }
    }
  });
});

describe('a simulation', () => {
  const who = callerWith({ agent: 'a', scopes: ['s'] });
  const call = (id: string, tool: string) => ({ id, who, action: 'call' as const, target: toolOf('git', tool) });
  const calls = [call('1', 'push'), call('2', 'pull'), call('3', 'log'), call('4', 'log')];

  test('tells which calls would end otherwise, each kind once, with both rules', () => {
    const found = simulate(calls, policyOf({ rules: RULES }), policyOf({ rules: RULES, scopes: SCOPES }));
    expect(found).toMatchObject({ calls: 4, allowedBefore: 3, allowedAfter: 1, differing: 2 });
    expect(found.differences).toMatchObject([
      { call: { id: '3' }, before: 'allow', after: 'deny', ruleAfter: 'scopes: no grant', times: 2 },
    ]);
  });

  test('takes a trial for what it would be', () => {
    const trial = policyOf({ rules: RULES, scopes: SCOPES, enforcement: 'shadow' });
    expect(simulate(calls, { ...trial, enforcement: 'enforce' }, trial).differing).toBe(0);
  });
});
