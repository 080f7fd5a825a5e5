/**
 * "Would this be allowed, and why?": the very decision, with what every part of the policy said to it. Asking changes
 * nothing and sends nothing.
 */
import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import { type Action, decide, evaluatedScopes, type PolicySet, type Step, type Target } from '../../domain/policy.ts';

export interface Explanation {
  answer: 'allow' | 'deny';
  /** The deciding entry. */
  rule: string | null;
  /** Shadow enforcement: allowed, but by this rule it would not be. */
  wouldDeny: string | null;
  /** Of each part that was asked, in the order they are asked; the first `deny` is the answer. */
  steps: readonly Step[];
  /** The caller's scopes that counted; may be empty. */
  scopes: readonly string[];
  /** A scope that would have been enough; may be empty. */
  missing: readonly string[];
  /** What the operator has to say to the caller. */
  say: string | null;
}

export function explain(
  policy: PolicySet,
  who: Identity,
  action: Action,
  target: Target,
  args?: JsonObject | null,
): Explanation {
  const steps: Step[] = [];
  const decision = decide(policy, who, action, target, args, steps);
  const scopes = evaluatedScopes(policy, who);
  if (decision.kind === 'allow') {
    const { rule, wouldDeny } = decision.permit;
    return { answer: 'allow', rule, wouldDeny, steps, scopes, missing: [], say: null };
  }
  const { rule, missing, say } = decision;
  return { answer: 'deny', rule, wouldDeny: null, steps, scopes, missing, say };
}
