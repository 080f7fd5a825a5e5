/** Where the registry is kept: the one place that knows which backends there are. */
import type { Config } from '../config/config.ts';
import { createMemoryRegistry } from '../outbound/memory/registry-storage.ts';
import { openSqliteRegistry } from '../outbound/sqlite/registry-storage.ts';
import type { RegistryStorage } from '../ports/registry-storage.ts';
import type { ServerFiles } from '../ports/server-files.ts';

/**
 * `config`: the configuration in force, since its files may be others after a reload. Throws with a sentence for the
 * operator when what is there cannot be trusted.
 */
export function openStorage(config: () => Config): RegistryStorage {
  const { backend, path, namespace } = config().storage;
  // Nobody else has the memory of this process, so there is nothing to keep apart.
  if (backend === 'memory') return createMemoryRegistry();
  return openSqliteRegistry({ path, namespace, files: filesOf(config) });
}

function filesOf(config: () => Config): ServerFiles {
  return {
    all() {
      const { servers, config: settings } = config().files;
      return [servers, settings].filter(file => file !== null);
    },
    named: () => config().serverFiles.keys(),
    fileOf: server => config().serverFiles.get(server)?.[0] ?? null,
    isNamedIn: (file, server) => config().serverFiles.get(server)?.includes(file) ?? false,
  };
}
