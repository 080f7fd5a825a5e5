/**
 * The sockets to one server for its calls: the one used last is used first, so that the others can go; when all are busy
 * requests stand in line in order. One slow timer watches over idle sockets and late answers, not one per request.
 * Refused here: sending anything twice; a request is written by one connection, once, or reported as never sent.
 */
import type { Clock } from '../../../ports/clock.ts';
import type { SocketGuard } from '../../fetch/address-guard.ts';
import type { RequestText } from '../frame.ts';
import type { HttpHandler } from '../http-handler.ts';
import { Connection, type ConnectionOwner, Sending } from './connection.ts';
import { Http1Error } from './http1-error.ts';
import { createHeadWriter, type HeadWriter } from './request-head.ts';

export interface SocketPoolOptions {
  url: URL;
  clock: Clock;
  maxConnections: number;
  connectTimeoutMs: number;
  /** Certificates trusted instead of the system's; for servers with an authority of their own. */
  ca?: string;
  /** Asked about every new socket; absent: the operator wrote the address. */
  guard?: SocketGuard;
}

export interface Post {
  path: string;
  /** Names and values in turn; remembered by identity, so never changed after it was given. */
  headers: readonly string[];
  /** Those of this request alone. */
  extra: readonly string[] | null;
  body: RequestText;
  /** Until the response head; 0: the caller keeps the time itself. */
  headersTimeoutMs: number;
}

/** Below the five seconds after which many servers (Node, uvicorn) close without announcing it. */
const KEEP_ALIVE_MS = 4000;
/** What a server announces is when it closes; our request must be there before. */
const KEEP_ALIVE_MARGIN_MS = 1000;
const MAX_KEEP_ALIVE_MS = 60_000;
const SWEEP_MS = 500;

export class SocketPool implements ConnectionOwner {
  readonly clock: Clock;
  readonly #writeHead: HeadWriter;
  readonly #options: SocketPoolOptions;
  readonly #all = new Set<Connection>();
  /** The last one was used last. */
  readonly #idle: Connection[] = [];
  readonly #queue = new Set<Sending>();
  readonly #withdraw = (sending: Sending): void => {
    this.#queue.delete(sending);
  };
  #isSweeping = false;
  #isClosed = false;

  constructor(options: SocketPoolOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.#writeHead = createHeadWriter(options.url.host);
  }

  /** Connected sockets. */
  get connections(): number {
    let open = 0;
    for (const connection of this.#all) if (connection.isOpen) open += 1;
    return open;
  }

  /** Requests that stand in line because every socket is taken. */
  get waiting(): number {
    return this.#queue.size;
  }

  send(post: Post, handler: HttpHandler): void {
    let head: string;
    try {
      if (this.#isClosed) throw new Http1Error('HTTP1_STOPPED', 'the client is closed');
      head = this.#writeHead.write(post.path, post.headers, post.extra);
    } catch (cause) {
      if (!(cause instanceof Http1Error)) throw cause;
      handler.onResponseError(null, cause);
      return;
    }
    const sending = new Sending(head, post.body, post.headersTimeoutMs, handler, this.#withdraw);
    const idle = this.#takeIdle();
    if (idle !== null) {
      this.#give(idle, sending);
      return;
    }
    if (this.#all.size < this.#options.maxConnections) this.#open(sending);
    else this.#queue.add(sending);
    if (!sending.isOver) handler.onRequestWaiting?.(sending);
  }

  opened(connection: Connection, first: Sending): void {
    this.#give(connection, first);
  }

  freed(connection: Connection, keepAliveMs: number | null): void {
    connection.headersDeadlineMs = Number.POSITIVE_INFINITY;
    const keptMs =
      keepAliveMs === null ? KEEP_ALIVE_MS : Math.min(keepAliveMs - KEEP_ALIVE_MARGIN_MS, MAX_KEEP_ALIVE_MS);
    if (keptMs <= 0) connection.abort(new Http1Error('HTTP1_STOPPED', 'not kept'));
    else this.#rest(connection, keptMs);
  }

  closed(connection: Connection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#serveQueue();
  }

  /** Ends everything: what was not sent is told so, what was is lost. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const stopped = new Http1Error('HTTP1_STOPPED', 'the client is closed');
    const queued = [...this.#queue];
    this.#queue.clear();
    for (const connection of [...this.#all]) connection.abort(stopped);
    for (const sending of queued) {
      sending.isOver = true;
      sending.handler.onResponseError(sending, stopped);
    }
  }

  #open(first: Sending): void {
    this.#all.add(new Connection(this, targetOf(this.#options), first));
    this.#sweepSoon();
  }

  /** On a free socket: this request, or the next in line that is still wanted, or none. */
  #give(connection: Connection, first: Sending | null): void {
    for (let next = first; next !== null; next = this.#nextInLine()) if (connection.write(next)) return;
    if (!connection.isClosed) this.#rest(connection, KEEP_ALIVE_MS);
  }

  #rest(connection: Connection, keptMs: number): void {
    const next = this.#nextInLine();
    if (next !== null) {
      this.#give(connection, next);
      return;
    }
    connection.idleUntilMs = this.clock.monotonicMs() + keptMs;
    connection.rest();
    this.#idle.push(connection);
  }

  #takeIdle(): Connection | null {
    if (this.#idle.length === 0) return null;
    const now = this.clock.monotonicMs();
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.idleUntilMs > now) {
        connection.hold();
        return connection;
      }
      // The sweep is slow; a server that has stopped waiting is not written to.
      connection.abort(new Http1Error('HTTP1_STOPPED', 'idle for too long'));
    }
    return null;
  }

  #nextInLine(): Sending | null {
    for (const sending of this.#queue) {
      this.#queue.delete(sending);
      return sending;
    }
    return null;
  }

  #serveQueue(): void {
    if (this.#isClosed) return;
    while (this.#queue.size > 0 && this.#all.size < this.#options.maxConnections) {
      const next = this.#nextInLine();
      if (next !== null) this.#open(next);
    }
  }

  #sweepSoon(): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.clock.after(SWEEP_MS, () => {
      this.#isSweeping = false;
      this.#sweep(this.clock.monotonicMs());
      if (this.#all.size > 0) this.#sweepSoon();
    });
  }

  #sweep(nowMs: number): void {
    for (const connection of this.#idle.filter(idle => idle.idleUntilMs <= nowMs)) {
      connection.abort(new Http1Error('HTTP1_STOPPED', 'idle for too long'));
    }
    for (const connection of [...this.#all]) {
      if (connection.headersDeadlineMs > nowMs) continue;
      connection.abort(new Http1Error('HTTP1_HEADERS_TIMEOUT', 'no response head in time'));
    }
  }
}

function targetOf({
  url,
  connectTimeoutMs,
  ca,
  guard,
}: SocketPoolOptions): ConstructorParameters<typeof Connection>[1] {
  const isTls = url.protocol === 'https:';
  return {
    isTls,
    // An IPv6 address stands in brackets in a URL and without them everywhere else.
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    connectTimeoutMs,
    ca: ca ?? null,
    guard: guard === undefined ? null : { by: guard, url },
  };
}
