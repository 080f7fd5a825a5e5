/** What a ledger is made of and what it offers to the one who made it: the slice of the configuration, the outside. */
import type { AuditLedger } from '../../ports/audit.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Disk } from './disk.ts';
import type { Retention } from './ledger-files.ts';
import type { TryLock } from './ledger-lock.ts';

export interface LedgerOptions extends Retention {
  /** Absolute. */
  path: string;
  onFailure: 'closed' | 'open';
}

export interface LedgerDeps {
  config: LedgerOptions;
  clock: Clock;
  log: Log;
  tryLock: TryLock;
  disk?: Disk;
  /** How many processes may have a ledger each on this path. */
  maxSlots?: number;
  /** Called after lines were written; for whoever follows the ledger. */
  onWritten?: (file: string) => void;
}

export interface Ledger extends AuditLedger {
  /** Opens and recovers; called by the first use if not before. A path that cannot be written is tried again later. */
  open(): void;
  /** Writes what is left, the checkpoint last. */
  close(): Promise<void>;
}
