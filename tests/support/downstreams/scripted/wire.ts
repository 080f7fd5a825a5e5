/** What the engine needs of a transport: one Wire per request, one Peer per client connection. Types only. */
import type { IncomingHttpHeaders } from 'node:http';
import type { JsonObject } from '../../../../src/domain/json.ts';

/** The way back for one request. After `answer`, `end` or `drop` nothing more is written. */
export interface Wire {
  /** Request headers; null over stdio. */
  readonly headers: IncomingHttpHeaders | null;
  /** Sends a message that belongs to this request, before its answer. */
  send(message: JsonObject): void;
  answer(message: JsonObject): void;
  /** Opens the response as it will be framed; needed before `raw`. */
  begin(as: 'json' | 'sse'): void;
  /** The bytes of a message as this wire would write them. */
  frame(message: JsonObject): string;
  /** Writes bytes as they are; resolves when the reader has room again, false when it has gone. */
  raw(text: string): Promise<boolean>;
  end(): void;
  /** Ends the connection without a proper end. */
  drop(): void;
  /** HTTP only; over stdio null: there is no status to send. */
  respond: ((status: number, headers: Record<string, string>, body: string) => void) | null;
  /** HTTP only: the answer with an early hint before and trailers behind. */
  answerWithTrailers: ((message: JsonObject) => void) | null;
  /** Called when the reader leaves before the answer. */
  onGone(hear: () => void): void;
}

/** One client connection: a stdio process, a legacy session, or (modern HTTP) one request. */
export interface Peer {
  readonly id: string;
  revision: string;
  clientInfo: JsonObject;
  clientCapabilities: JsonObject;
  logLevel: string;
  count: number;
  readonly watched: Set<string>;
  /** Answers awaited from the client, by our request id. */
  readonly waiting: Map<string, (reply: JsonObject) => void>;
  /** Requests under way, by their id as JSON text: 1 and "1" are two ids. */
  readonly running: Map<string, AbortController>;
  /** Sends something that belongs to no request: the GET or SSE stream, stdout; dropped where there is none. */
  push(message: JsonObject): void;
}
