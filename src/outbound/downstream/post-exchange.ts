/**
 * One HTTP request that carries one JSON-RPC request, from its first byte to the end of its response: a JSON body or an
 * event stream. The handler object that the HTTP library calls; nothing is allocated per chunk. Bounded in bytes.
 */
import { isJsonObject } from '../../domain/json.ts';
import { isRpcError, type RpcError } from '../../domain/rpc.ts';
import type { ChannelHandler } from './channel.ts';
import { createEventStreamReader, type EventStreamReader } from './event-stream.ts';
import type { Exchange, Work } from './exchange.ts';
import { type Fault, fault, fromHttpError } from './fault.ts';
import { parseJson } from './frame.ts';
import { GatheredBytes } from './gathered-bytes.ts';
import { headerOf, mediaType, retryAfterMs } from './http-client.ts';
import type { HttpController, HttpHandler, ResponseHeaders } from './http-handler.ts';

/** What a POST needs of the channel it belongs to. */
export interface PostHost {
  readonly handler: ChannelHandler;
  readonly maxFrameBytes: number;
  readonly maxRetryAfterMs: number;
  wallMs(): number;
  /** The server named a session in its answer. */
  sawSession(exchange: Exchange, id: string): void;
  /** The stream ended early but can be taken up again. False: it cannot. */
  resume(exchange: Exchange, id: number, lastEventId: string, retryMs: number | null): boolean;
  /** Answered, but the server keeps the stream open. */
  lingers(post: PostExchange): void;
  /** The body has begun and is not complete. */
  drips(post: PostExchange): void;
  ended(post: PostExchange): void;
}

/** Bodies of error answers are read for their JSON-RPC error only. */
const MAX_ERROR_BYTES = 64 * 1024;
const ABORTED = new Error('no longer wanted');

type Mode = 'json' | 'events' | 'error' | 'none';

export class PostExchange implements HttpHandler, Work {
  readonly #host: PostHost;
  readonly exchange: Exchange;
  /** The channel's: under which number it watches over the end of the response, and until when. 0: it does not. */
  watchedAs = 0;
  endMs = 0;
  /** The exchange's id at this attempt: a later attempt has another. */
  readonly #id: number;
  #controller: HttpController | null = null;
  #isStarted = false;
  #isOver = false;
  #status = 0;
  #mode: Mode = 'none';
  #contentType = '';
  #retryAfterMs: number | null = null;
  /** A body that came in one piece; else it is gathered. */
  #whole: Buffer | null = null;
  #gathered: GatheredBytes | null = null;
  #bytes = 0;
  #expected = -1;
  #events: EventStreamReader | null = null;

  constructor(host: PostHost, exchange: Exchange) {
    this.#host = host;
    this.exchange = exchange;
    this.#id = exchange.id;
  }

  get isAnswered(): boolean {
    return !this.#isOpen;
  }

