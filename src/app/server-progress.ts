/** News of single servers for whoever waits for them at a terminal: each word once. */
import type { ServerStatus } from '../domain/server.ts';
import type { CatalogBook } from '../services/catalog/catalog-book.ts';

export interface ServerProgress {
  key: string;
  status: ServerStatus;
  tools: number;
  reason: string | null;
}

/** Returns what adds a listener, called whenever a server's status or number of tools changes. */
export function followServers(catalog: CatalogBook): (listener: (server: ServerProgress) => void) => void {
  const listeners: ((server: ServerProgress) => void)[] = [];
  const told = new Map<string, string>();
  catalog.onChange(() => {
    for (const { key, status, reason, listing } of catalog.current().servers.values()) {
      // A server counts as up once its tools are known: that is what a person waits for.
      if (status === 'ready' && listing === null) continue;
      const progress = { key, status, reason, tools: listing?.tools.length ?? 0 };
      const word = JSON.stringify(progress);
      if (told.get(key) === word) continue;
      told.set(key, word);
      for (const listener of listeners) listener(progress);
    }
  });
  return listener => void listeners.push(listener);
}
