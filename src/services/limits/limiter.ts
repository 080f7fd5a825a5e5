/**
 * The one limiter of every surface: how many calls in a time, how many at once, how many sessions and streams, per caller,
 * agent, server or pair. It follows the principal, not the connection or the token. Who may do what is not decided here.
 */
import { addressKey } from '../../domain/address-key.ts';
import { matchesGlob } from '../../domain/glob.ts';
import type { Identity } from '../../domain/identity.ts';
import type { Allowed, Limited, LimitRule, LimitRules } from '../../domain/limits.ts';
import { SlotTable } from '../../domain/slot-table.ts';
import type { CountedWindow, LimitStore, WindowVerdict } from '../../ports/limits.ts';
import { agentKey, callerKey } from './limit-keys.ts';
import { type OpenCount, OpenCounts } from './open-counts.ts';

/** `server` and `tool` as far as they are known yet. */
export interface LimitedOperation {
  method: string;
  server: string | null;
  tool: string | null;
}

export interface Limiter {
  /**
   * Counts one operation in everything that applies to it, or in nothing. `slot` of an allowed one goes back to `release`
   * when the operation is over. Answers at once unless the counts are kept elsewhere.
   */
  take(
    who: Identity,
    operation: LimitedOperation,
    address?: string | null,
  ): Allowed | Limited | Promise<Allowed | Limited>;
  /** The same for an operation that was taken before its server was known: only what depends on the server. */
  takeOnServer(
    who: Identity,
    operation: LimitedOperation,
    address?: string | null,
  ): Allowed | Limited | Promise<Allowed | Limited>;
  /** A session or stream for as long as its slot is held. Refused with scope `everyone`: all callers together have too many. */
  hold(what: 'session' | 'stream', who: Identity): Allowed | Limited;
  /** Does nothing for 0 and for what was released before. */
  release(slot: number): void;
  /** A credential was refused: says when this address has shown too many of those. */
  takeRefusal(address: string): Allowed | Limited | Promise<Allowed | Limited>;
  /** In force with the next operation; counts of rules that keep their id go on. */
  apply(rules: LimitRules): void;
}

/** Nobody knows when one of those under way is over. */
const RETRY_OPEN_MS = 1000;

const FREE: Allowed = Object.freeze({ kind: 'allowed', slot: 0 });

/** What an operation, session or stream holds while it lasts. */
interface Held {
  caller: OpenCount | null;
  /** With others: a server's, or everybody's. */
  shared: OpenCount | null;
}

interface Applying {
  rules: LimitRules;
  /** Do not depend on the server. */
  general: readonly LimitRule[];
  bound: readonly LimitRule[];
  refusals: CountedWindow | null;
}

