/** Versions of one path: which there are, which one is active, and away with old ones. The active one is what is called. */
import { failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import type { RegisteredServer } from '../../domain/registered-server.ts';
import { mayChange, mayList } from './access.ts';
import { deniedServer, done, noSuchServer, type RegistryDesk, type Result } from './desk.ts';
import { ownedByFile } from './ownership.ts';

export interface ServerVersions {
  /** In the order they were added. */
  list(who: Identity, path: string): Promise<Result<readonly RegisteredServer[]>>;
  /** It stays switched off where the server is. */
  activate(who: Identity, path: string, version: string): Promise<Result<RegisteredServer>>;
  remove(who: Identity, path: string, version: string): Promise<Result<string>>;
}

export function createServerVersions(desk: RegistryDesk): ServerVersions {
  const { storage, policy, clock } = desk;
  const noSuchVersion = () => failure('NOT_FOUND', {}, { say: 'There is no such version of this server.' });

  async function findChangeable(who: Identity, path: string): Promise<Result<RegisteredServer>> {
    const server = await storage.servers.find(path);
    if (server === null) return noSuchServer();
    if (!mayChange(policy(), who, 'modify_service', server)) return deniedServer();
    return ownedByFile(server) ?? done(server);
  }

  return {
    async list(who, path) {
      const versions = await storage.servers.listVersions(path);
      const active = versions.find(({ isActiveVersion }) => isActiveVersion);
      if (active === undefined) return noSuchServer();
      return mayList(policy(), who, active) ? done(versions) : deniedServer();
    },

    activate(who, path, version) {
      return desk.write(async () => {
        const found = await findChangeable(who, path);
        if (found.kind === 'failure') return found;
        const { enabled } = found.value;
        const active = await storage.transaction(async ({ servers }) => {
          const next = await servers.activate(path, version, clock.wallMs());
          if (next === null || next.enabled === enabled) return next;
          const updated = await servers.update(path, next.revision, { ...next, enabled });
          return updated.kind === 'stored' ? updated.value : null;
        });
        if (active === null) return noSuchVersion();
        desk.put(active);
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
        if (removed === 'removed') return done(version);
        const say = 'This version is the active one: make another one active first, or remove the server.';
        return failure('CONFLICT', {}, { say });
      });
    },
  };
}
