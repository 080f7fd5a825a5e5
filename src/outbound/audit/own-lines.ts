/** Lines about the ledger itself: what it found when it was opened, and how long it could not be written. */
import type { AuditFacts, AuditMetadata } from '../../domain/audit.ts';
import { composeHead, composeTail } from '../../domain/audit-line.ts';

export type OwnOperation = 'audit/healed' | 'audit/discrepancy' | 'audit/put-aside' | 'audit/unavailable';

export function composeOwnLine(operation: OwnOperation, atMs: number, metadata: AuditMetadata): string {
  const facts: AuditFacts = {
    ...{ id: operation, atMs, subject: null, issuer: null, client: null, agent: null, agentVerified: false },
    ...{ authMethod: null, operation, method: operation, server: null, target: null, rule: null, sessionId: null },
    ...{
      address: null,
      clientName: null,
      actingFor: null,
      evaluatedScopes: [],
      durationMs: 0,
      code: null,
      wouldDeny: null,
    },
    ...{ outcome: 'error', metadata, intent: 0 },
  };
  return composeHead(facts) + composeTail(facts, null);
}

/** The ledger cannot be written at the moment. */
export interface Outage {
  /** The system's word for it. */
  code: string;
  /** Monotonic. */
  sinceMs: number;
  refused: number;
  unrecorded: number;
}

export function composeOutage({ code, sinceMs, refused, unrecorded }: Outage, nowMs: number, atMs: number): string {
  const seconds = Math.round((nowMs - sinceMs) / 1000);
  return composeOwnLine('audit/unavailable', atMs, { error_code: code, seconds, refused, unrecorded });
}
