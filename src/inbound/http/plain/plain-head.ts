/**
 * The head of a request, where it is the plainest there is: a POST in HTTP/1.1, every byte of it here, each header once,
 * its body framed by Content-Length alone. Of anything else it is only said that it is something else, and
 * node's parser reads it: nothing here is lenient, and nothing is refused.
 */
import type { IncomingHttpHeaders } from 'node:http';

export interface PlainHead {
  /** The target, in origin form. */
  url: string;
  /** Not to be changed: the next request of the connection may have the same. */
  headers: IncomingHttpHeaders;
  /** Bytes of the head, the empty line among them. */
  headBytes: number;
  bodyBytes: number;
}

/** Node's own limit on a head, and its answer where that is passed. */
const MAX_HEAD_BYTES = 16_384;
const MAX_BODY_DIGITS = 9;
const POST = Buffer.from('POST /');
const END = Buffer.from('\r\n\r\n');
/** A target has no blank, no control and nothing beyond ASCII (RFC 3986); a fragment is never sent. */
const REQUEST_LINE = /^POST (\/[!-"$-~]*) HTTP\/1\.1\r\n/;
/** A token, and printable ASCII with blanks (RFC 9112, 5). Neither can be tried in two ways, however long the text is. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t -~]*$/;
/** They change how a message is framed or what becomes of the connection. */
const NOT_PLAIN = new Set([
  'transfer-encoding',
  'expect',
  'upgrade',
  'trailer',
  'te',
  'http2-settings',
  'proxy-connection',
  'keep-alive',
]);
/** Names that would mean something else as members of an object. */
const NO_NAME = new Set(['__proto__']);

const ZERO = 0x30;

/**
 * Reads heads of one connection. A client sends nearly the same head with every request, so the last one is kept with
 * the place of its content length: bytes that are equal mean what they meant before.
 */
export class PlainHeads {
  #head: PlainHead | null = null;
  /** The kept head, and where the digits of its content length stand in it. */
  #bytes: Buffer = END;
  #digitsAt = 0;
  #digitsEnd = 0;

  /** Null: no plain head stands at the beginning of these bytes. */
  read(bytes: Buffer): PlainHead | null {
    return this.#again(bytes) ?? this.#anew(bytes);
  }

  #again(bytes: Buffer): PlainHead | null {
    const kept = this.#head;
    if (kept === null || bytes.length < this.#digitsEnd) return null;
    if (bytes.compare(this.#bytes, 0, this.#digitsAt, 0, this.#digitsAt) !== 0) return null;
    let at = this.#digitsAt;
    let bodyBytes = 0;
    while (at < this.#digitsAt + MAX_BODY_DIGITS) {
      const digit = (bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      bodyBytes = bodyBytes * 10 + digit;
      at++;
    }
    const rest = this.#bytes.length - this.#digitsEnd;
    if (at === this.#digitsAt || bytes.length < at + rest) return null;
    if (bytes.compare(this.#bytes, this.#digitsEnd, this.#bytes.length, at, at + rest) !== 0) return null;
    const { url, headers } = kept;
    const isSame = bodyBytes === kept.bodyBytes && at === this.#digitsEnd;
    return {
      url,
      headers: isSame ? headers : { ...headers, 'content-length': bytes.toString('latin1', this.#digitsAt, at) },
      headBytes: at + rest,
      bodyBytes,
    };
  }

  #anew(bytes: Buffer): PlainHead | null {
    if (bytes.length < POST.length || POST.compare(bytes, 0, POST.length) !== 0) return null;
    const emptyLineAt = bytes.indexOf(END);
    const headBytes = emptyLineAt + END.length;
    if (emptyLineAt === -1 || headBytes > MAX_HEAD_BYTES) return null;
    const text = bytes.toString('latin1', 0, headBytes - 2);
    const url = REQUEST_LINE.exec(text);
    if (url?.[1] === undefined) return null;
    const read = readHeaders(text, url[0].length);
    if (read === null) return null;
    const head = { url: url[1], headers: read.headers, headBytes, bodyBytes: read.bodyBytes };
    this.#head = head;
    // A copy: the bytes belong to a larger piece that is not to stay for their sake.
    this.#bytes = Buffer.from(bytes.subarray(0, headBytes));
    this.#digitsAt = read.digitsAt;
    this.#digitsEnd = read.digitsEnd;
    return head;
  }
}

interface Headers {
  headers: IncomingHttpHeaders;
  bodyBytes: number;
  digitsAt: number;
  digitsEnd: number;
}

/** Null: one of them is not plain, or the length of the body is not given. `text` ends with the last header's line. */
function readHeaders(text: string, from: number): Headers | null {
  const headers: IncomingHttpHeaders = {};
  let digitsAt = -1;
  for (let lineAt = from; lineAt < text.length; ) {
    const lineEnd = text.indexOf('\r\n', lineAt);
    const colon = text.indexOf(':', lineAt);
    if (lineEnd === -1 || colon === -1 || colon > lineEnd) return null;
    const written = text.slice(lineAt, colon);
    let valueAt = colon + 1;
    let valueEnd = lineEnd;
    while (valueAt < valueEnd && isBlank(text, valueAt)) valueAt++;
    while (valueEnd > valueAt && isBlank(text, valueEnd - 1)) valueEnd--;
    const value = text.slice(valueAt, valueEnd);
    if (!NAME.test(written) || !VALUE.test(value)) return null;
    const name = written.toLowerCase();
    if (NOT_PLAIN.has(name) || NO_NAME.has(name) || Object.hasOwn(headers, name)) return null;
    if (name === 'connection' && value.toLowerCase() !== 'keep-alive') return null;
    headers[name] = value;
    if (name === 'content-length') digitsAt = valueAt;
    lineAt = lineEnd + 2;
  }
  const length = headers['content-length'];
  if (length === undefined || headers.host === undefined) return null;
  if (length.length > MAX_BODY_DIGITS || !/^\d+$/.test(length)) return null;
  return { headers, bodyBytes: Number(length), digitsAt, digitsEnd: digitsAt + length.length };
}

function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 0x20 || code === 0x09;
}
