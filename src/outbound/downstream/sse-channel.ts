/**
 * HTTP+SSE (MCP 2024-11-05) as a channel: one GET stream brings every frame; requests are POSTed to the address that its
 * first event names. That address must be of the same origin: a server may not point our headers elsewhere.
 */
import type { Channel, ChannelHandler } from './channel.ts';
import { openEventRequest } from './event-request.ts';
import type { Exchange, Work } from './exchange.ts';
import { type Fault, FaultError, fault, fromHttpError } from './fault.ts';
import { headerOf, retryAfterMs } from './http-client.ts';
import type { HttpController, HttpHandler, ResponseHeaders } from './http-handler.ts';
import { refusalFault } from './refusal.ts';
import type { HttpChannelOptions } from './streamable-http-channel.ts';

/** `channel` resolves once the server has named its POST address, or rejects with a FaultError. */
export function openSseChannel(
  options: HttpChannelOptions,
  handler: ChannelHandler,
  timeoutMs: number,
): { channel: Promise<Channel>; abort(): void } {
  const { http, limits, clock } = options;
  const base = new URL(http.path, http.origin);
  let headers = ['content-type', 'application/json', 'accept', 'application/json, text/event-stream', ...http.headers];
  let path: string | null = null;
  let isClosed = false;

  const ready = Promise.withResolvers<Channel>();
  const cancelTimer = clock.after(timeoutMs, () => fail(fault('unsent', 'it named no address for messages in time')));

  function fail(no: Fault): void {
    if (isClosed) return;
    isClosed = true;
    abortStream();
    cancelTimer();
    ready.reject(new FaultError(no));
  }

  const abortStream = openEventRequest(
    http,
    { path: http.path, headers: [...http.headers], lastEventId: null, maxEventBytes: limits.maxFrameBytes },
    {
      opened() {},
      event(event) {
        if (isClosed) return;
        if (path === null) {
          if (event.type !== 'endpoint') return;
          const address = URL.parse(event.data.toString('utf8').trim(), base.href);
          if (address === null || address.origin !== base.origin) {
            fail(fault('bad-answer', 'it named an address of another origin'));
            return;
          }
          path = address.pathname + address.search;
          cancelTimer();
          ready.resolve(channel);
        } else if (event.data.length > 0 && event.type === 'message') channel.handler.frame(event.data, null);
      },
      ended({ status, fault: no }) {
        if (isClosed) return;
        if (path === null) {
          fail(status === null ? no : refusalFault(status, null));
          return;
        }
        isClosed = true;
        channel.handler.closed(no);
      },
    },
  );

  /** One POST; its own response says only whether the server took the message. */
  class Post implements HttpHandler, Work {
    readonly #exchange: Exchange | null;
    readonly #done: ((isTaken: boolean) => void) | undefined;
    #controller: HttpController | null = null;
    #isOver = false;
    #status = 0;
    #retryAfterMs: number | null = null;

    constructor(exchange: Exchange | null, done?: (isTaken: boolean) => void) {
      this.#exchange = exchange;
      this.#done = done;
    }

    abandon(): void {
      if (this.#isOver) return;
      this.#isOver = true;
      this.#controller?.abort(new Error('no longer wanted'));
    }

    onRequestWaiting(controller: HttpController): void {
      this.#controller = controller;
    }

    onRequestStart(controller: HttpController): void {
      this.#controller = controller;
      if (this.#isOver) controller.abort(new Error('no longer wanted'));
      else if (this.#exchange !== null) this.#exchange.isSent = true;
    }

    onResponseStart(_controller: HttpController, status: number, received: ResponseHeaders): void {
      if (status < 200) return;
      this.#status = status;
      this.#retryAfterMs = retryAfterMs(headerOf(received, 'retry-after'), clock.wallMs(), limits.maxRetryAfterMs);
    }

    onResponseData(): void {}

    onResponseEnd(): void {
      if (this.#isOver) return;
      this.#isOver = true;
      const isTaken = this.#status < 300;
      this.#done?.(isTaken);
      const exchange = this.#exchange;
      if (isTaken || exchange?.work !== this) return;
      exchange.work = null;
      channel.handler.refused(exchange, { status: this.#status, error: null, retryAfterMs: this.#retryAfterMs });
    }

    onResponseError(_controller: HttpController | null, error: Error): void {
      if (this.#isOver) return;
      this.#isOver = true;
      this.#done?.(false);
      const exchange = this.#exchange;
      if (exchange?.work !== this) return;
      exchange.work = null;
      channel.handler.faulted(exchange, fromHttpError(error, exchange.isSent));
    }
  }

  const channel: Channel = {
    transport: 'sse',
    handler,
    pid: null,
    request(exchange, frame) {
      if (isClosed || path === null) {
        channel.handler.faulted(exchange, fault('unsent', 'its event stream has ended'));
        return;
      }
      const post = new Post(exchange);
      exchange.work = post;
      http.call({ method: 'POST', path, headers, extra: exchange.headers, body: frame }, post);
    },
    post(text, done) {
      if (isClosed || path === null) done?.(false);
      else http.send({ method: 'POST', path, headers, body: text }, 'aside', new Post(null, done));
    },
    established(revision) {
      headers = [...headers, 'mcp-protocol-version', revision];
    },
    listen() {},
    close() {
      isClosed = true;
      abortStream();
      return Promise.resolve();
    },
  };
  return {
    channel: ready.promise,
    abort() {
      if (path === null) fail(fault('unsent', 'it is no longer wanted', { isOutage: false }));
    },
  };
}
