/**
 * The HTTP side of one server: keep-alive sockets, a limit on them, and the operator's headers on every request.
 * Calls and everything else (streams, notifications, answers of ours) use separate sockets, so that a server that asks
 * something in the middle of its calls can always be answered. Refused here: redirects, proxies, HTTP/2, repeating.
 */
import { type Dispatcher, Pool } from 'undici';
import type { HttpAddress } from '../../domain/server.ts';
import type { DownstreamLimits } from './limits.ts';

export interface HttpRequest {
  method: 'POST' | 'GET' | 'DELETE';
  path: string;
  /** Names and values in turn; names lower-case. */
  headers: string[];
  body: string | null;
}

export interface HttpClient {
  readonly origin: string;
  /** Path and query of the configured address. */
  readonly path: string;
  /** The operator's own headers, names and values in turn. */
  readonly headers: readonly string[];
  /** `isCall`: on the bounded sockets for calls. */
  send(request: HttpRequest, isCall: boolean, handler: Dispatcher.DispatchHandler): void;
  /** Open sockets. */
  readonly connections: number;
  /** Calls that wait for a socket. */
  readonly waiting: number;
  close(): Promise<void>;
}

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

export function createHttpClient(address: HttpAddress, connectTimeoutMs: number, limits: DownstreamLimits): HttpClient {
  const url = new URL(address.url);
  const headers: string[] = [];
  for (const [name, value] of address.headers) {
    if (!PROTOCOL_HEADERS.has(name)) headers.push(name, value.reveal());
  }
  const options = {
    allowH2: false,
    pipelining: 1,
    connect: { timeout: connectTimeoutMs },
    bodyTimeout: 0,
  };
  const calls = new Pool(url.origin, {
    ...options,
    connections: limits.maxConnections,
    headersTimeout: limits.headersTimeoutMs,
  });
  // Bounded by what uses it: one standing stream per connection set, one notification per call.
  const aside = new Pool(url.origin, { ...options, headersTimeout: limits.headersTimeoutMs });
  return {
    origin: url.origin,
    path: url.pathname + url.search,
    headers,
    send(request, isCall, handler) {
      // undici writes a request once and never again by itself; `idempotent: false` also forbids it to pipeline.
      (isCall ? calls : aside).dispatch({ ...request, idempotent: false }, handler);
    },
    get connections() {
      return calls.stats.connected + aside.stats.connected;
    },
    get waiting() {
      return calls.stats.queued;
    },
    async close() {
      await Promise.all([calls.destroy(), aside.destroy()]);
    },
  };
}

export function headerOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  name: string,
): string | null {
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
