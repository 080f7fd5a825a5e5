/**
 * Finished operations on their way into the ledger: in the order they finished, sealed when they are to be written, kept
 * until they are, bounded. A seal needs the line before it, so nothing is sealed before the ledger is open.
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

  /** Of the line that is added next. */
  get nextSeq(): number {
    return (this.#end?.seq ?? 0) + this.#unsealed.length + 1;
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
    this.#unsealed.push(members);
    return true;
  }

  /** The ledger is open and ends there; `first` goes in front of what waits. */
  begin(end: ChainEnd, first: readonly string[]): void {
    this.#end = end;
    this.#unsealed = [...first, ...this.#unsealed];
  }

  /** `write` takes some from the front and says how many; called until nothing is left. What it throws is passed on. */
  drain(write: (lines: readonly Sealed[]) => number): void {
    this.#sealAll();
    while (this.#sealed.length > 0) {
      const written = write(this.#sealed);
      this.#sealed = written === this.#sealed.length ? [] : this.#sealed.slice(written);
    }
    this.#chars = 0;
  }

  /** All at once: one after the other they cost a third of what each costs in the middle of a call. */
  #sealAll(): void {
    if (this.#end === null || this.#unsealed.length === 0) return;
    let end = this.#end;
    for (const members of this.#unsealed) {
      const sealed = seal(end, members);
      this.#sealed.push(sealed);
      end = sealed;
    }
    this.#end = end;
    this.#unsealed = [];
  }

  /** Seals and writes one line behind all others, or leaves everything as it was. Only when nothing waits. */
  writeAtOnce(members: string, write: (lines: readonly Sealed[]) => number): void {
    if (this.#end === null || this.size > 0) return;
    const sealed = seal(this.#end, members);
    write([sealed]);
    this.#end = sealed;
  }
}
