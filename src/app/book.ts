/** The audit book, put together: the ledger, its searchable copy, what it offers to metrics, and its beginning and end. */
import type { AuditConfig } from '../config/audit-config.ts';
import { recoverAbandonedLedgers } from '../outbound/audit/abandoned.ts';
import { offerAuditMetrics } from '../outbound/audit/audit-metrics.ts';
import { createLedger } from '../outbound/audit/ledger.ts';
import { createNoLedger } from '../outbound/audit/no-ledger.ts';
import { createAuditIndex } from '../outbound/sqlite/audit-index.ts';
import { tryLock } from '../outbound/sqlite/file-lock.ts';
import type { AuditIndex, AuditLedger } from '../ports/audit.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { MetricsReader } from '../ports/metrics.ts';

export interface Book {
  ledger: AuditLedger;
  /** Null where it is switched off. */
  index: AuditIndex | null;
  start(): void;
  stop(): Promise<void>;
}

/** Processes that died may have left announced operations behind; nobody waits for them to be written down. */
const RECOVER_AFTER_MS = 2000;

export function openBook(config: AuditConfig, deps: { clock: Clock; log: Log; metrics: MetricsReader }): Book {
  const { clock, log, metrics } = deps;
  const ledgerDeps = { config, clock, log, tryLock, onWritten: () => index?.follow() };
  const ledger = config.enabled ? createLedger(ledgerDeps) : createNoLedger();
  const index =
    config.enabled && config.index
      ? createAuditIndex({ path: () => ledger.status().file, settle: () => ledger.settle(), clock, log })
      : null;
  offerAuditMetrics(metrics, ledger);
  let cancelRecovery = () => {};
  return {
    ledger,
    index,
    start() {
      ledger.open();
      if (!config.enabled) return;
      cancelRecovery = clock.after(
        RECOVER_AFTER_MS,
        () => void recoverAbandonedLedgers({ config, clock, log, tryLock }),
      );
    },
    async stop() {
      cancelRecovery();
      await index?.close();
      await ledger.close();
    },
  };
}
