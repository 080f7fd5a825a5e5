/**
 * Operations that were announced and are not yet in the ledger, one a line. Written before the effect, read only after
 * a process died; cut down once what is in it stands in the ledger.
 */
import { randomBytes } from 'node:crypto';
import { formatIntent, type OpenIntent, parseIntents } from '../../domain/audit-intent.ts';
import { SlotTable } from '../../domain/slot-table.ts';
import { AppendFile } from './append-file.ts';
import type { Disk } from './disk.ts';

/** Below this a file whose intents are all concluded is left as it is; above, it is emptied. */
const EMPTY_ABOVE_BYTES = 256 * 1024;
/** Above this it is written anew with those that are still open. */
const REWRITE_ABOVE_BYTES = 4 * 1024 * 1024;

/** The open ones of this process; their numbers, and the ids that others read. Lives through failures of the file. */
export class Announced {
  readonly #run = randomBytes(4).toString('hex');
  readonly #open = new SlotTable<{ intent: number; head: string }>();

  get size(): number {
    return this.#open.size;
  }

  add(head: string): number {
    const item = { intent: 0, head };
    item.intent = this.#open.add(item);
    return item.intent;
  }

  /** What was announced; null when there is none of this number. */
  headOf(intent: number): string | null {
    return this.#open.find(intent)?.head ?? null;
  }

  delete(intent: number): void {
    this.#open.delete(intent);
  }

  idOf(intent: number): string {
    return `${this.#run}-${intent}`;
  }

  line(intent: number, after: number, head: string): string {
    return formatIntent(this.idOf(intent), after, head);
  }

  /** All that are open, as announced now. */
  lines(after: number): string {
    return this.#open
      .items()
      .map(({ intent, head }) => this.line(intent, after, head))
      .join('');
  }
}

export class IntentsFile {
  readonly #disk: Disk;
  #file: AppendFile;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#file = new AppendFile(disk, path);
  }

  /** What stands in the file; a piece of a line at its end was never waited for. */
  read(): OpenIntent[] {
    this.#file.dropPartialLine();
    return parseIntents(this.#file.read());
  }

  append(lines: string): void {
    this.#file.append(Buffer.from(lines));
  }

  /**
   * After everything concluded stands in the ledger; `secure` makes sure that it does on the disk, before something is
   * taken away; null: it is enough that the system knows.
   * `isNewPart`: the ledger began a new file.
   */
  tidy(announced: Announced, nextSeq: number, isNewPart: boolean, secure: (() => void) | null): void {
    const { size } = this.#file;
    if (size === 0) return;
    if (announced.size === 0) {
      if (!isNewPart && size <= EMPTY_ABOVE_BYTES) return;
      secure?.();
      this.#file.truncate(0);
    } else if (isNewPart || size > REWRITE_ABOVE_BYTES) {
      secure?.();
      this.#rewrite(announced.lines(nextSeq), secure !== null);
    }
  }

  /** Beside it and then in its place, so that there is never a moment without the open ones. */
  #rewrite(lines: string, isSynced: boolean): void {
    const path = `${this.#file.path}.new`;
    const next = new AppendFile(this.#disk, path);
    try {
      next.truncate(0);
      next.append(Buffer.from(lines));
      if (isSynced) next.sync();
      this.#disk.renameSync(path, this.#file.path);
    } catch (cause) {
      next.close();
      throw cause;
    }
    this.#file.close();
    this.#file = next.at(this.#file.path);
  }

  /** False: it was moved or removed by somebody else, and nobody would find what is announced in it. */
  isInPlace(): boolean {
    return this.#file.isInPlace();
  }

  /** A file with those that are still open, under the name that leads elsewhere or nowhere. */
  putBack(announced: Announced, nextSeq: number, isSynced: boolean): void {
    this.#rewrite(announced.lines(nextSeq), isSynced);
  }

  get fd(): number {
    return this.#file.fd;
  }

  sync(): void {
    this.#file.sync();
  }

  close(): void {
    this.#file.close();
  }
}
