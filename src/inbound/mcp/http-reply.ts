/**
 * The response of one POST. It stays undecided as long as possible: a plain JSON answer is the cheap case; the first
 * message before the answer, or a long wait, turns it into an event stream (Streamable HTTP).
 *
 * Legacy: the connection may drop and come back; events are kept in the session's log. Modern: a closed response is
 * the client's cancellation.
 */
import type { Handled } from '../../domain/call.ts';
import type { Era } from '../../domain/era.ts';
import type { Challenges } from '../../services/identity/challenge.ts';
import type { HttpResponse } from '../http/http-message.ts';
import { limitHeadersOf } from '../http/limited.ts';
import { pathOf } from '../http/routes.ts';
import { EventStreamResponse } from './event-stream.ts';
import { byteLength, type Frame, toLine } from './frames.ts';
import type { KeepAlive, Kept } from './keep-alive.ts';
import type { Outlet } from './outlet.ts';
import { httpStatus, missingScopes, retryAfterSeconds } from './respond.ts';
import type { Resumable, SessionStreams } from './session-streams.ts';

/** A call that takes longer than this is answered on a stream, so that nothing between us takes silence for death. */
const STREAM_AFTER_MS = 5000;
/** Where a client may be disconnected and come back, it is told to wait this long. */
const RETRY_MS = 1000;
/** A legacy client that lost its connection may come back (a lost connection is no cancellation), but not for ever. */
const ABANDONED_AFTER_MS = 120_000;

const NO_HEADERS: Readonly<Record<string, string>> = {};

export class HttpReply implements Outlet, Kept, Resumable {
  readonly #res: HttpResponse;
  readonly #requestId: string;
  readonly #era: Era;
  readonly #stepUp: Challenges | null;
  readonly #acceptsStream: boolean;
  readonly #openStreams: (() => SessionStreams) | null;
  #streams: SessionStreams | null = null;
  readonly #keepAlive: KeepAlive;
  readonly #keptAs: number;
  readonly #openedAtMs: number;
  readonly #isBatch: boolean;
  readonly #canReturn: boolean;
  /** Answers still to come. */
  #pending: number;
  #answers: string[] = [];
  #stream: EventStreamResponse | null = null;
  #streamId: string | null = null;
  #streaming = false;
  /** What to do when the client has gone before it was answered: modern at once, legacy when it stays away. */
  onGone: (() => void) | null = null;
  #goneSinceMs: number | null = null;

