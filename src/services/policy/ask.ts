/**
 * Questions to the policy about a caller that is described, or about whoever asks: first as which agent it acts, then what
 * is decided for the server and the tool. The very functions that a call is decided with; nothing is sent or kept.
 */
import { type Identity, LOCAL_CALLER } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { type Explanation, explain } from './explain.ts';
import { resolveAgent } from './resolve-agent.ts';

export interface Question {
  /** Null: says none. */
  agent: string | null;
  server: string;
  tool: string;
  /** Null: a call without arguments. */
  args: JsonObject | null;
}

/** With any of these three the caller is one with a token; without them whoever may call without a credential. */
export interface Described {
  subject?: string | undefined;
  groups?: readonly string[] | undefined;
  scopes?: readonly string[] | undefined;
}

export type PolicyAnswer =
  | { kind: 'unresolved'; code: string; reason: string }
  | {
      kind: 'explained';
      /** As which agent the caller acts in the end. */
      agent: string | null;
      server: Explanation;
      tool: Explanation;
    };

export function askAbout(
  policy: PolicySet,
  who: Identity,
  { agent, server, tool, args }: Question,
  defaultAgent: string | null,
): PolicyAnswer {
  const acting = resolveAgent(policy, who, agent, defaultAgent);
  if (acting.kind === 'failure') {
    const { reason, rule } = acting.data;
    return { kind: 'unresolved', code: acting.code, reason: acting.say ?? String(reason ?? rule ?? acting.code) };
  }
  return {
    kind: 'explained',
    agent: acting.agent,
    server: explain(policy, acting, 'list', { kind: 'server', server, name: server }),
    tool: explain(policy, acting, 'call', { kind: 'tool', server, name: tool }, args),
  };
}

/** `local`: whoever calls without a credential. */
export function toCaller(local: Identity, agent: string | null, { subject, groups, scopes }: Described): Identity {
  if (subject === undefined && groups === undefined && scopes === undefined) return local;
  return {
    ...LOCAL_CALLER,
    subject: subject ?? 'nobody in particular',
    method: 'jwt',
    agent,
    // The question is what follows if the token says so.
    agentVerified: agent !== null,
    groups: new Set(groups),
    scopes: new Set(scopes),
  };
}