  /** The attempt still waits for its answer. */
  get #isOpen(): boolean {
    return this.exchange.id === this.#id && this.exchange.state === 'running';
  }

  /** Stops the request: before it is sent it never is; later its connection is given up. */
  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#host.ended(this);
    this.#controller?.abort(ABORTED);
  }

  /** Ends the attempt with a fault and gives up the connection. */
  fail(no: Fault): void {
    if (this.#isOver) return;
    const isOpen = this.#isOpen;
    this.abandon();
    if (isOpen) this.#host.handler.faulted(this.exchange, no);
  }

  onRequestWaiting(controller: HttpController): void {
    this.#controller = controller;
  }

  onRequestStart(controller: HttpController): void {
    this.#controller = controller;
    if (this.#isOver) {
      controller.abort(ABORTED);
      return;
    }
    this.#isStarted = true;
    this.exchange.isSent = true;
  }

  onResponseStart(_controller: HttpController, status: number, headers: ResponseHeaders): void {
    if (status < 200 || this.#isOver) return;
    this.#status = status;
    this.#contentType = mediaType(headerOf(headers, 'content-type'));
    if (status >= 300) {
      this.#mode = 'error';
      this.#retryAfterMs = retryAfterMs(
        headerOf(headers, 'retry-after'),
        this.#host.wallMs(),
        this.#host.maxRetryAfterMs,
      );
      return;
    }
    const session = headers['mcp-session-id'];
    if (typeof session === 'string') this.#host.sawSession(this.exchange, session);
    if (this.#contentType === 'application/json') {
      this.#mode = 'json';
      const length = headers['content-length'];
      if (typeof length === 'string') {
        this.#expected = Number(length);
        if (this.#expected > this.#host.maxFrameBytes) this.fail(tooLarge());
      }
    } else if (this.#contentType === 'text/event-stream') {
      this.#mode = 'events';
      this.#events = createEventStreamReader(this.#host.maxFrameBytes, null, event => {
        if (event.data.length > 0 && event.type === 'message') this.#host.handler.frame(event.data, this.exchange);
      });
    } else if (status !== 202 && status !== 204) {
      this.fail(fault('bad-answer', 'its answer is neither JSON nor an event stream', { detail: `HTTP ${status}` }));
    }
  }

  onResponseData(_controller: HttpController, chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#events !== null) {
      const wasOpen = this.#isOpen;
      if (!this.#events.push(chunk)) this.fail(tooLarge());
      else if (wasOpen && !this.#isOpen && !this.#isOver && !this.exchange.isStream) this.#host.lingers(this);
      return;
    }
    this.#bytes += chunk.length;
    if (this.#mode === 'json') {
      if (this.#bytes > this.#host.maxFrameBytes) {
        this.fail(tooLarge());
        return;
      }
      if (this.#gathered === null) {
        if (this.#expected === this.#bytes) {
          this.#whole = Buffer.from(chunk);
          return;
        }
        this.#gathered = new GatheredBytes(this.#expected);
        this.#host.drips(this);
      }
      this.#gathered.push(chunk);
    } else if (this.#mode === 'error' && this.#bytes <= MAX_ERROR_BYTES) {
      this.#gathered ??= new GatheredBytes();
      this.#gathered.push(chunk);
    } else if (this.#bytes > this.#host.maxFrameBytes) this.fail(tooLarge());
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#host.ended(this);
    if (!this.#isOpen) return;
    const { handler } = this.#host;
    if (this.#mode === 'json') {
      const body = this.#whole ?? this.#gathered?.take() ?? null;
      if (body !== null) handler.frame(body, this.exchange);
      if (this.#isOpen) {
        handler.faulted(this.exchange, fault('bad-answer', 'it answered something else than was asked'));
      }
    } else if (this.#mode === 'events') this.#endStream(fault('lost', 'it ended the stream without an answer'));
    else if (this.#mode === 'error') this.#refuse();
    else handler.faulted(this.exchange, fault('bad-answer', 'its answer is empty', { detail: `HTTP ${this.#status}` }));
  }

  onResponseError(_controller: HttpController | null, error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#host.ended(this);
    if (!this.#isOpen) return;
    const no = fromHttpError(error, this.#isStarted);
    if (this.#mode === 'events') this.#endStream(no);
    else this.#host.handler.faulted(this.exchange, no);
  }

  #endStream(no: Fault): void {
    const lastId = this.#events?.lastId ?? null;
    if (lastId !== null && this.#host.resume(this.exchange, this.#id, lastId, this.#events?.retryMs ?? null)) return;
    this.#host.handler.faulted(this.exchange, no);
  }

  #refuse(): void {
    let error: RpcError | null = null;
    if (this.#contentType === 'application/json' && this.#gathered !== null) {
      const body = parseJson(this.#gathered.take());
      // Servers that cannot tell which request they refuse leave the id out, or null.
      if (
        isJsonObject(body) &&
        isRpcError(body.error) &&
        (body.id === this.#id || body.id === null || body.id === undefined)
      ) {
        error = body.error;
      }
    }
    this.#host.handler.refused(this.exchange, { status: this.#status, error, retryAfterMs: this.#retryAfterMs });
  }
}

function tooLarge(): Fault {
  return fault('bad-answer', 'its answer is too large');
}
