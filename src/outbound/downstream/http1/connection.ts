/**
 * One keep-alive socket, plain or TLS, that carries one request at a time. It belongs to one request from the start (the
 * one it was opened for) and is handed to another only after a complete answer. Refused here: pipelining, repeating, and
 * the use of a socket about which anything is in doubt.
 */
import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Clock } from '../../../ports/clock.ts';
import { refusedSocket, type SocketGuard } from '../../fetch/address-guard.ts';
import type { HttpController, HttpHandler, ResponseHeaders } from '../http-handler.ts';
import { Http1Error } from './http1-error.ts';
import { MORE, type ResponseEvents, ResponseReader } from './response-reader.ts';

export interface Target {
  isTls: boolean;
  host: string;
  port: number;
  connectTimeoutMs: number;
  /** Trusted instead of the system; null: the system. */
  ca: string | null;
  /** Has the last word on where the socket goes; null: the operator wrote the address. */
  guard: { by: SocketGuard; url: URL } | null;
}

/** What a connection tells the pool it belongs to. */
export interface ConnectionOwner {
  readonly clock: Clock;
  /** Connected; the request it was opened for may leave. */
  opened(connection: Connection, first: Sending): void;
  /** The answer is complete and the socket sound. */
  freed(connection: Connection, keepAliveMs: number | null): void;
  closed(connection: Connection): void;
}

/** A request from `send` until its last event; what a handler holds to abort it. */
export class Sending implements HttpController {
  /** Everything before the value of content-length. */
  readonly head: string;
  readonly body: string | readonly Uint8Array[];
  readonly headersTimeoutMs: number;
  readonly handler: HttpHandler;
  connection: Connection | null = null;
  isOver = false;
  readonly #withdraw: (sending: Sending) => void;

  constructor(
    head: string,
    body: string | readonly Uint8Array[],
    headersTimeoutMs: number,
    handler: HttpHandler,
    withdraw: (sending: Sending) => void,
  ) {
    this.head = head;
    this.body = body;
    this.headersTimeoutMs = headersTimeoutMs;
    this.handler = handler;
    this.#withdraw = withdraw;
  }

  abort(reason: Error): void {
    if (this.isOver) return;
    if (this.connection === null) {
      this.isOver = true;
      this.#withdraw(this);
    } else this.connection.abort(reason);
  }
}

const TCP_PROBE_MS = 60_000;
const READ_BYTES = 64 * 1024;
/**
 * A read is over before the next one begins, so all sockets share its memory. On Windows the memory is handed to the
 * system ahead of the data, and each socket needs its own.
 */
const SHARED_READ = process.platform === 'win32' ? null : Buffer.allocUnsafeSlow(READ_BYTES);

export class Connection implements ResponseEvents {
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #reader = new ResponseReader(this);
  readonly #cancelConnectTimer: () => void;
  #sending: Sending | null;
  #isClosed = false;
  isOpen = false;
  /** When an idle socket is not worth trusting any more. */
  idleUntilMs = 0;
  /** Monotonic; Infinity: none. */
  headersDeadlineMs = Number.POSITIVE_INFINITY;

  constructor(owner: ConnectionOwner, target: Target, first: Sending) {
    this.#owner = owner;
    this.#sending = first;
    first.connection = this;
    this.#socket = openSocket(target, (bytes, length) => this.#receive(bytes, length));
    this.#socket.once(target.isTls ? 'secureConnect' : 'connect', () => this.#opened());
    this.#socket.on('error', error => this.#end(error));
    this.#socket.on('end', () => this.#peerEnded());
    this.#socket.on('close', () => this.#end(new Http1Error('HTTP1_CLOSED', 'the connection was closed')));
    this.#cancelConnectTimer = owner.clock.after(target.connectTimeoutMs, () =>
      this.#end(new Http1Error('ETIMEDOUT', 'no connection in time')),
    );
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Writes the request, unless its handler no longer wants it. False: the socket is still free, or closed. */
  write(sending: Sending): boolean {
    const { handler, body } = sending;
    // Not ours yet: an abort in here must not cost the socket.
    sending.connection = null;
    handler.onRequestStart(sending);
    if (sending.isOver) return false;
    if (this.#isClosed) {
      sending.isOver = true;
      handler.onResponseError(sending, new Http1Error('HTTP1_STOPPED', 'the client is closed'));
      return true;
    }
    sending.connection = this;
    this.#sending = sending;
    this.#reader.reset();
    if (sending.headersTimeoutMs > 0) {
      this.headersDeadlineMs = this.#owner.clock.monotonicMs() + sending.headersTimeoutMs;
    }
    const socket = this.#socket;
    if (typeof body === 'string') {
      const bytes = Buffer.byteLength(body);
      if (bytes === body.length) socket.write(`${sending.head}${bytes}\r\n\r\n${body}`, 'latin1');
      else {
        // The head may hold latin1 and the body anything: two encodings, one write.
        socket.cork();
        socket.write(`${sending.head}${bytes}\r\n\r\n`, 'latin1');
        socket.write(body, 'utf8');
        socket.uncork();
      }
    } else {
      const bytes = body.reduce((sum, piece) => sum + piece.length, 0);
      socket.cork();
      socket.write(`${sending.head}${bytes}\r\n\r\n`, 'latin1');
      for (const piece of body) if (piece.length > 0) socket.write(piece);
      socket.uncork();
    }
    return true;
  }

