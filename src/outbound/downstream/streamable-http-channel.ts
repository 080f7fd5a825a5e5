/**
 * Streamable HTTP as a channel: every request is a POST with a response of its own; a legacy session adds a standing GET
 * stream, the resumption of broken streams by `Last-Event-ID`, and a DELETE at the end (MCP 2025-03-26 to 2025-11-25).
 * A modern server (2026-07-28) uses the POSTs alone. Redirects are not followed: an address is what an operator wrote.
 */
import { SlotTable } from '../../domain/slot-table.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { createBackoff } from './backoff.ts';
import type { Channel, ChannelHandler } from './channel.ts';
import { openEventRequest } from './event-request.ts';
import type { Exchange } from './exchange.ts';
import { fault } from './fault.ts';
import type { HttpClient } from './http-client.ts';
import type { DownstreamLimits } from './limits.ts';
import { PostExchange, type PostHost } from './post-exchange.ts';

export interface HttpChannelOptions {
  http: HttpClient;
  limits: DownstreamLimits;
  clock: Clock;
  log: Log;
}

const SESSION_ID = /^[\x21-\x7e]{1,1024}$/;
const MAX_RESUMPTIONS_WITHOUT_NEWS = 5;
/** A server may wish for a short wait, not for none. */
const MIN_RETRY_MS = 50;
const GOODBYE_MS = 1000;
const SWEEP_MS = 500;
/** Each answer to a server costs a request: one that asks without end is not answered without end. */
const MAX_ASIDES = 256;

