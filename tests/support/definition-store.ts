/** Definitions kept in a map that outlives the pins that use it, as a database does, with the faults a test asks for. */
import { type ApprovedTool, isSameRecord } from '../../src/domain/approved-tool.ts';
import type { DefinitionRepository } from '../../src/ports/definition-repository.ts';

export interface DefinitionStore extends DefinitionRepository {
  writes: number;
  /** So many of the next questions fail. */
  failures: number;
  /** Servers that are not there any more. */
  readonly gone: Set<string>;
  /** Done once, between the reading and the writing of whoever writes next. */
  meanwhile: (() => Promise<unknown>) | null;
  /** What is kept, whatever fails. */
  /** Of the last change. */
  revision(): number;
  peek(server: string, tool: string): ApprovedTool | null;
}

export function createDefinitionStore(): DefinitionStore {
  const kept = new Map<string, ApprovedTool>();
  const revisions = new Map<string, number>();
  let revision = 0;
  const fail = () => {
    if (store.failures <= 0) return;
    store.failures--;
    throw new Error('disk I/O error');
  };
  const keyOf = ({ server, tool }: ApprovedTool) => `${server} ${tool}`;
  const store: DefinitionStore = {
    ...{ writes: 0, failures: 0, gone: new Set(), meanwhile: null },
    async find(server, tool) {
      fail();
      return kept.get(`${server} ${tool}`) ?? null;
    },
    async list(server) {
      fail();
      return store.gone.has(server) ? null : [...kept.values()].filter(entry => entry.server === server);
    },
    listPending: async () => [...kept.values()].filter(({ pending }) => pending !== null),
    changedSince: async revision =>
      [...kept].filter(([key]) => (revisions.get(key) ?? 0) > revision).map(([, entry]) => entry),
    async put(tools, from) {
      const { meanwhile } = store;
      store.meanwhile = null;
      await meanwhile?.();
      fail();
      if (tools.some(({ server }) => store.gone.has(server))) return 'gone';
      const isAsRead = (read: ApprovedTool | null, at: number) =>
        isSameRecord(kept.get(keyOf(tools[at] as ApprovedTool)) ?? null, read);
      if (from?.every(isAsRead) === false) return 'stale';
      store.writes++;
      for (const entry of tools) {
        kept.set(keyOf(entry), structuredClone(entry));
        revisions.set(keyOf(entry), ++revision);
      }
      return 'done';
    },
    revision: () => revision,
    peek: (server, tool) => kept.get(`${server} ${tool}`) ?? null,
    remove: async (server, tool) => kept.delete(`${server} ${tool}`),
  };
  return store;
}
