/** One change of the vault at a time, whichever processes make them: reading, changing and writing are one step. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../../ports/clock.ts';

const TRIES = 200;
const PAUSE_MS = 25;

export interface VaultLockDeps {
  /** Of the operating system: a process that dies lets go. null: somebody else has it. */
  tryLock(path: string): { release(): void } | null;
  clock: Pick<Clock, 'after'>;
}

/** Throws when somebody holds it for seconds, and what `change` throws. */
export async function withVaultLock<T>(path: string, { tryLock, clock }: VaultLockDeps, change: () => T): Promise<T> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  for (let tries = 1; ; tries++) {
    const lock = tryLock(`${path}.lock`);
    if (lock !== null) {
      try {
        return change();
      } finally {
        lock.release();
      }
    }
    if (tries === TRIES) throw new Error(`${path} is being changed by another process`);
    await new Promise<void>(resolve => void clock.after(PAUSE_MS, resolve));
  }
}
