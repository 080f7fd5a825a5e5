/**
 * Keeps one link to a server: connects when asked (one attempt at a time), comes back after a loss with growing waits,
 * calls a crash loop one, and stops using a server that stopped answering. It knows links and their health; which
 * requests wait for them is its host's affair (supervisor.ts).
 */
import type { LogLevel } from '../../domain/era.ts';
import { type Failure, failure } from '../../domain/error.ts';
import { LEADS_BACK } from '../../domain/gateway-path.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { ListingKind, ServerFacts } from '../../domain/listing.ts';
import type { ServerSpec, ServerStatus } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { type Backoff, createBackoff } from './backoff.ts';
import { type Breaker, type BreakerState, createBreaker } from './breaker.ts';
import { type Fault, fault, toFault } from './fault.ts';
import type { DownstreamLimits } from './limits.ts';
import type { Link, LinkHost } from './link.ts';
import { ModernLink } from './modern-link.ts';

export interface ConnectionHost {
  /** Requests may be sent (again). */
  usable(): void;
  /** They may not; `waitMs`: until the next attempt, after an attempt that failed or a loss. */
  away(no: Fault, waitMs: number, hasFailed: boolean): void;
  /** Somebody waits for it. */
  isNeeded(): boolean;
  /** A request of somebody is under way on it. */
  isBusy(link: Link): boolean;
  stateChanged(): void;
  connected(facts: ServerFacts): void;
  listChanged(kinds: readonly ListingKind[]): void;
  resourceUpdated(uri: string, params: JsonObject): void;
  notification(method: string, params: JsonObject): void;
}

/** An attempt to connect. */
export interface Connecting {
  /** Resolves with a link whose handshake is through; rejects with a FaultError. */
  link: Promise<Link>;
  /** Makes `link` reject soon. */
  abort(): void;
}

export interface ConnectionOptions {
  spec: ServerSpec;
  partition: string;
  /** The gateway's own: it comes back by itself, and hears what the server says outside of calls. */
  isMain: boolean;
  limits: DownstreamLimits;
  clock: Clock;
  log: Log;
  /** `disposing` is told of what was opened on the way and is still ending. */
  connect(host: LinkHost, disposing: (ended: Promise<void>) => void): Connecting;
}

const SILENT = 'it stopped answering';
/** A session that is lost sooner than this after it was made is not made again at once. */
const SESSION_MIN_MS = 1000;

export class Connection implements LinkHost {
  readonly #options: ConnectionOptions;
  readonly #host: ConnectionHost;
  readonly #clock: Clock;
  readonly #breaker: Breaker;
  readonly #backoff: Backoff;

  #status: ServerStatus = 'idle';
  #reason: string | null = null;
  #facts: ServerFacts | null = null;
  #link: Link | null = null;
  /** Left for a newer one, kept until their calls are done. */
  readonly #leaving = new Set<Link>();
  readonly #disposals = new Set<Promise<void>>();

  #connecting: { abort(): void; settled: Promise<void> } | null = null;
  /** The present attempt has good prospects: callers wait for it instead of being told no. */
  #isHopeful = false;
  #connectedMs = 0;
  /** Failed attempts and quick deaths in a row. */
  #failures = 0;
  #retryAtMs = 0;
  #cancelReconnect: () => void = () => {};
  #connects = 0;
  #isRetiring = false;
  #watched: ReadonlySet<string> = new Set();
  #level: LogLevel | null = null;

