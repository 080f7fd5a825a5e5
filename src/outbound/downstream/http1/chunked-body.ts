/**
 * The chunked coding (RFC 9112, section 7.1), byte by byte over any cut of the stream. The data of all chunks in one read
 * are moved together in its memory, so a server that sends a byte per chunk costs no object per byte. Sizes are
 * hexadecimal digits and nothing else; extensions and trailers are skipped and bounded.
 */
import { invalid } from './http1-error.ts';

const CR = 13;
const LF = 10;
const SPACE = 32;
const TAB = 9;
const SEMICOLON = 59;
const MAX_SIZE_DIGITS = 8;
const MAX_EXTENSION_BYTES = 16 * 1024;
const MAX_TRAILER_BYTES = 64 * 1024;

type Expecting =
  | 'size'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailer'
  | 'trailer-line'
  | 'trailer-lf'
  | 'end-lf'
  | 'done';

export class ChunkedBody {
  #expecting: Expecting = 'size';
  #left = 0;
  #digits = 0;
  /** Over the whole body: many small ones are as bad as a long one. */
  #extensionBytes = 0;
  #trailerBytes = 0;

  get isDone(): boolean {
    return this.#expecting === 'done';
  }

  /**
   * Reads on at `from`; returns where it stopped: `to`, or where the body ended. `emit`: at most once, a view of `bytes`.
   * Throws Http1Error, after what came before the mistake was emitted.
   */
  read(bytes: Buffer, from: number, to: number, emit: (data: Buffer) => void): number {
    let at = from;
    let dataFrom = -1;
    let dataTo = -1;
    try {
      while (at < to && this.#expecting !== 'done') {
        if (this.#expecting !== 'data') {
          this.#take(bytes[at] ?? 0);
          at += 1;
          continue;
        }
        const end = Math.min(to, at + this.#left);
        if (dataFrom < 0) {
          dataFrom = at;
          dataTo = end;
        } else {
          bytes.copyWithin(dataTo, at, end);
          dataTo += end - at;
        }
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#expecting = 'data-cr';
      }
    } finally {
      // Also before a mistake: how the bytes were cut into reads must not decide what of them counts.
      if (dataFrom >= 0) emit(bytes.subarray(dataFrom, dataTo));
    }
    return at;
  }

  #take(byte: number): void {
    switch (this.#expecting) {
      case 'size':
        this.#takeSize(byte);
        break;
      case 'extension':
        if (byte === CR) this.#expecting = 'size-lf';
        else {
          this.#extensionBytes += 1;
          if (isControl(byte) || this.#extensionBytes > MAX_EXTENSION_BYTES) throw invalid('a bad chunk extension');
        }
        break;
      case 'size-lf':
        this.#require(byte === LF);
        this.#expecting = this.#left === 0 ? 'trailer' : 'data';
        this.#digits = 0;
        break;
      case 'data-cr':
        this.#require(byte === CR);
        this.#expecting = 'data-lf';
        break;
      case 'data-lf':
        this.#require(byte === LF);
        this.#expecting = 'size';
        break;
      case 'trailer':
        if (byte === CR) this.#expecting = 'end-lf';
        else this.#takeTrailer(byte);
        break;
      case 'trailer-line':
        if (byte === CR) this.#expecting = 'trailer-lf';
        else this.#takeTrailer(byte);
        break;
      case 'trailer-lf':
        this.#require(byte === LF);
        this.#expecting = 'trailer';
        break;
      case 'end-lf':
        this.#require(byte === LF);
        this.#expecting = 'done';
        break;
      case 'data':
      case 'done':
        break;
    }
  }

  #takeSize(byte: number): void {
    const value = hexValue(byte);
    if (value >= 0) {
      this.#digits += 1;
      this.#require(this.#digits <= MAX_SIZE_DIGITS);
      this.#left = this.#left * 16 + value;
      return;
    }
    this.#require(this.#digits > 0);
    if (byte === CR) this.#expecting = 'size-lf';
    else {
      this.#require(byte === SEMICOLON || byte === SPACE || byte === TAB);
      this.#expecting = 'extension';
    }
  }

  #takeTrailer(byte: number): void {
    this.#trailerBytes += 1;
    if (isControl(byte) || this.#trailerBytes > MAX_TRAILER_BYTES) throw invalid('a bad trailer');
    this.#expecting = 'trailer-line';
  }

  #require(isSo: boolean): void {
    if (!isSo) throw invalid('a bad chunk');
  }
}

function isControl(byte: number): boolean {
  return (byte < SPACE && byte !== TAB) || byte === 127;
}

function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
