/**
 * Servers of the operator's files in the registry: they are seen, rated and switched like any other, and changed only
 * where they are written. What is gone from the files is gone from here; other gateways' files are not ours to empty.
 */
import type { RegisteredServer, ServerDraft } from '../../domain/registered-server.ts';
import { pathOfKey, readRegistryPath } from '../../domain/registry-path.ts';
import type { ServerSpec } from '../../domain/server.ts';
import { fileOf, type ServerFiles } from '../../domain/server-files.ts';
import type { Repositories } from '../../ports/registry-storage.ts';
import type { RegistryDesk } from './desk.ts';
import { removeGrants } from './group-access.ts';
import { OFF_IN_FILE } from './operate.ts';
import { NO_SECRETS } from './server-secrets.ts';

/**
 * Puts these files in force, and with them the servers that they name; all of it or, when it rejects, nothing. `specs`:
 * each server once, as the file says that counts.
 */
export type TakeInFiles = (files: ServerFiles, specs: readonly ServerSpec[]) => Promise<void>;

interface Seed {
  spec: ServerSpec;
  file: string;
}

export function createTakeInFiles(desk: RegistryDesk): TakeInFiles {
  const { storage, clock, log } = desk;

  function findSeeds(files: ServerFiles, specs: readonly ServerSpec[]): Map<string, Seed> {
    const seeds = new Map<string, Seed>();
    for (const spec of specs) {
      const file = fileOf(files, spec.key);
      const read = readRegistryPath(pathOfKey(spec.key));
      if (!read.ok)
        log.warn('a server of a file is not shown in the registry', { server: spec.key, detail: read.reason });
      else if (file !== null) seeds.set(read.path, { spec, file });
    }
    return seeds;
  }

  async function importOne({ servers }: Repositories, path: string, seed: Seed): Promise<void> {
    const before = await servers.find(path);
    const next = toDraft(path, seed, before, clock.wallMs());
    if (before === null) await servers.add(next);
    else if (!isSameRecord(before, next)) await servers.update(path, null, next);
  }

  return async (files, specs) => {
    const seeds = findSeeds(files, specs);
    const { behind } = await desk.write(() =>
      storage.follow(files, async (repositories, followed) => {
        for (const [path, seed] of seeds) await importOne(repositories, path, seed);
        const gone: string[] = [];
        // What was registered at the same path counts again, with its grants.
        for (const path of followed.gone) if ((await repositories.servers.find(path)) === null) gone.push(path);
        await removeGrants(repositories, gone);
        return followed;
      }),
    );
    for (const server of behind)
      log.warn('a file names a server that is registered, too; the one of the file is used', {
        server,
        file: seeds.get(server)?.file,
      });
  };
}

/** Arguments, variables and queries of addresses may hold secrets: they stay in the file. */
function toDraft(path: string, { spec, file }: Seed, before: RegisteredServer | null, nowMs: number): ServerDraft {
  const { link, key, description, enabled } = spec;
  const isHttp = link.kind === 'http';
  return {
    ...{ path, version: 'v1.0.0', isActiveVersion: true, name: key, description: description ?? '', tags: [] },
    ...{ license: null, visibility: 'public', allowedGroups: [], status: 'active', owner: 'file', sunsetDate: null },
    ...{ registeredBy: 'file', registeredAtMs: before?.registeredAtMs ?? nowMs, updatedAtMs: nowMs },
    ...{ source: { kind: 'file', file }, proxyUrl: null, sseEndpoint: null, launch: null, ...NO_SECRETS },
    ...{ deployment: 'remote', localRuntime: null, numTools: 0 },
    mcpEndpoint: isHttp ? withoutQuery(link.url) : null,
    transport: isHttp ? link.transport : 'stdio',
    supportedTransports: [isHttp ? (link.transport === 'auto' ? 'streamable-http' : link.transport) : 'stdio'],
    enabled: isSwitchedOn(enabled, before),
    metadata: enabled ? {} : { [OFF_IN_FILE]: true },
  };
}

/** What was switched here stays so, until the file itself says that the server is off, or no longer says so. */
function isSwitchedOn(inFile: boolean, before: RegisteredServer | null): boolean {
  if (!inFile || before === null || before.metadata[OFF_IN_FILE] === true) return inFile;
  return before.enabled;
}

function withoutQuery(address: string): string {
  const url = new URL(address);
  url.search = '';
  return url.href;
}

function isSameRecord(before: RegisteredServer, next: ServerDraft): boolean {
  const { revision: _revision, updatedAtMs: _at, ...was } = before;
  const { updatedAtMs: _now, ...is } = next;
  const sorted = (record: object) => JSON.stringify(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sorted(was) === sorted(is);
}
