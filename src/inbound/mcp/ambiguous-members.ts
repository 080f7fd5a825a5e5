/**
 * Messages that two readers would read differently: a member that occurs twice (RFC 8259, 4), and one that differs from a
 * member of the protocol in case alone, which readers that fold case take for it. Looked for where decisions are made:
 * in the message and in its params. What is inside arguments is the tool's business and is serialised anew.
 */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

type Reserved = ReadonlyMap<string, string>;
const reserve = (...names: string[]): Reserved => new Map(names.map(name => [fold(name), name]));

const OF_MESSAGES = reserve('jsonrpc', 'id', 'method', 'params', 'result', 'error');
/** By which policy decides or the gateway routes. */
const OF_PARAMS = reserve(
  'name',
  'arguments',
  'uri',
  'ref',
  'cursor',
  '_meta',
  'task',
  'taskId',
  'requestState',
  'inputResponses',
);

/** Reserved names are shorter. */
const LONGEST = 16;

/** `text` must be JSON that was parsed without error: one message or a batch of them. */
export function isAmbiguous(text: string): boolean {
  return new Scan(text).messages();
}

class Scan {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  messages(): boolean {
    this.#skipSpace();
    if (this.#code() !== OPEN_BRACKET) return this.#message();
    this.#at++;
    for (;;) {
      this.#skipSpace();
      if (this.#code() === CLOSE_BRACKET || this.#at >= this.#text.length) return false;
      if (this.#message()) return true;
      this.#skipSpace();
      if (this.#code() === COMMA) this.#at++;
    }
  }

  #message(): boolean {
    return this.#members(OF_MESSAGES, true);
  }

  /** Walks over one value; true when it is an object and ambiguous. `intoParams`: so is its member of that name. */
  #members(reserved: Reserved, intoParams: boolean): boolean {
    if (this.#code() !== OPEN_BRACE) {
      this.#skipValue();
      return false;
    }
    this.#at++;
    const seen: string[] = [];
    let many: Set<string> | null = null;
    for (;;) {
      this.#skipSpace();
      if (this.#code() !== QUOTE) break;
      const key = this.#key();
      if (many?.has(key) ?? seen.includes(key)) return true;
      if (many !== null) many.add(key);
      else if (seen.push(key) > 16) many = new Set(seen);
      if (isMisspelt(key, reserved)) return true;
      this.#skipSpace();
      this.#at++; // the colon
      this.#skipSpace();
      if (intoParams && key === 'params') {
        if (this.#members(OF_PARAMS, false)) return true;
      } else {
        this.#skipValue();
      }
      this.#skipSpace();
      if (this.#code() === COMMA) this.#at++;
    }
    this.#at++; // the brace
    return false;
  }

  #key(): string {
    const from = this.#at;
    this.#skipString();
    const raw = this.#text.slice(from + 1, this.#at - 1);
    return raw.includes('\\') ? String(JSON.parse(this.#text.slice(from, this.#at))) : raw;
  }

  #skipValue(): void {
    const text = this.#text;
    let depth = 0;
    for (;;) {
      if (this.#at >= text.length) return;
      const code = text.charCodeAt(this.#at);
      if (code === QUOTE) {
        this.#skipString();
        if (depth === 0) return;
        continue;
      }
      if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
      else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
        // Of the object around a number or a word.
        if (depth === 0) return;
        if (--depth === 0) {
          this.#at++;
          return;
        }
      } else if (depth === 0 && code === COMMA) return;
      this.#at++;
    }
  }

  #skipString(): void {
    const text = this.#text;
    const from = this.#at + 1;
    for (let end = text.indexOf('"', from); end >= 0; end = text.indexOf('"', end + 1)) {
      let slashes = 0;
      while (end - 1 - slashes >= from && text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++;
      if (slashes % 2 === 1) continue;
      this.#at = end + 1;
      return;
    }
    this.#at = text.length;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#code();
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  /** NaN behind the end. */
  #code(): number {
    return this.#text.charCodeAt(this.#at);
  }
}

function isMisspelt(key: string, reserved: Reserved): boolean {
  if (key.length > LONGEST) return false;
  const meant = reserved.get(key) ?? reserved.get(fold(key));
  return meant !== undefined && meant !== key;
}

/** Up, then down: that way the long s and the Kelvin sign become letters of ASCII, as they do for readers that fold. */
function fold(name: string): string {
  return name.toUpperCase().toLowerCase();
}
