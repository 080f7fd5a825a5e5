/**
 * One open pipe of JSON-RPC frames to a server: stdio, Streamable HTTP or HTTP+SSE. A channel moves bytes and knows on
 * which stream they came; it never reads what a frame means (link.ts does) and never retries.
 */
import type { RpcError } from '../../domain/rpc.ts';
import type { Exchange } from './exchange.ts';
import type { Fault } from './fault.ts';
import type { RequestText } from './frame.ts';

/** An HTTP answer other than 2xx. */
export interface Refusal {
  status: number;
  /** The JSON-RPC error in the body, if there is one that can be ours (our id, or null). */
  error: RpcError | null;
  retryAfterMs: number | null;
}

export interface ChannelHandler {
  /** One frame, as it came; `from`: the request on whose own stream it came (HTTP), else null. */
  frame(bytes: Buffer, from: Exchange | null): void;
  /** The exchange's attempt is over without an answer. */
  faulted(exchange: Exchange, fault: Fault): void;
  /** The exchange was answered by an HTTP status. */
  refused(exchange: Exchange, refusal: Refusal): void;
  /** The channel has ended by itself: nothing more comes on it. Called at most once, never after `close`. */
  closed(fault: Fault): void;
  /** A stream beside the calls could not be kept: a sign of ill health, no more. */
  ailing(fault: Fault): void;
}

export interface Channel {
  readonly transport: 'stdio' | 'streamable-http' | 'sse';
  handler: ChannelHandler;
  /** The child process, for logs. */
  readonly pid: number | null;
  /** Sends a request frame; what comes of it is told to the handler. `extra`: header names and values in turn. */
  request(exchange: Exchange, frame: RequestText, extra: readonly string[] | null): void;
  /** Sends a notification or an answer of ours, best effort. `done` is told whether the server took it. */
  post(text: string, done?: (isTaken: boolean) => void): void;
  /** Legacy: the handshake was answered. Version and session go with every later request. */
  established(revision: string): void;
  /** Legacy: the handshake is through. Opens the standing stream where the transport has one. */
  listen(): void;
  /** Ends it without telling the handler; exchanges on it are the caller's to settle. */
  close(): Promise<void>;
}
