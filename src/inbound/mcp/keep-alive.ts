/** One slow tick for everything that is open: streams that must not look dead, answers that take long. */
import type { Identity } from '../../domain/identity.ts';
import { SlotTable } from '../../domain/slot-table.ts';
import type { Clock } from '../../ports/clock.ts';

const TICK_MS = 5000;

export interface Kept {
  /** `nowMs` is monotonic. */
  tick(nowMs: number): void;
}

export interface KeepAlive {
  /** Returns the number to delete it by. */
  add(kept: Kept): number;
  delete(id: number): void;
  size(): number;
  stop(): void;
}

export function createKeepAlive(clock: Clock): KeepAlive {
  const all = new SlotTable<Kept>();
  let stopTimer = () => {};
  const tick = () => {
    const now = clock.monotonicMs();
    for (const kept of all.items()) kept.tick(now);
    stopTimer = clock.after(TICK_MS, tick);
  };
  stopTimer = clock.after(TICK_MS, tick);
  return {
    add: kept => all.add(kept),
    delete: id => void all.delete(id),
    size: () => all.size,
    stop: () => stopTimer(),
  };
}

/** Ends what runs for a caller, in the way its protocol asks, with the first tick after its credential is no longer good. */
export function endWhenInvalid(
  running: { finish(): void },
  who: Identity,
  stillValid: (who: Identity) => boolean,
): Kept {
  return {
    tick() {
      if (!stillValid(who)) running.finish();
    },
  };
}
