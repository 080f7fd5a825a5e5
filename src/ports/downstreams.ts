/**
 * The servers behind us, connected. One implementation (outbound/downstream) keeps connections, children, breakers
 * and queues; callers never see a reconnect. Whatever goes wrong is a Failure, never a throw.
 */
import type { Line, Reply } from '../domain/call.ts';
import type { LogLevel } from '../domain/era.ts';
import type { Identity } from '../domain/identity.ts';
import type { JsonObject } from '../domain/json.ts';
import type { ListingKind, ServerFacts } from '../domain/listing.ts';
import type { Permit } from '../domain/policy.ts';
import type { ServerKey, ServerSpec, ServerStatus } from '../domain/server.ts';

/** Downstream + own name, for one permit. */
export interface Route {
  readonly permit: Permit;
  readonly server: ServerKey;
  /** Which connection set (`sharing`). 'main' is the gateway's own, on which lists are read too. */
  readonly partition: string;
  /** For servers that are told who calls. */
  readonly who?: Identity;
}

export const MAIN_PARTITION = 'main';

export interface SendOptions {
  /** Milliseconds; null: the server's callTimeoutMs. A shorter of the two wins. */
  timeoutMs: number | null;
  /** The exact JSON of the arguments, which `params` then lacks; null: they are in `params`. */
  argumentBytes: Uint8Array | null;
}

export interface ServerCondition {
  status: ServerStatus;
  /** A sentence fit for a client: no path, host or stack. */
  reason: string | null;
}

export interface ServerState extends ServerCondition {
  key: ServerKey;
  spec: ServerSpec;
  facts: ServerFacts | null;
  /** Calls under way and waiting, over all partitions. */
  inFlight: number;
  queued: number;
  connections: number;
  restarts: number;
  breaker: 'closed' | 'open' | 'half-open';
}

export type DownstreamEvent =
  /** The main connection is through its handshake (first time or again): read its lists. */
  | { kind: 'connected'; server: ServerKey; facts: ServerFacts }
  | { kind: 'state'; server: ServerKey; status: ServerStatus; reason: string | null }
  | { kind: 'list-changed'; server: ServerKey; what: ListingKind }
  | { kind: 'resource-updated'; server: ServerKey; uri: string; params: JsonObject }
  /** A notification that belongs to no call: log messages, elicitation/complete, tasks, unknown ones. */
  | { kind: 'notification'; server: ServerKey; partition: string; method: string; params: JsonObject };

export interface ServerDiff {
  added: ServerKey[];
  removed: ServerKey[];
  updated: ServerKey[];
  unchanged: ServerKey[];
}

export interface Downstreams {
  /** In configuration order. */
  states(): readonly ServerState[];
  state(server: ServerKey): ServerState | null;
  /** Of its state what costs nothing to know: asked about every server at every change of one. */
  condition(server: ServerKey): ServerCondition | null;

  /** Starts eager servers; returns at once. Each is connected in the background with its own deadline. */
  start(): void;

  /**
   * Makes the set of servers equal to `specs`: unchanged ones keep their connections and children; removed ones finish
   * what is in flight, refuse what is new, then stop.
   */
  apply(specs: readonly ServerSpec[]): ServerDiff;

  /**
   * Sends one permitted request and waits for its reply. `params` are in the caller's shape without `_meta` envelope
   * keys; progress token, envelope and request id of the hop are made here. A modern server's `input_required` is an
   * Answer like any other; a legacy server's question arrives through `line.ask`.
   * Yields SERVER_UNAVAILABLE, TIMEOUT, OVERLOADED, OUTCOME_UNKNOWN, BAD_ANSWER, CANCELLED.
   */
  send(route: Route, method: string, params: JsonObject, line: Line, options: SendOptions): Promise<Reply>;

  /**
   * The gateway's own question to the main connection (lists): no caller, no permit. Connects a lazy server. `ping` asks
   * for a sign of life, in whatever words the server's era has for it.
   */
  query(
    server: ServerKey,
    method: 'tools/list' | 'resources/list' | 'resources/templates/list' | 'prompts/list' | 'ping',
    params: JsonObject,
  ): Promise<Reply>;

  /**
   * Keeps exactly these own URIs subscribed on the main connection (legacy `resources/subscribe`, modern listen filter),
   * across reconnects.
   */
  watch(server: ServerKey, uris: ReadonlySet<string>): Promise<void>;

  /** Most verbose level any client wants; legacy servers are told, modern ones per request. */
  setLogLevel(level: LogLevel | null): void;

  /** Tells legacy servers of a partition that the client's roots changed. */
  rootsChanged(partition: string): void;

  /** Drops the connections of one partition (a session that ended). */
  release(partition: string): void;

  onEvent(listener: (event: DownstreamEvent) => void): () => void;

  /** Stops everything: waits up to `graceMs` for calls under way, then closes. No child outlives the promise. */
  close(graceMs: number): Promise<void>;
}
