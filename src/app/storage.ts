/** Where the registry is kept: the one place that knows which backends there are. */
import type { StorageConfig } from '../config/storage-config.ts';
import { createMemoryRegistry } from '../outbound/memory/registry-storage.ts';
import { openSqliteRegistry } from '../outbound/sqlite/registry-storage.ts';
import type { RegistryStorage } from '../ports/registry-storage.ts';

/** Throws with a sentence for the operator when what is there cannot be trusted. */
export function openStorage({ backend, path, namespace }: StorageConfig): RegistryStorage {
  return backend === 'memory' ? createMemoryRegistry() : openSqliteRegistry({ path, namespace });
}
