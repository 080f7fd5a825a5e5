/**
 * The audit ledger: what has an effect is announced before it, and everything is written down after. Writing is batched
 * and nothing here throws; what cannot be written either stops the operation or is counted, as the operator chose.
 */
import type { AuditDecision, AuditEvent, AuditFacet, AuditFacts, AuditFilter } from '../domain/audit.ts';

export interface AuditLedger {
  /**
   * Announces an operation that is about to have an effect, once it is decided and routed; sets `facts.intent`. What is
   * known by now of caller, target and rule is what its line will say. Resolves, once that is on the way to
   * the disk, with whether the operation may go on. null: go on, there is nothing to wait for. Never rejects.
   */
  intend(facts: AuditFacts): Promise<boolean> | null;
  /**
   * Writes down a finished operation. Resolves once it is on the way to the disk: to be awaited before the caller is
   * answered, so that what was answered is in the book. null: there is nothing to wait for. Never rejects.
   */
  conclude(facts: AuditFacts): Promise<void> | null;
  /**
   * Writes down now what has finished and is gathered still: for who reads the ledger next. null: there is nothing to
   * wait for. Never rejects; what cannot be written goes on waiting.
   */
  settle(): Promise<unknown> | null;
  /** True while nothing can be written and the operator wants nothing done that is not written. */
  isRefusing(): boolean;
  status(): LedgerStatus;
}

export interface LedgerStatus {
  /** The file that is written; null before it is open. */
  file: string | null;
  /** Last line written. */
  seq: number;
  hash: string;
  /** System code of the failure that lasts (`ENOSPC`), null when all is well. */
  failing: string | null;
  /** Finished operations that wait to be written. */
  pending: number;
  counts: {
    lines: number;
    intents: number;
    batches: number;
    failures: number;
    /** Operations refused because they could not be recorded. */
    refused: number;
    /** Operations that went on or ended unrecorded. */
    unrecorded: number;
    /** Denied operations told by a count instead of a line each. */
    aggregated: number;
    rotations: number;
  };
}

export interface AuditPage {
  /** Newest first. */
  events: readonly AuditEvent[];
  /** Give it back as `before` for the next page; null: there is none. */
  before: number | null;
  /** Of all that match. */
  total: number;
}

export interface AuditCount {
  name: string;
  count: number;
}

export interface AuditStatistics {
  total: number;
  decisions: Record<AuditDecision, number>;
  /** The most frequent first, ten at most. */
  top: Record<AuditFacet, readonly AuditCount[]>;
  /** Of one hour where the events span two days at most, else of one day; ascending, those without events left out. */
  timeline: readonly { startMs: number; lastsMs: number; allow: number; deny: number; error: number }[];
}

export interface AuditOptions {
  /** In order, 200 at most. */
  names: Record<AuditFacet, readonly string[]>;
  /** Unix milliseconds; null: there are no events. */
  firstMs: number | null;
  lastMs: number | null;
}

/** A searchable copy of the ledger: never the source of truth, and made again from it when it is gone. */
export interface AuditIndex {
  /** `limit` at most 1,000. Rejects when the index cannot be read. */
  query(filter: AuditFilter, page: { limit: number; before: number | null }): Promise<AuditPage>;
  /** Rejects like `query`. */
  statistics(filter: AuditFilter): Promise<AuditStatistics>;
  /** What there is to filter by. Rejects like `query`. */
  options(): Promise<AuditOptions>;
  close(): Promise<void>;
}
