/**
 * The head of a response out of its bytes (RFC 9112, sections 2 to 6). Strict: CRLF alone ends a line, no folding, no
 * stray control characters, one Content-Length of digits, never beside Transfer-Encoding. Only the fields somebody reads
 * become text. Refused here: anything that two readers could understand differently.
 */
import type { ResponseHeaders } from '../http-handler.ts';
import { invalid } from './http1-error.ts';

export interface ResponseHead {
  status: number;
  headers: ResponseHeaders;
  /** Bytes of the body; -1: chunked; -2: until the connection ends. */
  length: number;
  /** The connection may carry another request after this answer. */
  isKept: boolean;
  /** The server's `Keep-Alive: timeout=`; null: it did not say. */
  keepAliveMs: number | null;
}

export const CHUNKED = -1;
export const UNTIL_CLOSE = -2;

const CR = 13;
const LF = 10;
const SPACE = 32;
const TAB = 9;
const COLON = 58;
const ZERO = 48;
const MAX_LENGTH_DIGITS = 15;

/** 1: may stand in a field name. */
const TOKEN_BYTES = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  TOKEN_BYTES[char.charCodeAt(0)] = 1;
}
/** 1: may stand in a field value. */
const VALUE_BYTES = new Uint8Array(256).fill(1, SPACE);
VALUE_BYTES[TAB] = 1;
VALUE_BYTES[127] = 0;

const VERSION = Buffer.from('HTTP/1.');
const CONTENT_TYPE = Buffer.from('content-type');
const CONTENT_LENGTH = Buffer.from('content-length');
const SESSION_ID = Buffer.from('mcp-session-id');
const TRANSFER_ENCODING = Buffer.from('transfer-encoding');
const RETRY_AFTER = Buffer.from('retry-after');
const CONNECTION = Buffer.from('connection');
const KEEP_ALIVE = Buffer.from('keep-alive');
const JSON_TYPE = Buffer.from('application/json');

/** `end`: just after the empty line, which is known to be there. Throws Http1Error. */
export function readHead(bytes: Buffer, from: number, end: number): ResponseHead {
  const status = readStatus(bytes, from);
  const isOld = bytes[from + VERSION.length] === ZERO;
  let contentType: string | undefined;
  let contentLength: string | undefined;
  let session: string | undefined;
  let retryAfter: string | undefined;
  let isChunked = false;
  let isKept = !isOld;
  let keepAliveMs: number | null = null;

  let at = skipLine(bytes, from + VERSION.length + 5);
  while (bytes[at] !== CR) {
    const name = at;
    while (TOKEN_BYTES[bytes[at] ?? 0] === 1) at += 1;
    if (at === name || bytes[at] !== COLON) throw invalid('a header line without a name');
    const nameLength = at - name;
    at += 1;
    while (bytes[at] === SPACE || bytes[at] === TAB) at += 1;
    const value = at;
    at = skipLine(bytes, at);
    let valueEnd = at - 2;
    while (valueEnd > value && (bytes[valueEnd - 1] === SPACE || bytes[valueEnd - 1] === TAB)) valueEnd -= 1;

    if (nameLength === 14) {
      if (isNamed(bytes, name, CONTENT_LENGTH)) {
        if (contentLength !== undefined) throw invalid('more than one content-length');
        contentLength = readDigits(bytes, value, valueEnd);
      } else if (isNamed(bytes, name, SESSION_ID)) {
        // Two of them are none: it is not for us to choose.
        session = session === undefined ? bytes.toString('latin1', value, valueEnd) : '';
      }
    } else if (nameLength === 12) {
      if (contentType === undefined && isNamed(bytes, name, CONTENT_TYPE)) {
        const isJson = valueEnd - value === JSON_TYPE.length && isNamed(bytes, value, JSON_TYPE);
        contentType = isJson ? 'application/json' : bytes.toString('latin1', value, valueEnd);
      }
    } else if (nameLength === 10) {
      if (isNamed(bytes, name, CONNECTION)) {
        const options = bytes.toString('latin1', value, valueEnd).toLowerCase();
        if (options !== 'keep-alive' && options.split(',').some(option => option.trim() === 'close')) isKept = false;
      } else if (isNamed(bytes, name, KEEP_ALIVE)) {
        const seconds = /(?:^|[,;\s])timeout=(\d{1,6})/i.exec(bytes.toString('latin1', value, valueEnd))?.[1];
        if (seconds !== undefined) keepAliveMs = Number(seconds) * 1000;
      }
    } else if (nameLength === 17) {
      if (isNamed(bytes, name, TRANSFER_ENCODING)) {
        if (isChunked || isOld || bytes.toString('latin1', value, valueEnd).toLowerCase() !== 'chunked') {
          throw invalid('a transfer-encoding other than chunked');
        }
        isChunked = true;
      }
    } else if (nameLength === 11) {
      if (retryAfter === undefined && isNamed(bytes, name, RETRY_AFTER)) {
        retryAfter = bytes.toString('latin1', value, valueEnd);
      }
    }
  }
  if (bytes[at + 1] !== LF || at + 2 !== end) throw invalid('a header line that does not end in CRLF');
  if (isChunked && contentLength !== undefined) throw invalid('content-length beside transfer-encoding');

  const isEmpty = status < 200 || status === 204 || status === 304;
  const length = isEmpty ? 0 : isChunked ? CHUNKED : contentLength === undefined ? UNTIL_CLOSE : Number(contentLength);
  return {
    status,
    headers: {
      'content-type': contentType,
      'content-length': contentLength,
      'mcp-session-id': session,
      'retry-after': retryAfter,
    },
    length,
    isKept: isKept && length !== UNTIL_CLOSE,
    keepAliveMs,
  };
}

function readStatus(bytes: Buffer, from: number): number {
  let at = from;
  for (let i = 0; i < VERSION.length; i += 1, at += 1) if (bytes[at] !== VERSION[i]) throw invalid('not HTTP/1');
  const minor = bytes[at];
  if ((minor !== ZERO && minor !== ZERO + 1) || bytes[at + 1] !== SPACE) throw invalid('not HTTP/1');
  const status = digit(bytes[at + 2]) * 100 + digit(bytes[at + 3]) * 10 + digit(bytes[at + 4]);
  // The space before an empty reason is missing in many servers; nothing depends on it.
  const after = bytes[at + 5];
  if (!(status >= 100 && status < 600) || (after !== SPACE && after !== CR)) throw invalid('a status that is none');
  return status;
}

/** From inside a value to just after its CRLF. */
function skipLine(bytes: Buffer, from: number): number {
  let at = from;
  while (VALUE_BYTES[bytes[at] ?? 0] === 1) at += 1;
  if (bytes[at] !== CR || bytes[at + 1] !== LF) throw invalid('a control character in a header line');
  return at + 2;
}

function isNamed(bytes: Buffer, at: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i += 1) {
    const byte = bytes[at + i] ?? 0;
    if ((byte >= 65 && byte <= 90 ? byte + 32 : byte) !== name[i]) return false;
  }
  return true;
}

function readDigits(bytes: Buffer, from: number, end: number): string {
  if (end === from || end - from > MAX_LENGTH_DIGITS) throw invalid('a content-length that is no number');
  for (let at = from; at < end; at += 1) {
    if (Number.isNaN(digit(bytes[at]))) throw invalid('a content-length that is no number');
  }
  return bytes.toString('latin1', from, end);
}

function digit(byte: number | undefined): number {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9 ? byte - ZERO : Number.NaN;
}
