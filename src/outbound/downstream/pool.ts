/**
 * All servers behind the gateway: the implementation of ports/downstreams.ts. Holds which servers there are and nothing
 * about how one is kept (downstream.ts, supervisor.ts). A reload touches only what it changes.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Line, Reply } from '../../domain/call.ts';
import type { LogLevel } from '../../domain/era.ts';
import { failure } from '../../domain/error.ts';
import type { JsonObject } from '../../domain/json.ts';
import { NO_EXCEPTIONS } from '../../domain/outbound-rules.ts';
import type { ServerKey, ServerSpec } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  DownstreamEvent,
  Downstreams,
  Route,
  SendOptions,
  ServerCondition,
  ServerDiff,
  ServerState,
} from '../../ports/downstreams.ts';
import type { Log } from '../../ports/log.ts';
import { createAddressGuard, type SocketGuard } from '../fetch/address-guard.ts';
import { Downstream, type DownstreamDeps } from './downstream.ts';
import { DEFAULT_LIMITS, type DownstreamLimits } from './limits.ts';
import { diffSpecs } from './same-spec.ts';
import { createWatchdog } from './watchdog.ts';

/** Servers begun before others have a turn: some milliseconds. */
const AT_ONCE = 50;

export interface PoolDeps {
  specs: readonly ServerSpec[];
  clock: Clock;
  log: Log;
  /** The gateway's own environment; children get an allow-listed part of it. */
  baseEnv: Readonly<Record<string, string | undefined>>;
  clientInfo: { name: string; version: string };
  /** This gateway's id: a server that leads back to it is refused. */
  instance: string;
  limits?: Partial<DownstreamLimits>;
  /** Of the servers that are not the operator's own. Absent: only public addresses over https. */
  guard?: SocketGuard;
}

export function createDownstreams(deps: PoolDeps): Downstreams {
  return new Pool(deps);
}

class Pool implements Downstreams {
  readonly #deps: DownstreamDeps;
  readonly #listeners = new Set<(event: DownstreamEvent) => void>();
  #servers = new Map<ServerKey, Downstream>();
  /** Removed or replaced, still finishing calls. */
  readonly #leaving = new Map<Downstream, Promise<void>>();
  #level: LogLevel | null = null;
  #isStarted = false;
  #closing: Promise<void> | null = null;

  constructor(deps: PoolDeps) {
    this.#deps = {
      clock: deps.clock,
      log: deps.log,
      limits: { ...DEFAULT_LIMITS, ...deps.limits },
      baseEnv: deps.baseEnv,
      clientInfo: { ...deps.clientInfo },
      instance: deps.instance,
      watchdog: createWatchdog(deps.log),
      guard: deps.guard ?? createAddressGuard({ ...deps, rules: () => NO_EXCEPTIONS }),
      emit: event => this.#emit(event),
    };
    for (const spec of deps.specs) this.#servers.set(spec.key, new Downstream(spec, this.#deps));
  }

  states(): readonly ServerState[] {
    return [...this.#servers.values()].map(server => server.state);
  }

  state(server: ServerKey): ServerState | null {
    return this.#servers.get(server)?.state ?? null;
  }

  condition(server: ServerKey): ServerCondition | null {
    return this.#servers.get(server)?.condition ?? null;
  }

  start(): void {
    this.#isStarted = true;
    void this.#startInTurns([...this.#servers.values()]);
  }

  /** Calls of others are answered in between, however many servers are new. One that was removed meanwhile stays as it is. */
  async #startInTurns(servers: readonly Downstream[]): Promise<void> {
    for (const [place, server] of servers.entries()) {
      if (place > 0 && place % AT_ONCE === 0) await nextTurn();
      server.start();
    }
  }

  apply(specs: readonly ServerSpec[]): ServerDiff {
    if (this.#closing !== null) return diffSpecs([], []);
    const before = this.#servers;
    const diff = diffSpecs(
      [...before.values()].map(({ spec }) => spec),
      specs,
    );
    const unchanged = new Set(diff.unchanged);
    const next = new Map<ServerKey, Downstream>();
    for (const spec of specs) {
      const known = unchanged.has(spec.key) ? before.get(spec.key) : undefined;
      const server = known ?? new Downstream(spec, this.#deps);
      if (known === undefined) server.setLogLevel(this.#level);
      next.set(spec.key, server);
    }
    this.#servers = next;
    for (const [key, server] of before) if (next.get(key) !== server) this.#retire(server);
    const fresh = [...diff.added, ...diff.updated].flatMap(key => next.get(key) ?? []);
    if (this.#isStarted) void this.#startInTurns(fresh);
    return diff;
  }

  #retire(server: Downstream): void {
    const ended = server
      .stop('SERVER_UNAVAILABLE', this.#deps.limits.retireMs)
      .catch((error: unknown) =>
        this.#deps.log.error('a removed server did not stop cleanly', { detail: String(error) }),
      )
      .finally(() => this.#leaving.delete(server));
    this.#leaving.set(server, ended);
  }

  send(route: Route, method: string, params: JsonObject, line: Line, options: SendOptions): Promise<Reply> {
    const server = this.#servers.get(route.server);
    if (server === undefined) return Promise.resolve(unknownServer(route.server));
    return server.send(route, method, params, line, options);
  }

  query(server: ServerKey, method: string, params: JsonObject): Promise<Reply> {
    return this.#servers.get(server)?.query(method, params) ?? Promise.resolve(unknownServer(server));
  }

  watch(server: ServerKey, uris: ReadonlySet<string>): Promise<void> {
    return this.#servers.get(server)?.watch(uris) ?? Promise.resolve();
  }

  setLogLevel(level: LogLevel | null): void {
    this.#level = level;
    for (const server of this.#servers.values()) server.setLogLevel(level);
  }

  rootsChanged(partition: string): void {
    for (const server of this.#servers.values()) server.rootsChanged(partition);
  }

  release(partition: string): void {
    for (const server of this.#servers.values()) server.release(partition);
  }

  onEvent(listener: (event: DownstreamEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #emit(event: DownstreamEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#deps.log.error('a listener for server events failed', { event: event.kind, detail: String(error) });
      }
    }
  }

  close(graceMs: number): Promise<void> {
    if (this.#closing === null) this.#closing = this.#close(graceMs);
    // Asked again with less patience: what is drained already is not harmed by it.
    else for (const server of this.#all()) void server.stop('SHUTTING_DOWN', graceMs);
    return this.#closing;
  }

  #all(): Downstream[] {
    return [...this.#servers.values(), ...this.#leaving.keys()];
  }

  async #close(graceMs: number): Promise<void> {
    await Promise.all(this.#all().map(server => server.stop('SHUTTING_DOWN', graceMs)));
    await Promise.all(this.#leaving.values());
    this.#listeners.clear();
    await this.#deps.watchdog.close();
  }
}

function unknownServer(server: ServerKey): Reply {
  return failure('SERVER_UNAVAILABLE', { server, reason: 'it is not configured' });
}
