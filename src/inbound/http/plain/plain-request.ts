/** A plain post as guards and doors see it. Its body has come with the head nearly always; what is missing follows in pieces. */
import { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpRequest } from '../http-message.ts';
import type { PlainHead } from './plain-head.ts';

/** No header stands twice in a plain head, which is all that anybody asks of the raw ones. */
const NO_RAW_HEADERS: string[] = [];

export class PlainRequest implements HttpRequest {
  readonly method = 'POST';
  readonly httpVersion = '1.1';
  readonly rawHeaders = NO_RAW_HEADERS;
  readonly headers: IncomingHttpHeaders;
  readonly socket: Socket;
  url: string;
  destroyed = false;
  /** Its end was told. */
  readableEnded = false;
  /** Of a body that has to be waited for. */
  #events: EventEmitter | null = null;
  /** Came and was not told yet. */
  #waiting: Buffer[];
  #missingBytes: number;
  #isPaused = true;
  #isDumped = false;
  #isTellingSoon = false;

  /** `body`: as much of it as came with the head. */
  constructor(socket: Socket, head: PlainHead, body: Buffer) {
    this.socket = socket;
    this.url = head.url;
    this.headers = head.headers;
    this.#waiting = [body];
    this.#missingBytes = head.bodyBytes - body.length;
  }

  /** Bytes of the body that have not come yet. */
  get missingBytes(): number {
    return this.#missingBytes;
  }

  get complete(): boolean {
    return this.#missingBytes === 0;
  }

  get wholeBody(): Buffer | null {
    return this.#events === null && this.#missingBytes === 0 && this.#waiting.length === 1
      ? (this.#waiting[0] ?? null)
      : null;
  }

  on(event: 'data' | 'end' | 'close' | 'error', listener: (...args: never[]) => void): this {
    this.#events ??= new EventEmitter();
    this.#events.on(event, listener as (...args: unknown[]) => void);
    if (event === 'data') this.resume();
    return this;
  }

  off(event: 'data', listener: (...args: never[]) => void): this {
    this.#events?.off(event, listener as (...args: unknown[]) => void);
    return this;
  }

  pause(): this {
    this.#isPaused = true;
    return this;
  }

  /** As with node's own, nothing is told before whoever calls has returned. */
  resume(): this {
    this.#isPaused = false;
    if (this.#isTellingSoon) return this;
    this.#isTellingSoon = true;
    process.nextTick(() => {
      this.#isTellingSoon = false;
      this.#tell();
    });
    return this;
  }

  /** More of the body, and no more than is missing. */
  push(chunk: Buffer): void {
    this.#missingBytes -= chunk.length;
    if (this.#isDumped) return;
    this.#waiting.push(chunk);
    if (!this.#isTellingSoon) this.#tell();
    // Nobody reads: the rest stays with the sender meanwhile.
    if (this.#waiting.length > 0 && this.#missingBytes > 0) this.socket.pause();
  }

  /** It was answered: what is still to come of it is of interest to nobody. */
  dump(): void {
    this.#isDumped = true;
    this.#waiting = [];
    if (this.#missingBytes > 0) this.socket.resume();
  }

  /** The connection is gone. */
  abort(): void {
    this.destroyed = true;
    this.#waiting = [];
    this.#events?.emit('close');
  }

  #tell(): void {
    while (this.#isHeard()) {
      const chunk = this.#waiting.shift();
      if (chunk === undefined) break;
      if (chunk.length > 0) this.#events?.emit('data', chunk);
    }
    if (!this.#isHeard()) return;
    if (this.#missingBytes > 0) {
      this.socket.resume();
    } else if (!this.readableEnded) {
      this.readableEnded = true;
      this.#events?.emit('end');
    }
  }

  #isHeard(): boolean {
    return !this.#isPaused && !this.#isDumped && !this.destroyed;
  }
}
