/** Where finished operations are written: metrics, audit, slow log, event feed. Never throws, never blocks the call. */
import type { CallRecord } from '../domain/call.ts';

export interface Recorder {
  record(record: CallRecord): void;
}
