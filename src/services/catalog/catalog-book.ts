/** The catalog in force, and news of its changes. Readers see the old snapshot or the new one, never between. */
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

export interface CatalogBook {
  current(): Catalog;
  /** Derives the next snapshot from the servers as they are now, in configured order. */
  rebuild(servers: readonly ServerView[]): void;
  /** Called after a swap with the kinds whose public items differ; may be empty when only a status changed. */
  onChange(listener: (changed: readonly ListingKind[]) => void): () => void;
}

export function createCatalogBook(style: PrefixStyle, onCollision: (collision: Collision) => void): CatalogBook {
  const claims: Claims = new Map();
  const reported = new Set<string>();
  const listeners = new Set<(changed: readonly ListingKind[]) => void>();
  let current = EMPTY_CATALOG;

  return {
    current: () => current,
    rebuild(servers) {
      // A status that changed is no new catalog: what was made ready from the old lists stays good.
      const next = withConditions(current, servers) ?? mergeCatalog(servers, style, claims, current);
      const changed = LISTING_KINDS.filter(kind => differs(current, next, kind));
      current = changed.length === 0 ? { ...current, servers: next.servers, parts: next.parts } : next;
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
