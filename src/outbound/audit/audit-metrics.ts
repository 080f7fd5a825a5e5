/** What operators watch of the ledger: whether it can be written, and what was not. */
import type { AuditLedger, LedgerStatus } from '../../ports/audit.ts';
import type { MetricsReader } from '../../ports/metrics.ts';

const COUNTERS: readonly (readonly [keyof LedgerStatus['counts'], string, string])[] = [
  ['lines', 'gatehouse_audit_lines_total', 'Lines written to the audit ledger.'],
  ['failures', 'gatehouse_audit_write_failures_total', 'Writes to the audit ledger that failed.'],
  ['refused', 'gatehouse_audit_refused_total', 'Operations refused because they could not be recorded.'],
  ['unrecorded', 'gatehouse_audit_unrecorded_total', 'Operations of which no record could be kept.'],
  ['aggregated', 'gatehouse_audit_aggregated_total', 'Refused operations recorded as a count instead of a line each.'],
];

export function offerAuditMetrics(metrics: MetricsReader, ledger: AuditLedger): void {
  for (const [count, name, help] of COUNTERS) {
    metrics.counter(name, help, () => [{ labels: {}, value: ledger.status().counts[count] }]);
  }
  metrics.gauge('gatehouse_audit_failing', '1 while the audit ledger cannot be written.', () => [
    { labels: {}, value: ledger.status().failing === null ? 0 : 1 },
  ]);
  metrics.gauge('gatehouse_audit_pending', 'Finished operations that wait to be written to the audit ledger.', () => [
    { labels: {}, value: ledger.status().pending },
  ]);
}
