/**
 * What a backend on this machine must know how to do: find, put and take away records, each at once. What may be done to
 * them and when is in repositories.ts, once for all such backends.
 */
import type { ApprovedTool } from '../../domain/approved-tool.ts';
import type { Ratings } from '../../domain/rating.ts';
import type { RegisteredAgent } from '../../domain/registered-agent.ts';
import type { RegisteredGroup } from '../../domain/registered-group.ts';
import type { RegisteredServer } from '../../domain/registered-server.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { ServerHealth } from '../../domain/server-health.ts';
import type { Rated } from '../../ports/rating-repository.ts';
import type { Cursor, Page, PageRequest } from '../../ports/repository.ts';
import type { Narrowing } from './matching.ts';

export interface EntryRows<T> {
  find(key: string): T | null;
  put(record: T): void;
  /** False: there was none. */
  remove(key: string): boolean;
}

export interface ServerRows {
  findActive(path: string): RegisteredServer | null;
  findVersion(path: string, version: string): RegisteredServer | null;
  /** In the order they were first put. */
  listVersions(path: string): RegisteredServer[];
  /** By path, each path's in the order they were first put. */
  listInactive(): RegisteredServer[];
  list(filter: Narrowing, page: PageRequest | Cursor): Page<RegisteredServer>;
  /** In the place of the same path and version. Throws where it does not belong. */
  put(server: RegisteredServer): void;
  /** Whether a record of this source may be kept at a path: what a file names is that file's, and nobody else's. */
  belongs(path: string, source: RegisteredServer['source']): boolean;
  removeVersion(path: string, version: string): void;
  /** All versions; false: there was none. */
  remove(path: string): boolean;
}

export interface RegistryRows {
  /** Draws the next number of the one sequence, within the transaction of the change that gets it. */
  nextRevision(): number;
  lastRevision(): number;
  /** Every server of which anything is kept: a record, stars, health, definitions. */
  knownServers(): Set<ServerKey>;
  servers: ServerRows;
  agents: EntryRows<RegisteredAgent> & { list(filter: Narrowing, page: PageRequest | Cursor): Page<RegisteredAgent> };
  ratings: {
    find(rated: Rated): Ratings | null;
    put(rated: Rated, ratings: Ratings, revision: number): void;
    remove(rated: Rated): void;
  };
  groups: EntryRows<RegisteredGroup> & { all(): RegisteredGroup[] };
  definitions: {
    find(server: string, tool: string): ApprovedTool | null;
    ofServer(server: string): ApprovedTool[];
    pending(): ApprovedTool[];
    changedSince(revision: number): ApprovedTool[];
    put(tool: ApprovedTool, revision: number): void;
    remove(server: string, tool: string): boolean;
    removeServer(server: string): void;
    /** Whether the server, or that version of it, is there: nothing is kept for one that is gone. */
    hasServer(server: string): boolean;
  };
  health: {
    find(path: string): ServerHealth | null;
    all(): ServerHealth[];
    put(finding: ServerHealth, revision: number): void;
    remove(path: string): void;
  };
}
