/**
 * One HTTP request and its whole answer, within bounds: bytes on the wire, bytes once decoded, bytes of the head. Of
 * encodings only gzip is asked for and taken. Refused here: redirects are handed back, never followed.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type Dispatcher, errors, request } from 'undici';

export interface ExchangeRequest {
  url: string;
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  headers: Readonly<Record<string, string>>;
  body: string | Uint8Array | null;
  /** Of the decoded body; the wire may carry little more. */
  maxBytes: number;
}

export type Exchanged =
  | { kind: 'answer'; status: number; headers: Readonly<Record<string, string>>; body: Buffer }
  | { kind: 'elsewhere'; location: string | null }
  | { kind: 'too_large' | 'unreadable' };

/** gzip makes what cannot be compressed a little longer. */
const GZIP_EXCESS = 64 * 1024;
/** Of an answer's head; undici ends the connection beyond it. */
export const MAX_HEAD_BYTES = 16 * 1024;

class TooLarge extends Error {}

/** Rejects with undici's errors, the guard's, and the reason of `signal`. */
export async function exchange(
  asked: ExchangeRequest,
  dispatcher: Dispatcher,
  signal: AbortSignal,
): Promise<Exchanged> {
  const { url, method, headers, body: sent, maxBytes } = asked;
  const {
    statusCode,
    headers: given,
    body,
  } = await request(url, {
    dispatcher,
    signal,
    method,
    headers: { ...headers, 'accept-encoding': 'gzip' },
    body: sent,
  });
  // A body that is thrown away before its end says so as an error, which nobody else would take.
  body.on('error', () => {});
  const received = plainHeaders(given);
  if (isRedirect(statusCode)) {
    body.destroy();
    return { kind: 'elsewhere', location: received.location ?? null };
  }
  const encoding = (received['content-encoding'] ?? 'identity').trim().toLowerCase();
  const isGzip = encoding === 'gzip' || encoding === 'x-gzip';
  if (!isGzip && encoding !== 'identity') {
    body.destroy();
    return { kind: 'unreadable' };
  }
  // To a HEAD it is said of a body that does not come.
  if (method !== 'HEAD' && Number(received['content-length'] ?? 0) > maxBytes + GZIP_EXCESS) {
    body.destroy();
    return { kind: 'too_large' };
  }
  try {
    const bytes = isGzip ? await inflate(body, maxBytes) : await collect(body, maxBytes);
    return { kind: 'answer', status: statusCode, headers: received, body: bytes };
  } catch (cause) {
    body.destroy();
    if (cause instanceof TooLarge) return { kind: 'too_large' };
    if (isGzip && isCodeOf(cause, 'Z_')) return { kind: 'unreadable' };
    throw cause;
  }
}

async function inflate(wire: Readable, maxBytes: number): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  await pipeline(
    Readable.from(bounded(wire, maxBytes + GZIP_EXCESS), { objectMode: false }),
    createGunzip(),
    async decoded => {
      bytes = await collect(decoded, maxBytes);
    },
  );
  return bytes;
}

async function collect(source: AsyncIterable<unknown>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of bounded(source, maxBytes)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* bounded(source: AsyncIterable<unknown>, maxBytes: number): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of source) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > maxBytes) throw new TooLarge();
    yield bytes;
  }
}

function isRedirect(status: number): boolean {
  return status === 300 || status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** Cookies are left out: nobody here keeps any. */
function plainHeaders(given: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const plain: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && name !== 'set-cookie')
      plain[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return plain;
}

export function isCodeOf(cause: unknown, start: string): boolean {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' && cause.code.startsWith(start);
}

/** What an exchange that broke off was: a head too long, bytes that are no HTTP, or no answer at all. */
export function troubleOf(cause: unknown): 'too_large' | 'unreadable' | 'unreachable' {
  if (isCodeOf(cause, 'UND_ERR_HEADERS_OVERFLOW')) return 'too_large';
  return cause instanceof errors.HTTPParserError ? 'unreadable' : 'unreachable';
}
