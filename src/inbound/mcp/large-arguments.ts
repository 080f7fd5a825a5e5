/**
 * Finds the exact bytes of `params.arguments` in a large request, so that they can be sent on without being serialised
 * again: most of the cost of a large call. Done only where the bytes cannot mean anything else to another reader:
 * valid UTF-8, no key twice in any object, no escape in a key. Whatever is not that plain is serialised anew.
 */
import { isUtf8 } from 'node:buffer';
import type { JsonObject } from '../../domain/json.ts';

/** Below it serialising is as cheap as looking. */
export const LARGE_BODY_BYTES = 8 * 1024;
/** Members and elements to look at: large arguments are long strings; the others are cheaper to serialise. */
const MAX_VISITS = 512;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;

/** The parameters without the arguments that are kept as bytes. */
export function withoutArguments(params: JsonObject, argumentBytes: Uint8Array | null): JsonObject {
  if (argumentBytes === null) return params;
  const { arguments: _arguments, ...rest } = params;
  return rest;
}

/** `body` must be JSON that was parsed without error. Null: serialise. */
export function findLargeArguments(body: Buffer): Buffer | null {
  if (body.length < LARGE_BODY_BYTES || !isUtf8(body)) return null;
  const found = new Walk(body).argumentBytes();
  return found?.[0] === OPEN_BRACE ? found : null;
}

class Walk {
  readonly #text: Buffer;
  #at = 0;
  #visits = 0;
  #found: Buffer | null = null;

  constructor(text: Buffer) {
    this.#text = text;
  }

  argumentBytes(): Buffer | null {
    this.#skipSpace();
    return this.#value(['params', 'arguments']) ? this.#found : null;
  }

  /** Walks over one value; `path` leads on to the wanted one, or is null off the way. False: give up. */
  #value(path: readonly string[] | null): boolean {
    if (++this.#visits > MAX_VISITS) return false;
    const start = this.#at;
    const byte = this.#text[start];
    let ok: boolean;
    if (byte === QUOTE) ok = this.#string();
    else if (byte === OPEN_BRACE) ok = this.#object(path);
    else if (byte === OPEN_BRACKET) ok = this.#array();
    else ok = this.#word();
    if (ok && path?.length === 0) this.#found = this.#text.subarray(start, this.#at);
    return ok;
  }

  #object(path: readonly string[] | null): boolean {
    const keys = new Set<string>();
    this.#at++;
    this.#skipSpace();
    while (this.#text[this.#at] !== CLOSE_BRACE) {
      const from = this.#at + 1;
      if (!this.#string()) return false;
      const key = this.#text.toString('latin1', from, this.#at - 1);
      if (key.includes('\\') || keys.has(key)) return false;
      keys.add(key);
      this.#skipSpace();
      this.#at++; // the colon
      this.#skipSpace();
      if (!this.#value(path !== null && path[0] === key ? path.slice(1) : null)) return false;
      this.#skipSpace();
      if (this.#text[this.#at] === COMMA) this.#at++;
      this.#skipSpace();
    }
    this.#at++;
    return true;
  }

  #array(): boolean {
    this.#at++;
    this.#skipSpace();
    while (this.#text[this.#at] !== CLOSE_BRACKET) {
      if (!this.#value(null)) return false;
      this.#skipSpace();
      if (this.#text[this.#at] === COMMA) this.#at++;
      this.#skipSpace();
    }
    this.#at++;
    return true;
  }

  #string(): boolean {
    for (let end = this.#text.indexOf(QUOTE, this.#at + 1); end >= 0; end = this.#text.indexOf(QUOTE, end + 1)) {
      let slashes = 0;
      while (this.#text[end - 1 - slashes] === BACKSLASH) slashes++;
      if (slashes % 2 === 1) {
        if (++this.#visits > MAX_VISITS) return false;
        continue;
      }
      this.#at = end + 1;
      return true;
    }
    return false;
  }

  #word(): boolean {
    const from = this.#at;
    while (isWordByte(this.#text[this.#at])) this.#at++;
    return this.#at > from;
  }

  #skipSpace(): void {
    while (isSpace(this.#text[this.#at])) this.#at++;
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Numbers, true, false and null. */
function isWordByte(byte: number | undefined): boolean {
  return byte !== undefined && byte !== COMMA && byte !== CLOSE_BRACE && byte !== CLOSE_BRACKET && !isSpace(byte);
}
