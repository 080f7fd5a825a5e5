/**
 * What the audit ledger knows of an operation, and how it is judged there: ALLOW (it was let through), DENY (it was
 * kept out), ERROR (it was let through or turned away and went wrong on our side). The text of a line is audit-line.ts,
 * the chain that ties lines together audit-chain.ts.
 */
import type { CallRecord, Outcome } from './call.ts';
import type { AuthMethod } from './identity.ts';

/** Small facts beyond the fixed ones; texts are masked and bounded like any other. */
export type AuditMetadata = Readonly<Record<string, string | number | boolean | null>>;

/** `interrupted`: announced before its effect, and the process ended before its end was written. */
export type AuditOutcome = Outcome | 'interrupted';

/** A finished (or beginning) operation as the ledger takes it. Calls and other events (logins, tokens) alike. */
export interface AuditFacts
  extends Pick<
    CallRecord,
    | 'id'
    | 'atMs'
    | 'subject'
    | 'agent'
    | 'operation'
    | 'method'
    | 'server'
    | 'target'
    | 'code'
    | 'rule'
    | 'durationMs'
    | 'clientName'
    | 'address'
  > {
  outcome: AuditOutcome;
  issuer: string | null;
  /** OAuth client. */
  client: string | null;
  agentVerified: boolean;
  /** How the caller showed who it is; null where nobody did. */
  authMethod: AuthMethod | null;
  /** Written as a digest only: whoever holds the id holds the session. */
  sessionId: string | null;
  /** Scopes that policy looked at; may be empty. */
  evaluatedScopes: readonly string[];
  /** Shadow mode: the rule that would have denied. */
  wouldDeny: string | null;
  /** On whose behalf, by an act-as grant. */
  actingFor: string | null;
  metadata: AuditMetadata | null;
  /** The ledger's: number of the intent that announced this operation, 0 for none. */
  intent: number;
}

export type AuditDecision = 'ALLOW' | 'DENY' | 'ERROR';

/** Turned away by the gateway's state, not by anybody's rights. */
const NOT_A_RIGHT: ReadonlySet<string> = new Set(['OVERLOADED', 'SHUTTING_DOWN', 'AUDIT_UNAVAILABLE']);

export function judge(outcome: AuditOutcome, code: string | null): AuditDecision {
  switch (outcome) {
    case 'denied':
      return 'DENY';
    case 'refused':
      return code !== null && NOT_A_RIGHT.has(code) ? 'ERROR' : 'DENY';
    case 'error':
      return 'ERROR';
    default:
      return 'ALLOW';
  }
}

/** Methods that change something behind us: announced in the ledger before they are sent. */
export function hasEffect(method: string): boolean {
  return method === 'tools/call' || method === 'tasks/update' || method === 'tasks/cancel';
}

/** A line as readers see it (`tail`, `export`, the index); what is unknown to older lines is absent. */
export interface AuditEvent {
  seq: number;
  timestamp: string;
  request_id: string | null;
  agent_id: string | null;
  subject: string | null;
  operation: string;
  decision: AuditDecision;
  latency_ms: number;
  server: string | null;
  tool: string | null;
  rule: string | null;
  outcome: AuditOutcome;
  error_code: string | null;
  [more: string]: unknown;
}

/** All that are given must match. Times are Unix milliseconds, `fromMs` included, `untilMs` not. */
export interface AuditFilter {
  fromMs?: number | undefined;
  untilMs?: number | undefined;
  decision?: AuditDecision | undefined;
  agent?: string | undefined;
  subject?: string | undefined;
  server?: string | undefined;
  tool?: string | undefined;
  operation?: string | undefined;
  requestId?: string | undefined;
}

/** What events are counted and found by. */
export const AUDIT_FACETS = ['agent', 'subject', 'server', 'tool', 'operation'] as const;
export type AuditFacet = (typeof AUDIT_FACETS)[number];

export function matchesFilter(event: AuditEvent, filter: AuditFilter): boolean {
  const is = (wanted: string | undefined, found: string | null) => wanted === undefined || wanted === found;
  if (!is(filter.decision, event.decision) || !is(filter.agent, event.agent_id)) return false;
  if (!is(filter.subject, event.subject) || !is(filter.server, event.server)) return false;
  if (!is(filter.tool, event.tool) || !is(filter.operation, event.operation)) return false;
  if (!is(filter.requestId, event.request_id)) return false;
  if (filter.fromMs === undefined && filter.untilMs === undefined) return true;
  const atMs = Date.parse(event.timestamp);
  return atMs >= (filter.fromMs ?? Number.NEGATIVE_INFINITY) && atMs < (filter.untilMs ?? Number.POSITIVE_INFINITY);
}

/** The event in a ledger line, or null for what is none. */
export function parseEvent(line: string): AuditEvent | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return null;
    const { seq, timestamp, operation, decision } = value as Partial<AuditEvent>;
    const isEvent = typeof seq === 'number' && typeof timestamp === 'string' && typeof operation === 'string';
    return isEvent && typeof decision === 'string' ? (value as AuditEvent) : null;
  } catch {
    return null;
  }
}