export function openStreamableHttpChannel(options: HttpChannelOptions, handler: ChannelHandler): Channel {
  const { http, limits, clock, log } = options;
  const fixed = ['content-type', 'application/json', 'accept', 'application/json, text/event-stream', ...http.headers];
  let sessionId: string | null = null;
  /** Version and session, once there are any; on every later request. */
  let sessionHeaders: string[] = [];
  let postHeaders = fixed;
  let isLegacy = false;
  let isClosed = false;
  let stopStanding: (() => void) | null = null;
  /** Notifications and answers of ours on their way. */
  let asides = 0;

  /** Responses that may not last for ever, with the time they end at. */
  const watched = new SlotTable<PostExchange>();
  let isSweeping = false;

  function sweepSoon(): void {
    if (isSweeping) return;
    isSweeping = true;
    clock.after(SWEEP_MS, sweep);
  }

  function sweep(): void {
    isSweeping = false;
    const now = clock.monotonicMs();
    for (const post of watched.items()) {
      if (post.endMs > now) continue;
      // Answered already: only the stream is left. Harmless where it is not.
      if (post.isAnswered) post.abandon();
      else post.fail(fault('lost', 'it did not finish its answer'));
    }
    if (watched.size > 0) sweepSoon();
  }

  function watch(post: PostExchange, forMs: number): void {
    watched.delete(post.watchedAs);
    post.endMs = clock.monotonicMs() + forMs;
    post.watchedAs = watched.add(post);
    sweepSoon();
  }

  const host: PostHost = {
    get handler() {
      return channel.handler;
    },
    maxFrameBytes: limits.maxFrameBytes,
    maxRetryAfterMs: limits.maxRetryAfterMs,
    wallMs: () => clock.wallMs(),
    sawSession(exchange, id) {
      if (exchange.method !== 'initialize' || !SESSION_ID.test(id)) return;
      sessionId = id;
    },
    resume,
    lingers(post) {
      watch(post, limits.lingerMs);
    },
    drips(post) {
      // Where a call has a time limit of its own, that is the one that counts.
      if (post.exchange.deadlineMs === Number.POSITIVE_INFINITY) watch(post, limits.headersTimeoutMs);
    },
    ended(post) {
      watched.delete(post.watchedAs);
    },
  };

  function isOpen(exchange: Exchange, id: number): boolean {
    return exchange.id === id && exchange.state === 'running';
  }

  /** SSE polling (MCP 2025-11-25): the rest of a POST's stream is fetched with GET, as often as the server likes. */
  function resume(exchange: Exchange, id: number, lastEventId: string, firstRetryMs: number | null): boolean {
    if (!isLegacy || isClosed) return false;
    let attemptsWithoutNews = 0;
    let stop = wait(lastEventId, firstRetryMs);
    exchange.work = {
      abandon() {
        stop();
      },
    };
    return true;

    function wait(from: string, retryMs: number | null): () => void {
      return clock.after(Math.max(retryMs ?? limits.backoffBaseMs, MIN_RETRY_MS), () => {
        stop = reopen(from);
      });
    }

    function reopen(from: string): () => void {
      let hasNews = false;
      const abort = openEventRequest(
        http,
        {
          path: http.path,
          headers: [...http.headers, ...sessionHeaders, ...(exchange.headers ?? [])],
          lastEventId: from,
          maxEventBytes: limits.maxFrameBytes,
        },
        {
          opened() {},
          event(event) {
            hasNews = true;
            if (event.data.length > 0 && event.type === 'message') channel.handler.frame(event.data, exchange);
            if (!isOpen(exchange, id)) abort();
          },
          ended(how) {
            if (!isOpen(exchange, id)) return;
            attemptsWithoutNews = hasNews ? 0 : attemptsWithoutNews + 1;
            const isRefused = how.status !== null && how.status < 500 && how.status !== 429;
            if (isRefused || isClosed || attemptsWithoutNews > MAX_RESUMPTIONS_WITHOUT_NEWS) {
              exchange.work = null;
              channel.handler.faulted(exchange, fault('lost', 'its stream broke off', { detail: how.fault.detail }));
              return;
            }
            stop = wait(how.lastId ?? from, how.retryMs);
          },
        },
      );
      return abort;
    }
  }

  function openStanding(): void {
    const backoff = createBackoff(limits.backoffBaseMs, limits.backoffMaxMs);
    let wasOpen = false;
    const open = (lastEventId: string | null): void => {
      stopStanding = openEventRequest(
        http,
        {
          path: http.path,
          headers: [...http.headers, ...sessionHeaders],
          lastEventId,
          maxEventBytes: limits.maxFrameBytes,
        },
        {
          opened() {
            wasOpen = true;
            backoff.reset();
          },
          event(event) {
            if (event.data.length > 0 && event.type === 'message') channel.handler.frame(event.data, null);
          },
          ended({ status, fault: no, lastId, retryMs }) {
            stopStanding = null;
            if (isClosed) return;
            if (status !== null && status < 500 && status !== 429) {
              // 405: no such stream here. After it was open once, a refusal means that the session is forgotten.
              if (wasOpen) channel.handler.ailing(fault('stale', 'it forgot the session', { detail: no.detail }));
              else log.debug('no standing stream', { status });
              return;
            }
            if (status !== null || no.kind === 'unsent') channel.handler.ailing(no);
            if (isClosed) return;
            const waitMs = Math.max(retryMs ?? backoff.nextMs(), MIN_RETRY_MS);
            stopStanding = clock.after(waitMs, () => open(lastId));
          },
        },
      );
    };
    open(null);
  }

  const channel: Channel = {
    transport: 'streamable-http',
    handler,
    pid: null,
    request(exchange, frame, extra) {
      const post = new PostExchange(host, exchange);
      exchange.work = post;
      const path = http.path;
      const own =
        extra === null ? exchange.headers : exchange.headers === null ? extra : [...extra, ...exchange.headers];
      const sent = {
        method: 'POST',
        path,
        headers: postHeaders,
        extra: own,
        body: frame,
        ...timesOf(exchange),
      } as const;
      if (exchange.isStream) http.send(sent, 'stream', post);
      else http.call(sent, post);
    },
    post(text, done) {
      if (asides >= MAX_ASIDES) {
        log.debug('too much is being said aside; a message was dropped');
        done?.(false);
        return;
      }
      asides += 1;
      http.send({ method: 'POST', path: http.path, headers: postHeaders, body: text }, 'aside', {
        onRequestStart() {},
        onResponseStart(_controller, status) {
          if (status < 200) return;
          done?.(status < 300);
          done = undefined;
        },
        onResponseData(controller, chunk) {
          // Nothing is expected here; a server that talks on is cut off.
          if (chunk.length > 0 && isClosed) controller.abort(new Error('closed'));
        },
        onResponseEnd() {
          asides -= 1;
        },
        onResponseError(_controller, error) {
          asides -= 1;
          log.debug('a notification was not delivered', { detail: error.message });
          done?.(false);
          done = undefined;
        },
      });
    },
    established(revision) {
      isLegacy = true;
      sessionHeaders = ['mcp-protocol-version', revision];
      if (sessionId !== null) sessionHeaders.push('mcp-session-id', sessionId);
      postHeaders = [...fixed, ...sessionHeaders];
    },
    listen() {
      if (!isClosed) openStanding();
    },
    close() {
      if (isClosed) return Promise.resolve();
      isClosed = true;
      stopStanding?.();
      for (const post of watched.items()) post.abandon();
      if (sessionId === null) return Promise.resolve();
      return sayGoodbye();
    },
  };

  function sayGoodbye(): Promise<void> {
    return new Promise(resolve => {
      let controller: { abort(reason: Error): void } | null = null;
      const cancel = clock.after(GOODBYE_MS, () => {
        controller?.abort(new Error('no longer wanted'));
        resolve();
      });
      const end = (): void => {
        cancel();
        resolve();
      };
      http.send(
        { method: 'DELETE', path: http.path, headers: [...http.headers, ...sessionHeaders], body: null },
        'aside',
        {
          onRequestStart(given) {
            controller = given;
          },
          onResponseStart() {},
          onResponseData() {},
          onResponseEnd: end,
          onResponseError: end,
        },
      );
    });
  }

  return channel;
}

/** A call with a time limit may think as long as that allows; one without must at least begin to answer. */
function timesOf(exchange: Exchange): { headersTimeout?: number } {
  return exchange.deadlineMs === Number.POSITIVE_INFINITY && !exchange.isStream ? {} : { headersTimeout: 0 };
}
