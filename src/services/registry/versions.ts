/**
 * Versions of one path: which there are, which one is active, and away with old ones. The active one is what is called by
 * whoever asks for none. Each has a visibility of its own, which only takes away from that of the active one.
 */
import { failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { type ExpectedRevisions, isExpected } from '../../domain/registered.ts';
import type { RegisteredServer } from '../../domain/registered-server.ts';
import { findListDenial, isVersionInSight, mayChange, maySetLifecycle, ungranted } from './access.ts';
import { deniedServer, done, noSuchServer, type RegistryDesk, type Result, stale } from './desk.ts';
import { ownedByFile } from './ownership.ts';

export interface ServerVersions {
  /** In the order they were added; those that this caller may see. */
  list(who: Identity, path: string): Promise<Result<readonly RegisteredServer[]>>;
  /** It stays switched off where the server is. */
  activate(
    who: Identity,
    path: string,
    version: string,
    expected: ExpectedRevisions,
  ): Promise<Result<RegisteredServer>>;
  remove(who: Identity, path: string, version: string): Promise<Result<string>>;
  /** As it is kept now; null: there is none that this caller may use, or it is switched off with its server. */
  find(who: Identity, path: string, version: string): RegisteredServer | null;
}

export function createServerVersions(desk: RegistryDesk): ServerVersions {
  const { storage, policy, clock } = desk;
  const noSuchVersion = () => failure('NOT_FOUND', {}, { say: 'There is no such version of this server.' });

  async function findChangeable(who: Identity, path: string): Promise<Result<RegisteredServer>> {
    const server = await storage.servers.find(path);
    if (server === null) return noSuchServer();
    if (!mayChange(policy(), who, 'modify_service', server)) return deniedServer(ungranted('modify_service'));
    return ownedByFile(server) ?? done(server);
  }

  return {
    async list(who, path) {
      const versions = await storage.servers.listVersions(path);
      const active = versions.find(({ isActiveVersion }) => isActiveVersion);
      if (active === undefined) return noSuchServer();
      const denial = findListDenial(policy(), who, active);
      if (denial !== null) return deniedServer(denial);
      return done(versions.filter(version => isVersionInSight(policy(), who, version)));
    },

    find(who, path, version) {
      const { servers, inactive } = desk.current();
      const active = servers.get(path);
      if (active === undefined || !active.enabled) return null;
      if (active.version === version) return active;
      const found = inactive.get(path)?.find(other => other.version === version);
      return found !== undefined && isVersionInSight(policy(), who, found) ? found : null;
    },

    activate(who, path, version, expected) {
      return desk.write(async () => {
        const found = await findChangeable(who, path);
        if (found.kind === 'failure') return found;
        const { enabled } = found.value;
        const active = await storage.transaction(async ({ servers }) => {
          const before = await servers.find(path);
          if (before !== null && !isExpected(expected, before)) return 'stale';
          const wanted = (await servers.listVersions(path)).find(other => other.version === version);
          if (before === null || wanted === undefined) return null;
          // A version further along would take the server with it.
          const step = { from: before.status, to: wanted.status };
          if (!maySetLifecycle(policy(), who, path, step)) return 'denied';
          const next = await servers.activate(path, version, clock.wallMs());
          if (next === null || next.enabled === enabled) return next;
          const updated = await servers.update(path, next.revision, { ...next, enabled });
          return updated.kind === 'stored' ? updated.value : null;
        });
        if (active === null) return noSuchVersion();
        if (active === 'stale') return stale();
        if (active === 'denied') return deniedServer(ungranted('change_lifecycle_status'));
        desk.put(active);
        await desk.readInactive(path);
        desk.tell({ kind: 'server.edited', server: active });
        return done(active);
      });
    },

    remove(who, path, version) {
      return desk.write(async () => {
        const found = await findChangeable(who, path);
        if (found.kind === 'failure') return found;
        const removed = await storage.servers.removeVersion(path, version);
        if (removed === 'missing') return noSuchVersion();
        if (removed === 'removed') {
          await desk.readInactive(path);
          desk.tell({ kind: 'server.versions', server: found.value });
          return done(version);
        }
        const say = 'This version is the active one: make another one active first, or remove the server.';
        return failure('CONFLICT', {}, { say });
      });
    },
  };
}
