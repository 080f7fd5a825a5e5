import type { Log } from '../../ports/log.ts';
export function createFileWatch(_o: { paths: readonly string[]; debounceMs: number; log: Log; onChange(): void }) {
  return { changedSinceLastLook: async () => false, close: async () => {} };
}
