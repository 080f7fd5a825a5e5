/**
 * Answers for the requests of one set of callers to one server: bounds what is under way and what waits, ends what takes
 * too long, and gives every request exactly one reply. Callers never see a reconnect (connection.ts); what was never sent
 * may be sent once more, what was sent never is.
 */
import type { Answer, Line, Relayed, Reply } from '../../domain/call.ts';
import type { LogLevel } from '../../domain/era.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { ListingKind, ServerFacts } from '../../domain/listing.ts';
import type { ServerSpec, ServerStatus } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import type { BreakerState } from './breaker.ts';
import { Connection, type ConnectionHost, type ConnectionOptions } from './connection.ts';
import { createDeadlines, type Deadlines } from './deadlines.ts';
import { Exchange, type ExchangeOwner } from './exchange.ts';
import { type Fault, isRead, isRepeatable, toFailure } from './fault.ts';
import type { Link } from './link.ts';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';

export interface SupervisorHost {
  stateChanged(supervisor: Supervisor): void;
  connected(supervisor: Supervisor, facts: ServerFacts): void;
  listChanged(kinds: readonly ListingKind[]): void;
  resourceUpdated(uri: string, params: JsonObject): void;
  notification(supervisor: Supervisor, method: string, params: JsonObject): void;
}

/** Why it is stopped: what its refusals say. */
export type StopCode = 'SERVER_UNAVAILABLE' | 'SHUTTING_DOWN';

/** Requests that wait for a reconnect farther off than this are told so at once. */
const PATIENCE_MS = 2000;
const FULL_RETRY_MS = 1000;

export class Supervisor implements ExchangeOwner, ConnectionHost {
  readonly partition: string;
  readonly #options: ConnectionOptions;
  readonly #host: SupervisorHost;
  readonly #spec: ServerSpec;
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #deadlines: Deadlines;
  readonly #budget: RetryBudget;
  readonly #maxInFlight: number;
  #queue: Exchange[] = [];
  #running = 0;
  #stopping: StopCode | null = null;
  #drained: (() => void) | null = null;
  #uses = 0;
  #usesSeen = -1;
  #usesSeenMs = 0;

  constructor(options: ConnectionOptions, host: SupervisorHost) {
    this.#options = options;
    this.#host = host;
    this.#spec = options.spec;
    this.#clock = options.clock;
    this.partition = options.partition;
    this.#maxInFlight = options.spec.maxInFlight;
    this.#connection = new Connection(options, this);
    this.#budget = createRetryBudget(options.clock);
    this.#deadlines = createDeadlines(options.clock, now => this.#expire(now));
  }

  get status(): ServerStatus {
    return this.#connection.status;
  }

  get reason(): string | null {
    return this.#connection.reason;
  }

  get facts(): ServerFacts | null {
    return this.#connection.facts;
  }

  get restarts(): number {
    return this.#connection.restarts;
  }

  get breakerState(): BreakerState {
    return this.#connection.breakerState;
  }

  get processes(): number {
    return this.#connection.processes;
  }

