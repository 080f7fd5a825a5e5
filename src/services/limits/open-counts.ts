/**
 * How many are open at once, per name: calls under way, sessions, streams. A name stays after its last one is over and is
 * swept out with others later: a Map that loses an entry with every call is dear (see domain/slot-table.ts).
 */
export interface OpenCount {
  open: number;
}

/** Names to have before looking for those that nobody uses. */
const FIRST_SWEEP = 1024;

export class OpenCounts {
  #counts = new Map<string, OpenCount>();
  #sweepAt = FIRST_SWEEP;

  of(name: string): OpenCount {
    const known = this.#counts.get(name);
    if (known !== undefined) return known;
    if (this.#counts.size >= this.#sweepAt) this.#sweep();
    const count = { open: 0 };
    this.#counts.set(name, count);
    return count;
  }

  get names(): number {
    return this.#counts.size;
  }

  #sweep(): void {
    this.#counts = new Map([...this.#counts].filter(([, { open }]) => open > 0));
    this.#sweepAt = Math.max(FIRST_SWEEP, this.#counts.size * 2);
  }
}
