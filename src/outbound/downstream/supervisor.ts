/**
 * Keeps one connection to one server for one set of callers: connects when needed (one attempt at a time), bounds what is
 * under way and what waits, ends what takes too long, and answers for every request exactly once. Callers never see a
 * reconnect; what was never sent may be sent once more, what was sent never is.
 */
import type { Answer, Line, Relayed, Reply } from '../../domain/call.ts';
import type { LogLevel } from '../../domain/era.ts';
import { type ErrorCode, type Failure, failure } from '../../domain/error.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { ListingKind, ServerFacts } from '../../domain/listing.ts';
import type { ServerSpec, ServerStatus } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { type Backoff, createBackoff } from './backoff.ts';
import { type Breaker, type BreakerState, createBreaker } from './breaker.ts';
import { createDeadlines, type Deadlines } from './deadlines.ts';
import { Exchange, type ExchangeOwner } from './exchange.ts';
import { type Fault, fault, isRead, isRepeatable, toFailure, toFault } from './fault.ts';
import type { DownstreamLimits } from './limits.ts';
import type { Link, LinkHost } from './link.ts';
import { ModernLink } from './modern-link.ts';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';

export interface SupervisorHost {
  stateChanged(supervisor: Supervisor): void;
  connected(supervisor: Supervisor, facts: ServerFacts): void;
  listChanged(kinds: readonly ListingKind[]): void;
  resourceUpdated(uri: string, params: JsonObject): void;
  notification(supervisor: Supervisor, method: string, params: JsonObject): void;
}

export interface SupervisorOptions {
  spec: ServerSpec;
  partition: string;
  isMain: boolean;
  limits: DownstreamLimits;
  clock: Clock;
  log: Log;
  host: SupervisorHost;
  connect(host: LinkHost, disposing: (ended: Promise<void>) => void): Connecting;
}

export interface Connecting {
  /** Resolves with a link whose handshake is through; rejects with a FaultError. */
  link: Promise<Link>;
  /** Makes `link` reject soon. */
  abort(): void;
}

/** Requests that wait for a reconnect farther off than this are told so at once. */
const PATIENCE_MS = 2000;
/** A session that is lost sooner than this after it was made is not made again at once. */
const SESSION_MIN_MS = 1000;

export class Supervisor implements ExchangeOwner, LinkHost {
  readonly partition: string;
  readonly #options: SupervisorOptions;
  readonly #spec: ServerSpec;
  readonly #clock: Clock;
  readonly #breaker: Breaker;
  readonly #backoff: Backoff;
  readonly #deadlines: Deadlines;
  readonly #budget: RetryBudget;
  readonly #maxInFlight: number;

  #status: ServerStatus = 'idle';
  #reason: string | null = null;
  #facts: ServerFacts | null = null;
  #link: Link | null = null;
  /** Left for a newer one, kept until their calls are done. */
  readonly #leaving = new Set<Link>();
  readonly #disposals = new Set<Promise<void>>();
  #queue: Exchange[] = [];
  #running = 0;

  #connecting: { abort(): void; settled: Promise<void> } | null = null;
  /** The present attempt has good prospects: callers wait for it instead of being told no. */
  #isHopeful = false;
  #connectedMs = 0;
  /** Failed attempts and quick deaths in a row. */
  #failures = 0;
  #retryAtMs = 0;
  #cancelReconnect: () => void = () => {};
  #restarts = 0;
  #hasBeenReady = false;

  #stopping: ErrorCode | null = null;
  #drained: (() => void) | null = null;
  #watched: ReadonlySet<string> = new Set();
  #level: LogLevel | null = null;
  #uses = 0;
  #usesSeen = -1;
  #usesSeenMs = 0;

