/**
 * Who has which names, and who speaks of whom: all servers' tools, kept so that what lies between one server and all others
 * is found without looking at each pair. Everything goes in small steps, between any two of which the caller may stop: what
 * has been changed by then is as it should be, and `remove` clears away what there is.
 */
import { type Mentions, readMentions } from '../../domain/foreign-mention.ts';
import type { JsonObject } from '../../domain/json.ts';
import { type Likeness, plainOf, skeletonOf } from '../../domain/look-alike.ts';
import { createNameNeighbours } from '../../domain/name-neighbours.ts';
import type { NameWarning } from '../../domain/name-warning.ts';
import { serverOfName } from '../../domain/names.ts';
import type { ServerKey } from '../../domain/server.ts';

/** A tool as it is shown. */
export interface ShownTool {
  name: string;
  definition: JsonObject;
  approvedAtMs: number;
}

/** When a name was first approved, and in which order it came: approving new words makes no newcomer of it. */
export interface Age {
  sinceMs: number;
  order: number;
}

/** All tools of a server. */
export interface ShownList {
  tools: readonly ShownTool[];
  /** Order of the first of them, the others follow. */
  first: number;
  /** Of those that stood in an earlier list too, which nobody has read. */
  ages: ReadonlyMap<string, Age>;
}

export interface Watched extends ShownTool, Age {
  server: ServerKey;
  mentions: Mentions;
  /** Skeletons of its own name, and of its server's and its own together. */
  names: readonly string[];
  /** What stands before `__` in its own name. */
  prefix: string | null;
}

/** A step that brought nothing to light. */
type Steps<Result> = Generator<null, Result>;

export interface NameIndex {
  servers(): Iterable<ServerKey>;
  has(server: ServerKey): boolean;
  find(server: ServerKey, tool: string | null): Watched | null;
  /** What the list will be here, by name; null: it is what is here already. Changes nothing. */
  read(server: ServerKey, list: ShownList): Steps<Map<string, Watched> | null>;
  replace(server: ServerKey, tools: Map<string, Watched>): Steps<void>;
  remove(server: ServerKey): Steps<void>;
  /** Everything between this server and the others, in both directions. */
  between(server: ServerKey): Generator<NameWarning | null>;
  /** Whom a tool of this server would speak of, had it these words. */
  speaksOf(server: ServerKey, name: string, definition: JsonObject): Iterable<NameWarning>;
}

export function createNameIndex(): NameIndex {
  const neighbours = createNameNeighbours();
  const servers = new Map<ServerKey, Map<string, Watched>>();
  /** Skeletons of names -> who has them. */
  const owners = createIndex<Watched>();
  /** In the letters they are written in. */
  const ownNames = createIndex<string>();
  const serverNames = createIndex<ServerKey>();
  /** Skeletons -> who speaks of them. */
  const speakers = { tool: createIndex<Watched>(), server: createIndex<Watched>(), prefix: createIndex<Watched>() };

  function index(watched: Watched, change: 'add' | 'remove'): void {
    const { server, name, mentions, prefix } = watched;
    for (const key of watched.names) owners[change](key, watched);
    for (const key of mentions.tools.keys()) speakers.tool[change](key, watched);
    for (const key of mentions.servers.keys()) speakers.server[change](key, watched);
    if (prefix !== null) speakers.prefix[change](prefix, watched);
    neighbours[change](server, name);
  }

  function* between(server: ServerKey): Generator<NameWarning | null> {
    const name = skeletonOf(server);
    for (const by of speakers.server.at(name)) if (by.server !== server) yield mention(by, { server, tool: null });
    for (const by of speakers.prefix.at(name)) if (by.server !== server) yield prefixed(by, server);
    for (const own of servers.get(server)?.values() ?? []) {
      yield null;
      yield* likenesses(own);
      yield* spokenOf(own);
      for (const other of own.prefix === null ? [] : serverNames.at(own.prefix)) {
        if (other !== server) yield prefixed(own, other);
      }
      for (const key of own.names) for (const by of speakers.tool.at(key)) yield* mentions(by, key, [own]);
    }
  }

  function* spokenOf(by: Watched): Generator<NameWarning> {
    for (const key of by.mentions.tools.keys()) yield* mentions(by, key, owners.at(key));
    for (const key of by.mentions.servers.keys()) {
      for (const other of serverNames.at(key)) {
        if (other !== by.server) yield mention(by, { server: other, tool: null });
      }
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

  return {
    servers: () => servers.keys(),
    has: server => servers.has(server),
    find: (server, tool) => (tool === null ? null : (servers.get(server)?.get(tool) ?? null)),
    *read(server, { tools, first, ages }) {
      const before = servers.get(server);
      const next = new Map<string, Watched>();
      let isSame = before !== undefined;
      for (const [at, tool] of tools.entries()) {
        const was = before?.get(tool.name);
        if (was !== undefined && isEqual(was.definition, tool.definition)) next.set(tool.name, was);
        else {
          isSame = false;
          next.set(tool.name, watch(server, tool, [was, ages.get(tool.name)], first + at));
        }
        yield null;
      }
      return isSame && next.size === before?.size ? null : next;
    },
    *replace(server, next) {
      const here = servers.get(server) ?? new Map<string, Watched>();
      if (!servers.has(server)) serverNames.add(skeletonOf(server), server);
      servers.set(server, here);
      for (const [name, was] of here) {
        if (next.get(name) === was) continue;
        index(was, 'remove');
        here.delete(name);
        yield null;
      }
      for (const [name, now] of next) {
        if (here.get(name) === now) continue;
        index(now, 'add');
        here.set(name, now);
        yield null;
      }
      servers.set(server, next);
      ownNames.clear(server);
      for (const name of next.keys()) {
        for (const written of [name, `${server}__${name}`]) ownNames.add(server, plainOf(written));
        yield null;
      }
    },
    *remove(server) {
      const here = servers.get(server);
      if (here === undefined) return;
      for (const [name, watched] of here) {
        index(watched, 'remove');
        here.delete(name);
        yield null;
      }
      ownNames.clear(server);
      serverNames.remove(skeletonOf(server), server);
      servers.delete(server);
    },
    between,
    speaksOf: (server, name, definition) => spokenOf(watch(server, { name, definition, approvedAtMs: 0 }, [], 0)),
  };
}

function watch(server: ServerKey, tool: ShownTool, was: readonly (Age | undefined)[], order: number): Watched {
  const prefix = serverOfName(tool.name);
  const earlier = was.filter(age => age !== undefined);
  return {
    ...tool,
    server,
    sinceMs: Math.min(tool.approvedAtMs, ...earlier.map(({ sinceMs }) => sinceMs)),
    order: earlier[0]?.order ?? order,
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
