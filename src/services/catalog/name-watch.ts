/**
 * Watches the names of all servers' tools for those that reach over to somebody else: a name that is taken for another
 * server's, one that begins like another server's public names, a text that directs another server's tool. It warns and
 * holds nothing back: routing goes by server and own name, so nothing of this takes a call from anybody; a person decides.
 * A warning names two servers, so it is for those alone who may see both. Lists are looked through one after the other and
 * in small steps: one of twenty thousand tools takes seconds, in which everybody else is to be answered.
 */
import type { JsonObject } from '../../domain/json.ts';
import { meaningOf, type NameWarning } from '../../domain/name-warning.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Age, createNameIndex, type ShownList, type ShownTool } from './name-index.ts';

export interface NameWatch {
  /** All tools of a server, in place of those it had; in place of a list, too, that has not been looked at yet. */
  follow(server: ServerKey, tools: readonly ShownTool[]): void;
  /** Somebody has looked at warnings of a server: what was found of it and had no place is told in theirs. */
  compare(server: ServerKey): void;
  /** Servers that are no more warn of nothing, from now on. */
  keepOnly(servers: { has(server: ServerKey): boolean }): void;
  /**
   * What has been found so far; what was found of a server before holds until its new list has been looked through. Shape:
   * by server, tool, and then whom they mean. At most 100 of one server that nobody has acknowledged, and as many of its
   * list before.
   */
  warnings(): readonly NameWarning[];
  /**
   * What a tool would be warned of, had it these words, to whoever is to approve them; at most 100. `isFor`: whether they
   * may know of a server.
   */
  foresee(
    server: ServerKey,
    tool: string,
    definition: JsonObject,
    isFor: (server: ServerKey) => boolean,
  ): readonly NameWarning[];
  /** When nothing is left to look through. */
  settled(): Promise<void>;
}

/** One server's list of a thousand likenesses tells no more than a hundred, and hides nobody else's. */
const MAX_OF_SERVER = 100;
/** Nor does one that lists other names at every turn fill the log. */
const MAX_REPORTED = 1000;

/** What is to be done about a server. */
interface Task {
  /** Null: none that is new. */
  list: ShownList | null;
  /** It was gone in between, or is: what is known of it is forgotten first. */
  isAnew: boolean;
  /** Servers that lost a warning: what they said of this one may be meant for a third, or has a place by now. */
  losers: Set<ServerKey>;
}

const isLeaving = (task: Task | undefined) => task?.list === null && task.isAnew;
const nothingToDo = (): Task => ({ list: null, isAnew: false, losers: new Set() });

