/**
 * Gives memory back after work: V8 keeps the young generation it grew under load for as long as the process lives, unless
 * a collection is asked for. One is, when calls have stopped coming for a moment: some 30 to 60 ms, a third of the
 * process's memory. Not while anything is under way, and not where much is alive: the pause grows with that, and what
 * could be given back does not. Where V8 offers no collector this does nothing.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '../ports/clock.ts';

export interface IdleMemory {
  /** Something was done. Costs an addition. */
  note(): void;
}

/** What grew under fewer calls is not worth a pause. */
const WORTH_COLLECTING = 2_000;
const QUIET_MS = 400;
const MUCH_ALIVE_BYTES = 96 * 1024 * 1024;

export function createIdleMemory(clock: Clock, isBusy: () => boolean, collect: () => void = collectAll): IdleMemory {
  let done = 0;
  let seen = 0;
  let isWaiting = false;

  function look(): void {
    if (done === seen && !isBusy()) {
      isWaiting = false;
      if (done < WORTH_COLLECTING) return;
      done = 0;
      seen = 0;
      collect();
      return;
    }
    seen = done;
    clock.after(QUIET_MS, look);
  }

  return {
    note() {
      done += 1;
      if (isWaiting) return;
      isWaiting = true;
      clock.after(QUIET_MS, look);
    },
  };
}

type Collector = (options: { type: 'major'; flavor: 'last-resort' }) => void;

/** V8's own `gc`, which is there only when asked for; the flag is read whenever a context is made. */
function collectAll(): void {
  if (getHeapStatistics().used_heap_size > MUCH_ALIVE_BYTES) return;
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('globalThis.gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof found === 'function') (found as Collector)({ type: 'major', flavor: 'last-resort' });
}
