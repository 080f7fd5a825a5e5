/**
 * A caller as policy judges it where nobody names an agent: news, subscriptions, what a stream may tell. The same as a list
 * shows it; a caller that the rules know no agent for stays itself, and is denied as such.
 */
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { isJsonObject, type Json } from '../../domain/json.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { resolveAgent } from '../policy/resolve-agent.ts';

export function asActing(policy: PolicySet, who: Identity, defaultAgent: string | null): Identity {
  const acting = resolveAgent(policy, who, null, defaultAgent);
  return acting.kind === 'failure' ? withoutAgent(who) : acting;
}

/** The same object each time, so that what was worked out for it is found again. */
const agentless = new WeakMap<Identity, Identity>();

function withoutAgent(who: Identity): Identity {
  if (who.agent === null) return who;
  let bare = agentless.get(who);
  if (bare === undefined) {
    bare = { ...who, agent: null, agentVerified: false };
    agentless.set(who, bare);
  }
  return bare;
}

/** The agent that a caller of one of our tools says it is; null: it says nothing. */
export function claimedAgent(args: Json | undefined): string | null | Failure {
  const claimed = isJsonObject(args) ? args.agent_id : null;
  if (claimed === null || claimed === undefined || typeof claimed === 'string') return claimed ?? null;
  return failure('INVALID_PARAMS', {}, { say: 'Invalid arguments. agent_id: must be text.' });
}
