/**
 * Watches the servers: asks each in turn whether it answers, spread over the interval and so many at a time, and hears at
 * once when a connection comes or goes. A connection that is gone is a fact; an answer that is late is one only the second
 * time, so that a busy moment is no outage. A server that refuses our credential answers, and stays in use.
 */
import type { Reply } from '../../domain/call.ts';
import { CREDENTIALS_REFUSED, type ServerKey, type ServerStatus } from '../../domain/server.ts';
import type { HealthStatus, ServerHealth } from '../../domain/server-health.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Downstreams } from '../../ports/downstreams.ts';
import type { HealthRepository } from '../../ports/health-repository.ts';
import type { Log } from '../../ports/log.ts';

/** A server that is watched. */
export interface Watched {
  /** In the registry: with its leading slash. */
  path: string;
  key: ServerKey;
  enabled: boolean;
  /** It runs with whoever uses it, and nobody here can ask it. */
  isLocal: boolean;
  /** There is something to connect to or to start. */
  hasAddress: boolean;
  numTools: number;
}

export interface HealthSettings {
  intervalMs: number;
  /** Checks under way at once. */
  concurrency: number;
  /** Late answers in a row that make a server unhealthy. */
  failuresToUnhealthy: number;
}

export interface HealthWatch {
  /** By path; a server that nobody has asked since the start is `unknown`. */
  snapshot(): ReadonlyMap<string, ServerHealth>;
  find(path: string): ServerHealth | null;
  /** Asks one server now; null: there is none of this path. */
  check(path: string): Promise<ServerHealth | null>;
  /** Called with every status or number of tools that changed. */
  onChange(listener: (health: ServerHealth) => void): void;
  /** The set of servers, or what is known of them, has changed. */
  follow(): void;
  start(): Promise<void>;
  stop(): void;
}

export interface HealthDeps {
  servers(): readonly Watched[];
  /** One of them, as it is at this moment. */
  server(key: ServerKey): Watched | null;
  downstreams: Pick<Downstreams, 'query' | 'condition' | 'onEvent'>;
  store: HealthRepository;
  settings: HealthSettings;
  clock: Clock;
  log: Log;
  /** 0 to 1; so that a thousand servers are not asked in step. */
  random(): number;
}

/** The share of an interval over which a round is spread: it is over before the next. */
const SPREAD = 0.8;

