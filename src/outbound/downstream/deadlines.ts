/**
 * Time limits of many requests with one timer: it is set to the earliest and looks at all when it rings. A request that
 * is answered in time costs nothing but a comparison.
 */
import type { Clock } from '../../ports/clock.ts';

export interface Deadlines {
  /** Makes sure that `expire` is called at that time or a little later. Infinity: never. */
  note(deadlineMs: number): void;
  stop(): void;
}

/** `expire`: ends what is due by then and returns the earliest deadline that is left (Infinity: none). */
export function createDeadlines(clock: Clock, expire: (nowMs: number) => number): Deadlines {
  let nextMs = Number.POSITIVE_INFINITY;
  let cancel = (): void => {};

  function arm(deadlineMs: number): void {
    cancel();
    nextMs = deadlineMs;
    cancel = clock.after(Math.max(deadlineMs - clock.monotonicMs(), 0), ring);
  }

  function ring(): void {
    nextMs = Number.POSITIVE_INFINITY;
    const leftMs = expire(clock.monotonicMs());
    if (leftMs < nextMs) arm(leftMs);
  }

  return {
    note(deadlineMs) {
      if (deadlineMs < nextMs) arm(deadlineMs);
    },
    stop() {
      cancel();
      nextMs = Number.POSITIVE_INFINITY;
    },
  };
}
