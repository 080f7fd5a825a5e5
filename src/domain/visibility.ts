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

export function sees({ owner, groups }: Restriction, who: Identity): boolean {
  if (who.subject === owner) return true;
  for (const group of groups) if (who.groups.has(group)) return true;
  return false;
}
