/**
 * The event streams of one HTTP session: what was sent on them, which are still being written, and the standalone one.
 * Made with the first stream; a session that only gets JSON answers never has one.
 */
import type { EventLog } from './event-log.ts';
import type { EventStreamResponse } from './event-stream.ts';

/** Something that goes on writing to a stream its client lost and came back for. */
export interface Resumable {
  attach(stream: EventStreamResponse): void;
}

export class SessionStreams {
  readonly log: EventLog;
  /** 2025-11-25 and later: a stream begins with an empty event whose id a client can resume from. */
  readonly primes: boolean;
  /** Streams of calls under way, by stream id. */
  readonly live = new Map<string, Resumable>();
  #standaloneId: string | null = null;
  #standalone: EventStreamResponse | null = null;

  constructor(log: EventLog, primes: boolean) {
    this.log = log;
    this.primes = primes;
  }

  isStandalone(streamId: string): boolean {
    return this.#standaloneId === streamId;
  }

  /** The newest stream is the standalone one: an older one is a connection the client lost before we did. */
  attachStandalone(stream: EventStreamResponse, resumedId: string | null): void {
    this.#standalone?.end();
    this.#standalone = stream;
    if (resumedId !== null) return;
    const id = this.log.openStream(true);
    this.#standaloneId = id;
    if (this.primes) stream.event(this.log.append(id, ''), '');
  }

  /** Kept for the client's return when its connection is gone. False: it never opened the stream. */
  send(text: string): boolean {
    if (this.#standaloneId === null) return false;
    const id = this.log.append(this.#standaloneId, text);
    this.#standalone?.event(id, text);
    return true;
  }

  end(): void {
    this.#standalone?.end();
    this.#standalone = null;
  }
}
