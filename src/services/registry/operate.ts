/** Switching servers on and off, reading anew what they offer, and taking them out with everything that is kept of them. */
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { type ExpectedRevisions, isExpected } from '../../domain/registered.ts';
import { type RegisteredServer, serverKeyOf } from '../../domain/registered-server.ts';
import type { ServerHealth } from '../../domain/server-health.ts';
import { findListDenial, mayChange, ungranted } from './access.ts';
import { deniedServer, done, noSuchServer, type RegistryDesk, type Result, stale } from './desk.ts';
import { removeGrants } from './group-access.ts';
import { nameOf, ownedByFile } from './ownership.ts';

export interface OperateServers {
  /** `enabled` null: the other way than it is. */
  toggle(
    who: Identity,
    path: string,
    enabled: boolean | null,
    expected: ExpectedRevisions,
  ): Promise<Result<RegisteredServer>>;
  refresh(who: Identity, path: string): Promise<Result<{ server: RegisteredServer; health: ServerHealth }>>;
  remove(who: Identity, path: string, expected: ExpectedRevisions): Promise<Result<string>>;
}

export function createOperateServers(desk: RegistryDesk): OperateServers {
  const { storage, policy, clock, live } = desk;
  return {
    toggle(who, path, wanted, expected) {
      return desk.write(async () => {
        for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
          const before = await storage.servers.find(path);
          if (before === null) return noSuchServer();
          if (!mayChange(policy(), who, 'toggle_service', before)) return deniedServer(ungranted('toggle_service'));
          if (!isExpected(expected, before)) return stale();
          const enabled = wanted ?? !before.enabled;
          if (enabled === before.enabled) return done(before);
          if (enabled && isOffInFile(before)) return offInFile(before);
          const next = { ...before, enabled, updatedAtMs: clock.wallMs() };
          const updated = await storage.servers.update(path, before.revision, next);
          if (updated.kind === 'missing') return noSuchServer();
          if (updated.kind === 'conflict') continue;
          desk.put(updated.value);
          desk.tell({ kind: 'server.toggled', server: updated.value });
          return done(updated.value);
        }
        return stale();
      });
    },

    async refresh(who, path) {
      const server = await storage.servers.find(path);
      if (server === null) return noSuchServer();
      const mayLook = mayChange(policy(), who, 'health_check_service', server);
      if (!mayLook) return deniedServer(ungranted('health_check_service'));
      const denial = findListDenial(policy(), who, server);
      if (denial !== null) return deniedServer(denial);
      if (!server.enabled || server.deployment === 'local') {
        const why = server.enabled ? 'runs on the machine of whoever uses it' : 'is switched off';
        return failure('INVALID_PARAMS', {}, { say: `The server ${why}: there is nothing to ask.` });
      }
      await live.refresh(serverKeyOf(server));
      desk.tell({ kind: 'server.refreshed', server });
      return done({ server, health: live.health(who, server) });
    },

    remove(who, path, expected) {
      return desk.write(async () => {
        const server = await storage.servers.find(path);
        if (server === null) return noSuchServer();
        if (!mayChange(policy(), who, 'delete_service', server)) return deniedServer(ungranted('delete_service'));
        const owned = ownedByFile(server);
        if (owned !== null) return owned;
        return (await removeEverywhere(desk, path, expected)) ? done(path) : stale();
      });
    },
  };
}

/** In the metadata of a file's server: the file itself says that it is off. */
export const OFF_IN_FILE = 'gatehouse.offInFile';
/** Another process's change in between is read and tried again so often. */
const ATTEMPTS = 3;

export const isOffInFile = ({ source, metadata }: RegisteredServer) =>
  source.kind === 'file' && metadata[OFF_IN_FILE] === true;

function offInFile({ source }: RegisteredServer): Failure {
  const file = source.kind === 'file' ? nameOf(source.file) : 'its file';
  return failure('CONFLICT', {}, { say: `This server is switched off in ${file}, and is switched on there.` });
}

/** With what groups were granted on it: whoever registers something at that path later starts without. */
async function removeEverywhere(desk: RegistryDesk, path: string, expected: ExpectedRevisions): Promise<boolean> {
  const groups = await desk.storage.transaction(async repositories => {
    const server = await repositories.servers.find(path);
    if (server !== null && !isExpected(expected, server)) return null;
    await repositories.servers.remove(path);
    await removeGrants(repositories, [path]);
    return repositories.groups.list();
  });
  if (groups === null) return false;
  desk.drop(path);
  desk.putGroups(groups);
  desk.tell({ kind: 'server.removed', path });
  return true;
}
