/**
 * The checkpoint beside the ledger: which line it begins with and which was the last. Rewritten in place, always the
 * same number of bytes, so that a process that dies meanwhile leaves the old one or the new one. Refused: a file that is
 * longer, because it is another one, and its beginning would be written over.
 */
import { constants } from 'node:fs';
import type { Checkpoint } from '../../domain/audit-chain.ts';
import { CHECKPOINT_BYTES, formatCheckpoint, parseCheckpoint } from '../../domain/audit-checkpoint.ts';
import { type Disk, type FileId, standsAt } from './disk.ts';
import { openFile, RefusedFile } from './open-file.ts';

const FLAGS = constants.O_RDWR | constants.O_CREAT;

export class HeadFile {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #fd: number;
  readonly #id: FileId;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
    const { fd, facts } = openFile(disk, path, FLAGS, 'refused');
    this.#fd = fd;
    this.#id = { dev: facts.dev, ino: facts.ino };
    if (facts.size <= CHECKPOINT_BYTES) return;
    disk.closeSync(fd);
    throw new RefusedFile('EINVAL', path, 'is longer than a checkpoint');
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
    return standsAt(this.#disk, this.#path, this.#id, 'refused');
  }

  sync(): void {
    this.#disk.fdatasyncSync(this.#fd);
  }

  close(): void {
    this.#disk.closeSync(this.#fd);
  }
}
