/**
 * How much may be tried twice: a fifth of the traffic and ten a second more, so that repeating never becomes the load that
 * keeps a server down.
 */
import type { Clock } from '../../ports/clock.ts';

const SHARE = 0.2;
const PER_SECOND = 10;
const MAX_TOKENS = 20;

export interface RetryBudget {
  /** One request was accepted. */
  earn(): void;
  /** True: it may be tried again. */
  spend(): boolean;
}

export function createRetryBudget(clock: Clock): RetryBudget {
  let tokens = PER_SECOND;
  let refilledMs = clock.monotonicMs();
  return {
    earn() {
      if (tokens < MAX_TOKENS) tokens += SHARE;
    },
    spend() {
      const now = clock.monotonicMs();
      tokens = Math.min(tokens + ((now - refilledMs) / 1000) * PER_SECOND, MAX_TOKENS);
      refilledMs = now;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