  get inFlight(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Connects now if it never was. */
  start(): void {
    if (this.#connection.status === 'idle') this.#connection.want();
  }

  send(
    method: string,
    params: JsonObject,
    line: Line | null,
    timeoutMs: number | null,
    argumentBytes: Uint8Array | null = null,
    headers: readonly string[] | null = null,
  ): Promise<Reply> {
    return new Promise(resolve => this.#submit(method, params, line, timeoutMs, argumentBytes, headers, resolve));
  }

  #submit(
    method: string,
    params: JsonObject,
    line: Line | null,
    timeoutMs: number | null,
    argumentBytes: Uint8Array | null,
    headers: readonly string[] | null,
    resolve: (reply: Reply) => void,
  ): void {
    const no = this.#stopping === null ? this.#connection.refusal() : this.#stoppingFailure(this.#stopping);
    if (no !== null) {
      resolve(no);
      return;
    }
    if (line?.cancelled) {
      resolve(failure('CANCELLED'));
      return;
    }
    this.#uses += 1;
    this.#budget.earn();
    const deadlineMs = timeoutMs === null ? Number.POSITIVE_INFINITY : this.#clock.monotonicMs() + timeoutMs;
    const exchange = new Exchange(this, method, params, line, timeoutMs, deadlineMs, resolve);
    exchange.argumentBytes = argumentBytes;
    exchange.headers = headers;
    line?.whenCancelled(reason => this.#cancel(exchange, reason));
    // The line may have been cancelled by its own registration.
    if (exchange.state === 'waiting') this.#place(exchange);
  }

  #place(exchange: Exchange): void {
    const link = this.#connection.usableLink;
    if (link !== null && this.#running < this.#maxInFlight && this.#queue.length === 0) {
      this.#begin(exchange, link);
      return;
    }
    // While there is no connection nothing is under way, and those places may be waited in as well.
    const isAway = this.#connection.link === null;
    if (this.#queue.length >= this.#spec.maxQueued + (isAway ? this.#maxInFlight : 0)) {
      const more = { retryAfterMs: FULL_RETRY_MS, detail: 'the queue is full' };
      this.#settle(exchange, failure('OVERLOADED', { server: this.#spec.key }, more));
      return;
    }
    this.#queue.push(exchange);
    this.#deadlines.note(exchange.deadlineMs);
    if (isAway) this.#connection.want();
  }

  #begin(exchange: Exchange, link: Link): void {
    this.#running += 1;
    this.#deadlines.note(exchange.deadlineMs);
    link.start(exchange);
  }

  /** After anything that may have made room. */
  #next(): void {
    while (this.#queue.length > 0 && this.#running < this.#maxInFlight) {
      const link = this.#connection.usableLink;
      if (link === null) return;
      const next = this.#queue.shift();
      if (next !== undefined) this.#begin(next, link);
    }
    if (this.#drained !== null && this.#running === 0 && this.#queue.length === 0) this.#drained();
  }

  #settle(exchange: Exchange, reply: Answer | Relayed | Failure): void {
    exchange.state = 'done';
    exchange.settle(reply);
  }

  /** An attempt is over: its place is free for another. */
  #leave(exchange: Exchange): void {
    this.#running -= 1;
    const { link } = exchange;
    if (link !== null && link !== this.#connection.link) this.#connection.release(link);
  }

  answered(exchange: Exchange, reply: Answer | Relayed | Failure): void {
    this.#leave(exchange);
    this.#connection.succeeded();
    this.#settle(exchange, reply);
    this.#next();
  }

  faulted(exchange: Exchange, no: Fault): void {
    this.#leave(exchange);
    if (no.isOutage) this.#connection.failed(no.retryAfterMs);
    if (no.kind === 'stale' && exchange.link !== null) this.#connection.renew(exchange.link, no);
    if (this.#mayRepeat(exchange, no)) {
      exchange.state = 'waiting';
      this.#place(exchange);
    } else {
      this.#options.log.debug('a request failed', { method: exchange.method, kind: no.kind, detail: no.detail });
      this.#settle(exchange, toFailure(no, this.#spec.key, exchange.method));
    }
    this.#next();
  }

  #mayRepeat(exchange: Exchange, no: Fault): boolean {
    if (this.#connection.breakerState !== 'closed' || exchange.deadlineMs <= this.#clock.monotonicMs()) return false;
    if (no.kind === 'stale') {
      if (exchange.isRenewed) return false;
      exchange.isRenewed = true;
      return true;
    }
    const isAsked = no.kind === 'lost' && isRepeatable(exchange.method) && this.#connection.usableLink !== null;
    if (exchange.isRetried || !(no.kind === 'unsent' || isAsked) || !this.#budget.spend()) return false;
    exchange.isRetried = true;
    return true;
  }

  #cancel(exchange: Exchange, reason: string): void {
    if (exchange.state === 'done') return;
    this.#withdraw(exchange, reason);
    this.#settle(exchange, failure('CANCELLED', {}, { detail: reason }));
    this.#next();
  }