  constructor(
    res: HttpResponse,
    options: {
      /** Ours: said with the answer, so that it is found in the book. */
      requestId: string;
      era: Era;
      acceptsStream: boolean;
      /** The session's streams, where a broken one can be resumed; asked for with the first event only. */
      streams: (() => SessionStreams) | null;
      keepAlive: KeepAlive;
      nowMs: number;
      /** False: a client without a session, which has no way back to its answer. */
      canReturn: boolean;
      /** Where a caller can get a token with more scopes, how it is told to; null: it cannot. */
      stepUp: Challenges | null;
      /** Null: one request, answered as an object. A number: a batch, answered as an array. */
      batch: number | null;
    },
  ) {
    this.#res = res;
    this.#requestId = options.requestId;
    this.#era = options.era;
    this.#stepUp = options.stepUp;
    this.#acceptsStream = options.acceptsStream;
    this.#openStreams = options.streams;
    this.#keepAlive = options.keepAlive;
    this.#openedAtMs = options.nowMs;
    this.#isBatch = options.batch !== null;
    this.#canReturn = options.canReturn;
    this.#pending = options.batch ?? 1;
    this.#keptAs = this.#keepAlive.add(this);
    if (options.era === 'modern') {
      res.once('close', () => {
        if (this.#pending === 0) return;
        this.#keepAlive.delete(this.#keptAs);
        this.onGone?.();
      });
    }
  }

  message(text: string): boolean {
    if (!this.#acceptsStream) return false;
    this.#startStream();
    return this.#event(text);
  }

  answer(frame: Frame, handled: Handled): void {
    if (this.#pending === 0) return;
    this.#pending--;
    if (this.#streaming) {
      this.#event(toLine(frame));
      if (this.#pending === 0) this.end();
    } else if (this.#isBatch) {
      this.#answers.push(toLine(frame));
      if (this.#pending === 0)
        this.#writeJson(200, { head: `[${this.#answers.join(',')}]`, bytes: null, tail: '' }, NO_HEADERS);
    } else {
      this.#answerAlone(frame, handled);
    }
  }

  #answerAlone(frame: Frame, handled: Handled): void {
    const status = httpStatus(this.#era, handled);
    if (handled.kind !== 'failure') return this.#writeJson(status, frame, NO_HEADERS);
    if (handled.code === 'RATE_LIMITED') return this.#writeJson(status, frame, limitHeadersOf(handled));
    const missing = this.#stepUp === null ? null : missingScopes(handled);
    if (missing !== null && this.#stepUp !== null) {
      const challenge = this.#stepUp.insufficientScope(pathOf(this.#res.req.url), missing);
      return this.#writeJson(challenge.status, frame, { 'www-authenticate': challenge.wwwAuthenticate });
    }
    const retryAfter = retryAfterSeconds(handled);
    this.#writeJson(status, frame, retryAfter === null ? NO_HEADERS : { 'retry-after': String(retryAfter) });
  }

  /** Ends an open stream without another message. */
  end(): void {
    this.#pending = 0;
    this.#keepAlive.delete(this.#keptAs);
    if (this.#streamId !== null) this.#streams?.live.delete(this.#streamId);
    this.#stream?.end();
  }

  /** Opens the stream at once: for answers that are streams by nature. */
  startStream(): void {
    this.#startStream();
  }

  /** A client that lost this stream came back for it. */
  attach(stream: EventStreamResponse): void {
    this.#stream?.end();
    this.#stream = stream;
  }

  tick(nowMs: number): void {
    if (this.#isGone()) {
      this.#goneSinceMs ??= nowMs;
      if (nowMs - this.#goneSinceMs < (this.#canReturn ? ABANDONED_AFTER_MS : 0)) return;
      this.#keepAlive.delete(this.#keptAs);
      this.onGone?.();
      return;
    }
    this.#goneSinceMs = null;
    if (this.#stream !== null) this.#stream.keepAlive();
    else if (this.#acceptsStream && !this.#streaming && nowMs - this.#openedAtMs >= STREAM_AFTER_MS)
      this.#startStream();
  }

  #isGone(): boolean {
    return this.#streaming ? this.#stream === null || !this.#stream.isOpen : this.#res.destroyed;
  }

  #startStream(): void {
    if (this.#streaming) return;
    this.#streaming = true;
    if (!this.#res.destroyed) {
      const stream: EventStreamResponse = new EventStreamResponse(
        this.#res,
        { 'x-request-id': this.#requestId },
        () => {
          if (this.#stream === stream) this.#stream = null;
        },
      );
      this.#stream = stream;
    }
    if (this.#openStreams !== null) {
      this.#streams = this.#openStreams();
      this.#streamId = this.#streams.log.openStream();
      this.#streams.live.set(this.#streamId, this);
      if (this.#streams.primes) {
        this.#event('');
        this.#stream?.retry(RETRY_MS);
      }
    }
    for (const answer of this.#answers.splice(0)) this.#event(answer);
  }

  /** True when the message was sent or is kept for the client's return. */
  #event(text: string): boolean {
    if (this.#streams === null || this.#streamId === null) return this.#stream?.event(null, text) ?? false;
    const id = this.#streams.log.append(this.#streamId, text);
    this.#stream?.event(id, text);
    return true;
  }

  #writeJson(status: number, frame: Frame, more: Readonly<Record<string, string>>): void {
    this.#keepAlive.delete(this.#keptAs);
    const res = this.#res;
    if (res.destroyed) return;
    const headers: Record<string, string | number> = {
      'content-type': 'application/json',
      'content-length': byteLength(frame),
      'x-request-id': this.#requestId,
    };
    res.writeHead(status, more === NO_HEADERS ? headers : { ...headers, ...more });
    if (frame.bytes === null) {
      res.end(frame.head);
      return;
    }
    res.cork();
    res.write(frame.head);
    res.write(frame.bytes);
    res.end(frame.tail);
    res.uncork();
  }
}
