/**
 * The repositories over the rows of a backend on this machine: what exists already, what somebody else changed first,
 * which version is active, what goes with a server. One rule, whatever keeps the rows.
 */
import { type ApprovedTool, isSameRecord } from '../../domain/approved-tool.ts';
import { withRating } from '../../domain/rating.ts';
import type { RegisteredServer, ServerDraft } from '../../domain/registered-server.ts';
import { keyOfPath } from '../../domain/registry-path.ts';
import { versionKey } from '../../domain/server.ts';
import type { DefinitionRepository } from '../../ports/definition-repository.ts';
import type { HealthRepository } from '../../ports/health-repository.ts';
import type { RatingRepository } from '../../ports/rating-repository.ts';
import type { Repositories } from '../../ports/registry-storage.ts';
import type { Added, Updated } from '../../ports/repository.ts';
import type { ServerRepository } from '../../ports/server-repository.ts';
import { compareTexts } from './matching.ts';
import type { EntryRows, RegistryRows } from './rows.ts';
import type { Turn } from './turns.ts';

export function bindRepositories(rows: RegistryRows, turn: Turn): Repositories {
  const { agents, groups, ratings } = rows;
  return {
    servers: bindServers(rows, turn),
    agents: {
      list: (filter, page) => turn.read(() => agents.list(filter, page)),
      ...bindEntries(
        rows,
        turn,
        agents,
        ({ path }) => path,
        path => ratings.remove({ kind: 'agent', path }),
      ),
    },
    groups: {
      list: () => turn.read(() => groups.all().sort((a, b) => compareTexts(a.scopeName, b.scopeName))),
      ...bindEntries(rows, turn, groups, ({ scopeName }) => scopeName),
    },
    ratings: bindRatings(rows, turn),
    definitions: bindDefinitions(rows, turn),
    health: bindHealth(rows, turn),
  };
}

/** Records that are one per key, and carry the revision of their latest change. */
function bindEntries<T extends { revision: number }>(
  { nextRevision }: RegistryRows,
  turn: Turn,
  entries: EntryRows<T>,
  keyOf: (draft: Omit<T, 'revision'>) => string,
  afterRemoval: (key: string) => void = () => {},
) {
  const store = (draft: Omit<T, 'revision'>): T => {
    const record = { ...draft, revision: nextRevision() } as T;
    entries.put(record);
    return record;
  };
  return {
    find: (key: string) => turn.read(() => entries.find(key)),
    add: (draft: Omit<T, 'revision'>) =>
      turn.write(
        (): Added<T> =>
          entries.find(keyOf(draft)) === null ? { kind: 'stored', value: store(draft) } : { kind: 'exists' },
      ),
    update: (key: string, expectedRevision: number | null, next: Omit<T, 'revision'>) =>
      turn.write(() => {
        if (keyOf(next) !== key) throw new RangeError(`a record keeps its key: ${key} cannot become ${keyOf(next)}`);
        return replace(entries.find(key), expectedRevision, () => store(next));
      }),
    remove: (key: string) =>
      turn.write(() => {
        if (!entries.remove(key)) return false;
        afterRemoval(key);
        nextRevision();
        return true;
      }),
  };
}

function replace<T extends { revision: number }>(
  now: T | null,
  expectedRevision: number | null,
  store: (now: T) => T,
): Updated<T> {
  if (now === null) return { kind: 'missing' };
  if (expectedRevision !== null && now.revision !== expectedRevision)
    return { kind: 'conflict', revision: now.revision };
  return { kind: 'stored', value: store(now) };
}

