/**
 * One open `text/event-stream` response. A reader that does not read is cut off at a bound instead of filling memory:
 * it can come back with `Last-Event-ID`.
 */
import type { HttpResponse } from '../http/http-message.ts';

/** Bytes that may wait for one slow reader. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const;

export class EventStreamResponse {
  readonly #res: HttpResponse;
  #open = true;

  constructor(res: HttpResponse, headers: Record<string, string>, onClose: () => void) {
    this.#res = res;
    res.writeHead(200, { ...EVENT_STREAM_HEADERS, ...headers });
    res.flushHeaders();
    res.once('close', () => {
      this.#open = false;
      onClose();
    });
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** `data` must be one line. Returns false when the reader is gone. */
  event(id: string | null, data: string, name?: string): boolean {
    const head = (name === undefined ? '' : `event: ${name}\n`) + (id === null ? '' : `id: ${id}\n`);
    return this.#write(`${head}data: ${data}\n\n`);
  }

  /** Tells the reader how long to wait before it comes back. */
  retry(ms: number): void {
    this.#write(`retry: ${ms}\n\n`);
  }

  /** A comment: keeps proxies and idle time-outs from closing a quiet stream. */
  keepAlive(): void {
    this.#write(': keep-alive\n\n');
  }

  end(): void {
    this.#open = false;
    this.#res.end();
  }

  #write(text: string): boolean {
    if (!this.#open) return false;
    // What waited before counts, not this event: a large one must not cost a reader that keeps up its stream.
    if (this.#res.writableLength > MAX_WAITING_BYTES) {
      this.#open = false;
      this.#res.destroy();
      return false;
    }
    this.#res.write(text);
    return true;
  }
}
