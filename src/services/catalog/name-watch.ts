/**
 * Watches the names of all servers' tools for those that reach over to somebody else: a name that is taken for another
 * server's, one that begins like another server's public names, a text that directs another server's tool. It warns and
 * holds nothing back: routing goes by server and own name, so nothing of this takes a call from anybody; a person decides.
 * A warning names two servers, so it is for those alone who may see both.
 */
import { type Mentions, readMentions } from '../../domain/foreign-mention.ts';
import type { JsonObject } from '../../domain/json.ts';
import { type Likeness, plainOf, skeletonOf } from '../../domain/look-alike.ts';
import { createNameNeighbours } from '../../domain/name-neighbours.ts';
import { serverOfName } from '../../domain/names.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';

export const WARNING_KINDS = ['look-alike', 'foreign-prefix', 'foreign-mention'] as const;

export interface NameWarning {
  kind: (typeof WARNING_KINDS)[number];
  server: ServerKey;
  tool: string;
  /** Whose name it is; the tool is null where a server alone is named. */
  other: { server: ServerKey; tool: string | null };
  /** Of a look-alike. */
  likeness: Likeness | null;
}

/** A tool as it is shown. */
export interface ShownTool {
  name: string;
  definition: JsonObject;
  approvedAtMs: number;
}

export interface NameWatch {
  /** All tools of a server, in place of those it had. */
  follow(server: ServerKey, tools: readonly ShownTool[]): void;
  /** Servers that are no more warn of nothing. */
  keepOnly(servers: { has(server: ServerKey): boolean }): void;
  /** Shape: by server, tool, and then whom they mean. At most 100 of one server. */
  warnings(): readonly NameWarning[];
}

/** One server's list of a thousand likenesses tells no more than a hundred, and hides nobody else's. */
const MAX_OF_SERVER = 100;
/** Nor does one that lists other names at every turn fill the log. */
const MAX_REPORTED = 1000;

interface Watched extends ShownTool {
  server: ServerKey;
  /** When its name was first approved, and in which order here: approving new words makes no newcomer of it. */
  sinceMs: number;
  order: number;
  mentions: Mentions;
  /** Skeletons of its own name, and of its server's and its own together. */
  names: readonly string[];
  /** What stands before `__` in its own name. */
  prefix: string | null;
}

export function createNameWatch(deps: {
  /** A warning that there was not before, about tools of which one is new since the start. */
  report: (warning: NameWarning) => void;
  clock: Pick<Clock, 'wallMs'>;
}): NameWatch {
  const startedMs = deps.clock.wallMs();
  const neighbours = createNameNeighbours();
  const servers = new Map<ServerKey, Map<string, Watched>>();
  /** Skeletons of names -> who has them. */
  const owners = createIndex<Watched>();
  /** In the letters they are written in. */
  const ownNames = createIndex<string>();
  const serverNames = createIndex<ServerKey>();
  /** Skeletons -> who speaks of them. */
  const speakers = { tool: createIndex<Watched>(), server: createIndex<Watched>(), prefix: createIndex<Watched>() };
  const standing = new Map<string, NameWarning>();
  const reported = new Map<ServerKey, Set<string>>();
  let order = 0;

  function index(watched: Watched, change: 'add' | 'remove'): void {
    const { server, name, mentions, prefix } = watched;
    for (const key of watched.names) owners[change](key, watched);
    for (const key of mentions.tools.keys()) speakers.tool[change](key, watched);
    for (const key of mentions.servers.keys()) speakers.server[change](key, watched);
    if (prefix !== null) speakers.prefix[change](prefix, watched);
    neighbours[change](server, name);
  }

  /** Returns the other servers that lost a warning: what they said of this one may be meant for a third. */
  function drop(server: ServerKey): Set<ServerKey> {
    const losers = new Set<ServerKey>();
    for (const [key, { server: by, other }] of standing) {
      if (by !== server && other.server !== server) continue;
      standing.delete(key);
      if (by !== server) losers.add(by);
    }
    return losers;
  }

  /** Everything between this server and the others, in both directions. */
  function* between(server: ServerKey, tools: Iterable<Watched>): Generator<NameWarning> {
    const name = skeletonOf(server);
    for (const by of speakers.server.at(name)) if (by.server !== server) yield mention(by, { server, tool: null });
    for (const by of speakers.prefix.at(name)) if (by.server !== server) yield prefixed(by, server);
    for (const own of tools) {
      yield* likenesses(own);
      for (const key of own.mentions.tools.keys()) yield* mentions(own, key, owners.at(key));
      for (const key of own.mentions.servers.keys()) {
        for (const other of serverNames.at(key)) {
          if (other !== server) yield mention(own, { server: other, tool: null });
        }
      }
      for (const other of own.prefix === null ? [] : serverNames.at(own.prefix)) {
        if (other !== server) yield prefixed(own, other);
      }
      for (const key of own.names) for (const by of speakers.tool.at(key)) yield* mentions(by, key, [own]);
    }
  }

  /** A name is as old as the first tool that has it; who wears foreign letters imitates, whenever it came. */
  function* likenesses(own: Watched): Generator<NameWarning> {
    for (const { tool, servers: holders, likeness } of neighbours.find(own.server, own.name)) {
      const theirs = holders.flatMap(server => servers.get(server)?.get(tool) ?? []);
      const first = oldest(
        [...neighbours.holders(own.name)].flatMap(server => servers.get(server)?.get(own.name) ?? []),
      );
      const other = oldest(theirs);
      if (first === null || other === null) continue;
      const imitates = isDisguised(own) === isDisguised(other) ? isOlder(other, first) : isDisguised(own);
      if (imitates) yield warning('look-alike', own, { server: other.server, tool }, likeness);
      else for (const by of theirs) yield warning('look-alike', by, { server: own.server, tool: own.name }, likeness);
    }
  }

  /** A server that has a tool of that name itself speaks of its own. */
  function* mentions(by: Watched, name: string, named: Iterable<Watched>): Generator<NameWarning> {
    if (ownNames.at(by.server).has(by.mentions.tools.get(name) ?? '')) return;
    for (const { server, name: tool } of named) if (server !== by.server) yield mention(by, { server, tool });
  }

  /** False: said before, or the server is being told of at every turn. */
  function remember(server: ServerKey, key: string): boolean {
    const said = reported.get(server) ?? new Set();
    if (said.has(key) || said.size >= MAX_REPORTED) return false;
    reported.set(server, said.add(key));
    return true;
  }

  function compare(server: ServerKey): void {
    const tools = servers.get(server) ?? new Map<string, Watched>();
    const counts = new Map<ServerKey, number>();
    for (const { server: by } of standing.values()) counts.set(by, (counts.get(by) ?? 0) + 1);
    for (const found of between(server, tools.values())) {
      const key = keyOf(found);
      const count = counts.get(found.server) ?? 0;
      if (standing.has(key) || count >= MAX_OF_SERVER) continue;
      standing.set(key, found);
      counts.set(found.server, count + 1);
      const isNew = [
        servers.get(found.server)?.get(found.tool),
        servers.get(found.other.server)?.get(found.other.tool ?? ''),
      ].some(watched => watched !== undefined && watched.approvedAtMs >= startedMs);
      if (isNew && remember(found.server, key)) deps.report(found);
    }
  }

  return {
    follow(server, tools) {
      const before = servers.get(server) ?? new Map<string, Watched>();
      const next = new Map<string, Watched>();
      let isSame = servers.has(server);
      for (const tool of tools) {
        const was = before.get(tool.name);
        if (was !== undefined && isEqual(was.definition, tool.definition)) next.set(tool.name, was);
        else {
          isSame = false;
          next.set(tool.name, watch(server, tool, was, ++order));
        }
      }
      if (isSame && next.size === before.size) return;
      const losers = drop(server);
      for (const [name, was] of before) if (next.get(name) !== was) index(was, 'remove');
      for (const [name, now] of next) if (before.get(name) !== now) index(now, 'add');
      ownNames.clear(server);
      for (const name of next.keys()) {
        for (const written of [name, `${server}__${name}`]) ownNames.add(server, plainOf(written));
      }
      if (!servers.has(server)) serverNames.add(skeletonOf(server), server);
      servers.set(server, next);
      for (const changed of [server, ...losers]) compare(changed);
    },
    keepOnly(kept) {
      const losers = new Set<ServerKey>();
      for (const [server, tools] of servers) {
        if (kept.has(server)) continue;
        for (const watched of tools.values()) index(watched, 'remove');
        ownNames.clear(server);
        serverNames.remove(skeletonOf(server), server);
        servers.delete(server);
        reported.delete(server);
        for (const loser of drop(server)) losers.add(loser);
      }
      for (const loser of losers) compare(loser);
    },
    warnings: () => [...standing].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, found]) => found),
  };
}

