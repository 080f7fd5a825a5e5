/**
 * Which figures a caller is shown. Whoever may change every server reads them all; anybody else those of what it may list,
 * and totals of these alone: a series is a name too. Where callers have neither scopes nor an agent, they are told apart
 * by nothing but what is private.
 */
import type { Identity } from '../../domain/identity.ts';
import { decide, isInSight, mayUi, mayUiToAll, type PolicySet } from '../../domain/policy.ts';
import { pathOfKey } from '../../domain/registry-path.ts';
import type { FiguresSight } from '../../ports/metrics.ts';

/**
 * Null: everything. `isThere`: names that others only asked for are nobody's: shown, they would tell those that are private
 * from those that do not exist.
 */
export function figuresSight(
  policy: PolicySet,
  who: Identity,
  isThere: (server: string) => boolean,
): FiguresSight | null {
  if (mayUiToAll(policy, who, 'modify_service')) return null;
  const isAnybody = policy.scopes === null && who.agent === null;
  const mayList = (kind: 'server' | 'tool', server: string, name: string) =>
    decide(policy, who, 'list', { kind, server, name }).kind === 'allow';
  const isGranted = (server: string) =>
    mayList('server', server, server) ||
    (policy.scopes !== null && mayUi(policy, who, 'list_service', pathOfKey(server)));
  const seen = new Map<string, boolean>();

  function maySee(server: string): boolean {
    let answer = seen.get(server);
    if (answer === undefined) {
      answer = isThere(server) && isInSight(policy, who, server) && (isAnybody || isGranted(server));
      seen.set(server, answer);
    }
    return answer;
  }

  return {
    server: maySee,
    tool: (server, tool) => maySee(server) && (isAnybody || mayList('tool', server, tool)),
    agent: agent => isAnybody || agent === who.agent,
  };
}
