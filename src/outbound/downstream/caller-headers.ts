/**
 * The headers by which an HTTP server learns for whom we call, and what that caller wants passed on to it. Made of
 * verified facts by us; of the client's own headers only those an operator listed for this server.
 */
import type { Line } from '../../domain/call.ts';
import { isForwardable } from '../../domain/header-names.ts';
import type { Identity } from '../../domain/identity.ts';
import { composeIdentityHeaders } from '../../domain/identity-headers.ts';
import type { HttpAddress, ServerSpec } from '../../domain/server.ts';
import type { Route } from '../../ports/downstreams.ts';

/** Names and values in turn; null: none. A list that comes back again is the same frozen one. */
export type CallerHeaders = (route: Route, line: Line) => readonly string[] | null;

/** Tools of a server whose headers are kept per caller. */
const MAX_KEPT = 500;

/** null for a server that is told nothing. */
export function createCallerHeaders({ key, link }: ServerSpec): CallerHeaders | null {
  if (link.kind !== 'http') return null;
  const identify = link.identityHeaders === true ? createIdentityHeaders(key) : null;
  const wanted = forwardedNames(link);
  if (wanted.size === 0) return identify;
  return (route, line) => {
    const own = identify?.(route) ?? null;
    const given = line.forwarded ?? null;
    if (given === null) return own;
    const all = own === null ? [] : [...own];
    for (let i = 0; i + 1 < given.length; i += 2) {
      const name = given[i] ?? '';
      if (wanted.has(name)) all.push(name, given[i + 1] ?? '');
    }
    return all.length === 0 ? null : all;
  };
}

/** Headers of clients that a server is to get. */
function forwardedNames(link: HttpAddress): ReadonlySet<string> {
  const names = new Set(link.forwardHeaders?.filter(isForwardable));
  if (link.passthrough === true) names.add('authorization');
  return names;
}

/** Over all servers; null: none asks for any. */
export function forwardableHeaders(specs: readonly ServerSpec[]): ReadonlySet<string> | null {
  const names = new Set(specs.flatMap(({ link }) => (link.kind === 'http' ? [...forwardedNames(link)] : [])));
  return names.size === 0 ? null : names;
}

function createIdentityHeaders(server: string): (route: Route) => readonly string[] | null {
  const known = new WeakMap<Identity, Map<string, readonly string[]>>();
  return ({ who, permit: { target } }) => {
    // Of the caller on this machine nothing is known that was verified.
    if (who === undefined || who.method === 'local') return null;
    const tool = target.kind === 'tool' ? target.name : '';
    let kept = known.get(who);
    if (kept === undefined || kept.size >= MAX_KEPT) {
      kept = new Map();
      known.set(who, kept);
    }
    let headers = kept.get(tool);
    if (headers === undefined) {
      headers = Object.freeze(composeIdentityHeaders(who, who.scopes, server, tool));
      kept.set(tool, headers);
    }
    return headers;
  };
}
