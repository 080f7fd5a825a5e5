/** Long work in short slices: between two of them the event loop answers whoever else is waiting. */
import type { Clock } from '../../ports/clock.ts';

const SLICE_MS = 6;

/** Call it between two small steps; now and then it waits for everybody else. */
export function createSlices(clock: Clock): () => Promise<void> | null {
  let until = clock.monotonicMs() + SLICE_MS;
  return () => {
    if (clock.monotonicMs() < until) return null;
    return new Promise(resolve => {
      setImmediate(() => {
        until = clock.monotonicMs() + SLICE_MS;
        resolve();
      });
    });
  };
}
