/**
 * The answer to a plain post: one write in the common case, chunks (RFC 9112, 7.1) where its length is not known when it
 * begins. What becomes of the connection is the connection's affair.
 */
import { STATUS_CODES, validateHeaderValue } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpResponse } from '../http-message.ts';
import type { PlainRequest } from './plain-request.ts';

type Headers = Readonly<Record<string, string | number>>;
type Chunk = string | Uint8Array;

/** The connection, as its answer knows it. */
export interface Carrier {
  readonly socket: Socket;
  /** The lines that end every head: the date, and whether the connection stays. */
  lastLines(closes: boolean): string;
  /** The system did not take everything: the reader is slow, or gone. */
  onWaiting(): void;
  /** The last byte has left, or never will. */
  readonly onFlushed: () => void;
}

export class PlainResponse implements HttpResponse {
  readonly req: PlainRequest;
  headersSent = false;
  writableEnded = false;
  /** Holds one of the places of requests that may be under way at once. */
  holdsPlace = false;
  readonly #carrier: Carrier;
  readonly #socket: Socket;
  readonly #onClose: ((this: PlainResponse) => void)[] = [];
  #isClosed = false;
  #set: Record<string, string> | null = null;
  /** The head but for its last lines, until it goes out with the first bytes of the body. */
  #head: string | null = null;
  /** Of the body, as the head says it; null: it does not. */
  #declared: number | null = null;
  #isChunked = false;
  #isLast = false;

  constructor(req: PlainRequest, carrier: Carrier) {
    this.req = req;
    this.#carrier = carrier;
    this.#socket = carrier.socket;
  }

  get destroyed(): boolean {
    return this.#isClosed || this.#socket.destroyed;
  }

  get writableLength(): number {
    return this.#socket.writableLength + (this.#head?.length ?? 0);
  }

  /** Its connection ends with it. */
  get isLast(): boolean {
    return this.#isLast;
  }

  on(_event: 'close', listener: (this: PlainResponse) => void): this {
    this.#onClose.push(listener);
    return this;
  }

  once(event: 'close', listener: (this: PlainResponse) => void): this {
    return this.on(event, listener);
  }

  setHeader(name: string, value: string): this {
    this.#set ??= {};
    this.#set[name] = value;
    return this;
  }

  /** Names in lower case. Throws what node:http does where a value could not stand in one line. */
  writeHead(status: number, headers: Headers = {}): this {
    if (this.headersSent) throw new Error('the head of this answer was written before');
    const all = this.#set === null ? headers : { ...this.#set, ...headers };
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
    for (const name in all) {
      // Said with the last lines.
      if (name === 'connection') continue;
      const value = String(all[name]);
      validateHeaderValue(name, value);
      head += `${name}: ${value}\r\n`;
    }
    this.#isLast = all.connection === 'close';
    const length = status === 204 ? 0 : all['content-length'];
    this.#declared = length === undefined ? null : Number(length);
    this.#head = head;
    this.headersSent = true;
    return this;
  }

  flushHeaders(): void {
    const head = this.#takeHead();
    if (head !== '') this.#socket.write(head, 'latin1');
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  write(chunk: Chunk): boolean {
    const takesMore = this.#sendBody(this.#takeHead(), chunk, '');
    if (this.#socket.writableLength > 0) this.#carrier.onWaiting();
    return takesMore;
  }

  end(chunk: Chunk = ''): this {
    if (this.writableEnded) return this;
    if (!this.headersSent) this.writeHead(200);
    this.writableEnded = true;
    if (this.#head !== null && this.#declared === null) {
      this.#declared = Buffer.byteLength(chunk);
      this.#head += `content-length: ${this.#declared}\r\n`;
    }
    const head = this.#takeHead();
    this.#sendBody(head, chunk, this.#isChunked ? '0\r\n\r\n' : '');
    // Nearly always the system has taken everything by now, and nobody has to be called back.
    if (this.#socket.writableLength === 0) {
      this.#carrier.onFlushed();
    } else {
      this.#carrier.onWaiting();
      this.#socket.write('', this.#carrier.onFlushed);
    }
    return this;
  }

  destroy(): this {
    this.#socket.destroy();
    return this;
  }

  /** By the connection, once: everything was sent, or nothing can be any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const listener of this.#onClose) listener.call(this);
  }

  /** What of the head has not gone out, to be written before anything else; empty: it has. */
  #takeHead(): string {
    if (!this.headersSent) this.writeHead(200);
    if (this.#head === null) return '';
    this.#isChunked = this.#declared === null;
    const head = `${this.#head}${this.#isChunked ? 'transfer-encoding: chunked\r\n' : ''}${this.#carrier.lastLines(this.#isLast)}\r\n`;
    this.#head = null;
    return head;
  }

  #sendBody(head: string, chunk: Chunk, tail: string): boolean {
    const bytes = this.#isChunked || typeof chunk !== 'string' ? Buffer.byteLength(chunk) : 0;
    // A chunk of nothing would be the end of them.
    const isFramed = this.#isChunked && bytes > 0;
    const before = isFramed ? `${head}${bytes.toString(16)}\r\n` : head;
    const after = isFramed ? `\r\n${tail}` : tail;
    if (typeof chunk === 'string') {
      // As long as it has letters: every one is a byte, and copied rather than encoded.
      const isAscii = (this.#isChunked ? bytes : this.#declared) === chunk.length;
      return this.#socket.write(before + chunk + after, isAscii ? 'latin1' : 'utf8');
    }
    if (before === '' && after === '') return this.#socket.write(chunk);
    this.#socket.cork();
    if (before !== '') this.#socket.write(before, 'latin1');
    const takesMore = this.#socket.write(chunk);
    if (after !== '') this.#socket.write(after, 'latin1');
    this.#socket.uncork();
    return takesMore;
  }
}
