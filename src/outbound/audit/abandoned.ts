/**
 * Ledgers of further processes on the same path that died and have no successor: what they had announced is written
 * down as interrupted in their own ledger, by whoever comes next.
 */
import { basename, dirname, join } from 'node:path';
import { findLedgerFiles, intentsName, lockName } from '../../domain/audit-names.ts';
import { SYSTEM_DISK } from './disk.ts';
import { createLedger } from './ledger.ts';
import type { LedgerDeps } from './ledger-deps.ts';

/** After our own is open, so that it is not taken for one of them. Never rejects. */
export async function recoverAbandonedLedgers(deps: LedgerDeps): Promise<void> {
  for (const path of listAbandoned(deps)) {
    const ledger = createLedger({
      ...{ config: { ...deps.config, path }, clock: deps.clock, log: deps.log, tryLock: deps.tryLock, maxSlots: 1 },
      ...(deps.disk === undefined ? {} : { disk: deps.disk }),
    });
    ledger.open();
    await ledger.close();
  }
}

function listAbandoned({ config, tryLock, disk = SYSTEM_DISK }: LedgerDeps): string[] {
  const folder = dirname(config.path);
  try {
    return findLedgerFiles(basename(config.path), disk.readdirSync(folder))
      .filter(({ firstSeq }) => firstSeq === null)
      .filter(({ name }) => (disk.statSync(join(folder, intentsName(name)), { throwIfNoEntry: false })?.size ?? 0) > 0)
      .filter(({ name }) => {
        const lock = tryLock(join(folder, lockName(name)));
        lock?.release();
        return lock !== null;
      })
      .map(({ name }) => join(folder, name));
  } catch {
    // Nobody reads there: there is nothing to recover, and our own ledger says what is wrong.
    return [];
  }
}
