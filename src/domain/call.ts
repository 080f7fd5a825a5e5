/**
 * One request as data (Call), its open connection (Line), and what came of it (Reply, Handled, CallRecord).
 * A Call may be logged; a Line may not.
 */
import type { Era, LogLevel, Revision } from './era.ts';
import type { Failure } from './error.ts';
import type { AuthMethod, Challenge, Identity } from './identity.ts';
import type { JsonObject } from './json.ts';
import type { RpcError } from './rpc.ts';
import type { ServerKey } from './server.ts';

/** Which URL the caller came through: everything, or one server under its own names. */
export interface Door {
  /** null: the aggregate. */
  server: ServerKey | null;
  /** Fixed by the URL (`/mcp/agent`), or null for the configured one. `registry`: the registry's own tools. */
  exposure: 'direct' | 'agent' | 'discovery' | 'registry' | null;
  /** Of one server: the version that was asked for, or that a session began with. Absent or null: whichever is active. */
  version?: string | null;
}

export interface Call {
  /** Our own request id: in every log line and in the answer's `x-request-id`. */
  id: string;
  method: string;
  params: JsonObject;
  /**
   * Large arguments stay the bytes they came as, and `params.arguments` is absent then: sent on without being serialised
   * again, and without a second copy living as long as the call. `withArguments` reads them where they are needed.
   */
  argumentBytes: Uint8Array | null;
  door: Door;
  era: Era;
  /** Monotonic milliseconds at arrival. */
  receivedAtMs: number;
}

/** The parameters whole, whichever way the arguments are kept. The bytes are JSON that was read before. */
export function withArguments(params: JsonObject, argumentBytes: Uint8Array | null): JsonObject {
  if (argumentBytes === null) return params;
  return { ...params, arguments: JSON.parse(new TextDecoder().decode(argumentBytes)) as JsonObject };
}

/** A downstream's good answer. */
export interface Answer {
  kind: 'answer';
  /** Which era's shape `result` has; the responder translates when the caller speaks the other. */
  era: Era;
  result: JsonObject;
  /** The exact bytes of `result` when they were kept (large answers): sent on unchanged where no translation is needed. */
  bytes: Uint8Array | null;
}

/** A downstream's own JSON-RPC error, passed on. */
export interface Relayed {
  kind: 'relayed';
  era: Era;
  error: RpcError;
}

export type Reply = Answer | Relayed | Failure;
export type Handled = Reply | Challenge;

/** Answer of a client to something a server asked it (sampling, elicitation, roots). */
export type ClientAnswer = { kind: 'result'; result: JsonObject } | { kind: 'error'; error: RpcError };

/** Whoever resource subscriptions belong to; lives as long as the interest in them. */
export interface Subscriber {
  /** Who it is now: a session's caller may have shown a newer credential since. */
  readonly who: Identity;
}

/**
 * What a call needs of the client while it is under way. One object per call; methods are called at most until the
 * reply is given. The same shape is handed to a downstream, so a notification travels through without translation.
 */
export interface Line {
  readonly revision: Revision;
  readonly era: Era;
  /** Where the caller's request came from; null: over our own pipe. */
  readonly address: string | null;
  /** Legacy session, or null: modern callers have none. */
  readonly sessionId: string | null;
  /** What resource subscriptions of this caller belong to (its session), or null where a request cannot subscribe. */
  readonly subscriber: Subscriber | null;
  readonly clientCapabilities: JsonObject;
  readonly clientInfo: JsonObject | null;
  /** Least severe level the caller wants to see, or null for no log messages at all. */
  readonly logLevel: LogLevel | null;
  /** True when the caller gave a progress token. */
  readonly wantsProgress: boolean;
  readonly cancelled: boolean;
  /**
   * Header names (lower-case) and values in turn that the caller sent for servers which ask for them. Secrets; never
   * what identifies the caller to us.
   */
  readonly forwarded?: readonly string[] | null;
  /** The caller's own request headers, every credential masked (domain/shown-headers.ts); null where there were none. */
  shownHeaders?(): Record<string, string> | null;
  /** A question to this caller is open: the server is waiting for it, and asks nothing else meanwhile as a rule. */
  readonly isAsked: boolean;
  /** Registers what stops the work; called at most once, at once if already cancelled. The latest registration wins. */
  whenCancelled(stop: (reason: string) => void): void;
  /** Sends a notification about this call (`notifications/progress` without its token, `notifications/message`, ...). */
  notify(method: string, params: JsonObject): void;
  /** Puts a server's request to the client and waits; never rejects. A client that cannot answer yields an error. */
  ask(method: string, params: JsonObject): Promise<ClientAnswer>;
}

