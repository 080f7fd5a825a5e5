/**
 * The port Downstreams in memory: servers are objects of the test, connections are words, nothing waits unless told to.
 * It keeps what it was asked, so that a test can say what reached a server and what never did.
 */
import type { Answer, Line, Reply } from '../../src/domain/call.ts';
import type { Era, LogLevel } from '../../src/domain/era.ts';
import { failure } from '../../src/domain/error.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { LISTING_FACTS, LISTING_KINDS, type ListingKind, type ServerFacts } from '../../src/domain/listing.ts';
import type { ServerKey, ServerSpec, ServerStatus } from '../../src/domain/server.ts';
import type { DownstreamEvent, Downstreams, Route, SendOptions, ServerState } from '../../src/ports/downstreams.ts';

export interface Sent {
  server: ServerKey;
  method: string;
  params: JsonObject;
  line: Line;
  route: Route;
  options: SendOptions;
}

export interface FakeServer {
  era?: Era;
  spec?: Partial<ServerSpec>;
  /** Defaults to the kinds it lists. */
  capabilities?: JsonObject;
  instructions?: string | null;
  gateways?: readonly string[];
  lists?: Partial<Record<ListingKind, JsonObject[]>>;
  /** Answers a call; echoes server, method and params unless given. */
  answer?(sent: Sent): Reply | Promise<Reply>;
  /** Answers a list request in place of `lists`. */
  answerList?(method: string, params: JsonObject): Reply | Promise<Reply>;
}

export interface FakeDownstreams extends Downstreams {
  readonly sent: Sent[];
  readonly queried: { server: ServerKey; method: string; params: JsonObject }[];
  readonly watched: Map<ServerKey, ReadonlySet<string>>;
  readonly watchCalls: ServerKey[];
  readonly released: string[];
  readonly rootsTold: string[];
  logLevel: LogLevel | null;
  /** Goes through the handshake: `ready`, then `connected`. */
  connect(server: ServerKey): void;
  fail(server: ServerKey, reason: string): void;
  /** Other lists from now on, announced. */
  relist(server: ServerKey, lists: Partial<Record<ListingKind, JsonObject[]>>): void;
  emit(event: DownstreamEvent): void;
}

export const tool = (name: string, more: JsonObject = {}): JsonObject => ({
  name,
  description: `Does ${name}.`,
  inputSchema: { type: 'object' },
  ...more,
});

export const answerOf = (era: Era, result: JsonObject): Answer => ({ kind: 'answer', era, result, bytes: null });

export function specOf(key: ServerKey, more: Partial<ServerSpec> = {}): ServerSpec {
  return {
    key,
    description: null,
    enabled: true,
    link: { kind: 'stdio', command: 'true', args: [], env: new Map(), cwd: null },
    era: 'auto',
    sharing: 'shared',
    start: 'eager',
    connectTimeoutMs: 1_000,
    listTimeoutMs: 1_000,
    callTimeoutMs: null,
    maxInFlight: 16,
    maxQueued: 16,
    ...more,
  };
}

export function factsOf({
  era = 'legacy',
  capabilities,
  instructions,
  gateways = [],
  lists = {},
}: FakeServer): ServerFacts {
  const listed = Object.fromEntries(
    LISTING_KINDS.filter(kind => lists[kind] !== undefined).map(kind => [LISTING_FACTS[kind].capability, {}]),
  );
  return {
    era,
    revision: era === 'modern' ? '2026-07-28' : '2025-11-25',
    capabilities: capabilities ?? listed,
    serverInfo: { name: 'fake', version: '1' },
    instructions: instructions ?? null,
    gateways,
  };
}

