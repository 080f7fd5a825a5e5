/**
 * One configured server: a supervisor per set of callers (`sharing`), and what they have in common - sockets, the
 * verdict about its era, the headers its tools ask for - and what it says to the house as events.
 */
import type { Line, Reply } from '../../domain/call.ts';
import type { LogLevel } from '../../domain/era.ts';
import { failure } from '../../domain/error.ts';
import { LEADS_BACK, readPath } from '../../domain/gateway-path.ts';
import { isJsonObject, type JsonObject } from '../../domain/json.ts';
import type { ListingKind, ServerFacts } from '../../domain/listing.ts';
import { type ParamHeader, readParamHeaders } from '../../domain/param-headers.ts';
import type { ServerSpec } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import {
  type DownstreamEvent,
  MAIN_PARTITION,
  type Route,
  type SendOptions,
  type ServerCondition,
  type ServerState,
} from '../../ports/downstreams.ts';
import type { Log } from '../../ports/log.ts';
import type { SocketGuard } from '../fetch/address-guard.ts';
import { type CallerHeaders, createCallerHeaders } from './caller-headers.ts';
import type { ConnectionOptions } from './connection.ts';
import { fault, toFault } from './fault.ts';
import { createHttpClient, type HttpClient } from './http-client.ts';
import type { DownstreamLimits } from './limits.ts';
import { createErrorMask, type MaskError } from './masked-error.ts';
import { negotiate, type Verdict } from './negotiate.ts';
import { type StopCode, Supervisor, type SupervisorHost } from './supervisor.ts';
import type { Watchdog } from './watchdog.ts';

export interface DownstreamDeps {
  clock: Clock;
  log: Log;
  limits: DownstreamLimits;
  baseEnv: Readonly<Record<string, string | undefined>>;
  clientInfo: JsonObject;
  instance: string;
  watchdog: Watchdog;
  guard: SocketGuard;
  emit(event: DownstreamEvent): void;
}

const IDLE_CHECKS = 10;
/** Tools of one server whose headers are remembered. */
const MAX_PARAM_TOOLS = 20_000;

export class Downstream implements SupervisorHost {
  readonly spec: ServerSpec;
  readonly #deps: DownstreamDeps;
  readonly #log: Log;
  readonly #maskError: MaskError;
  readonly #http: HttpClient | null;
  readonly #callerHeaders: CallerHeaders | null;
  readonly #supervisors = new Map<string, Supervisor>();
  /** Released ones that still finish something. */
  readonly #leaving = new Set<Supervisor>();
  readonly #paramHeaders = new Map<string, readonly ParamHeader[]>();
  #verdict: Verdict | null = null;
  #level: LogLevel | null = null;
  readonly #changed = new Set<ListingKind>();
  #isWatched = false;
  /** It was found to lead back, and this was said. */
  #isRefused = false;
  #isStopped = false;
  #cancelIdleCheck: () => void = () => {};
  #restartsOfReleased = 0;

  constructor(spec: ServerSpec, deps: DownstreamDeps) {
    this.spec = spec;
    this.#deps = deps;
    this.#log = deps.log.with({ server: spec.key });
    this.#maskError = createErrorMask(spec);
    this.#http =
      spec.link.kind === 'http'
        ? createHttpClient(spec.link, spec.connectTimeoutMs, deps.limits, deps.clock, deps.guard)
        : null;
    this.#callerHeaders = createCallerHeaders(spec);
    this.#checkIdleLater();
  }