export function createHealthWatch(deps: HealthDeps): HealthWatch {
  const { downstreams, store, settings, clock, log } = deps;
  /** As they are by the last news of them. */
  let watched = new Map<string, Watched>();
  let known = new Map<string, ServerHealth>();
  /** Late answers in a row, by path. */
  const late = new Map<string, number>();
  const asking = new Map<string, Promise<ServerHealth>>();
  const pausing = new Set<() => void>();
  const listeners: ((health: ServerHealth) => void)[] = [];
  let unsaved = new Map<string, ServerHealth>();
  let cancelRound = () => {};
  let stopListening = () => {};
  let isStopped = false;

  function note(path: string, status: HealthStatus, numTools: number, isChecked: boolean): ServerHealth {
    const before = known.get(path);
    const checkedAtMs = isChecked ? clock.wallMs() : (before?.checkedAtMs ?? null);
    const health: ServerHealth = { path, status, checkedAtMs, numTools };
    known.set(path, health);
    if (before?.status === status && before.numTools === numTools) return health;
    unsaved.set(path, health);
    for (const listener of listeners) listener(health);
    return health;
  }

  /** Without asking it: what its connection says, or null where that says nothing. */
  function statusByState({ key, enabled, isLocal, hasAddress }: Watched): HealthStatus | null {
    if (isLocal) return 'local';
    if (!enabled) return 'disabled';
    const state = downstreams.condition(key);
    // Switched on this very moment, it is about to be connected.
    if (state === null) return hasAddress ? 'checking' : 'unhealthy: missing proxy URL';
    return statusOf(state.status, state.reason);
  }

  async function ask(server: Watched): Promise<ServerHealth> {
    const { path, key, numTools } = server;
    const byState = statusByState(server);
    const state = downstreams.condition(key);
    // Nobody starts a server that waits to be used only to see whether it would start.
    if (byState === 'local' || byState === 'disabled' || state === null || state.status === 'idle') {
      late.delete(path);
      return note(path, byState ?? 'unknown', numTools, false);
    }
    const before = known.get(path)?.status ?? 'unknown';
    if (before === 'unknown' || before === 'disabled') note(path, 'checking', numTools, false);
    const found = statusOfReply(await downstreams.query(key, 'ping', {}));
    // Switched off or removed meanwhile: what it answered is no news of it any more.
    if (!isAsked(watched.get(path))) return known.get(path) ?? { path, status: found, checkedAtMs: null, numTools };
    if (found !== 'unhealthy: timeout') {
      late.delete(path);
      return note(path, found, numTools, true);
    }
    const times = (late.get(path) ?? 0) + 1;
    late.set(path, times);
    const wasGood = before === 'healthy' || before === 'healthy-auth-expired';
    return note(path, wasGood && times < settings.failuresToUnhealthy ? before : found, numTools, true);
  }

  /** One question at a time per server: whoever asks meanwhile gets the same answer. */
  function askOnce(server: Watched): Promise<ServerHealth> {
    let pending = asking.get(server.path);
    if (pending === undefined) {
      pending = ask(server).finally(() => asking.delete(server.path));
      asking.set(server.path, pending);
    }
    return pending;
  }

  async function round(): Promise<void> {
    const queue = [...watched.keys()];
    const atOnce = Math.min(settings.concurrency, queue.length);
    // Of the longest row that one of them has to ask, so that even the longest pauses end within the interval.
    const gapMs = (settings.intervalMs * SPREAD) / Math.ceil(queue.length / atOnce);
    const work = async () => {
      for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
        await pause(gapMs * deps.random());
        if (isStopped) return;
        const server = watched.get(path);
        if (server === undefined) continue;
        await askOnce(server).catch(cause => warn('a server could not be checked', cause));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    await save();
  }

  /** The findings of a round are one write; what cannot be stored is known here all the same. */
  async function save(): Promise<void> {
    if (unsaved.size === 0) return;
    const findings = [...unsaved.values()];
    unsaved = new Map();
    await store.put(findings).catch(cause => warn('the health of servers could not be stored', cause));
  }

  function warn(what: string, cause: unknown): void {
    log.warn(what, { detail: cause instanceof Error ? cause.message : String(cause) });
  }

  function pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const wake = () => {
        pausing.delete(wake);
        cancel();
        resolve();
      };
      const cancel = clock.after(ms, wake);
      pausing.add(wake);
    });
  }

  function roundAfterRound(): void {
    const startedMs = clock.monotonicMs();
    void round().then(() => {
      const leftMs = settings.intervalMs - (clock.monotonicMs() - startedMs);
      if (!isStopped) cancelRound = clock.after(Math.max(0, leftMs), roundAfterRound);
    });
  }

  function follow(): void {
    watched = new Map(deps.servers().map(server => [server.path, server]));
    for (const path of [...known.keys()]) {
      if (watched.has(path)) continue;
      known.delete(path);
      unsaved.delete(path);
      late.delete(path);
    }
    for (const server of watched.values()) {
      const before = known.get(server.path)?.status;
      const byState = statusByState(server);
      const isFixed = byState === 'local' || byState === 'disabled';
      const wasFixed = before === undefined || before === 'local' || before === 'disabled';
      note(server.path, isFixed || wasFixed ? (byState ?? 'unknown') : before, server.numTools, false);
    }
  }

  return {
    snapshot: () => known,
    find: path => known.get(path) ?? null,
    async check(path) {
      const server = watched.get(path);
      if (server === undefined) return null;
      const found = await askOnce(server);
      // Whoever asks wants to know how it is: patience is for rounds that nobody waits for.
      const isLate = late.has(path) && isAsked(watched.get(path));
      return isLate ? note(path, 'unhealthy: timeout', server.numTools, true) : found;
    },
    onChange: listener => void listeners.push(listener),
    follow,
    async start() {
      const stored = await store.list();
      // When it was last looked at is worth knowing; how it was then says nothing about now.
      known = new Map(stored.map(health => [health.path, { ...health, status: 'unknown' as const }]));
      follow();
      stopListening = downstreams.onEvent(event => {
        if (event.kind !== 'state') return;
        const status = statusOf(event.status, event.reason);
        const server = status === null ? null : deps.server(event.server);
        if (server === null || !server.enabled || server.isLocal || status === null) return;
        late.delete(server.path);
        note(server.path, status, server.numTools, true);
      });
      cancelRound = clock.after(settings.intervalMs * (1 - SPREAD) * deps.random(), roundAfterRound);
    },
    stop() {
      isStopped = true;
      cancelRound();
      stopListening();
      for (const wake of [...pausing]) wake();
    },
  };
}

function statusOf(status: ServerStatus, reason: string | null): HealthStatus | null {
  switch (status) {
    case 'ready':
      return 'healthy';
    case 'disabled':
      return 'disabled';
    case 'down':
    case 'failed':
      return reason === CREDENTIALS_REFUSED ? 'healthy-auth-expired' : 'unhealthy: connection error';
    default:
      return null;
  }
}

const isAsked = (server: Watched | undefined): boolean => server?.enabled === true && !server.isLocal;

/** Any answer in MCP is a sign of life, an error among them: servers need not know `ping`. */
function statusOfReply(reply: Reply): HealthStatus {
  if (reply.kind !== 'failure') return 'healthy';
  if (reply.code === 'TIMEOUT') return 'unhealthy: timeout';
  // A queue of ours is full: that says nothing against the server.
  if (reply.code === 'OVERLOADED') return 'healthy';
  if (reply.data.reason === CREDENTIALS_REFUSED) return 'healthy-auth-expired';
  return reply.code === 'SERVER_UNAVAILABLE' ? 'unhealthy: connection error' : 'unhealthy: endpoint check failed';
}
