/**
 * As which agent a caller acts. Without a credential an agent id is taken as given, as it is for the holder of the one
 * key that all programs of an operator share; a credential's own agent is the caller, and another only by a grant
 * (`policy.actAs`). A caller without an agent, or with one the rules do not know, gets the default agent where the rules
 * say so; the end of the chain is an error. Nobody is ever let in for being unknown.
 */
import { AGENT_ID, type AgentRules, MAX_AGENT_ID } from '../../domain/agent-rules.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { findEntry } from '../../domain/name-pattern.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { formatRef } from '../../domain/verdict.ts';

/** The agent that stands in by its name alone. */
const NAMED_DEFAULT = 'default';

/**
 * `who`: as identified, never as resolved before: grants do not add up. Shape: the caller itself where nothing changes;
 * else the same object each time for the same agent. Errors: INVALID_AGENT_ID, FALLBACK_AGENT_NOT_IN_RULES,
 * NO_FALLBACK_CONFIGURED, DENIED_BY_POLICY. Where there are no rules, or they are only being tried out, no agent is
 * unknown.
 */
export function resolveAgent(
  policy: PolicySet,
  who: Identity,
  claimed: string | null,
  defaultAgent: string | null,
  operation: string | null = null,
): Identity | Failure {
  if (claimed !== null && (claimed.length > MAX_AGENT_ID || !AGENT_ID.test(claimed))) return invalid('malformed');
  const { rules } = policy;
  // An agent that the credential does not vouch for is no more than a claim, and no claim at all next to a credential.
  const own = who.agentVerified || isSelfNamed(who) ? who.agent : null;
  if (claimed !== null && claimed !== own && !isSelfNamed(who)) {
    const rule = findGrant(policy, who, claimed);
    if (rule === null) {
      const named = { agent_id: claimed, ...(operation === null ? {} : { operation }) };
      return failure('DENIED_BY_POLICY', { ...named, rule: noGrant(who) });
    }
    return rules === null || rules.agents.has(claimed) || isTrial(policy)
      ? acting(who, claimed, own ?? NO_AGENT_OF_ITS_OWN)
      : invalid('unknown');
  }

  const agent = claimed ?? own;
  if (rules === null) {
    const known = agent ?? defaultAgent;
    return known === who.agent ? who : acting(who, known, null);
  }
  if (agent !== null && rules.agents.has(agent)) return agent === who.agent ? who : acting(who, agent, null);
  const found = findDefault(rules, agent, defaultAgent);
  if (typeof found === 'string') return acting(who, found, null);
  if (!isTrial(policy)) return found;
  return agent === who.agent ? who : acting(who, agent, null);
}

/** In the record of a caller that has no agent and acts as one. */
const NO_AGENT_OF_ITS_OWN = '-';

/** Says which agent it is without having to show it. */
function isSelfNamed(who: Identity): boolean {
  if (who.agentVerified) return false;
  return who.method === 'local' || (who.method === 'api-key' && who.subject === 'key');
}

function isTrial({ enforcement }: PolicySet): boolean {
  return enforcement === 'shadow';
}

function findGrant({ actAs }: PolicySet, who: Identity, agent: string): string | null {
  for (const holder of [who.agentVerified ? who.agent : null, '*']) {
    const granted = holder === null ? undefined : actAs.get(holder);
    const place = granted === undefined ? -1 : findEntry(granted, agent);
    if (holder !== null && place !== -1) return formatRef('policy', 'actAs', holder, place);
  }
  return null;
}

function noGrant(who: Identity): string {
  const holder = who.agentVerified ? who.agent : null;
  return `${formatRef('policy', 'actAs', holder ?? '*')}: no allow entry`;
}

/** The chain of the rules: the configured default, or none after it; the agent called `default`; an error. */
function findDefault(rules: AgentRules, agent: string | null, defaultAgent: string | null): string | Failure {
  const why = agent === null ? 'missing' : 'unknown';
  if (rules.denyOnMissingAgent) return invalid(why);
  if (defaultAgent !== null)
    return rules.agents.has(defaultAgent) ? defaultAgent : failure('FALLBACK_AGENT_NOT_IN_RULES');
  if (rules.agents.has(NAMED_DEFAULT)) return NAMED_DEFAULT;
  return agent === null ? failure('NO_FALLBACK_CONFIGURED') : invalid(why);
}

const REASONS = {
  malformed: 'Agent ids hold letters, digits, dots, underscores and hyphens only.',
  missing: 'No agent id was given.',
  unknown: 'Not an agent of the rules.',
};

function invalid(why: keyof typeof REASONS): Failure {
  const reason = REASONS[why];
  return failure('INVALID_AGENT_ID', { reason }, { say: `The agent id is not valid here. ${reason}` });
}

/** Derived callers are kept with the caller they come from: views and rights are found again by them. */
const derivedFrom = new WeakMap<Identity, Map<string | null, Identity>>();
const MAX_KNOWN = 256;

/** `actor`: the caller's own agent that acts as the other; null: the caller names itself, or is given a name. */
function acting(who: Identity, agent: string | null, actor: string | null): Identity {
  let byAgent = derivedFrom.get(who);
  if (byAgent === undefined) {
    byAgent = new Map();
    derivedFrom.set(who, byAgent);
  }
  const key = actor === null ? agent : `${agent} as ${actor}`;
  let derived = byAgent.get(key);
  if (derived === undefined) {
    derived = { ...who, agent, agentVerified: false, ...(actor === null ? {} : { actingAgent: actor }) };
    if (byAgent.size < MAX_KNOWN) byAgent.set(key, derived);
  }
  return derived;
}
