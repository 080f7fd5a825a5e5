/** Registered servers: versions per path, one of them active. The promises of repository.ts hold. */
import type { Lifecycle } from '../domain/registered.ts';
import type { RegisteredServer, ServerDraft } from '../domain/registered-server.ts';
import type { Added, Cursor, Page, PageRequest, Updated } from './repository.ts';

/** What is absent does not narrow. */
export interface ServerFilter {
  /** In name, path, description or a tag, whatever the case; every word of it somewhere. */
  query?: string;
  status?: Lifecycle;
  /** All of them; whatever the case. */
  tags?: readonly string[];
  enabled?: boolean;
  /** Changed after this revision. */
  changedSince?: number;
}

export interface ServerRepository {
  /** The active version. */
  find(path: string): Promise<RegisteredServer | null>;
  findVersion(path: string, version: string): Promise<RegisteredServer | null>;
  /** In the order they were added; empty: there is no such path. */
  listVersions(path: string): Promise<readonly RegisteredServer[]>;
  /** All that are not active, by path, each path's in the order they were added. */
  listInactive(): Promise<readonly RegisteredServer[]>;
  /** Active versions only. */
  list(filter: ServerFilter, page: PageRequest | Cursor): Promise<Page<RegisteredServer>>;
  /**
   * `exists`: this path has this version. The first version of a path becomes the active one whatever the draft says; a
   * later one that says so takes the place of the one before.
   */
  add(draft: ServerDraft): Promise<Added<RegisteredServer>>;
  /**
   * Puts `next` in the place of the same path and version. `expectedRevision` null: whatever it is now. Which version
   * is active does not change here.
   */
  update(path: string, expectedRevision: number | null, next: ServerDraft): Promise<Updated<RegisteredServer>>;
  /** Returns the version that is active now; null: there is no such version, and nothing changed. */
  activate(path: string, version: string, atMs: number): Promise<RegisteredServer | null>;
  /** The active version is removed only with its server. */
  removeVersion(path: string, version: string): Promise<'removed' | 'missing' | 'active'>;
  /** With everything kept about it: versions, ratings, health, approved definitions. False: there was none. */
  remove(path: string): Promise<boolean>;
}
