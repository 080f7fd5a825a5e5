/**
 * What in a policy is legal and probably not meant: entries that can never decide, names that nobody has, lists that mean
 * more or less than they seem to, and tools that can be seen in a scope but not called. Nothing here changes a decision.
 */
import type { PolicySet } from '../../domain/policy.ts';
import type { ServerKey } from '../../domain/server.ts';
import { formatRef } from '../../domain/verdict.ts';
import { lintRules } from './lint-rules.ts';
import { lintScopes } from './lint-scopes.ts';

export const LINT_KINDS = [
  'never-matches',
  'unknown-server',
  'unknown-tool',
  'duplicate',
  'grants-nothing',
  'wider-than-it-looks',
  'visible-not-callable',
  'granted-by-halves',
  'never-applies',
] as const;

export interface LintFinding {
  kind: (typeof LINT_KINDS)[number];
  /** The path of the entry in its file, as decisions name it. */
  path: string;
  message: string;
}

/** What there is to be named. */
export interface LintWorld {
  servers: ReadonlySet<ServerKey>;
  /** By server, where its list is known. */
  tools: ReadonlyMap<ServerKey, readonly string[]>;
}

/** Shape: in the order rules, scopes, settings; each in the order of its file. */
export function lintPolicy(policy: PolicySet, world: LintWorld): LintFinding[] {
  const { rules, scopes } = policy;
  return [
    ...(rules === null ? [] : lintRules(rules.written, world)),
    ...(scopes === null ? [] : lintScopes(scopes.written, world)),
    ...lintSettings(policy, world),
  ];
}

function lintSettings({ conditions, actAs, rules, scopes }: PolicySet, world: LintWorld): LintFinding[] {
  const findings: LintFinding[] = [];
  const report = (kind: LintFinding['kind'], message: string, ...path: (string | number)[]) =>
    void findings.push({ kind, path: formatRef('policy', ...path), message });

  for (const { written } of conditions) {
    for (const server of unknownNames(written.servers, world.servers))
      report('unknown-server', `there is no server "${server}"`, 'conditions', written.id);
    for (const agent of rules === null ? [] : unknownNames(written.agents, rules.agents))
      report('never-applies', `"${agent}" is not an agent of the rules`, 'conditions', written.id);
    for (const scope of written.scopes) {
      if (scopes !== null && !scopes.written.servers.has(scope) && !scopes.written.ui.has(scope))
        report('never-applies', `"${scope}" is not a scope of the file`, 'conditions', written.id);
    }
  }
  for (const [holder, { written }] of rules === null ? [] : actAs) {
    if (holder !== '*' && !rules?.agents.has(holder))
      report('never-applies', `"${holder}" is not an agent of the rules`, 'actAs', holder);
    for (const agent of unknownNames(written, rules?.agents ?? new Map()))
      report('never-applies', `"${agent}" is not an agent of the rules`, 'actAs', holder);
  }
  return findings;
}

/** Names that nothing has; patterns are never unknown. */
export function unknownNames(written: readonly string[], known: { has(name: string): boolean }): string[] {
  return written.filter(name => !name.includes('*') && !known.has(name));
}
