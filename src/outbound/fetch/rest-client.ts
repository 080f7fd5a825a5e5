/**
 * The REST API of a running gateway as a program calls it: one request, one JSON answer. Refused here: redirects (the
 * credential would go along), answers beyond a cap, waiting for ever. Yields words, never the library's sentences: those
 * may hold addresses.
 */
import { Agent, errors, request } from 'undici';
import type { Clock } from '../../ports/clock.ts';

export interface RestRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the address of the gateway, segments encoded; a query may follow. */
  path: string;
  /** JSON; undefined: none. */
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
}

export type RestReply =
  | { kind: 'answer'; status: number; headers: Readonly<Record<string, string>>; body: unknown; text: string }
  | { kind: 'unreachable'; why: 'refused' | 'unknown_host' | 'untrusted' | 'timeout' | 'too_large' | 'broken' };

export interface RestClient {
  /** Never rejects. `body` is what the answer holds as JSON, null where it holds none. */
  send(request: RestRequest): Promise<RestReply>;
  close(): Promise<void>;
}

export interface RestClientOptions {
  /** Without a slash at its end. */
  baseUrl: string;
  /** A bearer credential; null: none is shown. */
  token: string | null;
  clock: Clock;
  timeoutMs?: number;
}

const TIMEOUT_MS = 60_000;
const MAX_BYTES = 64 * 1024 * 1024;

export function createRestClient({ baseUrl, token, clock, timeoutMs = TIMEOUT_MS }: RestClientOptions): RestClient {
  const dispatcher = new Agent({ pipelining: 1 });
  const credential = token === null ? {} : { authorization: `Bearer ${token}` };

  async function exchange({ method, path, body, headers }: RestRequest, signal: AbortSignal): Promise<RestReply> {
    const hasBody = body !== undefined;
    const reply = await request(baseUrl + path, {
      ...{ dispatcher, signal, method, body: hasBody ? JSON.stringify(body) : null },
      headers: {
        accept: 'application/json',
        ...(hasBody ? { 'content-type': 'application/json' } : {}),
        ...headers,
        ...credential,
      },
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of reply.body) {
      size += (chunk as Buffer).length;
      if (size > MAX_BYTES) return { kind: 'unreachable', why: 'too_large' };
      chunks.push(chunk as Buffer);
    }
    const text = Buffer.concat(chunks).toString('utf8');
    return { kind: 'answer', status: reply.statusCode, headers: firstOf(reply.headers), body: toJson(text), text };
  }

  return {
    async send(asked) {
      const stop = new AbortController();
      const cancel = clock.after(timeoutMs, () => stop.abort());
      try {
        return await exchange(asked, stop.signal);
      } catch (cause) {
        return { kind: 'unreachable', why: stop.signal.aborted ? 'timeout' : explain(cause) };
      } finally {
        cancel();
      }
    },
    close: () => dispatcher.close(),
  };
}

function firstOf(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      const first = Array.isArray(value) ? value[0] : value;
      return first === undefined ? [] : [[name, first]];
    }),
  );
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const WORDS: ReadonlyMap<string, Extract<RestReply, { kind: 'unreachable' }>['why']> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['EHOSTUNREACH', 'refused'],
  ['ENETUNREACH', 'refused'],
  ['ENOTFOUND', 'unknown_host'],
  ['EAI_AGAIN', 'unknown_host'],
  ['UND_ERR_CONNECT_TIMEOUT', 'timeout'],
  ['UND_ERR_HEADERS_TIMEOUT', 'timeout'],
  ['UND_ERR_BODY_TIMEOUT', 'timeout'],
  ['CERT_HAS_EXPIRED', 'untrusted'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'untrusted'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'untrusted'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'untrusted'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'untrusted'],
]);

function explain(cause: unknown): Extract<RestReply, { kind: 'unreachable' }>['why'] {
  // A name with several addresses fails with one cause for each.
  const [first] = cause instanceof AggregateError ? cause.errors : [cause];
  const { code } = first as { code?: unknown };
  if (first instanceof errors.ConnectTimeoutError) return 'timeout';
  return (typeof code === 'string' ? WORDS.get(code) : undefined) ?? 'broken';
}
