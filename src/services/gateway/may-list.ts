/** By the rules of one moment: whether a caller finds an entry behind a door, and whether it may watch a resource. */
import type { Door } from '../../domain/call.ts';
import type { CatalogEntry } from '../../domain/catalog.ts';
import type { Identity } from '../../domain/identity.ts';
import type { ListingKind } from '../../domain/listing.ts';
import { decide, looksAtSubject, type PolicySet, type TargetKind } from '../../domain/policy.ts';
import { findBlock, type Quarantined } from '../../domain/quarantine.ts';
import type { ServerKey } from '../../domain/server.ts';

/** Immutable. */
export interface Rules {
  policy: PolicySet;
  quarantined: Quarantined;
}

const TARGET_KINDS: Record<ListingKind, TargetKind> = {
  tools: 'tool',
  resources: 'resource',
  templates: 'template',
  prompts: 'prompt',
};

export function mayList(
  { policy, quarantined }: Rules,
  who: Identity,
  door: Door,
  { kind, server, own }: CatalogEntry,
): boolean {
  if (door.server !== null && door.server !== server) return false;
  if (findBlock(quarantined, who, server, kind === 'tools' ? own : null) !== null) return false;
  return decide(policy, who, 'list', { kind: TARGET_KINDS[kind], server, name: own }).kind === 'allow';
}

/** `own`: the resource by its own URI. Asked when watching begins and whenever rules change. */
export function mayWatch({ policy, quarantined }: Rules, who: Identity, server: ServerKey, own: string): boolean {
  if (findBlock(quarantined, who, server, null) !== null) return false;
  return decide(policy, who, 'subscribe', { kind: 'resource', server, name: own }).kind === 'allow';
}

/** Whether a caller may see another list than others with the same rights: something looks at whose the rights are. */
export const looksAtHolder = ({ policy, quarantined }: Rules, who: Identity): boolean =>
  looksAtSubject(policy, who) || quarantined.byKind.caller.has(who.subject);