export function createNameWatch(deps: {
  /** A warning that there was not before, about tools of which one is new since the start. */
  report: (warning: NameWarning) => void;
  /** Somebody has looked at it: it takes nobody's place. */
  isAcknowledged: (warning: NameWarning) => boolean;
  /** A server could not be looked through; the others are. */
  fail: (server: ServerKey, cause: unknown) => void;
  /** Called between two small steps; what it returns is waited for. */
  pause: () => Promise<void> | null;
  clock: Pick<Clock, 'wallMs'>;
}): NameWatch {
  const { report, isAcknowledged, fail, pause } = deps;
  const startedMs = deps.clock.wallMs();
  const index = createNameIndex();
  const standing = createStanding();
  /** Found in the list before the one that is being looked through. */
  let fading = new Map<string, NameWarning>();
  const reported = new Map<ServerKey, Set<string>>();
  /** In the order servers came. */
  const waiting = new Map<ServerKey, Task>();
  let current: { server: ServerKey; task: Task; isEnded: boolean } | null = null;
  let done: Promise<void> = Promise.resolve();
  let order = 0;

  /** Returns the other servers that lost a warning. */
  function drop(server: ServerKey, into: Map<string, NameWarning> | null): Set<ServerKey> {
    const losers = new Set<ServerKey>();
    for (const [key, found] of standing.entries()) {
      if (!isBetween(found, server)) continue;
      standing.remove(key);
      into?.set(key, found);
      if (found.server !== server) losers.add(found.server);
    }
    return losers;
  }

  /** False: said before, or the server is being told of at every turn. */
  function remember(server: ServerKey, key: string): boolean {
    const said = reported.get(server) ?? new Set();
    if (said.has(key) || said.size >= MAX_REPORTED) return false;
    reported.set(server, said.add(key));
    return true;
  }

  function take(found: NameWarning): void {
    const { server, tool, other } = found;
    const leaving = waiting.get(other.server);
    if (waiting.get(server)?.isAnew === true) return;
    if (leaving?.isAnew === true) {
      // Somebody else may be meant once this one is cleared away.
      leaving.losers.add(server);
      return;
    }
    const key = keyOf(found);
    if (standing.has(key)) return;
    const isOpen = !isAcknowledged(found);
    if (isOpen && standing.countOpen(server) >= MAX_OF_SERVER) return;
    standing.add(key, found, isOpen);
    const both = [index.find(server, tool), index.find(other.server, other.tool)];
    if (both.some(watched => watched !== null && watched.approvedAtMs >= startedMs) && remember(server, key))
      report(found);
  }

  function* compare(server: ServerKey): Generator<null> {
    if (!index.has(server)) return;
    for (const [key, found] of standing.openOf(server)) {
      if (isAcknowledged(found)) standing.close(key, server);
      yield null;
    }
    for (const found of index.between(server)) {
      if (found !== null) take(found);
      yield null;
    }
  }

  function* lookThrough(server: ServerKey, { list, isAnew, losers }: Task): Generator<null> {
    if (isAnew) {
      yield* index.remove(server);
      reported.delete(server);
    }
    const next = list === null ? null : yield* index.read(server, list);
    if (next !== null) {
      for (const loser of drop(server, fading)) losers.add(loser);
      yield* index.replace(server, next);
      yield* compare(server);
    }
    for (const loser of losers) {
      yield* compare(loser);
      losers.delete(loser);
    }
  }

  async function work(): Promise<void> {
    for (const [server, task] of waiting) {
      waiting.delete(server);
      const here = { server, task, isEnded: false };
      current = here;
      try {
        for (const _ of lookThrough(server, task)) {
          const others = pause();
          if (others !== null) await others;
          if (here.isEnded) break;
        }
      } catch (cause) {
        fail(server, cause);
      }
      fading = new Map();
    }
    current = null;
  }

  function begin(): void {
    if (current === null) done = work();
  }

  return {
    follow(server, tools) {
      const { list, isAnew, losers } = waiting.get(server) ?? nothingToDo();
      waiting.set(server, { list: { tools, first: order, ages: agesOf(list) }, isAnew, losers });
      order += tools.length;
      begin();
    },
    compare(server) {
      // Where nobody is being looked through, whoever has a place left has turned nothing away.
      if (current === null && standing.countOpen(server) < MAX_OF_SERVER) return;
      const task = waiting.get(server) ?? nothingToDo();
      task.losers.add(server);
      waiting.set(server, task);
      begin();
    },
    keepOnly(kept) {
      const known = new Set([...index.servers(), ...waiting.keys(), ...(current === null ? [] : [current.server])]);
      for (const server of known) {
        if (kept.has(server)) continue;
        const [there, running] = [waiting.get(server), current?.server === server ? current : null];
        if (isLeaving(there ?? running?.task)) continue;
        const losers = drop(server, null);
        for (const [key, found] of fading) if (isBetween(found, server)) fading.delete(key);
        for (const task of [there, running?.task]) for (const loser of task?.losers ?? []) losers.add(loser);
        if (running !== null) running.isEnded = true;
        waiting.set(server, { list: null, isAnew: true, losers });
      }
      begin();
    },
    warnings: () =>
      [...new Map([...fading, ...standing.entries()])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, found]) => found),
    foresee(server, tool, definition, isFor) {
      const found: NameWarning[] = [];
      for (const each of index.speaksOf(server, tool, definition)) {
        if (found.length === MAX_OF_SERVER) break;
        if (isFor(each.other.server)) found.push(each);
      }
      return found;
    },
    settled: () => done,
  };
}

const isBetween = ({ server, other }: NameWarning, one: ServerKey) => server === one || other.server === one;

const keyOf = (found: NameWarning) => JSON.stringify([found.server, found.tool]) + meaningOf(found);

/** Of a list that nobody will read: who stands in the next one as well is as old as in this. */
function agesOf(list: ShownList | null): Map<string, Age> {
  return new Map(
    (list?.tools ?? []).map(({ name, approvedAtMs }, at) => {
      const { sinceMs = approvedAtMs, order = (list?.first ?? 0) + at } = list?.ages.get(name) ?? {};
      return [name, { sinceMs: Math.min(sinceMs, approvedAtMs), order }];
    }),
  );
}

function createStanding() {
  const warnings = new Map<string, NameWarning>();
  /** Those that count. */
  const open = new Map<ServerKey, Map<string, NameWarning>>();
  const openOf = (server: ServerKey): ReadonlyMap<string, NameWarning> => open.get(server) ?? new Map();
  function close(key: string, server: ServerKey): void {
    const those = open.get(server);
    those?.delete(key);
    if (those?.size === 0) open.delete(server);
  }
  return {
    openOf,
    close,
    countOpen: (server: ServerKey) => openOf(server).size,
    has: (key: string) => warnings.has(key),
    entries: (): Iterable<[string, NameWarning]> => warnings,
    add(key: string, found: NameWarning, isOpen: boolean): void {
      warnings.set(key, found);
      if (isOpen) open.set(found.server, (open.get(found.server) ?? new Map()).set(key, found));
    },
    remove(key: string): void {
      const found = warnings.get(key);
      if (found === undefined) return;
      warnings.delete(key);
      close(key, found.server);
    },
  };
}
