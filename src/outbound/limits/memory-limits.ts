/**
 * The limits of one process, counted in its memory and answered at once. Time is the monotonic clock's: a wall clock that
 * is set gives nobody a second helping and locks nobody out.
 */
import type { Clock } from '../../ports/clock.ts';
import type { CountedWindow, LimitStore, WindowVerdict } from '../../ports/limits.ts';
import { WindowTable } from './window-table.ts';

export interface MemoryLimits extends LimitStore {
  take(keys: readonly string[], windows: readonly CountedWindow[]): WindowVerdict;
  /** Of the counts; bounded. */
  bytes(): number;
}

export function createMemoryLimits(clock: Pick<Clock, 'monotonicMs'>, table = new WindowTable()): MemoryLimits {
  return {
    take(keys, windows) {
      const nowMs = clock.monotonicMs();
      const full = findFull(table, keys, windows, nowMs);
      if (full !== null) return full;
      let tightest: WindowVerdict | null = null;
      for (let i = 0; i < windows.length; i++) {
        const window = windows[i];
        if (window === undefined) break;
        const place = table.open(window.id, keys[i] ?? '', window.perMs, nowMs);
        place.add();
        const remaining = Math.max(0, window.calls - place.used());
        if (tightest !== null && remaining >= tightest.remaining) continue;
        const resetMs = Math.max(0, place.msUntilBelow(1, nowMs));
        tightest = { fullAt: -1, limit: window.calls, remaining, retryAfterMs: 0, resetMs };
      }
      if (tightest === null) throw new Error('a call was counted in no window');
      return tightest;
    },
    bytes: () => table.bytes(),
  };
}

/** Of several full ones, the one that stays full longest: to come back sooner would be in vain. */
function findFull(
  table: WindowTable,
  keys: readonly string[],
  windows: readonly CountedWindow[],
  nowMs: number,
): WindowVerdict | null {
  let full: WindowVerdict | null = null;
  for (let i = 0; i < windows.length; i++) {
    const window = windows[i];
    if (window === undefined) break;
    const place = table.open(window.id, keys[i] ?? '', window.perMs, nowMs);
    const waitMs = place.msUntilBelow(window.calls, nowMs);
    if (waitMs <= 0 || (full !== null && waitMs <= full.retryAfterMs)) continue;
    full = {
      fullAt: i,
      limit: window.calls,
      remaining: 0,
      retryAfterMs: Math.max(1, Math.ceil(waitMs)),
      resetMs: Math.max(1, Math.ceil(place.msUntilBelow(1, nowMs))),
    };
  }
  return full;
}