export function createFakeDownstreams(servers: Record<ServerKey, FakeServer>): FakeDownstreams {
  const listeners = new Set<(event: DownstreamEvent) => void>();
  const known = new Map(Object.entries(servers).map(([key, server]) => [key, { ...server }]));
  const states = new Map<ServerKey, ServerState>();
  const setSpecs = (specs: readonly ServerSpec[]) => {
    const before = new Map(states);
    states.clear();
    for (const spec of specs) {
      const fresh = { key: spec.key, status: 'idle', reason: null, facts: null } as const;
      const counts = { inFlight: 0, queued: 0, connections: 0, restarts: 0, breaker: 'closed' } as const;
      states.set(spec.key, { ...fresh, ...counts, ...before.get(spec.key), spec });
    }
  };
  setSpecs([...known].map(([key, { spec }]) => specOf(key, spec)));

  const setStatus = (key: ServerKey, status: ServerStatus, reason: string | null, facts: ServerFacts | null) => {
    const state = states.get(key);
    if (state === undefined) throw new Error(`no fake server ${key}`);
    states.set(key, { ...state, status, reason, facts });
    fake.emit({ kind: 'state', server: key, status, reason });
  };

  const fake: FakeDownstreams = {
    sent: [],
    queried: [],
    watched: new Map(),
    watchCalls: [],
    released: [],
    rootsTold: [],
    logLevel: null,
    states: () => [...states.values()],
    state: key => states.get(key) ?? null,
    condition: key => states.get(key) ?? null,
    start() {
      for (const { key, spec } of states.values()) if (spec.enabled && spec.start === 'eager') fake.connect(key);
    },
    apply(specs) {
      const before = new Map([...states].map(([key, { spec }]) => [key, spec]));
      setSpecs(specs);
      const keys = specs.map(({ key }) => key);
      return {
        added: keys.filter(key => !before.has(key)),
        removed: [...before.keys()].filter(key => !keys.includes(key)),
        updated: specs.filter(spec => before.has(spec.key) && before.get(spec.key) !== spec).map(({ key }) => key),
        unchanged: specs.filter(spec => before.get(spec.key) === spec).map(({ key }) => key),
      };
    },
    async send(route, method, params, line, options) {
      const server = known.get(route.server);
      if (server === undefined || !states.has(route.server))
        return failure('SERVER_UNAVAILABLE', { server: route.server });
      const sent: Sent = { server: route.server, method, params, line, route, options };
      fake.sent.push(sent);
      if (server.answer !== undefined) return server.answer(sent);
      const text = JSON.stringify({ server: route.server, method, params });
      return answerOf(server.era ?? 'legacy', {
        ...(server.era === 'modern' ? { resultType: 'complete' } : {}),
        content: [{ type: 'text', text }],
      });
    },
    async query(key, method, params) {
      fake.queried.push({ server: key, method, params });
      const server = known.get(key);
      const state = states.get(key);
      if (server === undefined || state === undefined) return failure('SERVER_UNAVAILABLE', { server: key });
      if (state.status === 'idle') fake.connect(key);
      if (state.status === 'failed' || state.status === 'down')
        return failure('SERVER_UNAVAILABLE', { server: key, reason: state.reason });
      if (method === 'ping') return answerOf(server.era ?? 'legacy', {});
      if (server.answerList !== undefined) return server.answerList(method, params);
      const kind = LISTING_KINDS.find(one => LISTING_FACTS[one].method === method) ?? 'tools';
      return answerOf(server.era ?? 'legacy', { [LISTING_FACTS[kind].member]: server.lists?.[kind] ?? [] });
    },
    async watch(server, uris) {
      fake.watchCalls.push(server);
      fake.watched.set(server, new Set(uris));
    },
    setLogLevel(level) {
      fake.logLevel = level;
    },
    rootsChanged: partition => void fake.rootsTold.push(partition),
    release: partition => void fake.released.push(partition),
    onEvent(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {},
    connect(key) {
      const facts = factsOf(known.get(key) ?? {});
      setStatus(key, 'ready', null, facts);
      fake.emit({ kind: 'connected', server: key, facts });
    },
    fail(key, reason) {
      setStatus(key, 'down', reason, states.get(key)?.facts ?? null);
    },
    relist(key, lists) {
      const server = known.get(key);
      if (server === undefined) throw new Error(`no fake server ${key}`);
      server.lists = { ...server.lists, ...lists };
      for (const what of Object.keys(lists) as ListingKind[]) fake.emit({ kind: 'list-changed', server: key, what });
    },
    emit(event) {
      for (const listener of [...listeners]) listener(event);
    },
  };
  return fake;
}
