/**
 * The lock of one ledger: as long as it is held, no other process writes these files. A lock whose file was removed keeps
 * nobody out, so it is taken again before anything is written where the old one stood.
 */
import { type Disk, type FileId, standsAt } from './disk.ts';

/** null: held by another process. Throws when it cannot be made. */
export type TryLock = (path: string) => { release(): void } | null;

export class LedgerLock {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #tryLock: TryLock;
  #held: { release(): void };
  #id: FileId;

  private constructor(disk: Disk, path: string, tryLock: TryLock, held: { release(): void }) {
    this.#disk = disk;
    this.#path = path;
    this.#tryLock = tryLock;
    this.#held = held;
    this.#id = disk.statSync(path);
  }

  static tryTo(disk: Disk, path: string, tryLock: TryLock): LedgerLock | null {
    const held = tryLock(path);
    return held === null ? null : new LedgerLock(disk, path, tryLock, held);
  }

  isInPlace(): boolean {
    return standsAt(this.#disk, this.#path, this.#id, 'refused');
  }

  /** Throws where another process was faster: it writes its own ledger there. */
  takeAgain(): void {
    const held = this.#tryLock(this.#path);
    if (held === null) throw Object.assign(new Error('another gateway writes its audit log here'), { code: 'EBUSY' });
    const left = this.#held;
    this.#held = held;
    this.#id = this.#disk.statSync(this.#path);
    left.release();
  }

  release(): void {
    this.#held.release();
  }
}