  #withdraw(exchange: Exchange, reason: string): void {
    if (exchange.state === 'running') {
      exchange.link?.abandon(exchange, reason);
      this.#leave(exchange);
    } else this.#queue = this.#queue.filter(waiting => waiting !== exchange);
  }

  /** Ends what is due; returns the earliest deadline left. */
  #expire(nowMs: number): number {
    let leftMs = Number.POSITIVE_INFINITY;
    for (const exchange of this.#all()) {
      if (exchange.deadlineMs > nowMs) leftMs = Math.min(leftMs, exchange.deadlineMs);
      else this.#timeOut(exchange);
    }
    return leftMs;
  }

  #timeOut(exchange: Exchange): void {
    // Ending one may have ended others.
    if (exchange.state === 'done') return;
    const { link, method, isSent } = exchange;
    const timeoutMs = exchange.timeoutMs ?? 0;
    const wasRunning = exchange.state === 'running';
    this.#withdraw(exchange, 'timed out');
    this.#settle(exchange, failure('TIMEOUT', { operation: method, timeout_ms: timeoutMs }));
    const { breakerMinTimeoutMs } = this.#options.limits;
    const isLongEnough = timeoutMs >= Math.min(breakerMinTimeoutMs, this.#spec.callTimeoutMs ?? breakerMinTimeoutMs);
    // A slow tool among others that answer, or an impatient caller, is no sign of a dead server.
    const isSilent = wasRunning && isSent && link !== null && link.heard === exchange.heardBefore;
    if (isSilent && isLongEnough) this.#connection.failed(null);
    this.#next();
  }

  #all(): Exchange[] {
    const all = [...this.#queue];
    for (const link of this.#connection.links()) {
      for (const exchange of link.exchanges()) if (exchange.owner === this) all.push(exchange);
    }
    return all;
  }

  // what the connection tells

  usable(): void {
    this.#next();
  }

  away(no: Fault, waitMs: number, hasFailed: boolean): void {
    if (!hasFailed && waitMs <= PATIENCE_MS) return;
    const waiting = this.#queue;
    this.#queue = [];
    for (const exchange of waiting) {
      this.#settle(exchange, toFailure({ ...no, kind: 'unsent' }, this.#spec.key, exchange.method));
    }
    this.#next();
  }

  isNeeded(): boolean {
    return this.#queue.length > 0;
  }

  isBusy(link: Link): boolean {
    for (const exchange of link.exchanges()) if (exchange.owner === this) return true;
    return false;
  }

  stateChanged(): void {
    this.#host.stateChanged(this);
  }

  connected(facts: ServerFacts): void {
    this.#host.connected(this, facts);
  }

  listChanged(kinds: readonly ListingKind[]): void {
    this.#host.listChanged(kinds);
  }

  resourceUpdated(uri: string, params: JsonObject): void {
    this.#host.resourceUpdated(uri, params);
  }

  notification(method: string, params: JsonObject): void {
    this.#host.notification(this, method, params);
  }

  /** Nothing more is put on its connection; the next one has a handshake of its own to show something else. */
  refuse(no: Fault): void {
    this.#connection.refuse(no);
  }

  // outside of calls

  watch(uris: ReadonlySet<string>): Promise<void> {
    return this.#connection.watch(uris);
  }

  setLogLevel(level: LogLevel | null): void {
    this.#connection.setLogLevel(level);
  }

  rootsChanged(): void {
    this.#connection.rootsChanged();
  }

  /** True when nobody has used it for so long; asked from time to time. */
  isIdle(nowMs: number, idleMs: number): boolean {
    if (this.#uses !== this.#usesSeen || this.#running > 0 || this.#queue.length > 0) {
      this.#usesSeen = this.#uses;
      this.#usesSeenMs = nowMs;
      return false;
    }
    return nowMs - this.#usesSeenMs >= idleMs;
  }

  #stoppingFailure(code: StopCode): Failure {
    if (code === 'SHUTTING_DOWN') return failure(code);
    return failure(code, { server: this.#spec.key, reason: 'it was removed from the configuration' });
  }

  /**
   * Refuses what is new, lets what was accepted finish within `graceMs`, then closes. Resolves when nothing is left.
   * May be called again with less patience.
   */
  async stop(code: StopCode, graceMs: number): Promise<void> {
    this.#stopping = code;
    this.#connection.retire();
    if (this.#running > 0 || this.#queue.length > 0) await this.#whenDrained(graceMs);
    this.#deadlines.stop();
    for (const exchange of this.#all()) {
      const isLost = exchange.state === 'running' && exchange.isSent && !isRead(exchange.method);
      this.#withdraw(exchange, 'shutting down');
      const lost = failure('OUTCOME_UNKNOWN', { server: this.#spec.key, reason: 'the connection was closed' });
      this.#settle(exchange, isLost ? lost : this.#stoppingFailure(code));
    }
    this.#next();
    await this.#connection.close();
  }

  #whenDrained(graceMs: number): Promise<void> {
    return new Promise(resolve => {
      const before = this.#drained;
      const cancel = this.#clock.after(graceMs, resolve);
      this.#drained = () => {
        this.#drained = null;
        before?.();
        cancel();
        resolve();
      };
    });
  }
}
