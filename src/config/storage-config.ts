/**
 * The `storage` section: what keeps the registry, and where. STORAGE_BACKEND wins over `backend`. By default the file is
 * beside the audit ledger; a relative path is relative to the file of the configuration.
 */
import { dirname, isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { isNamespace, NAMESPACE_RULE } from '../domain/namespace.ts';

export const STORAGE_BACKENDS = ['sqlite', 'memory'] as const;
export type StorageBackend = (typeof STORAGE_BACKENDS)[number];

export const StorageSection = z.strictObject({
  backend: z.enum(STORAGE_BACKENDS).optional(),
  path: z.string().min(1, 'must not be empty').optional(),
  namespace: z.string().refine(isNamespace, NAMESPACE_RULE).optional(),
});
export type StorageSection = z.output<typeof StorageSection>;

export interface StorageConfig {
  backend: StorageBackend;
  /** Absolute; of no use in memory. */
  path: string;
  namespace: string;
}

const FILE = 'registry.db';

/** `auditPath`: absolute. */
export function toStorageConfig(
  written: StorageSection | undefined,
  from: { variable: StorageBackend | undefined; folder: string; auditPath: string },
): StorageConfig {
  const { path } = written ?? {};
  return {
    backend: from.variable ?? written?.backend ?? 'sqlite',
    path: path === undefined ? resolve(dirname(from.auditPath), FILE) : toPath(path, from.folder),
    namespace: written?.namespace ?? 'default',
  };
}

function toPath(written: string, folder: string): string {
  return isAbsolute(written) ? written : resolve(folder, written);
}
