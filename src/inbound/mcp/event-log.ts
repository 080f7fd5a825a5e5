/**
 * What was sent on a session's event streams, kept for `Last-Event-ID` (MCP 2025-03-26 .. 2025-11-25). Bounded in
 * events and bytes; what fell out is reported as lost, never skipped over silently.
 * Event ids are `<stream>.<number>`: unique in the session, the stream part random.
 */
import { randomBytes } from 'node:crypto';

const EVENT_NUMBER = /^[1-9]\d{0,15}$/;

export interface LoggedEvent {
  id: string;
  data: string;
}

interface Stored extends LoggedEvent {
  stream: string;
  number: number;
}

export class EventLog {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  #events: Stored[] = [];
  #bytes = 0;
  /** Events so far. One count for all streams: a stream that was forgotten and goes on repeats no id. */
  #count = 0;
  /** stream -> number of its newest event, and of the newest that was thrown away. */
  readonly #streams = new Map<string, { newest: number; lost: number }>();
  #standing: string | null = null;

  constructor(maxEvents: number, maxBytes: number) {
    this.#maxEvents = maxEvents;
    this.#maxBytes = maxBytes;
  }

  /** `standing`: the session's standalone stream, which may be quiet for long and is not forgotten for newer ones. */
  openStream(standing = false): string {
    const stream = randomBytes(9).toString('base64url');
    if (standing) this.#standing = stream;
    this.#streams.set(stream, { newest: this.#count, lost: this.#count });
    if (this.#streams.size > this.#maxEvents) this.#forgetOldestStream();
    return stream;
  }

  /** Returns the event's id. */
  append(stream: string, data: string): string {
    const state = this.#streams.get(stream) ?? { newest: this.#count, lost: this.#count };
    this.#streams.set(stream, state);
    const number = ++this.#count;
    state.newest = number;
    const id = `${stream}.${number}`;
    this.#events.push({ id, data, stream, number });
    this.#bytes += data.length;
    while (this.#events.length > this.#maxEvents || (this.#bytes > this.#maxBytes && this.#events.length > 1))
      this.#drop();
    return id;
  }

  /** What followed an event on its stream; null when the id is not ours or something after it was thrown away. */
  since(lastEventId: string): { stream: string; events: readonly LoggedEvent[] } | null {
    const at = lastEventId.lastIndexOf('.');
    const stream = lastEventId.slice(0, at);
    const digits = lastEventId.slice(at + 1);
    const number = Number(digits);
    const state = this.#streams.get(stream);
    if (state === undefined || !EVENT_NUMBER.test(digits) || number < state.lost || number > state.newest) return null;
    return { stream, events: this.#events.filter(event => event.stream === stream && event.number > number) };
  }

  #drop(): void {
    const oldest = this.#events.shift();
    if (oldest === undefined) return;
    this.#bytes -= oldest.data.length;
    const state = this.#streams.get(oldest.stream);
    if (state !== undefined) state.lost = oldest.number;
  }

  #forgetOldestStream(): void {
    const oldest = [...this.#streams.keys()].find(stream => stream !== this.#standing);
    if (oldest === undefined) return;
    this.#streams.delete(oldest);
    this.#events = this.#events.filter(event => event.stream !== oldest);
    this.#bytes = this.#events.reduce((sum, event) => sum + event.data.length, 0);
  }
}
