/**
 * One record per operation, whatever its exit: opened when a call enters, closed exactly once around the handling.
 * Steps on the way fill in what they learn (server, rule, agent); nothing else writes audit, metrics or logs of calls.
 */
import { type Call, type CallRecord, type Handled, type Line, type Outcome, openRecordOf } from '../../domain/call.ts';
import type { Failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { stringOrNull } from '../../domain/json.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Recorder } from '../../ports/recorder.ts';

const NO_SCOPES: readonly string[] = [];

export function openRecord(clock: Clock, who: Identity, call: Call, line: Line): CallRecord {
  return {
    id: call.id,
    atMs: clock.wallMs(),
    subject: who.subject,
    issuer: who.issuer,
    client: who.client,
    authMethod: who.method,
    agent: who.agent,
    agentVerified: who.agentVerified,
    actingFor: null,
    address: line.address,
    sessionId: line.sessionId,
    operation: call.method,
    method: call.method,
    server: null,
    target: null,
    outcome: 'error',
    code: null,
    rule: null,
    wouldDeny: null,
    evaluatedScopes: NO_SCOPES,
    durationMs: 0,
    detail: null,
    clientName: stringOrNull(line.clientInfo?.name),
    metadata: null,
    intent: 0,
  };
}

/** Somebody who could not be identified: no call, but the book has a line of it. */
export function refusalRecord(
  { id, address, path }: { id: string; address: string; path: string },
  clock: Clock,
  reason: string,
): CallRecord {
  return {
    ...{ id, atMs: clock.wallMs(), subject: null, issuer: null, client: null, authMethod: null, agent: null },
    ...{
      agentVerified: false,
      actingFor: null,
      address,
      sessionId: null,
      operation: 'authenticate',
      method: 'authenticate',
    },
    ...{ server: null, target: null, outcome: 'refused', code: 'UNAUTHENTICATED', rule: null, wouldDeny: null },
    ...{ evaluatedScopes: NO_SCOPES, durationMs: 0, detail: null, clientName: null, intent: 0 },
    metadata: { reason, path },
  };
}

/** What is known of a request that did not become a call. */
export interface Unheard {
  /** Ours. */
  readonly id: string;
  readonly who: Identity;
  readonly address: string | null;
  /** As far as it was understood; what else is known of its shape (`POST`) where it was not. */
  readonly method: string;
}

/** Of somebody we know, asking for what did not become a call. */
export function failedRecord({ id, who, address, method }: Unheard, clock: Clock, no: Failure): CallRecord {
  const record = openRecordOf(who, method, id, clock.wallMs(), address);
  record.outcome = outcomeOf(no);
  record.code = no.code;
  record.detail = no.detail;
  return record;
}

export function closeRecord(record: CallRecord, handled: Handled, call: Call, clock: Clock, recorder: Recorder): void {
  record.durationMs = clock.monotonicMs() - call.receivedAtMs;
  // Denied, and told no more than of something that is not there.
  const isHidden = record.code === 'DENIED_BY_POLICY';
  record.outcome = isHidden ? 'denied' : outcomeOf(handled);
  if (handled.kind === 'failure') {
    if (!isHidden) record.code = handled.code;
    record.detail = handled.detail;
  } else if (handled.kind === 'relayed') {
    record.code = String(handled.error.code);
  }
  recorder.record(record);
}

/** Turned away before anything was done. */
const REFUSED: ReadonlySet<string> = new Set(['OVERLOADED', 'SHUTTING_DOWN', 'RATE_LIMITED', 'AUDIT_UNAVAILABLE']);

function outcomeOf(handled: Handled): Outcome {
  switch (handled.kind) {
    case 'answer':
      return handled.result.isError === true ? 'tool-error' : 'ok';
    case 'relayed':
      return 'error';
    case 'challenge':
      return 'refused';
    case 'failure':
      if (handled.code === 'DENIED_BY_POLICY') return 'denied';
      if (handled.code === 'CANCELLED') return 'cancelled';
      return REFUSED.has(handled.code) ? 'refused' : 'error';
  }
}
