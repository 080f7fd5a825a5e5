/** One slow tick for everything that is open: streams that must not look dead, answers that take long. */
import type { Clock } from '../../ports/clock.ts';

const TICK_MS = 5000;

export interface Kept {
  /** `nowMs` is monotonic. */
  tick(nowMs: number): void;
}

export interface KeepAlive {
  add(kept: Kept): void;
  delete(kept: Kept): void;
  size(): number;
  stop(): void;
}

export function createKeepAlive(clock: Clock): KeepAlive {
  const all = new Set<Kept>();
  let stopTimer = () => {};
  const tick = () => {
    const now = clock.monotonicMs();
    for (const kept of [...all]) kept.tick(now);
    stopTimer = clock.after(TICK_MS, tick);
  };
  stopTimer = clock.after(TICK_MS, tick);
  return {
    add: kept => void all.add(kept),
    delete: kept => void all.delete(kept),
    size: () => all.size,
    stop: () => stopTimer(),
  };
}
