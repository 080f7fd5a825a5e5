/**
 * `gatehouse policy simulate`: the calls in the ledger, decided again by the policy in force and by a candidate, and where
 * the two differ. The ledger keeps neither groups nor arguments: callers come with the scopes that counted at the time,
 * and calls that a condition decides by their arguments are named as not judged.
 */

import { policyOf } from '../app/policy.ts';
import { type PastCall, simulate } from '../app/policy-desk.ts';
import type { Overrides } from '../config/load.ts';
import { type AuditEvent, parseEvent } from '../domain/audit.ts';
import { type Identity, LOCAL_CALLER } from '../domain/identity.ts';
import type { Action, TargetKind } from '../domain/policy.ts';
import { findLedgers, locateLedger, readLedger } from './audit-files.ts';
import type { Host } from './host.ts';
import { loadWhole } from './load.ts';
import { type PolicyFiles, withFiles } from './policy.ts';
import { printable, reportProblems } from './report.ts';

export interface SimulateOptions extends PolicyFiles {
  ledger?: string | undefined;
}

/** As much of a ledger as is held at once; the newest count. */
const MAX_CALLS = 1_000_000;

const OPERATIONS: ReadonlyMap<string, [Action, TargetKind]> = new Map([
  ['tools/call', ['call', 'tool']],
  ['prompts/get', ['get', 'prompt']],
  ['resources/read', ['read', 'resource']],
  ['resources/subscribe', ['subscribe', 'resource']],
]);

/** `overrides.configPath`: the candidate's; what is in force is what would be found without it. */
export async function simulatePolicy(host: Host, overrides: Overrides, options: SimulateOptions): Promise<number> {
  const { stdout, stderr } = host;
  const { rules, scopes } = options;
  if (rules === undefined && scopes === undefined && overrides.configPath === undefined) {
    stderr.line('error: name a candidate with --rules, --scopes or --config');
    return 2;
  }
  const now = await loadWhole(host, { ...overrides, configPath: undefined });
  const then = await loadWhole(withFiles(host, options), overrides);
  for (const loaded of [now, then]) {
    if (loaded.ok) continue;
    reportProblems(stderr, loaded.problems);
    return 1;
  }
  if (!now.ok || !then.ok) return 1;
  const before = policyOf(now.config, 1);
  const after = policyOf(then.config, 2);
  if (!before.ok || !after.ok) return 1;

  const path = options.ledger === undefined ? now.config.audit.path : locateLedger(host, options.ledger);
  const ledgers = findLedgers(host, path);
  if (ledgers === null) return 1;
  const calls: PastCall[] = [];
  for (const ledger of ledgers) {
    for await (const line of readLedger(ledger)) {
      const event = parseEvent(line);
      const call = event === null ? null : toPastCall(event);
      if (call !== null) calls.push(call);
      if (calls.length >= 2 * MAX_CALLS) calls.splice(0, MAX_CALLS);
    }
  }
  const result = simulate(calls.slice(-MAX_CALLS), before.policy, after.policy);
  for (const { call, before: was, after: is, ruleBefore, ruleAfter, times } of result.differences) {
    const { who, target } = call;
    const change = `${was} -> ${is === 'allow' ? stdout.paint.green(is) : stdout.paint.red(is)}`;
    const by = who.agent ?? who.subject;
    stdout.line(`${change}  ${times}x  ${printable(by)}  ${printable(`${target.server}/${target.name}`)}`);
    stdout.line(`    was ${printable(ruleBefore ?? 'no rule')}, would be ${printable(ruleAfter ?? 'no rule')}`);
  }
  for (const { call, times } of result.unjudgedKinds) {
    const { who, target } = call;
    const name = printable(`${target.server}/${target.name}`);
    stdout.line(`${stdout.paint.yellow('not judged')}  ${times}x  ${printable(who.agent ?? who.subject)}  ${name}`);
  }
  if (result.unjudged > 0) {
    const many = result.unjudged === 1 ? 'One call was' : `${result.unjudged} calls were`;
    stdout.line(`${many} not judged: a condition reads the arguments, which the ledger does not keep`);
  }
  stdout.line(
    `${result.calls} calls: ${result.allowedBefore} allowed now, ${result.allowedAfter} by the candidate, ${result.differing} differ`,
  );
  return result.differing === 0 ? 0 : 1;
}

function toPastCall(event: AuditEvent): PastCall | null {
  const meaning = OPERATIONS.get(event.operation);
  const name = event.tool ?? event.target;
  // Refused before it was decided (no identity, a limit): policy had no part in it.
  if (meaning === undefined || event.server === null || typeof name !== 'string' || event.subject === null) return null;
  const [action, kind] = meaning;
  return {
    id: String(event.seq),
    who: toCaller(event, event.subject),
    action,
    target: { kind, server: event.server, name },
  };
}

function toCaller({ agent_id, agent_verified, issuer, client, method, scopes }: AuditEvent, subject: string): Identity {
  return {
    ...LOCAL_CALLER,
    subject,
    issuer: typeof issuer === 'string' ? issuer : null,
    client: typeof client === 'string' ? client : null,
    agent: agent_id,
    agentVerified: agent_verified === true,
    method: method === 'api-key' || method === 'jwt' || method === 'vended' || method === 'login' ? method : 'local',
    scopes: new Set(Array.isArray(scopes) ? scopes.filter(scope => typeof scope === 'string') : []),
  };
}