  get #main(): Supervisor | null {
    return this.#supervisors.get(MAIN_PARTITION) ?? null;
  }

  get condition(): ServerCondition {
    if (!this.spec.enabled) return { status: 'disabled', reason: 'it is disabled' };
    const main = this.#main;
    return { status: main?.status ?? 'idle', reason: main?.reason ?? null };
  }

  get state(): ServerState {
    const main = this.#main;
    const all = [...this.#supervisors.values()];
    const sum = (count: (one: Supervisor) => number): number => all.reduce((total, one) => total + count(one), 0);
    const breakers = all.map(one => one.breakerState);
    return {
      key: this.spec.key,
      spec: this.spec,
      ...this.condition,
      facts: main?.facts ?? all.find(one => one.facts !== null)?.facts ?? null,
      inFlight: sum(one => one.inFlight),
      queued: sum(one => one.queued),
      connections: this.#http === null ? sum(one => one.processes) : this.#http.connections,
      restarts: this.#restartsOfReleased + sum(one => one.restarts),
      breaker: breakers.includes('open') ? 'open' : breakers.includes('half-open') ? 'half-open' : 'closed',
    };
  }

  start(): void {
    if (this.spec.enabled && this.spec.start === 'eager') this.#supervise(MAIN_PARTITION)?.start();
  }

  send(
    route: Route,
    method: string,
    params: JsonObject,
    line: Line,
    { timeoutMs, argumentBytes }: SendOptions,
  ): Promise<Reply> {
    const { partition } = route;
    const supervisor = this.#supervisors.get(partition) ?? this.#supervise(partition);
    if (supervisor === null) return Promise.resolve(this.#refusal());
    const headers = this.#callerHeaders === null ? null : this.#callerHeaders(route, line);
    const own = this.spec.callTimeoutMs;
    const limitMs = timeoutMs === null ? own : own === null ? timeoutMs : Math.min(timeoutMs, own);
    return supervisor.send(method, params, line, limitMs, argumentBytes, headers);
  }

  async query(method: string, params: JsonObject): Promise<Reply> {
    const supervisor = this.#supervise(MAIN_PARTITION);
    if (supervisor === null) return this.#refusal();
    // Waiting for the handshake has a limit of its own; the list has its time from then on.
    const waitMs = supervisor.status === 'ready' ? 0 : this.spec.connectTimeoutMs;
    const reply = await supervisor.send(method, params, null, this.spec.listTimeoutMs + waitMs);
    if (method !== 'tools/list' || reply.kind !== 'answer') return reply;
    // The ring may have been closed after the handshake: a longer one always is.
    if (readPath(reply.result).includes(this.#deps.instance)) return this.#refuse();
    this.#isRefused = false;
    return reply.era === 'modern' ? this.#learnTools(reply) : reply;
  }

  #refuse(): Reply {
    this.#sayRefused();
    for (const supervisor of this.#supervisors.values()) supervisor.refuse(fault('refused', LEADS_BACK));
    return failure('SERVER_UNAVAILABLE', { server: this.spec.key, reason: LEADS_BACK });
  }

  /** Once, until it was seen to lead elsewhere: it is tried again as any server is. */
  #sayRefused(): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#log.warn('a server leads back to this gateway: it is not used', {
      advice: 'remove it here, or remove this gateway from the servers behind it',
    });
  }

  #refusal(): Reply {
    const { key, enabled } = this.spec;
    if (!enabled) return failure('SERVER_UNAVAILABLE', { server: key, reason: 'it is disabled' });
    if (this.#isStopped)
      return failure('SERVER_UNAVAILABLE', { server: key, reason: 'it was removed from the configuration' });
    return failure('OVERLOADED', { server: key }, { retryAfterMs: 1000, detail: 'too many connection sets' });
  }

  #supervise(partition: string): Supervisor | null {
    const known = this.#supervisors.get(partition);
    if (known !== undefined) return known;
    if (!this.spec.enabled || this.#isStopped) return null;
    if (this.#supervisors.size >= this.#deps.limits.maxPartitions) return null;
    const { clock, limits } = this.#deps;
    const isMain = partition === MAIN_PARTITION;
    const connect: ConnectionOptions['connect'] = (host, disposing) => {
      const connecting = negotiate(
        {
          spec: this.spec,
          http: this.#http,
          link: {
            clock,
            log: this.#log,
            clientInfo: this.#deps.clientInfo,
            mask: this.#maskError,
            isShared: this.spec.sharing === 'shared',
            host,
          },
          modern: {
            paramHeaders: this.#paramHeaders,
            backoffBaseMs: limits.backoffBaseMs,
            backoffMaxMs: limits.backoffMaxMs,
          },
          limits,
          baseEnv: this.#deps.baseEnv,
          watchdog: this.#deps.watchdog,
          instance: this.#deps.instance,
          disposing,
        },
        this.#verdict,
      );
      connecting.link.then(
        link => {
          this.#verdict = { era: link.era, transport: link.channel.transport };
        },
        (error: unknown) => {
          // It may have been replaced by another version of itself.
          this.#verdict = null;
          if (toFault(error).reason === LEADS_BACK) this.#sayRefused();
        },
      );
      return connecting;
    };
    const supervisor = new Supervisor(
      { spec: this.spec, partition, isMain, limits, clock, log: this.#log, connect },
      this,
    );
    supervisor.setLogLevel(this.#level);
    this.#supervisors.set(partition, supervisor);
    return supervisor;
  }

  /** A client over HTTP leaves out tools whose header annotations break the rules (MCP 2026-07-28). */
  #learnTools(reply: Extract<Reply, { kind: 'answer' }>): Reply {
    const { tools } = reply.result;
    if (this.#http === null || !Array.isArray(tools)) return reply;
    const kept = tools.filter(tool => {
      if (!isJsonObject(tool) || typeof tool.name !== 'string') return true;
      const headers = readParamHeaders(tool.inputSchema);
      if (headers === null) {
        this.#log.warn('a tool was left out: its header annotations are not valid', { tool: tool.name });
        this.#paramHeaders.delete(tool.name);
        return false;
      }
      if (headers.length === 0) this.#paramHeaders.delete(tool.name);
      else if (this.#paramHeaders.size < MAX_PARAM_TOOLS) this.#paramHeaders.set(tool.name, headers);
      return true;
    });
    return kept.length === tools.length ? reply : { ...reply, result: { ...reply.result, tools: kept }, bytes: null };
  }

  watch(uris: ReadonlySet<string>): Promise<void> {
    this.#isWatched = uris.size > 0;
    const supervisor = uris.size === 0 ? this.#main : this.#supervise(MAIN_PARTITION);
    return supervisor?.watch(uris) ?? Promise.resolve();
  }

  setLogLevel(level: LogLevel | null): void {
    this.#level = level;
    for (const supervisor of this.#supervisors.values()) supervisor.setLogLevel(level);
  }

  rootsChanged(partition: string): void {
    this.#supervisors.get(partition)?.rootsChanged();
  }

  release(partition: string): void {
    const supervisor = this.#supervisors.get(partition);
    if (supervisor !== undefined && partition !== MAIN_PARTITION) this.#letGo(partition, supervisor);
  }

  #letGo(partition: string, supervisor: Supervisor): void {
    this.#supervisors.delete(partition);
    this.#restartsOfReleased += supervisor.restarts;
    this.#leaving.add(supervisor);
    const ended = supervisor.stop('SERVER_UNAVAILABLE', this.#deps.limits.retireMs);
    void ended.finally(() => this.#leaving.delete(supervisor));
  }

  #checkIdleLater(): void {
    this.#cancelIdleCheck = this.#deps.clock.after(this.#deps.limits.idlePartitionMs / IDLE_CHECKS, () => {
      const now = this.#deps.clock.monotonicMs();
      for (const [partition, supervisor] of this.#supervisors) {
        if (!supervisor.isIdle(now, this.#deps.limits.idlePartitionMs)) continue;
        if (partition !== MAIN_PARTITION) this.release(partition);
        // What is not active has nobody who waits for it; it is connected anew when it is asked for.
        else if (this.spec.versionOf !== undefined && !this.#isWatched) this.#letGo(partition, supervisor);
      }
      if (!this.#isStopped) this.#checkIdleLater();
    });
  }

  /** Refuses what is new, finishes what was accepted, then closes everything. */
  async stop(code: StopCode, graceMs: number): Promise<void> {
    this.#isStopped = true;
    this.#cancelIdleCheck();
    const all = [...this.#supervisors.values(), ...this.#leaving];
    await Promise.all(all.map(supervisor => supervisor.stop(code, graceMs)));
    await this.#http?.close();
  }

  // what supervisors report

  stateChanged(supervisor: Supervisor): void {
    if (supervisor !== this.#main || this.#isStopped) return;
    const { status, reason } = supervisor;
    this.#deps.emit({ kind: 'state', server: this.spec.key, status, reason });
  }

  connected(_supervisor: Supervisor, facts: ServerFacts): void {
    if (!this.#isStopped) this.#deps.emit({ kind: 'connected', server: this.spec.key, facts });
  }

  listChanged(kinds: readonly ListingKind[]): void {
    if (this.#changed.size === 0) {
      this.#deps.clock.after(this.#deps.limits.listChangedDelayMs, () => {
        const changed = [...this.#changed];
        this.#changed.clear();
        if (this.#isStopped) return;
        for (const what of changed) this.#deps.emit({ kind: 'list-changed', server: this.spec.key, what });
      });
    }
    for (const kind of kinds) this.#changed.add(kind);
  }

  resourceUpdated(uri: string, params: JsonObject): void {
    if (!this.#isStopped) this.#deps.emit({ kind: 'resource-updated', server: this.spec.key, uri, params });
  }

  notification(supervisor: Supervisor, method: string, params: JsonObject): void {
    if (this.#isStopped) return;
    const { partition } = supervisor;
    this.#deps.emit({ kind: 'notification', server: this.spec.key, partition, method, params });
  }
}
