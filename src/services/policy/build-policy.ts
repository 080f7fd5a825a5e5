/**
 * From what was written (rules, scopes, settings) to the policy in force. Whole or not at all: with a mistake anywhere
 * nothing is built, and whoever asked keeps what there was.
 */
import { compileAgentRules, type WrittenRules } from '../../domain/agent-rules.ts';
import { type Condition, conditionVerdict, type WrittenCondition } from '../../domain/conditions.ts';
import { compileNames, type NameList } from '../../domain/name-pattern.ts';
import type { PolicySet } from '../../domain/policy.ts';
import type { RegisteredGroup } from '../../domain/registered-group.ts';
import { compileScopeRules, type WrittenScopes } from '../../domain/scope-rules.ts';
import { formatRef } from '../../domain/verdict.ts';
import { type Restrictions, UNRESTRICTED } from '../../domain/visibility.ts';
import type { CompileExpression } from '../../ports/conditions.ts';
import { withGroups } from './with-groups.ts';

export interface WrittenPolicy {
  version: number;
  /** The door is on loopback or behind one key: without rules and scopes it stands open. */
  isOpenDoor: boolean;
  enforcement: PolicySet['enforcement'];
  rules: WrittenRules | null;
  scopes: WrittenScopes | null;
  /** Of the registry: each counts like a scope of the file. */
  groups?: readonly RegisteredGroup[];
  /** Servers of the registry that are not for everybody. */
  restricted?: Restrictions;
  conditions: readonly WrittenCondition[];
  actAs: ReadonlyMap<string, readonly string[]>;
}

/** `path`: below the settings (`policy`, `conditions`, 0, `when`). */
export interface PolicyMistake {
  path: readonly (string | number)[];
  message: string;
}

export type BuiltPolicy = { ok: true; policy: PolicySet } | { ok: false; mistakes: PolicyMistake[] };

export function buildPolicy(written: WrittenPolicy, compile: CompileExpression): BuiltPolicy {
  const mistakes: PolicyMistake[] = [];
  const conditions: Condition[] = [];
  for (const [place, condition] of written.conditions.entries()) {
    const compiled = compile(condition.when);
    if (compiled.ok) conditions.push(toCondition(condition, compiled));
    else mistakes.push({ path: ['policy', 'conditions', place, 'when'], message: compiled.message });
  }
  if (mistakes.length > 0) return { ok: false, mistakes };
  const { version, isOpenDoor, enforcement, rules, groups = [], restricted = UNRESTRICTED } = written;
  const scopes = withGroups(written.scopes, groups);
  return {
    ok: true,
    policy: {
      version,
      mode: isOpenDoor && rules === null && scopes === null ? 'open' : 'closed',
      enforcement,
      rules: rules === null ? null : compileAgentRules(rules),
      scopes: scopes === null ? null : compileScopeRules(scopes),
      restricted,
      conditions,
      actAs: new Map([...written.actAs].map(([agent, others]): [string, NameList] => [agent, compileNames(others)])),
    },
  };
}

function toCondition(
  written: WrittenCondition,
  { test, usesArguments, usesSubject }: Pick<Condition, 'test' | 'usesArguments' | 'usesSubject'>,
): Condition {
  const rule = formatRef('policy', 'conditions', written.id);
  return {
    written,
    agents: written.agents.length === 0 ? null : compileNames(written.agents),
    scopes: written.scopes.length === 0 ? null : written.scopes,
    servers: compileNames(written.servers),
    tools: compileNames(written.tools),
    ...{ usesArguments, usesSubject },
    test,
    no: conditionVerdict(rule, written.say),
    unclear: conditionVerdict(`${rule}: could not be worked out`, written.say),
    unread: conditionVerdict(`${rule}: the arguments were not read`, written.say),
  };
}
