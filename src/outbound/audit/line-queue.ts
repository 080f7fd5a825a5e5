/**
 * Finished operations on their way into the ledger: sealed in the order they finished, kept until they are written,
 * bounded. What finishes before the ledger is open waits unsealed, because a seal needs the line before it.
 */
import { type ChainEnd, type Sealed, seal } from '../../domain/audit-chain.ts';

const MAX_LINES = 50_000;
const MAX_CHARS = 32 * 1024 * 1024;

export class LineQueue {
  /** Sealed last, written or not; null before the ledger is open. */
  #end: ChainEnd | null = null;
  #unsealed: string[] = [];
  #sealed: Sealed[] = [];
  #chars = 0;

  get nextSeq(): number {
    return (this.#end?.seq ?? 0) + 1;
  }

  get size(): number {
    return this.#sealed.length + this.#unsealed.length;
  }

  get chars(): number {
    return this.#chars;
  }

  /** False: there is no room. */
  add(members: string): boolean {
    if (this.size >= MAX_LINES || this.#chars >= MAX_CHARS) return false;
    this.#chars += members.length;
    if (this.#end === null) this.#unsealed.push(members);
    else this.#seal(this.#end, members);
    return true;
  }

  #seal(after: ChainEnd, members: string): void {
    const sealed = seal(after, members);
    this.#end = sealed;
    this.#sealed.push(sealed);
  }

  /** The ledger is open and ends there; `first` goes in front of what waits. */
  begin(end: ChainEnd, first: readonly string[]): void {
    const waiting = this.#unsealed;
    this.#unsealed = [];
    this.#end = end;
    for (const members of [...first, ...waiting]) if (this.#end !== null) this.#seal(this.#end, members);
  }

  /** `write` takes some from the front and says how many; called until nothing is left. What it throws is passed on. */
  drain(write: (lines: readonly Sealed[]) => number): void {
    while (this.#sealed.length > 0) {
      const written = write(this.#sealed);
      this.#sealed = written === this.#sealed.length ? [] : this.#sealed.slice(written);
    }
    this.#chars = 0;
  }

  /** Seals and writes one line behind all others, or leaves everything as it was. Only when nothing waits. */
  writeAtOnce(members: string, write: (lines: readonly Sealed[]) => number): void {
    if (this.#end === null || this.#sealed.length > 0) return;
    const sealed = seal(this.#end, members);
    write([sealed]);
    this.#end = sealed;
  }
}
