/**
 * The checkpoint beside the ledger: which line it begins with and which was the last. Rewritten in place, always the
 * same number of bytes, so that a process that dies meanwhile leaves the old one or the new one.
 */
import { constants } from 'node:fs';
import type { Checkpoint } from '../../domain/audit-chain.ts';
import { CHECKPOINT_BYTES, formatCheckpoint, parseCheckpoint } from '../../domain/audit-checkpoint.ts';
import { type Disk, type FileId, standsAt } from './disk.ts';

const FLAGS = constants.O_RDWR | constants.O_CREAT;

export class HeadFile {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #fd: number;
  readonly #id: FileId;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
    this.#fd = disk.openSync(path, FLAGS, 0o600);
    const { dev, ino } = disk.fstatSync(this.#fd);
    this.#id = { dev, ino };
  }

  /** null: there is none, or what there is cannot be read. */
  read(): Checkpoint | null {
    const buffer = Buffer.alloc(CHECKPOINT_BYTES);
    const length = this.#disk.readSync(this.#fd, buffer, 0, CHECKPOINT_BYTES, 0);
    return parseCheckpoint(buffer.toString('utf8', 0, length));
  }

  write(checkpoint: Checkpoint): void {
    const bytes = Buffer.from(formatCheckpoint(checkpoint));
    this.#disk.writeSync(this.#fd, bytes, 0, bytes.length, 0);
  }

  /** False: it was moved or removed by somebody else. */
  isInPlace(): boolean {
    return standsAt(this.#disk, this.#path, this.#id);
  }

  sync(): void {
    this.#disk.fdatasyncSync(this.#fd);
  }

  close(): void {
    this.#disk.closeSync(this.#fd);
  }
}
