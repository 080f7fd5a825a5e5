/**
 * What a caller may see and change of the registry. Every list, search and page asks `mayList`; what may be called
 * follows from the same sight, which `decide` asks about first.
 */
import type { Identity } from '../../domain/identity.ts';
import { isInSight, mayUi, mayUiToAll, type PolicySet } from '../../domain/policy.ts';
import type { Lifecycle } from '../../domain/registered.ts';
import type { RegisteredServer } from '../../domain/registered-server.ts';
import { keyOfPath, pathOfKey } from '../../domain/registry-path.ts';
import type { ServerKey } from '../../domain/server.ts';
import { toRestrictions } from '../../domain/visibility.ts';

type Seen = Pick<RegisteredServer, 'path'>;
export type ServerAction = 'toggle_service' | 'modify_service' | 'delete_service' | 'health_check_service';

/** What the registry is asked for: something that is to be granted on something or other, before anything is looked up. */
export interface RegistryNeed {
  action: string;
  /** Also whoever may register, for the sake of what is its own. */
  owners?: 'register_service' | 'publish_agent';
}

/** The question of every surface before it asks the registry, which then asks about that very server. */
export function mayAsk(policy: PolicySet, who: Identity, { action, owners }: RegistryNeed): boolean {
  return mayUi(policy, who, action, null) || (owners !== undefined && mayUi(policy, who, owners, null));
}

/** Whether a server is there for a caller: granted to be listed, and in sight. */
export const mayList = (policy: PolicySet, who: Identity, server: Seen): boolean =>
  findListDenial(policy, who, server) === null;

/** What a caller lacks to be told of a server, in the words of the book. */
export function findListDenial(policy: PolicySet, who: Identity, { path }: Seen): string | null {
  if (!mayUi(policy, who, 'list_service', path)) return ungranted('list_service');
  return isInSight(policy, who, keyOfPath(path)) ? null : OUT_OF_SIGHT;
}

export const ungranted = (action: string): string => `no grant of ${action} there`;
const OUT_OF_SIGHT = 'visible to others alone';

/** Whether an administrator is told of a server what others are not: whoever may list or change it. */
export function mayOversee(policy: PolicySet, who: Identity, server: ServerKey): boolean {
  const path = pathOfKey(server);
  const isGranted = mayUi(policy, who, 'list_service', path) || mayUi(policy, who, 'modify_service', path);
  return isGranted && isInSight(policy, who, server);
}

/** Whether a version is there for a caller that its server is there for. */
export function isVersionInSight(policy: PolicySet, who: Identity, version: RegisteredServer): boolean {
  return isInSight({ ...policy, restricted: toRestrictions([version]) }, who, keyOfPath(version.path));
}

/**
 * Whoever was granted the action on that server, and its owner as long as it may register servers at all. Whoever may
 * change every server may remove any.
 */
export function mayChange(
  policy: PolicySet,
  who: Identity,
  action: ServerAction,
  { path, owner }: Pick<RegisteredServer, 'path' | 'owner'>,
): boolean {
  if (!isInSight(policy, who, keyOfPath(path))) return false;
  if (mayUi(policy, who, action, path)) return true;
  if (action === 'delete_service' && mayUiToAll(policy, who, 'modify_service')) return true;
  return owner === who.subject && mayUi(policy, who, 'register_service', null);
}

/**
 * How far along a server is, is not for its owner to say, nor for whoever may change the rest of it: that takes a grant of
 * its own. Whoever may change every server may change this of any. `from` null: it is new, and begins as a draft or active.
 */
export function maySetLifecycle(
  policy: PolicySet,
  who: Identity,
  path: string,
  { from, to }: { from: Lifecycle | null; to: Lifecycle },
): boolean {
  if (from === null ? to === 'draft' || to === 'active' : from === to) return true;
  return mayUi(policy, who, 'change_lifecycle_status', path) || mayUiToAll(policy, who, 'modify_service');
}
