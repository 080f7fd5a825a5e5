/**
 * A configured value that must never be printed. Every way of turning it into text yields `[secret]`;
 * only `reveal()` gives the value, at the place where it is put on the wire or into a child's environment.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

const inspect = Symbol.for('nodejs.util.inspect.custom');

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  /** Constant time in both length and content: digests are compared, not the texts. */
  matches(candidate: string): boolean {
    return timingSafeEqual(digest(this.#value), digest(candidate));
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect](): string {
    return '[secret]';
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
