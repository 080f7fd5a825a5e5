/**
 * The HTTP side of one server: keep-alive sockets, a limit on them, and the operator's headers on every request.
 * A server that asks something in the middle of its calls can always be answered: calls, streams and what is said aside
 * use separate sockets. Calls, which are what there is much of, go through the lean client (http1/), the rest through
 * undici. Refused here: redirects, proxies, HTTP/2, repeating.
 */
import { errors, Pool } from 'undici';
import type { HttpAddress } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SocketGuard } from '../fetch/address-guard.ts';
import { createGuardedConnect } from '../fetch/guarded-connect.ts';
import type { RequestText } from './frame.ts';
import type { HttpHandler, ResponseHeaders } from './http-handler.ts';
import { SocketPool } from './http1/socket-pool.ts';
import type { DownstreamLimits } from './limits.ts';

export interface HttpRequest {
  method: 'POST' | 'GET' | 'DELETE';
  path: string;
  /** Names and values in turn; names lower-case. Never changed after it was given here. */
  headers: readonly string[];
  /** Those of this request alone. */
  extra?: readonly string[] | null;
  body: RequestText | null;
  /** Until the response head; 0: the caller keeps the time itself. Absent: the default. */
  headersTimeout?: number;
}

/** A POST whose one answer is waited for. */
export interface HttpCall extends HttpRequest {
  method: 'POST';
  body: RequestText;
}

/** Streams and everything said aside have sockets other than the calls, so that neither blocks the other. */
export type Lane = 'aside' | 'stream';

export interface HttpClient {
  readonly origin: string;
  /** Path and query of the configured address. */
  readonly path: string;
  /** The operator's own headers, names and values in turn. */
  readonly headers: readonly string[];
  /** Calls share a bounded number of sockets and stand in line for them. */
  call(request: HttpCall, handler: HttpHandler): void;
  send(request: HttpRequest, lane: Lane, handler: HttpHandler): void;
  /** Open sockets. */
  readonly connections: number;
  close(): Promise<void>;
}

const ASIDE_CONNECTIONS = 16;

/** Names the protocol owns; an operator's value for them would break the exchange. */
const PROTOCOL_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'connection',
  'content-length',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'transfer-encoding',
]);

/** `guard`: has the last word on every socket to a server whose address is not the operator's own. */
export function createHttpClient(
  address: HttpAddress,
  connectTimeoutMs: number,
  limits: DownstreamLimits,
  clock: Clock,
  guard: SocketGuard,
): HttpClient {
  const url = new URL(address.url);
  const isForeign = address.isForeign === true;
  const headers: string[] = [];
  for (const [name, value] of address.headers) {
    if (!PROTOCOL_HEADERS.has(name)) headers.push(name, value.reveal());
  }
  /** Opened when first used: of a thousand servers most need one lane or none. */
  const lanes = new Map<Lane, Pool>();
  function open(lane: Lane): Pool {
    const pool = new Pool(url.origin, {
      allowH2: false,
      pipelining: 1,
      connect: isForeign ? createGuardedConnect(guard, connectTimeoutMs) : { timeout: connectTimeoutMs },
      bodyTimeout: 0,
      headersTimeout: limits.headersTimeoutMs,
      // Streams are as many as there are connection sets, which are bounded where they are made.
      connections: lane === 'stream' ? null : ASIDE_CONNECTIONS,
    });
    lanes.set(lane, pool);
    return pool;
  }
  let isClosed = false;
  const calls = new SocketPool({
    url,
    clock,
    connectTimeoutMs,
    maxConnections: limits.maxConnections,
    ...(isForeign ? { guard } : {}),
  });
  return {
    origin: url.origin,
    path: url.pathname + url.search,
    headers,
    call({ path, headers, extra = null, body, headersTimeout = limits.headersTimeoutMs }, handler) {
      calls.send({ path, headers, extra, body, headersTimeoutMs: headersTimeout }, handler);
    },
    send({ extra, ...request }, lane, handler) {
      if (isClosed) return handler.onResponseError(null, new errors.ClientDestroyedError());
      // undici writes a request once and never again by itself; `idempotent: false` also forbids it to pipeline.
      const { body } = request;
      const isPieces = body !== null && typeof body !== 'string';
      // Pieces are written one by one, with the length told up front: no chunked encoding, no copy.
      const length = isPieces ? ['content-length', String(totalLength(body))] : [];
      const headers = [...request.headers, ...(extra ?? []), ...length];
      const pieces = isPieces ? (body as unknown as Buffer) : body;
      (lanes.get(lane) ?? open(lane)).dispatch({ ...request, headers, body: pieces, idempotent: false }, handler);
    },
    get connections() {
      return [...lanes.values()].reduce((sum, pool) => sum + pool.stats.connected, calls.connections);
    },
    async close() {
      isClosed = true;
      calls.close();
      await Promise.all(Array.from(lanes.values(), pool => pool.destroy()));
    },
  };
}

function totalLength(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

export function headerOf(headers: ResponseHeaders, name: string): string | null {
  const value = headers[name];
  if (value === undefined) return null;
  return typeof value === 'string' ? value : (value[0] ?? null);
}

/** Media type without parameters, lower-case; empty when there is none. */
export function mediaType(value: string | null): string {
  if (value === null) return '';
  if (value === 'application/json' || value === 'text/event-stream') return value;
  const semicolon = value.indexOf(';');
  return (semicolon < 0 ? value : value.slice(0, semicolon)).trim().toLowerCase();
}

/** RFC 9110, 10.2.3: seconds or a date. null when absent or unreadable. */
export function retryAfterMs(value: string | null, nowMs: number, maxMs: number): number | null {
  if (value === null) return null;
  const text = value.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), maxMs);
}