function watch(server: ServerKey, tool: ShownTool, was: Watched | undefined, order: number): Watched {
  const prefix = serverOfName(tool.name);
  return {
    ...tool,
    server,
    sinceMs: Math.min(tool.approvedAtMs, was?.sinceMs ?? tool.approvedAtMs),
    order: was?.order ?? order,
    mentions: readMentions(tool.definition),
    names: [skeletonOf(tool.name), skeletonOf(server) + skeletonOf(tool.name)],
    prefix: prefix === null ? null : skeletonOf(prefix),
  };
}

const isOlder = (one: Watched, other: Watched) =>
  one.sinceMs < other.sinceMs || (one.sinceMs === other.sinceMs && one.order < other.order);

const oldest = (tools: readonly Watched[]) =>
  tools.reduce<Watched | null>((first, tool) => (first === null || isOlder(tool, first) ? tool : first), null);

const isDisguised = ({ name }: Watched) => /[^\p{ASCII}]/u.test(name);

const isEqual = (one: JsonObject, other: JsonObject) => one === other || JSON.stringify(one) === JSON.stringify(other);

function warning(
  kind: NameWarning['kind'],
  { server, name }: Watched,
  other: NameWarning['other'],
  likeness: Likeness | null = null,
): NameWarning {
  return { kind, server, tool: name, other, likeness };
}

const mention = (by: Watched, other: NameWarning['other']) => warning('foreign-mention', by, other);
const prefixed = (by: Watched, server: ServerKey) => warning('foreign-prefix', by, { server, tool: null });

/** Whoever has the name that is meant: a text that names what ten servers have is one warning. */
const keyOf = ({ kind, server, tool, other }: NameWarning) =>
  JSON.stringify([server, tool, kind, other.tool === null ? ['server', other.server] : skeletonOf(other.tool)]);

function createIndex<Value>() {
  const values = new Map<string, Set<Value>>();
  const NONE: ReadonlySet<Value> = new Set();
  return {
    at: (key: string): ReadonlySet<Value> => values.get(key) ?? NONE,
    add(key: string, value: Value): void {
      const there = values.get(key);
      if (there === undefined) values.set(key, new Set([value]));
      else there.add(value);
    },
    remove(key: string, value: Value): void {
      const there = values.get(key);
      there?.delete(value);
      if (there?.size === 0) values.delete(key);
    },
    clear: (key: string): void => void values.delete(key),
  };
}
