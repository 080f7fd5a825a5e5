/** A clock that moves only when told to; timers run in the order of their deadlines while it moves. */
import type { Clock } from '../../src/ports/clock.ts';

export interface FrozenClock extends Clock {
  /** Moves both hands and runs every timer that comes due, each at its own time. */
  advance(ms: number): void;
  /** Timers that are set and not yet due. */
  pending(): number;
}

export function createFrozenClock(startWallMs = Date.UTC(2026, 0, 1), startMonotonicMs = 1_000): FrozenClock {
  let elapsed = 0;
  let timers: { at: number; run: () => void }[] = [];
  return {
    monotonicMs: () => startMonotonicMs + elapsed,
    wallMs: () => startWallMs + elapsed,
    after(ms, run) {
      const timer = { at: elapsed + Math.max(0, ms), run };
      timers.push(timer);
      return () => {
        timers = timers.filter(other => other !== timer);
      };
    },
    advance(ms) {
      const until = elapsed + ms;
      for (;;) {
        const due = timers.filter(timer => timer.at <= until).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers = timers.filter(timer => timer !== due);
        elapsed = Math.max(elapsed, due.at);
        due.run();
      }
      elapsed = until;
    },
    pending: () => timers.length,
  };
}