function bindServers({ servers, nextRevision, ...others }: RegistryRows, turn: Turn): ServerRepository {
  function store(draft: ServerDraft): RegisteredServer {
    const server = { ...draft, revision: nextRevision() };
    servers.put(server);
    return server;
  }

  function retire(path: string, atMs: number): void {
    const active = servers.findActive(path);
    if (active !== null) store({ ...active, isActiveVersion: false, updatedAtMs: atMs });
  }

  return {
    find: path => turn.read(() => servers.findActive(path)),
    findVersion: (path, version) => turn.read(() => servers.findVersion(path, version)),
    listVersions: path => turn.read(() => servers.listVersions(path)),
    listInactive: () => turn.read(() => servers.listInactive()),
    list: (filter, page) => turn.read(() => servers.list(filter, page)),
    add: draft =>
      turn.write(() => {
        const { path, version, source } = draft;
        if (!servers.belongs(path, source) || servers.findVersion(path, version) !== null) return { kind: 'exists' };
        const isActiveVersion = draft.isActiveVersion || servers.findActive(path) === null;
        // First, because two active versions are not for a moment.
        if (isActiveVersion) retire(path, draft.updatedAtMs);
        return { kind: 'stored', value: store({ ...draft, isActiveVersion }) };
      }),
    update: (path, expectedRevision, next) =>
      turn.write(() => {
        if (next.path !== path) throw new RangeError(`a record keeps its key: ${path} cannot become ${next.path}`);
        return replace(servers.findVersion(path, next.version), expectedRevision, ({ isActiveVersion }) =>
          store({ ...next, isActiveVersion }),
        );
      }),
    activate: (path, version, atMs) =>
      turn.write(() => {
        const next = servers.findVersion(path, version);
        if (next === null || next.isActiveVersion) return next;
        retire(path, atMs);
        return store({ ...next, isActiveVersion: true, updatedAtMs: atMs });
      }),
    removeVersion: (path, version) =>
      turn.write(() => {
        const gone = servers.findVersion(path, version);
        if (gone === null) return 'missing';
        if (gone.isActiveVersion) return 'active';
        servers.removeVersion(path, version);
        others.definitions.removeServer(versionKey(keyOfPath(path), version));
        nextRevision();
        return 'removed';
      }),
    remove: path =>
      turn.write(() => {
        const versions = servers.listVersions(path);
        if (versions.length === 0) return false;
        others.ratings.remove({ kind: 'server', path });
        others.definitions.removeServer(keyOfPath(path));
        for (const { version } of versions) others.definitions.removeServer(versionKey(keyOfPath(path), version));
        others.health.remove(path);
        servers.remove(path);
        nextRevision();
        return true;
      }),
  };
}

function bindRatings({ ratings, nextRevision }: RegistryRows, turn: Turn): RatingRepository {
  return {
    list: rated => turn.read(() => ratings.find(rated) ?? []),
    put: (rated, rating) =>
      turn.write(() => {
        const all = withRating(ratings.find(rated) ?? [], rating);
        ratings.put(rated, all, nextRevision());
        return all;
      }),
  };
}

function bindDefinitions({ definitions, nextRevision }: RegistryRows, turn: Turn): DefinitionRepository {
  const sorted = (tools: ApprovedTool[]) =>
    tools.sort((a, b) => compareTexts(a.server, b.server) || compareTexts(a.tool, b.tool));
  return {
    find: (server, tool) => turn.read(() => definitions.find(server, tool)),
    list: server =>
      turn.read(() => {
        const found = sorted(definitions.ofServer(server));
        return found.length > 0 || definitions.hasServer(server) ? found : null;
      }),
    listPending: () =>
      turn.read(() => sorted(definitions.pending().filter(({ server }) => definitions.hasServer(server)))),
    changedSince: revision =>
      turn.read(() => definitions.changedSince(revision).filter(({ server }) => definitions.hasServer(server))),
    put: (tools, from) =>
      turn.write(() => {
        // Both asked in the turn that writes: whoever took the server away, or approved, may have had the one before.
        if (![...new Set(tools.map(({ server }) => server))].every(definitions.hasServer)) return 'gone';
        const isAsRead = (read: ApprovedTool | null, at: number) => {
          const { server, tool } = tools[at] as ApprovedTool;
          return isSameRecord(definitions.find(server, tool), read);
        };
        if (from?.every(isAsRead) === false) return 'stale';
        for (const tool of tools) definitions.put(tool, nextRevision());
        return 'done';
      }),
    remove: (server, tool) =>
      turn.write(() => {
        if (!definitions.remove(server, tool)) return false;
        nextRevision();
        return true;
      }),
  };
}

function bindHealth({ health, nextRevision }: RegistryRows, turn: Turn): HealthRepository {
  return {
    find: path => turn.read(() => health.find(path)),
    list: () => turn.read(() => health.all().sort((a, b) => compareTexts(a.path, b.path))),
    put: findings =>
      turn.write(() => {
        for (const finding of findings) health.put(finding, nextRevision());
      }),
  };
}
