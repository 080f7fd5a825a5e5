/**
 * Who a server of the registry is there for. It only takes away: being in sight of a server gives no right to use it.
 * Whoever may change every server sees every server; that is policy's to say (policy.ts).
 */
import type { Identity } from './identity.ts';
import type { RegisteredServer } from './registered-server.ts';
import { keyOfPath } from './registry-path.ts';
import type { ServerKey } from './server.ts';

export interface Restriction {
  /** `Identity.subject` of whom it belongs to. */
  owner: string;
  /** Of the identity providers; empty: the owner alone. */
  groups: ReadonlySet<string>;
}

export type Restrictions = ReadonlyMap<ServerKey, Restriction>;

export const UNRESTRICTED: Restrictions = new Map();

const NOBODY_ELSE: ReadonlySet<string> = new Set();

export function toRestrictions(servers: Iterable<RegisteredServer>): Restrictions {
  const restrictions = new Map<ServerKey, Restriction>();
  for (const { path, visibility, owner, allowedGroups } of servers) {
    if (visibility === 'public') continue;
    const groups = visibility === 'private' ? NOBODY_ELSE : new Set(allowedGroups);
    restrictions.set(keyOfPath(path), { owner, groups });
  }
  return restrictions;
}

const owners = new WeakMap<Restrictions, ReadonlySet<string>>();

/** Whoever sees something for being its owner. */
export function ownersOf(restricted: Restrictions): ReadonlySet<string> {
  let known = owners.get(restricted);
  if (known === undefined) {
    known = new Set([...restricted.values()].map(({ owner }) => owner));
    owners.set(restricted, known);
  }
  return known;
}

export function sees({ owner, groups }: Restriction, who: Identity): boolean {
  if (who.subject === owner) return true;
  for (const group of groups) if (who.groups.has(group)) return true;
  return false;
}

/**
 * The same policy with nothing out of sight: what is said of a name that no server has. Whatever a caller is told of a server
 * that is out of its sight is decided by this one, or the difference would tell that the server exists. It opens nothing:
 * what is sent is decided on by the policy itself.
 */
export function withoutSight<Policy extends { readonly restricted: Restrictions }>(policy: Policy): Policy {
  if (policy.restricted.size === 0) return policy;
  let blind = blinded.get(policy) as Policy | undefined;
  if (blind === undefined) {
    blind = { ...policy, restricted: UNRESTRICTED };
    blinded.set(policy, blind);
  }
  return blind;
}

const blinded = new WeakMap<object, object>();
