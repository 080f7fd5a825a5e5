/**
 * Conditions: what may be asked of a call beyond its names, above all of its arguments. A condition takes away and never
 * grants. What it cannot work out (a missing argument, a wrong type) is a no, whichever way it was meant. One that does
 * not look at arguments holds for lists as well, so that what is listed can be called.
 */
import type { Identity } from './identity.ts';
import type { JsonObject } from './json.ts';
import { findEntry, type NameList } from './name-pattern.ts';
import { no, type RuleRef, type Verdict } from './verdict.ts';

/** What an expression may look at. */
export interface ConditionFacts {
  readonly args: JsonObject;
  readonly caller: {
    readonly subject: string;
    /** Empty where none is known. */
    readonly agent: string;
    readonly groups: readonly string[];
    readonly scopes: readonly string[];
  };
  readonly server: string;
  readonly tool: string;
}

/** Throws where the expression has no answer. */
export type ConditionTest = (facts: ConditionFacts) => boolean;

export interface WrittenCondition {
  /** Unique; its place in the list where none was given. */
  readonly id: string;
  /** Empty: every agent, and callers without one. Else names or patterns. */
  readonly agents: readonly string[];
  /** Empty: whatever the caller's scopes. Else holders of any of these. */
  readonly scopes: readonly string[];
  readonly servers: readonly string[];
  readonly tools: readonly string[];
  readonly when: string;
  /** `deny`: no where it is true. `require`: no unless it is. */
  readonly effect: 'deny' | 'require';
  /** What the caller is told. */
  readonly say: string | null;
}

export interface Condition {
  readonly written: WrittenCondition;
  readonly agents: NameList | null;
  readonly scopes: readonly string[] | null;
  readonly servers: NameList;
  readonly tools: NameList;
  readonly usesArguments: boolean;
  /** Whether it tells callers apart that have the same agent, groups and scopes. */
  readonly usesSubject: boolean;
  readonly test: ConditionTest;
  /** `policy.conditions.<id>`, and what is added when it could not be worked out. */
  readonly no: ConditionVerdict;
  readonly unclear: ConditionVerdict;
  readonly unread: ConditionVerdict;
}

export interface ConditionVerdict extends Verdict {
  readonly say: string | null;
}

export function conditionVerdict(rule: RuleRef, say: string | null): ConditionVerdict {
  return { ...no(rule), say };
}

function concerns(
  condition: Condition,
  who: Identity,
  scopes: readonly string[],
  server: string,
  tool: string,
): boolean {
  if (findEntry(condition.servers, server) === -1 || findEntry(condition.tools, tool) === -1) return false;
  if (condition.agents !== null && findEntry(condition.agents, who.agent ?? '') === -1) return false;
  return condition.scopes === null || condition.scopes.some(scope => scopes.includes(scope));
}

/** The first condition that says no, or null. `args`: null for none, undefined where they have not been read. */
export function weighConditions(
  conditions: readonly Condition[],
  who: Identity,
  scopes: readonly string[],
  server: string,
  tool: string,
  args: JsonObject | null | undefined,
  isListing: boolean,
): ConditionVerdict | null {
  let facts: ConditionFacts | null = null;
  for (const condition of conditions) {
    if (!concerns(condition, who, scopes, server, tool)) continue;
    if (condition.usesArguments) {
      if (isListing) continue;
      if (args === undefined) return condition.unread;
    }
    facts ??= {
      args: args ?? {},
      // Sorted: in what order a credential says them is no right of its own, and callers with the same rights share lists.
      caller: {
        subject: who.subject,
        agent: who.agent ?? '',
        groups: [...who.groups].sort(),
        scopes: [...scopes].sort(),
      },
      server,
      tool,
    };
    let holds: boolean;
    try {
      holds = condition.test(facts);
    } catch {
      return condition.unclear;
    }
    if (holds === (condition.written.effect === 'deny')) return condition.no;
  }
  return null;
}

/** Whether callers with the same rights may be shown different tools. Those that look at arguments hide nothing. */
export function hideBySubject(conditions: readonly Condition[]): boolean {
  return conditions.some(({ usesArguments, usesSubject }) => usesSubject && !usesArguments);
}

/** Whether a decision on this tool reads the arguments: where not, they need not be parsed for it. */
export function readsArguments(
  conditions: readonly Condition[],
  who: Identity,
  scopes: readonly string[],
  server: string,
  tool: string,
): boolean {
  return conditions.some(condition => condition.usesArguments && concerns(condition, who, scopes, server, tool));
}
