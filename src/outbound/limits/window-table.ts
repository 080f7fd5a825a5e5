/**
 * Counts of calls per key in one process, in flat arrays: no object per key, a fixed most of them, and whoever was seen
 * least lately makes room. Keys are kept as 64 keyed bits, never as text. A window is four quarters that slide: what a
 * quarter counted is forgotten a whole window after the quarter began. So a caller that keeps to its limit is never
 * refused, and no stretch of three quarters ever holds more than the limit.
 */
import { KeyedHash } from './keyed-hash.ts';

const QUARTERS = 4;
/** Slots a key may be in: wide enough that few keys lose theirs before the table is nearly full. */
const WAYS = 16;
/** Each grows by itself, so that growing never stops the process for long. */
const SEGMENTS = 96;
const FIRST_SETS = 4;
const BYTES_PER_SLOT = 8 + 8 + QUARTERS * 4 + 4;

/** Room for a million keys and half as much again, in 57 MB; a table of few keys has 0.2 MB. */
const MOST_SETS = 1024;

export class WindowTable {
  readonly #hash = new KeyedHash();
  readonly #segments: Segment[];

  /** `mostSets`: a power of two. */
  constructor(mostSets = MOST_SETS) {
    this.#segments = Array.from({ length: SEGMENTS }, () => new Segment(mostSets));
  }

  /** The place of a key, brought up to `nowMs`; it may be another key's after the next call of this. */
  open(id: string, key: string, perMs: number, nowMs: number): Place {
    const hash = this.#hash;
    hash.digest(id, key);
    const { low, high } = hash;
    const segment = this.#segments[high % SEGMENTS] ?? this.#segments[0];
    if (segment === undefined) throw new Error('a table without segments');
    // No key is 0: that is what an empty slot says.
    return segment.open(low === 0 ? 1 : low, high, perMs, nowMs);
  }

  bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.slots * BYTES_PER_SLOT, 0);
  }
}

/** Where a key is counted. One object per segment, moved about: nothing is made per call. */
export interface Place {
  used(): number;
  add(): void;
  /** Until the count falls below `limit`; 0: it is. */
  msUntilBelow(limit: number, nowMs: number): number;
}

class Segment implements Place {
  #sets = FIRST_SETS;
  readonly #mostSets: number;
  #ids = new Uint32Array(FIRST_SETS * WAYS * 2);
  /** When everything in the slot is forgotten: a window after its newest quarter began. */
  #untilMs = new Float64Array(FIRST_SETS * WAYS);
  /** Newest quarter first. */
  #counts = new Uint32Array(FIRST_SETS * WAYS * QUARTERS);
  #seenAtS = new Uint32Array(FIRST_SETS * WAYS);
  #at = 0;
  #perMs = 0;

  constructor(mostSets: number) {
    this.#mostSets = Math.max(mostSets, FIRST_SETS);
  }

  get slots(): number {
    return this.#sets * WAYS;
  }

  open(low: number, high: number, perMs: number, nowMs: number): Place {
    const found = this.#find(low, high);
    const slot = found ?? this.#claim(low, high, nowMs);
    this.#at = slot;
    this.#perMs = perMs;
    this.#seenAtS[slot] = nowMs / 1000;
    if (found === null) this.#begin(slot, nowMs);
    else this.#slide(slot, nowMs);
    return this;
  }

  used(): number {
    const at = this.#at * QUARTERS;
    const counts = this.#counts;
    return (counts[at] ?? 0) + (counts[at + 1] ?? 0) + (counts[at + 2] ?? 0) + (counts[at + 3] ?? 0);
  }

  add(): void {
    const at = this.#at * QUARTERS;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  msUntilBelow(limit: number, nowMs: number): number {
    const at = this.#at * QUARTERS;
    let used = this.used();
    if (used < limit) return 0;
    const quarterMs = this.#perMs / QUARTERS;
    const newestEndsMs = this.#untilMs[this.#at] ?? 0;
    for (let age = QUARTERS - 1; age > 0; age--) {
      used -= this.#counts[at + age] ?? 0;
      if (used < limit) return newestEndsMs - age * quarterMs - nowMs;
    }
    return newestEndsMs - nowMs;
  }

  #find(low: number, high: number): number | null {
    const ids = this.#ids;
    const from = (low & (this.#sets - 1)) * WAYS;
    for (let slot = from; slot < from + WAYS; slot++) {
      if (ids[slot * 2] === low && ids[slot * 2 + 1] === high) return slot;
    }
    return null;
  }

  /** A slot that says nothing any more, or one of a larger table, or the one whose key was seen least lately. */
  #claim(low: number, high: number, nowMs: number): number {
    const from = (low & (this.#sets - 1)) * WAYS;
    let oldest = from;
    for (let slot = from; slot < from + WAYS; slot++) {
      if (this.#ids[slot * 2] === 0 || (this.#untilMs[slot] ?? 0) <= nowMs) {
        oldest = slot;
        break;
      }
      if (slot === from + WAYS - 1 && this.#sets < this.#mostSets) {
        this.#grow();
        return this.#claim(low, high, nowMs);
      }
      if ((this.#seenAtS[slot] ?? 0) < (this.#seenAtS[oldest] ?? 0)) oldest = slot;
    }
    this.#ids[oldest * 2] = low;
    this.#ids[oldest * 2 + 1] = high;
    return oldest;
  }

  #begin(slot: number, nowMs: number): void {
    this.#untilMs[slot] = nowMs + this.#perMs;
    this.#counts.fill(0, slot * QUARTERS, (slot + 1) * QUARTERS);
  }

  /** Forgets what has left the window. An empty window begins anew, with the next call. */
  #slide(slot: number, nowMs: number): void {
    const untilMs = this.#untilMs[slot] ?? 0;
    const quarterMs = this.#perMs / QUARTERS;
    const passed = Math.floor((nowMs - (untilMs - this.#perMs)) / quarterMs);
    if (passed <= 0) return;
    const at = slot * QUARTERS;
    if (passed < QUARTERS) {
      this.#counts.copyWithin(at + passed, at, at + QUARTERS - passed);
      this.#counts.fill(0, at, at + passed);
    }
    if (passed >= QUARTERS || this.used() === 0) this.#begin(slot, nowMs);
    else this.#untilMs[slot] = untilMs + passed * quarterMs;
  }

  /** One bit more of the key decides: each set falls into two, so nothing is lost. */
  #grow(): void {
    const [ids, untilMs, counts, seenAtS] = [this.#ids, this.#untilMs, this.#counts, this.#seenAtS];
    this.#sets *= 2;
    const slots = this.#sets * WAYS;
    this.#ids = new Uint32Array(slots * 2);
    this.#untilMs = new Float64Array(slots);
    this.#counts = new Uint32Array(slots * QUARTERS);
    this.#seenAtS = new Uint32Array(slots);
    for (let old = 0; old < untilMs.length; old++) {
      const low = ids[old * 2] ?? 0;
      if (low === 0) continue;
      let slot = (low & (this.#sets - 1)) * WAYS;
      while (this.#ids[slot * 2] !== 0) slot++;
      this.#ids[slot * 2] = low;
      this.#ids[slot * 2 + 1] = ids[old * 2 + 1] ?? 0;
      this.#untilMs[slot] = untilMs[old] ?? 0;
      this.#seenAtS[slot] = seenAtS[old] ?? 0;
      this.#counts.set(counts.subarray(old * QUARTERS, (old + 1) * QUARTERS), slot * QUARTERS);
    }
  }
}
