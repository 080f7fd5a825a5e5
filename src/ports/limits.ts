/** Where calls are counted. In this process, or in a store that several share: the latter answers later. */

export interface CountedWindow {
  /** Counts are kept under it and the key together. */
  id: string;
  calls: number;
  perMs: number;
}

/** The count that refused, or the one with the least left. Durations from now on. */
export interface WindowVerdict {
  /** Index of the window that is full; -1: all had room, and all were counted. */
  fullAt: number;
  limit: number;
  remaining: number;
  retryAfterMs: number;
  resetMs: number;
}

export interface LimitStore {
  /**
   * Counts one call under `keys[i]` in `windows[i]` for every i, or in none when one of them is full: what was refused
   * uses nothing up. Both lists have the same length, at least 1.
   */
  take(keys: readonly string[], windows: readonly CountedWindow[]): WindowVerdict | Promise<WindowVerdict>;
}
