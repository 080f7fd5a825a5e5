/**
 * What every use case of the registry works with: the records in force as one snapshot, writes one after the other, and
 * word of each change to whoever listens. The snapshot follows the storage; a change is told once it is stored.
 */
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { PolicySet } from '../../domain/policy.ts';
import type { RegisteredGroup } from '../../domain/registered-group.ts';
import type { RegisteredServer } from '../../domain/registered-server.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { ServerHealth } from '../../domain/server-health.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { RegistryStorage } from '../../ports/registry-storage.ts';
import type { Sealer } from '../../ports/vault.ts';

export type Result<T> = { kind: 'done'; value: T } | Failure;

export const done = <T>(value: T): Result<T> => ({ kind: 'done', value });

export type RegistryChange =
  | {
      kind: 'server.registered' | 'server.edited' | 'server.toggled' | 'server.refreshed';
      /** Its active version. */
      server: RegisteredServer;
    }
  /** Versions that are not active came or went. */
  | { kind: 'server.versions'; server: RegisteredServer }
  | { kind: 'server.removed'; path: string }
  | { kind: 'groups.changed' };

export interface RegistrySnapshot {
  /** Active versions by path, in the order of their paths as far as they were there at the start. */
  servers: ReadonlyMap<string, RegisteredServer>;
  /** The others, by path; a path that has none is not there. */
  inactive: ReadonlyMap<string, readonly RegisteredServer[]>;
  groups: readonly RegisteredGroup[];
}

/** What the running gateway knows of its servers; the registry asks and keeps none of it. */
export interface LiveServers {
  /** Last known; null: it has not shown any yet. */
  tools(server: ServerKey): readonly JsonObject[] | null;
  /** With the number of tools that the caller may know of. */
  health(who: Identity, server: RegisteredServer): ServerHealth;
  /** Connects and reads what it offers now. */
  refresh(server: ServerKey): Promise<void>;
  /** Whether the caller may know of a tool: the question that a list of tools asks. */
  mayUse(who: Identity, server: ServerKey, tool: string): boolean;
}

export interface RegistryDeps {
  storage: RegistryStorage;
  policy(): PolicySet;
  /** The policy as it would be with these groups. */
  policyWith(groups: readonly RegisteredGroup[]): PolicySet;
  /** Scopes that the operator's file names; they are not ours to change. */
  scopesOfFile(): { file: string; names: ReadonlySet<string> } | null;
  /** Null: credentials cannot be kept. */
  sealer: Sealer | null;
  live: LiveServers;
  /** Null: the URL may be called. Otherwise a sentence that is the same for every reason. */
  checkUrl(url: string): Promise<string | null>;
  /** Commands that administrators may register; empty: nobody may. */
  allowCommands: readonly string[];
  /** Variables of the gateway that a registered command may be given. */
  allowEnv: readonly string[];
  clock: Clock;
  log: Log;
}

export interface RegistryDesk extends RegistryDeps {
  current(): RegistrySnapshot;
  load(): Promise<void>;
  /** Takes in what another process has written, and tells of it like of a change made here. */
  catchUp(): Promise<void>;
  /** One at a time, so that the snapshot never goes back. */
  write<T>(work: () => Promise<T>): Promise<T>;
  put(server: RegisteredServer): void;
  /** Reads the versions of a path that are not active. */
  readInactive(path: string): Promise<void>;
  drop(path: string): void;
  putGroups(groups: readonly RegisteredGroup[]): void;
  /** What changed at once: each listener is called once for all of it, or not at all where it is nothing. */
  tell(...changes: RegistryChange[]): void;
  onChange(listener: (changes: readonly RegistryChange[]) => void): () => void;
}

const PAGE = 500;

export function createDesk(deps: RegistryDeps): RegistryDesk {
  const { storage, log } = deps;
  const listeners = new Set<(changes: readonly RegistryChange[]) => void>();
  let servers = new Map<string, RegisteredServer>();
  let inactive = new Map<string, readonly RegisteredServer[]>();
  let groups: readonly RegisteredGroup[] = [];
  let last: Promise<unknown> = Promise.resolve();

  function queue<T>(work: () => Promise<T>): Promise<T> {
    const next = last.then(work, work);
    last = next.catch(() => {});
    return next;
  }

  async function read() {
    const found = new Map<string, RegisteredServer>();
    for (let after: string | null = null; ; ) {
      const { items } = await storage.servers.list({}, { after, limit: PAGE });
      for (const server of items) found.set(server.path, server);
      after = items.at(-1)?.path ?? null;
      if (items.length < PAGE) break;
    }
    const others = Map.groupBy(await storage.servers.listInactive(), ({ path }) => path);
    return { servers: found, inactive: others, groups: await storage.groups.list() };
  }

  function tell(...changes: RegistryChange[]): void {
    if (changes.length === 0) return;
    for (const listener of listeners) {
      try {
        listener(changes);
      } catch (cause) {
        log.error('a listener for changes of the registry failed', { detail: String(cause) });
      }
    }
  }

  /** From one snapshot to the one in force. */
  function changesSince(before: RegistrySnapshot): RegistryChange[] {
    const changes: RegistryChange[] = [];
    for (const path of before.servers.keys()) if (!servers.has(path)) changes.push({ kind: 'server.removed', path });
    for (const server of servers.values()) {
      const was = before.servers.get(server.path);
      if (was === undefined) changes.push({ kind: 'server.registered', server });
      else if (was.revision !== server.revision) changes.push({ kind: 'server.edited', server });
      else if (versionsOf(before.inactive.get(server.path)) !== versionsOf(inactive.get(server.path)))
        changes.push({ kind: 'server.versions', server });
    }
    const marks = (all: readonly RegisteredGroup[]) => JSON.stringify(all.map(one => [one.scopeName, one.revision]));
    if (marks(before.groups) !== marks(groups)) changes.push({ kind: 'groups.changed' });
    return changes;
  }

  return {
    ...deps,
    current: () => ({ servers, inactive, groups }),
    async load() {
      ({ servers, inactive, groups } = await read());
    },
    catchUp: () =>
      queue(async () => {
        const before = { servers, inactive, groups };
        ({ servers, inactive, groups } = await read());
        tell(...changesSince(before));
      }),
    write: queue,
    put(server) {
      servers = new Map(servers).set(server.path, server);
    },
    async readInactive(path) {
      const others = (await storage.servers.listVersions(path)).filter(({ isActiveVersion }) => !isActiveVersion);
      inactive = new Map(inactive);
      if (others.length === 0) inactive.delete(path);
      else inactive.set(path, others);
    },
    drop(path) {
      servers = new Map(servers);
      servers.delete(path);
      inactive = new Map(inactive);
      inactive.delete(path);
    },
    putGroups(next) {
      groups = next;
    },
    tell,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const versionsOf = (servers: readonly RegisteredServer[] = []) =>
  servers.map(({ version, revision }) => `${version} ${revision}`).join();

export const noSuchServer = (): Failure => failure('NOT_FOUND', {}, { say: 'There is no server at this path.' });
/** `what`: the action that was not granted there, or what its caller is not. */
export function deniedServer(what: string): Failure {
  const rule = `ui: ${what}`;
  return failure('DENIED_BY_POLICY', { rule }, { say: `Denied by policy: ${rule}.` });
}
export const NO_KEEPER = 'no keeper of groups';
export const stale = (): Failure => failure('STALE');
