/**
 * Servers of the operator's files in the registry: they are seen, rated and switched like any other, and changed only
 * where they are written. What is gone from the files is gone from here; other gateways' files are not ours to empty.
 */
import type { RegisteredServer, ServerDraft } from '../../domain/registered-server.ts';
import { pathOfKey, readRegistryPath } from '../../domain/registry-path.ts';
import type { ServerSpec } from '../../domain/server.ts';
import type { RegistryDesk } from './desk.ts';
import { OFF_IN_FILE, removeEverywhere } from './operate.ts';
import { NO_SECRETS } from './server-secrets.ts';

export interface Seed {
  spec: ServerSpec;
  /** Absolute path of the file that names it. */
  file: string;
}

/** Makes the registry's servers of files equal to these. */
export type ImportSeeds = (seeds: readonly Seed[]) => Promise<void>;

/** Of one gateway, in which a server may have been. */
const MOST_FILES = 3;

export function createImportSeeds(desk: RegistryDesk): ImportSeeds {
  const { storage, clock, log } = desk;

  async function importOne(path: string, seed: Seed): Promise<void> {
    const before = await storage.servers.find(path);
    if (before === null) {
      const added = await storage.servers.add(toDraft(path, seed, null, clock.wallMs()));
      if (added.kind === 'exists') return;
      desk.put(added.value);
      return desk.tell({ kind: 'server.registered', server: added.value });
    }
    if (before.source.kind !== 'file') {
      // Nothing that was registered is lost: it counts again when the file no longer names it.
      return log.warn('a file names a server that is registered already; the one of the file is used', {
        server: path,
        file: seed.file,
      });
    }
    const next = toDraft(path, seed, before, clock.wallMs());
    if (isSameRecord(before, next)) return;
    const updated = await storage.servers.update(path, null, next);
    if (updated.kind !== 'stored') return;
    desk.put(updated.value);
    desk.tell({ kind: 'server.edited', server: updated.value });
  }

  /** From every file of ours: it may have moved from one to another. */
  async function forget(path: string): Promise<void> {
    const isThere = () => desk.current().servers.get(path)?.source.kind === 'file';
    // What a newer configuration names again stays, and its own import follows.
    for (let file = 0; file < MOST_FILES && isThere(); file++) await removeEverywhere(desk, path, null);
  }

  return async seeds => {
    // Other files may be ours since the last time, and with them other servers in sight.
    await desk.catchUp();
    return desk.write(async () => {
      const wanted = new Map<string, Seed>();
      for (const seed of seeds) {
        const read = readRegistryPath(pathOfKey(seed.spec.key));
        if (read.ok) wanted.set(read.path, seed);
        else
          log.warn('a server of a file is not shown in the registry', { server: seed.spec.key, detail: read.reason });
      }
      for (const { path, source } of [...desk.current().servers.values()]) {
        if (source.kind === 'file' && !wanted.has(path)) await forget(path);
      }
      for (const [path, seed] of wanted) await importOne(path, seed);
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
