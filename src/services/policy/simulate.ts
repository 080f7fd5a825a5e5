/** What another policy would have answered to calls that were made: decisions of both, and where they differ. */
import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import {
  type Action,
  type Decision,
  decide,
  needsArguments,
  type PolicySet,
  type Target,
} from '../../domain/policy.ts';

/** A call as the book remembers it. Books keep no arguments: where a condition reads them, nobody can judge it again. */
export interface PastCall {
  /** Whatever the caller finds it again by. */
  id: string;
  who: Identity;
  action: Action;
  target: Target;
  args?: JsonObject | null;
}

export interface Difference {
  call: PastCall;
  before: 'allow' | 'deny';
  after: 'allow' | 'deny';
  ruleBefore: string | null;
  ruleAfter: string | null;
}

/** Calls that a condition of one of the policies decides by their arguments. */
export interface Unjudged {
  call: PastCall;
  times: number;
}

export interface Simulation {
  /** Judged ones. */
  calls: number;
  allowedBefore: number;
  allowedAfter: number;
  /** All of them, told or not. */
  differing: number;
  /** The first of each kind of difference (caller, target, both rules), in the order of the calls, with how often. */
  differences: readonly (Difference & { times: number })[];
  /** How many could not be judged, and the first of each kind (caller, target). */
  unjudged: number;
  unjudgedKinds: readonly Unjudged[];
}

const MAX_TOLD = 1000;

/** Shadow enforcement counts as what it would do in earnest. */
export function simulate(calls: Iterable<PastCall>, before: PolicySet, after: PolicySet): Simulation {
  const told = new Map<string, Difference & { times: number }>();
  const unjudged = new Map<string, Unjudged>();
  const sum = { calls: 0, allowedBefore: 0, allowedAfter: 0, differing: 0, unjudged: 0 };
  for (const call of calls) {
    if (call.args === undefined && (readsThem(before, call) || readsThem(after, call))) {
      sum.unjudged++;
      const key = JSON.stringify([call.who.subject, call.who.agent, call.target.server, call.target.name]);
      const known = unjudged.get(key);
      if (known !== undefined) known.times++;
      else if (unjudged.size < MAX_TOLD) unjudged.set(key, { call, times: 1 });
      continue;
    }
    const was = judge(before, call);
    const is = judge(after, call);
    sum.calls++;
    if (was.answer === 'allow') sum.allowedBefore++;
    if (is.answer === 'allow') sum.allowedAfter++;
    if (was.answer === is.answer) continue;
    sum.differing++;
    const { kind, server, name } = call.target;
    const key = JSON.stringify([call.who.subject, call.who.agent, call.action, kind, server, name, was.rule, is.rule]);
    const known = told.get(key);
    if (known !== undefined) known.times++;
    else if (told.size < MAX_TOLD)
      told.set(key, {
        ...{ call, before: was.answer, after: is.answer },
        ...{ ruleBefore: was.rule, ruleAfter: is.rule, times: 1 },
      });
  }
  return { ...sum, differences: [...told.values()], unjudgedKinds: [...unjudged.values()] };
}

function readsThem(policy: PolicySet, { who, action, target }: PastCall): boolean {
  return action === 'call' && needsArguments(policy, who, target);
}

interface Judgement {
  answer: 'allow' | 'deny';
  rule: string | null;
}

function judge(policy: PolicySet, { who, action, target, args }: PastCall): Judgement {
  return toJudgement(decide(policy, who, action, target, args));
}

function toJudgement(decision: Decision): Judgement {
  if (decision.kind === 'deny') return { answer: 'deny', rule: decision.rule };
  const { rule, wouldDeny } = decision.permit;
  return wouldDeny === null ? { answer: 'allow', rule } : { answer: 'deny', rule: wouldDeny };
}
