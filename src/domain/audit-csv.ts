/** Lines of the audit ledger as CSV (RFC 4180), for spreadsheets: one row an event, nothing in it taken for a formula. */
import type { AuditEvent } from './audit.ts';

const COLUMNS = [
  ...['seq', 'timestamp', 'request_id', 'agent_id', 'agent_verified', 'subject', 'issuer', 'client', 'method'],
  ...['operation', 'decision', 'server', 'tool', 'target', 'rule', 'latency_ms', 'outcome', 'error_code'],
  ...['would_deny', 'session_id', 'client_name', 'address', 'acting_for', 'scopes', 'metadata', 'hash'],
];

export const CSV_HEAD = `${COLUMNS.join(',')}\r\n`;

export function toCsvRow(event: AuditEvent): string {
  return `${COLUMNS.map(name => toCell(event[name])).join(',')}\r\n`;
}

/** What a spreadsheet would take for a formula gets an apostrophe in front. */
function toCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  const harmless = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
