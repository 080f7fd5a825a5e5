/**
 * HalfSipHash-2-4 with 64 bits of output (Aumasson and Bernstein), over the UTF-16 units of two texts. Keyed, so that
 * nobody who may choose names can choose two that meet.
 */
const randomWord = (): number => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;

export class KeyedHash {
  /** Halves of the last digest, as unsigned numbers. */
  low = 0;
  high = 0;
  readonly #k0: number;
  readonly #k1: number;
  #v0 = 0;
  #v1 = 0;
  #v2 = 0;
  #v3 = 0;

  constructor(k0: number = randomWord(), k1: number = randomWord()) {
    this.#k0 = k0 | 0;
    this.#k1 = k1 | 0;
  }

  /** `('ab', 'c')` and `('a', 'bc')` differ. */
  digest(first: string, second: string): void {
    this.#v0 = this.#k0;
    this.#v1 = this.#k1 ^ 0xee;
    this.#v2 = 0x6c796765 ^ this.#k0;
    this.#v3 = 0x74656462 ^ this.#k1;
    if (first !== '' || second !== '') {
      this.#text(first);
      this.#text(second);
    }
    // The whole length in bytes, as the algorithm has it; the texts' own lengths are in it already.
    this.#word((((first.length + second.length) * 2) & 0xff) << 24);
    this.#v2 ^= 0xee;
    for (let i = 0; i < 4; i++) this.#round();
    this.low = (this.#v1 ^ this.#v3) >>> 0;
    this.#v1 ^= 0xdd;
    for (let i = 0; i < 4; i++) this.#round();
    this.high = (this.#v1 ^ this.#v3) >>> 0;
  }

  #text(text: string): void {
    const { length } = text;
    this.#word(length);
    let i = 0;
    for (; i + 1 < length; i += 2) this.#word(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16));
    if (i < length) this.#word(text.charCodeAt(i));
  }

  #word(word: number): void {
    this.#v3 ^= word;
    this.#round();
    this.#round();
    this.#v0 ^= word;
  }

  #round(): void {
    let v0 = this.#v0;
    let v1 = this.#v1;
    let v2 = this.#v2;
    let v3 = this.#v3;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    this.#v0 = v0;
    this.#v1 = v1;
    this.#v2 = v2;
    this.#v3 = v3;
  }
}