  constructor(options: ConnectionOptions, host: ConnectionHost) {
    const { limits, clock } = options;
    this.#options = options;
    this.#host = host;
    this.#clock = clock;
    this.#backoff = createBackoff(limits.backoffBaseMs, limits.backoffMaxMs);
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

  get restarts(): number {
    return Math.max(this.#connects - 1, 0);
  }

  get breakerState(): BreakerState {
    return this.#breaker.state;
  }

  /** Child processes alive; HTTP sockets are counted where they are pooled. */
  get processes(): number {
    if (this.#options.spec.link.kind !== 'stdio') return 0;
    return (this.#link === null ? 0 : 1) + this.#leaving.size;
  }

  /** The present link, also while it may not be used. */
  get link(): Link | null {
    return this.#link;
  }

  /** The link a request may be put on now. */
  get usableLink(): Link | null {
    const link = this.#link;
    return link !== null && !link.isClosed && this.#breaker.state === 'closed' ? link : null;
  }

  *links(): Iterable<Link> {
    if (this.#link !== null) yield this.#link;
    yield* this.#leaving;
  }

  /** Why a new request is refused at once, or null: it can be sent, or it is worth waiting. */
  refusal(): Failure | null {
    if (this.#link !== null) {
      if (this.#breaker.state === 'closed') return null;
      return this.#unavailable(this.#reason ?? SILENT, this.#breaker.retryAfterMs);
    }
    if (this.#status === 'idle' || (this.#connecting !== null && this.#isHopeful)) return null;
    const waitMs = Math.max(Math.ceil(this.#retryAtMs - this.#clock.monotonicMs()), 0);
    if (waitMs === 0 && this.#connecting === null) return null;
    return this.#unavailable(this.#reason ?? 'it is not connected', Math.max(waitMs, 1000));
  }

  #unavailable(reason: string, retryAfterMs: number): Failure {
    return failure('SERVER_UNAVAILABLE', { server: this.#options.spec.key, reason }, { retryAfterMs });
  }

  /** Connects, unless it is connected or connecting. */
  want(): void {
    if (this.#link === null && this.#connecting === null) this.#connect(this.#status === 'idle');
  }

  #connect(isHopeful: boolean): void {
    if (this.#connecting !== null || this.#isRetiring) return;
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
    if (this.#isRetiring && !this.#host.isNeeded()) {
      this.#dispose(link.close());
      return;
    }
    if (link.isClosed) {
      this.#dispose(link.close());
      this.#connectFailed(fault('unsent', 'its connection ended at once'));
      return;
    }
    const { isMain, partition, log } = this.#options;
    this.#link = link;
    this.#facts = link.facts;
    this.#connectedMs = this.#clock.monotonicMs();
    this.#connects += 1;
    if (this.#breaker.state !== 'closed') this.#breaker.recovered();
    log.info('connected to server', {
      partition: isMain ? undefined : partition,
      era: link.era,
      revision: link.facts.revision,
      transport: link.channel.transport,
      pid: link.channel.pid,
    });
    link.setLogLevel(this.#level);
    if (this.#watched.size > 0) void link.watch(this.#watched);
    if (isMain && link instanceof ModernLink) link.listen();
    this.#setStatus('ready', null);
    if (isMain) this.#host.connected(link.facts);
    this.#host.usable();
  }

  #connectFailed(no: Fault): void {
    const { reason, detail } = no;
    const level = reason === LEADS_BACK ? 'debug' : 'warn'; // said once, with what is to be done (downstream.ts)
    this.#options.log[level]('server cannot be connected', { reason, detail, failures: ++this.#failures });
    this.#comeBack(no, true);
  }

  /** Plans the next attempt. The main connection comes back by itself, the others when somebody needs them. */
  #comeBack(no: Fault, hasFailed: boolean): void {
    const waitMs = Math.max(this.#backoff.nextMs(), no.retryAfterMs ?? 0);
    if (!this.#isRetiring) {
      this.#retryAtMs = this.#clock.monotonicMs() + waitMs;
      const isLoop = this.#options.spec.link.kind === 'stdio' && this.#failures >= this.#options.limits.maxQuickDeaths;
      this.#setStatus(isLoop ? 'failed' : 'down', no.reason);
    }
    this.#host.away(no, waitMs, hasFailed || this.#isRetiring);
    if (!this.#isRetiring && (this.#options.isMain || this.#host.isNeeded())) {
      this.#cancelReconnect = this.#clock.after(waitMs, () => this.#connect(false));
    }
  }

  closed(link: Link, no: Fault): void {
    if (this.#leaving.delete(link)) {
      this.#dispose(link.close());
      return;
    }
    if (link !== this.#link) return;
    this.#link = null;
    this.#dispose(link.close());
    if (this.#clock.monotonicMs() - this.#connectedMs >= this.#options.limits.quickDeathMs) {
      this.#failures = 0;
      this.#backoff.reset();
    }
    this.#failures += 1;
    const { reason, detail } = no;
    this.#options.log.warn('connection to server lost', { reason, detail, failures: this.#failures });
    this.#comeBack(no, false);
  }

  /** The server forgot us: a new session on a new link; calls under way on the old one may still finish there. */
  renew(link: Link, no: Fault): void {
    if (link !== this.#link) return;
    this.#options.log.info('session with server lost', { detail: no.detail });
    this.#link = null;
    this.#leaving.add(link);
    this.release(link);
    if (this.#clock.monotonicMs() - this.#connectedMs >= SESSION_MIN_MS) this.#connect(true);
    else {
      this.#failures += 1;
      this.#comeBack(no, false);
    }
  }

  /** What it showed since its handshake says that it may not be used; calls under way may still finish. */
  refuse(no: Fault): void {
    if (this.#link === null) return;
    this.#leaving.add(this.#link);
    this.release(this.#link);
    this.#link = null;
    this.#connectFailed(no);
  }

  /** A request on it is over: one that was left is closed after its last. */
  release(link: Link): void {
    if (this.#leaving.has(link) && !this.#host.isBusy(link)) {
      this.#leaving.delete(link);
      this.#dispose(link.close());
    }
  }

  #dispose(ended: Promise<void>): void {
    const { log } = this.#options;
    const settled = ended
      .catch((error: unknown) => log.warn('a connection did not close cleanly', { detail: String(error) }))
      .finally(() => this.#disposals.delete(settled));
    this.#disposals.add(settled);
  }

  #setStatus(status: ServerStatus, reason: string | null): void {
    if (status === this.#status && reason === this.#reason) return;
    this.#status = status;
    this.#reason = reason;
    this.#host.stateChanged();
  }

  // health

  /** A request got an answer, good or bad. */
  succeeded(): void {
    this.#breaker.succeeded();
  }

  failed(retryAfterMs: number | null): void {
    this.#breaker.failed(retryAfterMs);
  }

  ailing(link: Link, no: Fault): void {
    if (link !== this.#link) return;
    if (no.kind === 'stale') this.renew(link, no);
    else this.#breaker.failed(no.retryAfterMs);
  }

  #opened(): void {
    const { retryAfterMs } = this.#breaker;
    this.#options.log.warn('server stopped answering', { retryAfterMs });
    if (this.#link === null) return;
    this.#setStatus('down', SILENT);
    this.#host.away(fault('unsent', SILENT, { retryAfterMs }), retryAfterMs, true);
  }

  async #probe(): Promise<void> {
    const link = this.#link;
    // Without a link the next connection is the probe.
    if (link === null || this.#isRetiring) return;
    try {
      await link.ping(this.#options.limits.probeAnswerMs);
    } catch (error) {
      if (link !== this.#link) return;
      const no = toFault(error);
      if (no.kind === 'stale') this.renew(link, no);
      else if (link.channel.transport === 'stdio') {
        // A process that hangs does not come to its senses.
        link.closed(fault('unsent', SILENT, { detail: no.detail }));
      } else this.#breaker.failed(no.retryAfterMs);
      return;
    }
    if (link !== this.#link) return;
    this.#breaker.recovered();
    this.#setStatus('ready', null);
    if (this.#options.isMain) this.#host.connected(link.facts);
    this.#host.usable();
  }

  // outside of calls

  /** Keeps exactly these URIs subscribed, across reconnects. */
  watch(uris: ReadonlySet<string>): Promise<void> {
    this.#watched = uris;
    if (uris.size > 0) this.want();
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
    if (!this.#isRetiring) this.#host.notification(method, params);
  }

  listChanged(kinds: readonly ListingKind[]): void {
    if (!this.#isRetiring) this.#host.listChanged(kinds);
  }

  resourceUpdated(uri: string, params: JsonObject): void {
    if (!this.#isRetiring) this.#host.resourceUpdated(uri, params);
  }

  /** No new attempt from here on; what there is stays until `close`. */
  retire(): void {
    this.#isRetiring = true;
    this.#cancelReconnect();
    if (this.#link === null && this.#connecting === null) this.#host.away(fault('unsent', 'it is stopped'), 0, true);
  }

  /** Requests on its links are the host's to settle first. Resolves when nothing is left of it. */
  async close(): Promise<void> {
    this.#isRetiring = true;
    this.#cancelReconnect();
    this.#breaker.stop();
    for (const link of [...this.links()]) this.#dispose(link.close());
    this.#link = null;
    this.#leaving.clear();
    this.#connecting?.abort();
    await this.#connecting?.settled;
    while (this.#disposals.size > 0) await Promise.all(this.#disposals);
  }
}
