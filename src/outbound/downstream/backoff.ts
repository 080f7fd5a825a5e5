/** Waits between attempts: doubling, capped, and spread so that many servers that fell together do not return together. */
export interface Backoff {
  /** The next wait; each call doubles the one after. */
  nextMs(): number;
  reset(): void;
}

export function createBackoff(baseMs: number, maxMs: number, random: () => number = Math.random): Backoff {
  let attempts = 0;
  return {
    nextMs() {
      const wait = Math.min(baseMs * 2 ** Math.min(attempts, 30), maxMs);
      attempts += 1;
      // Half to one and a half: uniform, so no tenth of the window holds more than a tenth of the returns.
      return wait * (0.5 + random());
    },
    reset() {
      attempts = 0;
    },
  };
}
