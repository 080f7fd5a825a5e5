/**
 * Questions to the policy, for commands: what would be answered to whom, what in it was probably not meant, and what
 * another one would have answered. The very functions that a running gateway decides with; nothing is sent or kept.
 */
import type { Config } from '../config/config.ts';
import type { GivenRights } from '../config/policy-config.ts';
import type { PolicySet } from '../domain/policy.ts';
import { localCaller } from '../services/identity/identify.ts';
import {
  type Question as Asked,
  askAbout,
  type Described,
  type PolicyAnswer,
  toCaller,
} from '../services/policy/ask.ts';
import { type LintFinding, lintPolicy } from '../services/policy/lint.ts';

export type { PolicyAnswer } from '../services/policy/ask.ts';
export type { LintFinding } from '../services/policy/lint.ts';
export { type PastCall, type Simulation, simulate } from '../services/policy/simulate.ts';

export type Question = Asked & Described;

/** What is asked, and who calls where nobody says. */
export interface Questioned {
  policy: PolicySet;
  localCaller: GivenRights;
  defaultAgent: string | null;
}

export function askPolicy({ policy, localCaller: given, defaultAgent }: Questioned, question: Question): PolicyAnswer {
  return askAbout(policy, toCaller(localCaller(given), question.agent, question), question, defaultAgent);
}

/**
 * Tools are known to a running gateway only, so their names are not looked at; nor those of servers where no file names
 * any.
 */
export function lintConfig(policy: PolicySet, config: Config): LintFinding[] {
  const findings = lintPolicy(policy, { servers: new Set(config.servers.map(({ key }) => key)), tools: new Map() });
  return namesServers(config) ? findings : findings.filter(({ kind }) => kind !== 'unknown-server');
}

/** Whether there is a file that could; else the policy is looked at by itself. */
export function namesServers({ files }: Config): boolean {
  return files.config !== null || files.servers !== null;
}