export function createLimiter(deps: { store: LimitStore; rules: LimitRules }): Limiter {
  const { store } = deps;
  let applying = compile(deps.rules);
  const held = new SlotTable<Held>();
  const callers = new OpenCounts();
  const servers = new OpenCounts();
  const opened = { session: new OpenCounts(), stream: new OpenCounts() };
  const allStreams: OpenCount = { open: 0 };

  function takeIn(
    lists: readonly (readonly LimitRule[])[],
    who: Identity,
    operation: LimitedOperation,
    address: string | null,
    perCaller: number | null,
    perServer: number | null,
  ): Allowed | Limited | Promise<Allowed | Limited> {
    const { server } = operation;
    const caller = perCaller === null ? null : callers.of(callerKey(who, address));
    const onServer = perServer === null || server === null ? null : servers.of(server);
    if (caller !== null && perCaller !== null && caller.open >= perCaller) return tooManyOpen('caller', perCaller);
    if (onServer !== null && perServer !== null && onServer.open >= perServer) return tooManyOpen('server', perServer);

    const keys: string[] = [];
    const windows: LimitRule[] = [];
    for (const list of lists) {
      for (const rule of list) {
        if (!applies(rule, who, server)) continue;
        keys.push(keyOf(rule, who, server, address));
        windows.push(rule);
      }
    }
    // Held before it is counted: counting may take its time, and others come meanwhile.
    const slot = holdOpen(caller, onServer);
    if (windows.length === 0) return slot === 0 ? FREE : { kind: 'allowed', slot };
    const verdict = store.take(keys, windows);
    return verdict instanceof Promise
      ? verdict.then(
          later => conclude(later, windows, slot),
          cause => {
            release(slot);
            throw cause;
          },
        )
      : conclude(verdict, windows, slot);
  }

  function holdOpen(caller: OpenCount | null, shared: OpenCount | null): number {
    if (caller === null && shared === null) return 0;
    if (caller !== null) caller.open++;
    if (shared !== null) shared.open++;
    return held.add({ caller, shared });
  }

  function conclude(verdict: WindowVerdict, windows: readonly LimitRule[], slot: number): Allowed | Limited {
    if (verdict.fullAt < 0) return slot === 0 ? FREE : { kind: 'allowed', slot };
    release(slot);
    return toLimited(verdict, windows[verdict.fullAt]?.by ?? 'caller');
  }

  function release(slot: number): void {
    if (slot === 0) return;
    const item = held.find(slot);
    if (item === null) return;
    held.delete(slot);
    if (item.caller !== null) item.caller.open--;
    if (item.shared !== null) item.shared.open--;
  }

  return {
    take(who, operation, address = null) {
      const { general, bound, rules } = applying;
      const { perCaller, perServer } = rules.inFlight;
      if (general.length === 0 && bound.length === 0 && perCaller === null && perServer === null) return FREE;
      const lists = operation.server === null ? [general] : [general, bound];
      return takeIn(lists, who, operation, address, perCaller, perServer);
    },
    takeOnServer(who, operation, address = null) {
      const { bound, rules } = applying;
      const { perServer } = rules.inFlight;
      if ((bound.length === 0 && perServer === null) || operation.server === null) return FREE;
      return takeIn([bound], who, operation, address, null, perServer);
    },
    hold(what, who) {
      const { sessionsPerCaller, streamsPerCaller, streams } = applying.rules;
      const most = what === 'session' ? sessionsPerCaller : streamsPerCaller;
      const caller = most === null || who.method === 'local' ? null : opened[what].of(callerKey(who, null));
      if (caller !== null && most !== null && caller.open >= most) return tooManyOpen(what, most);
      // Sessions of all together are bounded by the table that keeps them.
      const shared = what === 'stream' ? allStreams : null;
      if (shared !== null && streams !== null && shared.open >= streams) return tooManyOpen('everyone', streams);
      const slot = holdOpen(caller, shared);
      return slot === 0 ? FREE : { kind: 'allowed', slot };
    },
    release,
    takeRefusal(address) {
      const { refusals } = applying;
      if (refusals === null) return FREE;
      const verdict = store.take([addressKey(address)], [refusals]);
      const answer = (known: WindowVerdict) => (known.fullAt < 0 ? FREE : toLimited(known, 'address'));
      return verdict instanceof Promise ? verdict.then(answer) : answer(verdict);
    },
    apply(rules) {
      applying = compile(rules);
    },
  };
}

function compile(rules: LimitRules): Applying {
  const needsServer = ({ by, servers }: LimitRule) => servers !== null || by === 'server' || by === 'caller-and-server';
  return {
    rules,
    general: rules.rules.filter(rule => !needsServer(rule)),
    bound: rules.rules.filter(needsServer),
    refusals: rules.refusalsPerAddress === null ? null : { id: 'refusals', ...rules.refusalsPerAddress },
  };
}

function applies({ agents, groups, servers }: LimitRule, who: Identity, server: string | null): boolean {
  if (agents !== null && !matchesAny(agents, who.agent)) return false;
  if (servers !== null && !matchesAny(servers, server)) return false;
  if (groups === null) return true;
  for (const group of who.groups) if (matchesAny(groups, group)) return true;
  return false;
}

function matchesAny(patterns: readonly string[], name: string | null): boolean {
  if (name === null) return false;
  for (const pattern of patterns) if (pattern === name || matchesGlob(pattern, name)) return true;
  return false;
}

function keyOf({ by }: LimitRule, who: Identity, server: string | null, address: string | null): string {
  switch (by) {
    case 'caller':
      return callerKey(who, address);
    case 'agent':
      return agentKey(who, address);
    case 'server':
      return server ?? '';
    case 'caller-and-server':
      // A server's key holds no space.
      return `${server ?? ''} ${callerKey(who, address)}`;
    case 'everyone':
      return '';
  }
}

function tooManyOpen(scope: Limited['scope'], limit: number): Limited {
  return {
    kind: 'limited',
    scope,
    what: 'open',
    limit,
    remaining: 0,
    retryAfterMs: RETRY_OPEN_MS,
    resetMs: RETRY_OPEN_MS,
  };
}

function toLimited(verdict: WindowVerdict, scope: Limited['scope']): Limited {
  const { limit, remaining, retryAfterMs, resetMs } = verdict;
  return { kind: 'limited', scope, what: 'rate', limit, remaining, retryAfterMs: Math.max(1, retryAfterMs), resetMs };
}
