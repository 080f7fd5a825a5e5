/**
 * The machine's clock behind ports/clock.ts: the only file that reads time or sets timers for the house.
 */
import { performance } from 'node:perf_hooks';
import type { Clock } from '../ports/clock.ts';

/** Beyond it Node fires at once instead of late (a 32-bit limit). */
const MAX_TIMER_MS = 2_147_483_647;

export function createSystemClock(): Clock {
  return {
    monotonicMs: () => performance.now(),
    wallMs: () => Date.now(),
    after(ms, run) {
      const timer = setTimeout(run, Math.min(Math.max(ms, 0), MAX_TIMER_MS));
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}