export type Outcome = 'ok' | 'tool-error' | 'error' | 'denied' | 'refused' | 'cancelled';

/** One line in the book: written once per operation, whatever its exit. */
export interface CallRecord {
  id: string;
  atMs: number;
  /** Of the caller; null where nobody could be identified. */
  subject: string | null;
  issuer: string | null;
  /** OAuth client. */
  client: string | null;
  authMethod: AuthMethod | null;
  agent: string | null;
  agentVerified: boolean;
  /** The agent that acts, where it acts for another by a grant. */
  actingFor: string | null;
  /** Where the request came from: the peer, or what a trusted proxy says; null: over a pipe, or nobody asked. */
  address: string | null;
  sessionId: string | null;
  /** The gateway tool's name (`execute_tool`), else the method (`tools/call`). */
  operation: string;
  method: string;
  server: ServerKey | null;
  /** Tool, prompt or URI as the server knows it. */
  target: string | null;
  outcome: Outcome;
  code: string | null;
  rule: string | null;
  /** Shadow mode: the rule that would have denied. */
  wouldDeny: string | null;
  /** Scopes that policy looked at; may be empty. */
  evaluatedScopes: readonly string[];
  durationMs: number;
  detail: string | null;
  clientName: string | null;
  /** Small facts beyond these; for the book alone. */
  metadata: Readonly<Record<string, string | number | boolean | null>> | null;
  /** The ledger's: number of the intent that announced this operation, 0 for none. */
  intent: number;
}

/** What is learned of an operation on its way. */
export interface BookFacts extends Partial<Pick<CallRecord, 'server' | 'target' | 'rule'>> {
  metadata?: NonNullable<CallRecord['metadata']>;
}

/** What was announced stands in the book as it was then: what is learned later is noted beside it. */
export function noteIn(record: CallRecord, { metadata, ...facts }: BookFacts): void {
  const later: Record<string, string | null> = {};
  for (const name of ['server', 'target', 'rule'] as const) {
    const fact = facts[name];
    if (fact === undefined || fact === record[name]) continue;
    if (record.intent === 0) record[name] = fact;
    else later[name] = fact;
  }
  if (metadata !== undefined || Object.keys(later).length > 0)
    record.metadata = { ...record.metadata, ...later, ...metadata };
}

const NO_SCOPES: readonly string[] = [];

/** Of an operation that is no MCP call (a request of the REST API), opened as if it went well. `who` null: nobody. */
export function openRecordOf(
  who: Identity | null,
  operation: string,
  id: string,
  atMs: number,
  address: string | null,
): CallRecord {
  const { subject = null, issuer = null, client = null, method = null, agent = null } = who ?? {};
  const agentVerified = who?.agentVerified ?? false;
  return {
    ...{ id, atMs, subject, issuer, client, authMethod: method, agent, agentVerified, actingFor: null },
    ...{
      address,
      sessionId: null,
      operation,
      method: operation,
      server: null,
      target: null,
      outcome: 'ok',
      code: null,
    },
    ...{ rule: null, wouldDeny: null, evaluatedScopes: NO_SCOPES, durationMs: 0, detail: null, clientName: null },
    ...{ metadata: null, intent: 0 },
  };
}
