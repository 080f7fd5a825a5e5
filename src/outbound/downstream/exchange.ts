/**
 * One request under way: from the moment it is accepted until its one reply. It outlives an attempt: a request that was
 * never sent may be given to another link, under a new id. Who waits for it is its owner.
 */
import type { Answer, Line, Relayed } from '../../domain/call.ts';
import type { Failure } from '../../domain/error.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Fault } from './fault.ts';
import type { Link } from './link.ts';

/** Told exactly one of the two per attempt. */
export interface ExchangeOwner {
  answered(exchange: Exchange, reply: Answer | Relayed | Failure): void;
  faulted(exchange: Exchange, fault: Fault): void;
}

/** The transport's part of an attempt. */
export interface Work {
  /** Stops it and forgets it, without telling the owner. */
  abandon(exchange: Exchange): void;
}

export type Settle = (reply: Answer | Relayed | Failure) => void;

export class Exchange {
  readonly owner: ExchangeOwner;
  readonly method: string;
  readonly params: JsonObject;
  /** null: the gateway's own question. */
  readonly line: Line | null;
  readonly settle: Settle;
  /** Monotonic; Infinity: no limit. */
  readonly deadlineMs: number;
  readonly timeoutMs: number | null;

  /** The exact JSON of `params.arguments`, where it was kept. */
  argumentBytes: Uint8Array | null = null;
  /** Of its caller, for HTTP servers that get any: names and values in turn. */
  headers: readonly string[] | null = null;
  /** On the link of the current attempt; 0 before the first. */
  id = 0;
  link: Link | null = null;
  state: 'waiting' | 'running' | 'done' = 'waiting';
  /** Bytes of the current attempt may have left. */
  isSent = false;
  /** How much the link had heard when the attempt began: silence since then speaks against the server. */
  heardBefore = 0;
  /** Repeated once because it had not been sent. */
  isRetried = false;
  /** Repeated once because the server had forgotten our session. */
  isRenewed = false;
  /** A long-lived stream (`subscriptions/listen`): kept off the sockets that calls use, and without time limits. */
  isStream = false;
  /** Set by the channel for the current attempt. */
  work: Work | null = null;

  constructor(
    owner: ExchangeOwner,
    method: string,
    params: JsonObject,
    line: Line | null,
    timeoutMs: number | null,
    deadlineMs: number,
    settle: Settle,
  ) {
    this.owner = owner;
    this.method = method;
    this.params = params;
    this.line = line;
    this.deadlineMs = deadlineMs;
    this.timeoutMs = timeoutMs;
    this.settle = settle;
  }
}
