/**
 * One connection for as long as plain posts come over it, one at a time. At the first request that is anything else, node's
 * own server gets the connection as it is, with what was read of that request, and keeps it.
 */
import type { Socket } from 'node:net';
import { pathOf } from '../routes.ts';
import { PlainHeads } from './plain-head.ts';
import { PlainRequest } from './plain-request.ts';
import { type Carrier, PlainResponse } from './plain-response.ts';

/** What connections have in common. */
export interface PlainHost {
  /** Posts to other paths are not taken here. Of one path the answer never changes. */
  isFor(path: string): boolean;
  maxBodyBytes: number;
  /** A reader that takes nothing of what waits for it for so long is cut off. */
  stalledMs: number;
  onRequest(req: PlainRequest, res: PlainResponse): void;
  /** Gives the socket away; `bytes` are to be read first. */
  handOver(socket: Socket, bytes: Buffer): void;
  lastLines(closes: boolean): string;
  onGone(connection: PlainConnection): void;
}

/**
 * Of requests sent ahead; more stays with the sender until their turn comes. Meanwhile its going away is noticed only by
 * what is written to it, as is done with every call that takes long.
 */
const MAX_AHEAD_BYTES = 65_536;

export class PlainConnection implements Carrier {
  readonly socket: Socket;
  /** Rounds of the host's watch since anything came or went. */
  quietRounds = 0;
  hasServed = false;
  readonly #host: PlainHost;
  readonly #heads = new PlainHeads();
  #req: PlainRequest | null = null;
  #res: PlainResponse | null = null;
  #isAnswered = false;
  #ahead: Buffer | null = null;
  /** Posts to it are taken: most of a connection's are to one. */
  #knownUrl: string | null = null;
  /** Something waits for its reader. */
  #isWatched = false;

  constructor(socket: Socket, host: PlainHost) {
    this.socket = socket;
    this.#host = host;
    this.#listen('on');
  }

  #listen(how: 'on' | 'off'): void {
    const { socket } = this;
    socket[how]('data', this.#receive);
    socket[how]('end', this.#onEnd);
    socket[how]('close', this.#onClose);
    socket[how]('error', ignore);
    socket[how]('timeout', this.#onStalled);
    socket[how]('drain', this.#onDrain);
  }

  get isIdle(): boolean {
    return this.#req === null;
  }

  /** The answer under way, or none. */
  get response(): PlainResponse | null {
    return this.#res;
  }

  /** A request of which more has to come. */
  get isReceiving(): boolean {
    return this.#req !== null && !this.#req.complete;
  }

  lastLines(closes: boolean): string {
    return this.#host.lastLines(closes);
  }

  onWaiting(): void {
    this.#isWatched = true;
    this.socket.setTimeout(this.#host.stalledMs);
  }

  readonly onFlushed = (): void => {
    const req = this.#req;
    const res = this.#res;
    if (req === null || res === null || this.#isAnswered) return;
    this.#isAnswered = true;
    this.quietRounds = 0;
    this.#unwatch();
    res.close();
    if (res.isLast) this.socket.destroySoon();
    else if (req.complete) this.#next();
    else req.dump();
  };

  readonly #receive = (chunk: Buffer): void => {
    const req = this.#req;
    if (req === null && this.#ahead === null) return this.#begin(chunk);
    if (req === null || req.complete) return this.#keepAhead(chunk);
    const { missingBytes } = req;
    if (chunk.length > missingBytes) this.#keepAhead(chunk.subarray(missingBytes));
    req.push(chunk.length > missingBytes ? chunk.subarray(0, missingBytes) : chunk);
    if (this.#isAnswered && req.complete && this.#res?.isLast === false) this.#next();
  };

  #begin(bytes: Buffer): void {
    const head = this.#heads.read(bytes);
    if (head === null || head.bodyBytes > this.#host.maxBodyBytes || !this.#isFor(head.url)) {
      return this.#handOver(bytes);
    }
    const end = head.headBytes + head.bodyBytes;
    const req = new PlainRequest(this.socket, head, bytes.subarray(head.headBytes, end));
    if (bytes.length > end) this.#keepAhead(bytes.subarray(end));
    const res = new PlainResponse(req, this);
    this.#req = req;
    this.#res = res;
    this.#isAnswered = false;
    this.quietRounds = 0;
    this.hasServed = true;
    this.#host.onRequest(req, res);
  }

  #isFor(url: string): boolean {
    if (url === this.#knownUrl) return true;
    if (!this.#host.isFor(pathOf(url))) return false;
    this.#knownUrl = url;
    return true;
  }

  #next(): void {
    this.#req = null;
    this.#res = null;
    // Not from within the answer to the one before.
    if (this.#ahead !== null) process.nextTick(this.#takeAhead);
  }

  readonly #takeAhead = (): void => {
    const bytes = this.#ahead;
    if (bytes === null || this.#req !== null || this.socket.destroyed) return;
    this.#ahead = null;
    this.socket.resume();
    this.#begin(bytes);
  };

  #keepAhead(bytes: Buffer): void {
    this.#ahead = this.#ahead === null ? bytes : Buffer.concat([this.#ahead, bytes]);
    if (this.#ahead.length > MAX_AHEAD_BYTES) this.socket.pause();
  }

  #handOver(bytes: Buffer): void {
    const { socket } = this;
    this.#listen('off');
    socket.setTimeout(0);
    this.#host.onGone(this);
    this.#host.handOver(socket, bytes);
  }

  /** Half-closed is closed, as with node's own: whoever asks stays for the answer. `close` follows. */
  readonly #onEnd = (): void => {
    this.socket.end();
  };

  readonly #onClose = (): void => {
    if (!this.#isAnswered) this.#req?.abort();
    this.#res?.close();
    this.#host.onGone(this);
  };

  readonly #onStalled = (): void => {
    if (this.socket.writableLength > 0) this.socket.destroy();
  };

  readonly #onDrain = (): void => this.#unwatch();

  #unwatch(): void {
    if (!this.#isWatched) return;
    this.#isWatched = false;
    this.socket.setTimeout(0);
  }
}

/** `close` follows. */
function ignore(): void {}
