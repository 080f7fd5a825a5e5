/**
 * The catalog in force, and news of its changes. Readers see the old snapshot or the new one, never between. A version of
 * a server that is not active has a small catalog of its own, seen at its server's door alone and in no list of everything.
 */

import type { Door } from '../../domain/call.ts';
import {
  type Catalog,
  type Claims,
  type Collision,
  EMPTY_CATALOG,
  mergeCatalog,
  type ServerView,
  withConditions,
} from '../../domain/catalog.ts';
import { LISTING_KINDS, type ListingKind } from '../../domain/listing.ts';
import type { PrefixStyle } from '../../domain/names.ts';
import { type ServerKey, versionKey } from '../../domain/server.ts';

/** Immutable, like the catalogs in it. */
export interface Catalogs {
  current: Catalog;
  /** Of versions that are not active, by `versionKey`. */
  versions: ReadonlyMap<string, Catalog>;
}

/** What is behind a door: the current one, or that of the version the door is pinned to; an empty one once it is gone. */
export function catalogBehind({ current, versions }: Catalogs, { server, version }: Door): Catalog {
  if (server === null || version === undefined || version === null) return current;
  if (current.servers.get(server)?.version === version) return current;
  return versions.get(versionKey(server, version)) ?? EMPTY_CATALOG;
}

export interface CatalogBook {
  current(): Catalog;
  all(): Catalogs;
  /** What is behind a door. */
  at(door: Door): Catalog;
  /** By what the downstreams know the server that is meant behind a door. */
  connectionOf(door: Door, server: ServerKey): string;
  /** The server and its version: whatever is kept for the one is not for the other. */
  originOf(door: Door, server: ServerKey): string;
  /** Derives the next snapshot from the servers as they are now, in configured order. */
  rebuild(servers: readonly ServerView[]): void;
  /** The same of versions that are not active. */
  rebuildVersions(versions: readonly ServerView[]): void;
  /** Called after a swap with the kinds whose public items differ; may be empty when only a status changed. */
  onChange(listener: (changed: readonly ListingKind[]) => void): () => void;
}

export function createCatalogBook(style: PrefixStyle, onCollision: (collision: Collision) => void): CatalogBook {
  const claims: Claims = new Map();
  const reported = new Set<string>();
  const listeners = new Set<(changed: readonly ListingKind[]) => void>();
  let current = EMPTY_CATALOG;
  let versions: ReadonlyMap<string, Catalog> = new Map();
  let versionsMade = 0;

  const at = (door: Door) => catalogBehind({ current, versions }, door);

  return {
    current: () => current,
    all: () => ({ current, versions }),
    at,
    connectionOf(door, server) {
      const view = at(door).servers.get(server);
      // Of a version that is gone nothing is left; the active one does not stand in for it.
      return view === undefined ? versionKey(server, door.version) : (view.connection ?? server);
    },
    originOf: (door, server) => versionKey(server, at(door).servers.get(server)?.version ?? door.version),
    rebuildVersions(views) {
      const next = new Map<string, Catalog>();
      const changed = new Set<ListingKind>();
      for (const view of views) {
        const key = versionKey(view.key, view.version);
        const before = versions.get(key) ?? EMPTY_CATALOG;
        const made = withConditions(before, [view]) ?? mergeCatalog([view], style, new Map(), before);
        const differing = LISTING_KINDS.filter(kind => differs(before, made, kind));
        for (const kind of differing) changed.add(kind);
        // Counted over all of them: one that comes back is not taken for what it was.
        const version = versions.has(key) && differing.length === 0 ? before.version : ++versionsMade;
        next.set(key, { ...made, version });
      }
      for (const [key, gone] of versions) {
        if (!next.has(key)) for (const kind of LISTING_KINDS) if (gone[kind].size > 0) changed.add(kind);
      }
      versions = next;
      if (changed.size > 0) for (const listener of listeners) listener([...changed]);
    },
    rebuild(servers) {
      // A status that changed is no new catalog: what was made ready from the old lists stays good.
      const next = withConditions(current, servers) ?? mergeCatalog(servers, style, claims, current);
      const changed = LISTING_KINDS.filter(kind => differs(current, next, kind));
      const { servers: known, version } = current;
      if (changed.length > 0) current = next;
      else current = { ...current, servers: next.servers, parts: next.parts };
      if (!changed.includes('tools') && isDescribedAnew(known, next.servers)) {
        // What is told of a server stands in a tool of ours.
        current = { ...current, version: version + 1 };
        changed.push('tools');
      }
      for (const collision of next.collisions) {
        const key = `${collision.kind} ${collision.renamed.to}`;
        if (reported.has(key)) continue;
        reported.add(key);
        onCollision(collision);
      }
      for (const listener of listeners) listener(changed);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function isDescribedAnew(before: Catalog['servers'], after: Catalog['servers']): boolean {
  for (const [key, { description }] of after) {
    const known = before.get(key);
    if (known !== undefined && known.description !== description) return true;
  }
  return false;
}

function differs(before: Catalog, after: Catalog, kind: ListingKind): boolean {
  if (before[kind] === after[kind]) return false;
  if (before[kind].size !== after[kind].size) return true;
  const old = before[kind].values();
  for (const entry of after[kind].values()) {
    const was = old.next().value;
    if (was === undefined || was.name !== entry.name || was.server !== entry.server) return true;
    // Identical objects are the common case: an unchanged listing is carried over, not read again.
    if (was.ownItem !== entry.ownItem && JSON.stringify(was.ownItem) !== JSON.stringify(entry.ownItem)) return true;
  }
  return false;
}
