/**
 * Questions to the policy, for commands: what would be answered to whom, what in it was probably not meant, and what
 * another one would have answered. The very functions that a running gateway decides with; nothing is sent or kept.
 */
import type { Config } from '../config/config.ts';
import type { GivenRights } from '../config/policy-config.ts';
import type { WrittenRules } from '../domain/agent-rules.ts';
import { compileAgentRules } from '../domain/agent-rules.ts';
import { type Identity, LOCAL_CALLER } from '../domain/identity.ts';
import type { JsonObject } from '../domain/json.ts';
import { OPEN_POLICY, type PolicySet } from '../domain/policy.ts';
import { localCaller } from '../services/identity/identify.ts';
import { type Explanation, explain } from '../services/policy/explain.ts';
import { type LintFinding, lintPolicy } from '../services/policy/lint.ts';
import { resolveAgent } from '../services/policy/resolve-agent.ts';

export type { LintFinding } from '../services/policy/lint.ts';
export { type PastCall, type Simulation, simulate } from '../services/policy/simulate.ts';

export interface Question {
  /** Null: says none. */
  agent: string | null;
  server: string;
  tool: string;
  /** Null: a call without arguments. */
  args: JsonObject | null;
  /** With any of these three the caller is one with a token; without them whoever may call without a credential. */
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

/** What is asked, and who calls where nobody says. */
export interface Questioned {
  policy: PolicySet;
  localCaller: GivenRights;
  defaultAgent: string | null;
}

/** Rules by themselves, as they decide where there is nothing else. */
export function ruleOnly(rules: WrittenRules): PolicySet {
  return { ...OPEN_POLICY, mode: 'closed', rules: compileAgentRules(rules) };
}

export function askPolicy({ policy, localCaller: given, defaultAgent }: Questioned, question: Question): PolicyAnswer {
  const { agent, server, tool, args } = question;
  const acting = resolveAgent(policy, toCaller(given, question), agent, defaultAgent);
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

function toCaller(given: GivenRights, { agent, subject, groups, scopes }: Question): Identity {
  if (subject === undefined && groups === undefined && scopes === undefined) return localCaller(given);
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

/** Tools are known to a running gateway only, so their names are not looked at. */
export function lintConfig(policy: PolicySet, config: Config): LintFinding[] {
  return lintPolicy(policy, { servers: new Set(config.servers.map(({ key }) => key)), tools: new Map() });
}
