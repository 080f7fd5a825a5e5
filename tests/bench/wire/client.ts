/**
 * One MCP client on one raw keep-alive connection, in either era: legacy opens a session, modern sends its
 * envelope and headers with every request. One request at a time, callbacks instead of promises on the hot
 * path, answers handed over as bytes: the load generator shares a core with the fixture.
 */
import net from 'node:net';
import type { Era } from '../../../src/domain/era.ts';
import { LATEST_MODERN } from '../../../src/domain/era.ts';
import type { Request } from './messages.ts';
import { INITIALIZED, toDiscover, toInitialize } from './messages.ts';
import type { Reader } from './reader.ts';
import { createReader } from './reader.ts';

export interface ClientOptions {
  url: string;
  era: Era;
  headers: Readonly<Record<string, string>>;
  timeoutMs: number;
}

/** `cause` is null when an HTTP answer arrived, whatever its status. */
export type OnAnswer = (cause: Error | null, status: number, json: Buffer) => void;

const STATUS = /^HTTP\/1\.[01] (\d{3})/;
const SESSION = /\r\nmcp-session-id: *([^\r]+)/i;
const EVENT_STREAM = /\r\ncontent-type: *text\/event-stream/i;
const CLOSING = /\r\nconnection: *close/i;
const EMPTY = Buffer.alloc(0);

/** The message with this id among the events of a body; null when there is none. */
export function findAnswer(body: Buffer, id: number): Buffer | null {
  const wanted = new RegExp(`"id": ?${id}[,}]`);
  for (const event of body.toString('latin1').split(/\r?\n\r?\n/)) {
    const lines = event.split(/\r?\n/).filter(line => line.startsWith('data:'));
    const data = lines.map(line => line.slice(line[5] === ' ' ? 6 : 5)).join('\n');
    if (wanted.test(data) && !data.slice(0, 200).includes('"method":')) return Buffer.from(data, 'latin1');
  }
  return null;
}

export class BenchClient {
  readonly #options: ClientOptions;
  readonly #url: URL;
  readonly #era: Era;
  readonly #constantHeaders: string;
  #sessionId = '';
  #head = '';
  #socket: net.Socket | null = null;
  #waiting: OnAnswer | null = null;
  #waitingId = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastId = 0;
  #connects = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    this.#era = options.era;
    this.#constantHeaders = Object.entries(options.headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
  }

  get reconnects(): number {
    return Math.max(0, this.#connects - 1);
  }

  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** The handshake of the era: initialize and initialized, or server/discover. */
  async open(): Promise<void> {
    if (this.#era === 'modern') {
      const found = await this.ask(toDiscover(this.nextId()));
      const versions = (found as { supportedVersions?: unknown }).supportedVersions;
      if (!Array.isArray(versions) || !versions.includes(LATEST_MODERN))
        throw new Error('discover: not a modern server');
      return;
    }
    const begun = (await this.ask(toInitialize(this.nextId()))) as { protocolVersion?: unknown };
    if (typeof begun.protocolVersion !== 'string') throw new Error('initialize: no protocolVersion');
    this.#head = this.#writeHead(begun.protocolVersion);
    await new Promise<void>((resolve, reject) => {
      this.#post(INITIALIZED, '', 0, (cause, status) => {
        if (cause !== null) reject(cause);
        else if (status >= 300) reject(new Error(`initialized: HTTP ${status}`));
        else resolve();
      });
    });
  }

  /** Sends one request and gives its parsed result; for set-up, not for load. */
  ask(request: Request): Promise<object> {
    return new Promise((resolve, reject) => {
      this.send(request, (cause, status, json) => {
        if (cause !== null) return reject(cause);
        const seen = `${request.method}: HTTP ${status} ${json.toString('latin1', 0, 200)}`;
        try {
          const message = JSON.parse(json.toString()) as { id?: unknown; result?: unknown };
          if (status !== 200 || message.id !== request.id) return reject(new Error(seen));
          if (typeof message.result !== 'object' || message.result === null) return reject(new Error(seen));
          resolve(message.result);
        } catch {
          reject(new Error(seen));
        }
      });
    });
  }

  send(request: Request, onAnswer: OnAnswer): void {
    const named = request.name === '' ? '' : `mcp-name: ${request.name}\r\n`;
    const perRequest = this.#era === 'modern' ? `mcp-method: ${request.method}\r\n${named}` : '';
    this.#post(request.text, perRequest, request.id, onAnswer);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.destroy();
  }

  /** Ends a legacy session the way the protocol says, then closes. */
  async end(): Promise<void> {
    if (this.#sessionId !== '' && this.#socket !== null) {
      await new Promise<void>(resolve => {
        this.#write(`DELETE ${this.#head.slice(5)}content-length: 0\r\n\r\n`, 0, () => resolve());
      });
    }
    this.close();
  }

  #writeHead(version: string): string {
    const session = this.#sessionId === '' ? '' : `mcp-session-id: ${this.#sessionId}\r\n`;
    const revision = version === '' ? '' : `mcp-protocol-version: ${version}\r\n`;
    return (
      `POST ${this.#url.pathname}${this.#url.search} HTTP/1.1\r\nhost: ${this.#url.host}\r\n` +
      'content-type: application/json\r\naccept: application/json, text/event-stream\r\n' +
      `${this.#constantHeaders}${session}${revision}`
    );
  }

  #post(text: string, perRequest: string, id: number, onAnswer: OnAnswer): void {
    if (this.#head === '') this.#head = this.#writeHead(this.#era === 'modern' ? LATEST_MODERN : '');
    this.#write(`${this.#head}${perRequest}content-length: ${text.length}\r\n\r\n${text}`, id, onAnswer);
  }

  #write(bytes: string, id: number, onAnswer: OnAnswer): void {
    this.#waiting = onAnswer;
    this.#waitingId = id;
    this.#timer = setTimeout(() => this.#fail(new Error('timeout')), this.#options.timeoutMs);
    if (this.#socket === null) this.#connect();
    this.#socket?.write(bytes, 'latin1');
  }

  #connect(): void {
    this.#connects += 1;
    const socket = net.connect({ host: '127.0.0.1', port: Number(this.#url.port), noDelay: true });
    const reader: Reader = createReader('responses', (head, body) => this.#take(head, body));
    socket.on('data', chunk => {
      try {
        reader.feed(chunk);
      } catch (cause) {
        this.#fail(cause instanceof Error ? cause : new Error(String(cause)));
      }
    });
    let failure: Error | null = null;
    socket.on('error', cause => {
      failure = cause;
    });
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      reader.close();
      this.#fail(failure ?? new Error('connection closed'));
    });
    this.#socket = socket;
  }

  #take(head: string, body: Buffer): void {
    const status = Number(STATUS.exec(head)?.[1] ?? 0);
    if (this.#sessionId === '' && this.#era === 'legacy') this.#sessionId = SESSION.exec(head)?.[1] ?? '';
    if (CLOSING.test(head)) {
      const socket = this.#socket;
      this.#socket = null;
      socket?.destroy();
    }
    const isEvents = this.#waitingId !== 0 && EVENT_STREAM.test(head);
    const answer = isEvents ? findAnswer(body, this.#waitingId) : body;
    const cause = answer === null ? new Error(`no answer in the events: ${body.toString('latin1', 0, 160)}`) : null;
    this.#settle(cause, status, answer ?? body);
  }

  #fail(cause: Error): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.destroy();
    this.#settle(cause, 0, EMPTY);
  }

  #settle(cause: Error | null, status: number, json: Buffer): void {
    clearTimeout(this.#timer);
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.(cause, status, json);
  }
}
