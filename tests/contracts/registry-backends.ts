/** The backends of the registry that run here, each empty and for one test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createMemoryRegistry } from '../../src/outbound/memory/registry-storage.ts';
import { openSqliteRegistry } from '../../src/outbound/sqlite/registry-storage.ts';
import type { RegistryStorage } from '../../src/ports/registry-storage.ts';

export interface Backend {
  name: string;
  open(): RegistryStorage;
}

export function makePlace(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-registry-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'state', 'registry.db');
}

function closing(storage: RegistryStorage): RegistryStorage {
  onTestFinished(() => storage.close());
  return storage;
}

export function openSqlite(path: string, namespace = 'default'): RegistryStorage {
  return closing(openSqliteRegistry({ path, namespace }));
}

export const BACKENDS: readonly Backend[] = [
  { name: 'memory', open: () => closing(createMemoryRegistry()) },
  { name: 'sqlite', open: () => openSqlite(makePlace()) },
  {
    name: 'sqlite beside another namespace',
    open() {
      const path = makePlace();
      openSqlite(path, 'neighbour');
      return openSqlite(path, 'ours');
    },
  },
  {
    name: 'sqlite with files of servers',
    open() {
      const storage = openSqlite(makePlace());
      const names = new Set(['in-a-file']);
      // Whatever is asked afterwards waits for it.
      void storage.follow(new Map([['/etc/servers.json', names]]), async () => {});
      return storage;
    },
  },
];
