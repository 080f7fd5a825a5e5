/**
 * Cuts the bytes of one connection into responses, however they arrive (RFC 9112). The memory of a read is the caller's and
 * used again: what goes on from here is lent until the call returns. Refused here: what a status or a header means.
 */
import type { ResponseHeaders } from '../http-handler.ts';
import { ChunkedBody } from './chunked-body.ts';
import { invalid } from './http1-error.ts';
import { CHUNKED, type ResponseHead, readHead, UNTIL_CLOSE } from './response-head.ts';

export interface ResponseEvents {
  head(status: number, headers: ResponseHeaders): void;
  /** Lent: its memory is used again when this returns. */
  data(chunk: Buffer): void;
}

const MAX_HEAD_BYTES = 64 * 1024;
const HEAD_END = Buffer.from('\r\n\r\n');
const LF = 10;
const CR = 13;

/** `push` gives it when the response is not complete. */
export const MORE = -1;

export class ResponseReader {
  readonly #events: ResponseEvents;
  /** The start of a head whose end has not come yet, in the first `#heldBytes`. */
  #held: Buffer | null = null;
  #heldBytes = 0;
  #head: ResponseHead | null = null;
  #left = 0;
  #chunked: ChunkedBody | null = null;
  #isStopped = false;
  readonly #emit = (data: Buffer): void => this.#events.data(data);

  constructor(events: ResponseEvents) {
    this.#events = events;
  }

  /** Of the response that was completed last. */
  get isKept(): boolean {
    return this.#head?.isKept ?? false;
  }

  get keepAliveMs(): number | null {
    return this.#head?.keepAliveMs ?? null;
  }

  /** Ready for the next response. */
  reset(): void {
    this.#head = null;
    this.#chunked = null;
  }

  /** Nobody listens any more: no event follows. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Takes the first `length` bytes. MORE: the response goes on; else how many bytes are left over after its end, which
   * can only be bytes nobody asked for. Throws Http1Error; the connection is then beyond use.
   */
  push(bytes: Buffer, length: number): number {
    if (this.#head !== null) return this.#pushBody(bytes, 0, length);
    if (this.#held === null) return this.#pushHead(bytes, 0, length, 0);
    const searchFrom = Math.max(0, this.#heldBytes - HEAD_END.length + 1);
    this.#hold(bytes, 0, length);
    const held = this.#held;
    const heldBytes = this.#heldBytes;
    return this.#pushHead(held, 0, heldBytes, searchFrom);
  }

  /** The connection ended in good order. True when that completes the response. */
  end(): boolean {
    return this.#head?.length === UNTIL_CLOSE;
  }

  #pushHead(bytes: Buffer, from: number, length: number, searchFrom: number): number {
    let at = from;
    let search = searchFrom;
    for (;;) {
      const found = bytes.indexOf(HEAD_END, search);
      if (found < 0 || found + HEAD_END.length > length) {
        checkLines(bytes, search, length);
        if (length - at > MAX_HEAD_BYTES) throw invalid('a head that is too long');
        this.#keep(bytes, at, length);
        return MORE;
      }
      const end = found + HEAD_END.length;
      if (end - at > MAX_HEAD_BYTES) throw invalid('a head that is too long');
      const head = readHead(bytes, at, end);
      at = end;
      search = end;
      if (head.status >= 200) {
        this.#begin(head);
        this.#held = null;
        this.#heldBytes = 0;
        return this.#isStopped ? MORE : this.#pushBody(bytes, at, length);
      }
      // Others are skipped without end: they cost no memory, and the time runs on.
      if (head.status === 101) throw invalid('a change of protocol nobody asked for');
    }
  }

  #begin(head: ResponseHead): void {
    this.#head = head;
    if (head.length === CHUNKED) this.#chunked = new ChunkedBody();
    else this.#left = head.length === UNTIL_CLOSE ? Number.POSITIVE_INFINITY : head.length;
    this.#events.head(head.status, head.headers);
  }

  #pushBody(bytes: Buffer, from: number, length: number): number {
    if (this.#isStopped) return MORE;
    if (this.#chunked !== null) {
      const at = this.#chunked.read(bytes, from, length, this.#emit);
      return this.#chunked.isDone ? length - at : MORE;
    }
    const to = Math.min(length, from + this.#left);
    if (to > from) {
      this.#left -= to - from;
      this.#events.data(bytes.subarray(from, to));
    }
    return this.#left === 0 ? length - to : MORE;
  }

  /** Keeps what is left of the read (or of what was kept) as the start of the next head. */
  #keep(bytes: Buffer, from: number, to: number): void {
    if (bytes === this.#held) {
      if (from > 0) bytes.copyWithin(0, from, to);
      this.#heldBytes = to - from;
    } else if (to > from) this.#hold(bytes, from, to);
  }

  #hold(bytes: Buffer, from: number, to: number): void {
    const needed = this.#heldBytes + to - from;
    if (this.#held === null || this.#held.length < needed) {
      const larger = Buffer.alloc(Math.max(1024, needed * 2));
      if (this.#held !== null) this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    bytes.copy(this.#held, this.#heldBytes, from, to);
    this.#heldBytes = needed;
  }
}

/** A head that ends its lines in LF alone would otherwise be waited for until the time is up. */
function checkLines(bytes: Buffer, from: number, to: number): void {
  for (let at = bytes.indexOf(LF, from); at >= 0 && at < to; at = bytes.indexOf(LF, at + 1)) {
    if (at === 0 || bytes[at - 1] !== CR) throw invalid('a header line that does not end in CRLF');
  }
}