  constructor(options: SupervisorOptions) {
    const { spec, limits, clock } = options;
    this.#options = options;
    this.#spec = spec;
    this.#clock = clock;
    this.partition = options.partition;
    this.#maxInFlight = spec.maxInFlight;
    this.#backoff = createBackoff(limits.backoffBaseMs, limits.backoffMaxMs);
    this.#budget = createRetryBudget(clock);
    this.#deadlines = createDeadlines(clock, now => this.#expire(now));
    this.#breaker = createBreaker({
      failures: limits.breakerFailures,
      baseMs: limits.backoffBaseMs,
      maxMs: limits.backoffMaxMs,
      clock,
      opened: () => this.#opened(),
      probe: () => void this.#probe(),
    });
  }

  get status(): ServerStatus {
    return this.#status;
  }

  get reason(): string | null {
    return this.#reason;
  }

  get facts(): ServerFacts | null {
    return this.#facts;
  }

  get inFlight(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#queue.length;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get breakerState(): BreakerState {
    return this.#breaker.state;
  }

  /** Child processes alive; HTTP sockets are counted where they are pooled. */
  get processes(): number {
    return this.#link !== null && this.#link.channel.transport === 'stdio'
      ? 1 + this.#leaving.size
      : this.#leaving.size;
  }

  /** Connects now if it is not connected yet. */
  start(): void {
    if (this.#link === null && this.#status === 'idle') this.#connect(true);
  }

  send(method: string, params: JsonObject, line: Line | null, timeoutMs: number | null): Promise<Reply> {
    return new Promise(resolve => this.#submit(method, params, line, timeoutMs, resolve));
  }

  #submit(
    method: string,
    params: JsonObject,
    line: Line | null,
    timeoutMs: number | null,
    resolve: (reply: Reply) => void,
  ): void {
    const no = this.#refusal();
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
    line?.whenCancelled(reason => this.#cancel(exchange, reason));
    // The line may have been cancelled by its own registration.
    if (exchange.state === 'waiting') this.#place(exchange);
  }

  /** Why nothing may be sent now, or null. */
  #refusal(): Failure | null {
    if (this.#stopping !== null) return this.#stoppingFailure(this.#stopping);
    if (this.#link === null) {
      if (this.#status === 'idle' || (this.#connecting !== null && this.#isHopeful)) return null;
      const waitMs = Math.max(Math.ceil(this.#retryAtMs - this.#clock.monotonicMs()), 0);
      if (waitMs === 0 && this.#connecting === null) return null;
      return this.#unavailable(this.#reason ?? 'it is not connected', Math.max(waitMs, 1000));
    }
    if (this.#breaker.state === 'closed') return null;
    return this.#unavailable(this.#reason ?? 'it stopped answering', this.#breaker.retryAfterMs);
  }

  #place(exchange: Exchange): void {
    const link = this.#link;
    if (link !== null && !link.isClosed && this.#running < this.#maxInFlight && this.#queue.length === 0) {
      this.#begin(exchange, link);
      return;
    }
    // While there is no connection nothing is under way, and those places may be waited in as well.
    const room = this.#spec.maxQueued + (link === null ? this.#maxInFlight : 0);
    if (this.#queue.length >= room) {
      const no = failure('OVERLOADED', { server: this.#spec.key }, { retryAfterMs: 1000, detail: 'the queue is full' });
      this.#settle(exchange, no);
      return;
    }
    this.#queue.push(exchange);
    this.#deadlines.note(exchange.deadlineMs);
    if (link === null && this.#connecting === null) this.#connect(this.#status === 'idle');
  }

  #begin(exchange: Exchange, link: Link): void {
    this.#running += 1;
    this.#deadlines.note(exchange.deadlineMs);
    link.start(exchange);
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#running < this.#maxInFlight) {
      const link = this.#link;
      if (link === null || link.isClosed || this.#breaker.state !== 'closed') return;
      const next = this.#queue.shift();
      if (next !== undefined) this.#begin(next, link);
    }
  }

  #settle(exchange: Exchange, reply: Answer | Relayed | Failure): void {
    exchange.state = 'done';
    exchange.settle(reply);
  }

  /** An attempt is over: its place is free for another. */
  #leave(exchange: Exchange): void {
    this.#running -= 1;
    const { link } = exchange;
    if (link !== null && link !== this.#link && this.#leaving.has(link)) this.#closeIfDone(link);
  }

  #next(): void {
    if (this.#queue.length > 0) this.#pump();
    if (this.#drained !== null && this.#running === 0 && this.#queue.length === 0) this.#drained();
  }

  answered(exchange: Exchange, reply: Answer | Relayed | Failure): void {
    this.#leave(exchange);
    this.#breaker.succeeded();
    this.#settle(exchange, reply);
    this.#next();
  }

  faulted(exchange: Exchange, no: Fault): void {
    this.#leave(exchange);
    if (no.isOutage) this.#breaker.failed(no.retryAfterMs);
    if (no.kind === 'stale' && exchange.link === this.#link) this.#renew(no);
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
    if (this.#breaker.state !== 'closed' || exchange.deadlineMs <= this.#clock.monotonicMs()) return false;
    if (no.kind === 'stale') {
      if (exchange.isRenewed) return false;
      exchange.isRenewed = true;
      return true;
    }
    const isLink = this.#link !== null && !this.#link.isClosed;
    const isSafe = no.kind === 'unsent' || (no.kind === 'lost' && isLink && isRepeatable(exchange.method));
    if (!isSafe || exchange.isRetried || !this.#budget.spend()) return false;
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
    const { link, method, timeoutMs, isSent } = exchange;
    const wasRunning = exchange.state === 'running';
    this.#withdraw(exchange, 'timed out');
    const no = failure('TIMEOUT', { operation: method, timeout_ms: timeoutMs ?? 0 });
    this.#settle(exchange, no);
    const isLongEnough =
      (timeoutMs ?? 0) >=
      Math.min(this.#options.limits.breakerMinTimeoutMs, this.#spec.callTimeoutMs ?? Number.POSITIVE_INFINITY);
    // A slow tool among others that answer, or an impatient caller, is no sign of a dead server.
    if (wasRunning && isSent && isLongEnough && link !== null && link.heard === exchange.heardBefore) {
      this.#breaker.failed(null);
    }
    this.#next();
  }

  #all(): Exchange[] {
    const all = [...this.#queue];
    for (const link of [this.#link, ...this.#leaving]) {
      if (link === null) continue;
      for (const exchange of link.exchanges()) if (exchange.owner === this) all.push(exchange);
    }
    return all;
  }

  // connecting

  #connect(isHopeful: boolean): void {
    if (this.#connecting !== null || this.#stopping !== null) return;
    this.#cancelReconnect();
    this.#isHopeful = isHopeful;
    if (isHopeful) this.#setStatus('connecting', null);
    const { link, abort } = this.#options.connect(this, ended => this.#dispose(ended));
    const settled = link.then(
      made => {
        this.#connecting = null;
        this.#connected(made);
      },
      (error: unknown) => {
        this.#connecting = null;
        this.#connectFailed(toFault(error));
      },
    );
    this.#connecting = { abort, settled };
  }

  #connected(link: Link): void {
    if (this.#stopping !== null && this.#queue.length === 0) {
      this.#dispose(link.close());
      return;
    }
    if (link.isClosed) {
      this.#dispose(link.close());
      this.#connectFailed(fault('unsent', 'its connection ended at once'));
      return;
    }
    this.#link = link;
    this.#facts = link.facts;
    this.#connectedMs = this.#clock.monotonicMs();
    if (this.#hasBeenReady) this.#restarts += 1;
    this.#hasBeenReady = true;
    this.#backoff.reset();
    for (let i = 0; i < this.#failures; i += 1) this.#backoff.nextMs();
    if (this.#breaker.state !== 'closed') this.#breaker.recovered();
    this.#options.log.info('connected to server', {
      partition: this.#options.isMain ? undefined : this.partition,
      era: link.era,
      revision: link.facts.revision,
      transport: link.channel.transport,
      pid: link.channel.pid,
    });
    link.setLogLevel(this.#level);
    if (this.#watched.size > 0) void link.watch(this.#watched);
    if (this.#options.isMain && link instanceof ModernLink) link.listen();
    this.#setStatus('ready', null);
    if (this.#options.isMain) this.#options.host.connected(this, link.facts);
    this.#next();
  }

  #connectFailed(no: Fault): void {
    this.#failures += 1;
    this.#options.log.warn('server cannot be connected', {
      reason: no.reason,
      detail: no.detail,
      failures: this.#failures,
    });
    this.#comeBack(no);
    this.#failQueue(no);
  }

  /** Plans the next attempt. The main connection comes back by itself, the others when somebody needs them. */
  #comeBack(no: Fault): void {
    if (this.#stopping !== null) {
      this.#next();
      return;
    }
    const waitMs = Math.max(this.#backoff.nextMs(), no.retryAfterMs ?? 0);
    this.#retryAtMs = this.#clock.monotonicMs() + waitMs;
    const isLoop = this.#spec.link.kind === 'stdio' && this.#failures >= this.#options.limits.maxQuickDeaths;
    this.#setStatus(isLoop ? 'failed' : 'down', no.reason);
    if (this.#queue.length > 0 && waitMs > PATIENCE_MS) this.#failQueue(no);
    if (this.#options.isMain || this.#queue.length > 0) {
      this.#cancelReconnect = this.#clock.after(waitMs, () => this.#connect(false));
    }
  }

  #failQueue(no: Fault): void {
    const waiting = this.#queue;
    this.#queue = [];
    for (const exchange of waiting)
      this.#settle(exchange, toFailure({ ...no, kind: 'unsent' }, this.#spec.key, exchange.method));
    this.#next();
  }

  closed(link: Link, no: Fault): void {
    if (this.#leaving.delete(link)) {
      this.#dispose(link.close());
      return;
    }
    if (link !== this.#link) return;
    this.#link = null;
    this.#dispose(link.close());
    const isQuick = this.#clock.monotonicMs() - this.#connectedMs < this.#options.limits.quickDeathMs;
    if (!isQuick) {
      this.#failures = 0;
      this.#backoff.reset();
    }
    this.#failures += 1;
    this.#options.log.warn('connection to server lost', {
      reason: no.reason,
      detail: no.detail,
      failures: this.#failures,
    });
    this.#comeBack(no);
  }

  /** The server forgot us: a new session on a new link; calls under way on the old one may still finish there. */
  #renew(no: Fault): void {
    const link = this.#link;
    if (link === null) return;
    this.#options.log.info('session with server lost', { detail: no.detail });
    this.#link = null;
    this.#leaving.add(link);
    this.#closeIfDone(link);
    if (this.#clock.monotonicMs() - this.#connectedMs >= SESSION_MIN_MS) {
      this.#connect(true);
      return;
    }
    this.#failures += 1;
    this.#comeBack(no);
  }

  #closeIfDone(link: Link): void {
    for (const exchange of link.exchanges()) if (exchange.owner === this) return;
    this.#leaving.delete(link);
    this.#dispose(link.close());
  }

  #dispose(ended: Promise<void>): void {
    const settled = ended
      .catch((error: unknown) =>
        this.#options.log.warn('a connection did not close cleanly', { detail: String(error) }),
      )
      .finally(() => this.#disposals.delete(settled));
    this.#disposals.add(settled);
  }

  ailing(link: Link, no: Fault): void {
    if (link !== this.#link) return;
    if (no.kind === 'stale') this.#renew(no);
    else this.#breaker.failed(no.retryAfterMs);
  }

  // health

  #opened(): void {
    const reason = 'it stopped answering';
    this.#options.log.warn('server stopped answering', { retryAfterMs: this.#breaker.retryAfterMs });
    if (this.#link !== null) this.#setStatus('down', reason);
    const waiting = this.#queue;
    this.#queue = [];
    for (const exchange of waiting) this.#settle(exchange, this.#unavailable(reason, this.#breaker.retryAfterMs));
  }

  async #probe(): Promise<void> {
    const link = this.#link;
    // Without a link the next connection is the probe.
    if (link === null || this.#stopping !== null) return;
    try {
      await link.ping(this.#options.limits.probeAnswerMs);
    } catch (error) {
      if (link !== this.#link) return;
      const no = toFault(error);
      if (no.kind === 'stale') this.#renew(no);
      else if (link.channel.transport === 'stdio') {
        // A process that hangs does not come to its senses.
        link.closed(fault('unsent', 'it stopped answering', { detail: no.detail }));
      } else this.#breaker.failed(no.retryAfterMs);
      return;
    }
    if (link !== this.#link) return;
    this.#breaker.recovered();
    this.#setStatus('ready', null);
    if (this.#options.isMain) this.#options.host.connected(this, link.facts);
    this.#next();
  }

  #setStatus(status: ServerStatus, reason: string | null): void {
    if (status === this.#status && reason === this.#reason) return;
    this.#status = status;
    this.#reason = reason;
    this.#options.host.stateChanged(this);
  }

  #unavailable(reason: string, retryAfterMs: number): Failure {
    return failure('SERVER_UNAVAILABLE', { server: this.#spec.key, reason }, { retryAfterMs });
  }

  #stoppingFailure(code: ErrorCode): Failure {
    if (code === 'SHUTTING_DOWN') return failure('SHUTTING_DOWN');
    return failure(code, { server: this.#spec.key, reason: 'it was removed from the configuration' });
  }

  // outside of calls

  watch(uris: ReadonlySet<string>): Promise<void> {
    this.#watched = uris;
    return this.#link === null ? Promise.resolve() : this.#link.watch(uris);
  }

  setLogLevel(level: LogLevel | null): void {
    this.#level = level;
    this.#link?.setLogLevel(level);
  }

  rootsChanged(): void {
    this.#link?.rootsChanged();
  }

  notification(method: string, params: JsonObject): void {
    if (this.#stopping === null) this.#options.host.notification(this, method, params);
  }

  listChanged(kinds: readonly ListingKind[]): void {
    if (this.#stopping === null) this.#options.host.listChanged(kinds);
  }

  resourceUpdated(uri: string, params: JsonObject): void {
    if (this.#stopping === null) this.#options.host.resourceUpdated(uri, params);
  }

  /** True when nobody has used it since `idleMs`; asked from time to time. */
  isIdle(nowMs: number, idleMs: number): boolean {
    if (this.#uses !== this.#usesSeen || this.#running > 0 || this.#queue.length > 0) {
      this.#usesSeen = this.#uses;
      this.#usesSeenMs = nowMs;
      return false;
    }
    return nowMs - this.#usesSeenMs >= idleMs;
  }

  /** Refuses what is new, lets what was accepted finish within `graceMs`, then closes. Resolves when nothing is left. */
  async stop(code: 'SERVER_UNAVAILABLE' | 'SHUTTING_DOWN', graceMs: number): Promise<void> {
    if (this.#stopping === null) {
      this.#stopping = code;
      if (this.#link === null && this.#connecting === null)
        this.#failQueue(fault('unsent', 'it is stopped', { isOutage: false }));
    }
    if (this.#running > 0 || this.#queue.length > 0) {
      await new Promise<void>(resolve => {
        const before = this.#drained;
        const cancel = this.#clock.after(graceMs, () => resolve());
        this.#drained = () => {
          before?.();
          cancel();
          resolve();
        };
      });
    }
    this.#cancelReconnect();
    this.#breaker.stop();
    this.#deadlines.stop();
    for (const exchange of this.#all()) {
      const isLost = exchange.state === 'running' && exchange.isSent && !isRead(exchange.method);
      this.#withdraw(exchange, 'shutting down');
      const lost = failure('OUTCOME_UNKNOWN', { server: this.#spec.key, reason: 'the gateway is shutting down' });
      this.#settle(exchange, isLost ? lost : this.#stoppingFailure(code));
    }
    const link = this.#link;
    this.#link = null;
    if (link !== null) this.#dispose(link.close());
    for (const left of [...this.#leaving]) {
      this.#leaving.delete(left);
      this.#dispose(left.close());
    }
    this.#connecting?.abort();
    await this.#connecting?.settled;
    while (this.#disposals.size > 0) await Promise.all(this.#disposals);
  }
}