  hold(): void {
    this.#socket.ref();
  }

  rest(): void {
    this.#socket.unref();
  }

  abort(reason: Error): void {
    this.#end(reason);
  }

  head(status: number, headers: ResponseHeaders): void {
    this.headersDeadlineMs = Number.POSITIVE_INFINITY;
    this.#sending?.handler.onResponseStart(this.#sending, status, headers);
  }

  data(chunk: Buffer): void {
    this.#sending?.handler.onResponseData(this.#sending, chunk);
  }

  #opened(): void {
    if (this.#isClosed) return;
    this.#cancelConnectTimer();
    this.isOpen = true;
    const first = this.#sending;
    this.#sending = null;
    if (first !== null) this.#owner.opened(this, first);
  }

  /** False stops the reading. */
  #receive(bytes: Buffer, length: number): boolean {
    if (this.#isClosed) return false;
    const sending = this.#sending;
    if (sending === null) {
      this.#end(new Http1Error('HTTP1_INVALID', 'bytes that nobody asked for'));
      return false;
    }
    let over: number;
    try {
      over = this.#reader.push(bytes, length);
    } catch (cause) {
      // Also what a handler throws: one answer nobody can take must not end the others.
      this.#end(toError(cause));
      return false;
    }
    if (this.#isClosed) return false;
    if (over !== MORE) this.#complete(sending, over === 0 && this.#reader.isKept);
    return !this.#isClosed;
  }

  #peerEnded(): void {
    const sending = this.#sending;
    if (sending !== null && this.#reader.end()) this.#complete(sending, false);
    else this.#end(new Http1Error('HTTP1_CLOSED', 'the other side closed the connection'));
  }

  #complete(sending: Sending, isKept: boolean): void {
    sending.isOver = true;
    this.#sending = null;
    // An answer before the request was read to its end: what is left of it must not meet the next answer.
    if (isKept && this.#socket.writableLength === 0) this.#owner.freed(this, this.#reader.keepAliveMs);
    else this.#end(null);
    try {
      sending.handler.onResponseEnd(sending);
    } catch (cause) {
      sending.handler.onResponseError(sending, toError(cause));
    }
  }

  /** Ends the connection, and with it the request on it. */
  #end(error: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelConnectTimer();
    this.#reader.stop();
    this.#socket.destroy();
    const sending = this.#sending;
    this.#sending = null;
    this.#owner.closed(this);
    if (sending === null || error === null) return;
    sending.isOver = true;
    sending.handler.onResponseError(sending, error);
  }
}

function openSocket(target: Target, receive: (bytes: Buffer, length: number) => boolean): Socket {
  const guarded = target.guard === null ? null : target.guard.by.forSocket(target.guard.url);
  if (guarded?.ok === false) return refusedSocket(guarded.error);
  const buffer = SHARED_READ ?? Buffer.allocUnsafeSlow(READ_BYTES);
  const options = {
    host: target.host,
    port: target.port,
    ...(guarded === null ? {} : { lookup: guarded.lookup }),
    onread: { buffer, callback: (length: number) => receive(buffer, length) },
  };
  const tls: ConnectionOptions = {
    ...options,
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: true,
    servername: isIP(target.host) === 0 ? target.host : '',
    ...(target.ca === null ? {} : { ca: target.ca }),
  };
  const socket = target.isTls ? connectTls(tls) : connect(options);
  // As options TLS sockets do not take them.
  return socket.setNoDelay(true).setKeepAlive(true, TCP_PROBE_MS);
}

function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
