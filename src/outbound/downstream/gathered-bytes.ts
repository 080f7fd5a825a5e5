/**
 * Bytes that come in pieces, put together as they come. Each piece is copied once, so its own memory can be used again at
 * once; memory that was outgrown is freed when it is left, not when the garbage collector gets to it: a few large answers
 * at a time would otherwise hold several times their size. Cost is linear in the bytes however they are cut.
 */

/** Below it memory is shared with others, and not worth freeing by hand. */
const FIRST_GROWTH = 64 * 1024;
/** What a server only says it will send is not given more memory than this before it sends. */
const TRUSTED_BYTES = 1024 * 1024;

export class GatheredBytes {
  /** -1: not known. */
  readonly #expected: number;
  #memory: Buffer | null = null;
  #length = 0;

  constructor(expected = -1) {
    this.#expected = expected;
  }

  get length(): number {
    return this.#length;
  }

  /** Copies the piece. */
  push(piece: Buffer): void {
    const needed = this.#length + piece.length;
    const memory = this.#memory !== null && this.#memory.length >= needed ? this.#memory : this.#grow(needed);
    piece.copy(memory, this.#length);
    this.#length = needed;
  }

  /** The whole, without another copy. Belongs to whoever takes it: nothing may be pushed after it. */
  take(): Buffer {
    return this.#memory === null ? Buffer.alloc(0) : this.#memory.subarray(0, this.#length);
  }

  #grow(needed: number): Buffer {
    const old = this.#memory;
    const memory = Buffer.allocUnsafe(Math.max(needed, this.#wanted(old)));
    if (old !== null) {
      old.copy(memory, 0, 0, this.#length);
      if (old.length >= FIRST_GROWTH) free(old);
    }
    this.#memory = memory;
    return memory;
  }

  /** All that is expected, or at first a single piece: often it is all there is. */
  #wanted(old: Buffer | null): number {
    const wanted = old === null ? TRUSTED_BYTES : Math.max(FIRST_GROWTH, old.length * 2);
    if (this.#expected >= 0) return Math.min(wanted, this.#expected);
    return old === null ? 0 : wanted;
  }
}

/** Memory of its own, of which nobody holds a view. */
function free(memory: Buffer): void {
  const { buffer } = memory;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === memory.length) buffer.transfer(0);
}
