/**
 * Stops calling a server that has stopped answering: open after some failures in a row, tried again by a probe of our own
 * after a wait that doubles (half-open), closed by its answer. Callers' requests are never the guinea pig.
 */
import type { Clock } from '../../ports/clock.ts';
import { createBackoff } from './backoff.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface Breaker {
  readonly state: BreakerState;
  /** Until the next probe; 0 when it is due. */
  readonly retryAfterMs: number;
  succeeded(): void;
  /** `floorMs`: the server asked for at least this wait. */
  failed(floorMs: number | null): void;
  /** The server was reached anew: closed, but one more failure opens it again. */
  recovered(): void;
  stop(): void;
}

export interface BreakerOptions {
  failures: number;
  baseMs: number;
  maxMs: number;
  clock: Clock;
  opened(): void;
  /** Answers by `recovered` or `failed`. */
  probe(): void;
}

export function createBreaker(options: BreakerOptions): Breaker {
  const { clock } = options;
  const backoff = createBackoff(options.baseMs, options.maxMs);
  let state: BreakerState = 'closed';
  let failures = 0;
  let retryAtMs = 0;
  let cancelTimer = (): void => {};

  function open(floorMs: number | null): void {
    const wasClosed = state === 'closed';
    state = 'open';
    const waitMs = Math.max(backoff.nextMs(), floorMs ?? 0);
    retryAtMs = clock.monotonicMs() + waitMs;
    cancelTimer();
    cancelTimer = clock.after(waitMs, () => {
      state = 'half-open';
      options.probe();
    });
    if (wasClosed) options.opened();
  }

  return {
    get state() {
      return state;
    },
    get retryAfterMs() {
      return state === 'closed' ? 0 : Math.max(Math.ceil(retryAtMs - clock.monotonicMs()), 1);
    },
    succeeded() {
      // A late answer to a call from before it opened is good news, but not the probe's.
      if (failures === 0 || state !== 'closed') return;
      failures = 0;
      backoff.reset();
    },
    failed(floorMs) {
      if (state === 'open') return;
      failures += 1;
      if (state === 'half-open' || failures >= options.failures) open(floorMs);
    },
    recovered() {
      cancelTimer();
      state = 'closed';
      failures = Math.min(failures, Math.max(options.failures - 1, 0));
    },
    stop() {
      cancelTimer();
    },
  };
}
