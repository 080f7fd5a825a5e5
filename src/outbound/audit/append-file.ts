/**
 * A file that only grows, by whole pieces: what a full disk or a killed process left of a piece is cut off before the
 * next one. Owner-only (0600).
 */
import { constants } from 'node:fs';
import { type Disk, type FileId, standsAt } from './disk.ts';
import { type Links, openFile } from './open-file.ts';

const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND;
const OWNER_ONLY = 0o600;
const CHUNK = 256 * 1024;
const LINE_END = 10;

export class AppendFile {
  #path: string;
  readonly #disk: Disk;
  readonly #fd: number;
  readonly #id: FileId;
  readonly #links: Links;
  /** All of it is whole pieces. */
  #size: number;
  /** As much of it was there when it was last seen under its name. */
  #seenSize: number;
  #isTorn = false;

  constructor(disk: Disk, path: string, links: Links = 'refused') {
    this.#path = path;
    this.#disk = disk;
    this.#links = links;
    const { fd, facts } = openFile(disk, path, FLAGS, links);
    this.#fd = fd;
    try {
      if ((facts.mode & 0o077) !== 0) disk.fchmodSync(this.#fd, OWNER_ONLY);
      this.#size = facts.size;
      this.#seenSize = facts.size;
      this.#id = { dev: facts.dev, ino: facts.ino };
    } catch (cause) {
      disk.closeSync(this.#fd);
      throw cause;
    }
  }

  get path(): string {
    return this.#path;
  }

  get size(): number {
    return this.#size;
  }

  /** What was written behind it may have gone where nobody looks. */
  get seenSize(): number {
    return Math.min(this.#seenSize, this.#size);
  }

  get fd(): number {
    return this.#fd;
  }

  /** All of it or, as far as the disk allows, nothing. */
  append(bytes: Uint8Array): void {
    if (this.#isTorn) this.#heal();
    try {
      for (let at = 0; at < bytes.length; ) {
        const written = this.#disk.writeSync(this.#fd, bytes, at, bytes.length - at);
        if (written === 0) throw Object.assign(new Error('nothing could be written'), { code: 'ENOSPC' });
        at += written;
      }
    } catch (cause) {
      this.#isTorn = true;
      try {
        this.#heal();
      } catch {
        // Tried again before the next piece; the first cause is the one to tell.
      }
      throw cause;
    }
    this.#size += bytes.length;
  }

  #heal(): void {
    const { size } = this.#disk.fstatSync(this.#fd);
    // Smaller: somebody else cut it; to grow it back would fill it with zeros.
    if (size > this.#size) this.#disk.ftruncateSync(this.#fd, this.#size);
    else this.#size = size;
    this.#isTorn = false;
  }

  truncate(size: number): void {
    this.#disk.ftruncateSync(this.#fd, size);
    this.#size = size;
  }

  /** Cuts off what follows the last line end; returns how many bytes that was. */
  dropPartialLine(): number {
    const buffer = Buffer.allocUnsafe(CHUNK);
    let end = this.#size;
    while (end > 0) {
      const start = Math.max(0, end - CHUNK);
      const length = this.#disk.readSync(this.#fd, buffer, 0, end - start, start);
      const at = buffer.subarray(0, length).lastIndexOf(LINE_END);
      if (at !== -1) {
        end = start + at + 1;
        break;
      }
      end = start;
    }
    const dropped = this.#size - end;
    if (dropped > 0) this.truncate(end);
    return dropped;
  }

  /** The last whole line, or null; of a line longer than a chunk only its end. */
  lastLine(): string | null {
    if (this.#size === 0) return null;
    const start = Math.max(0, this.#size - CHUNK);
    const buffer = Buffer.allocUnsafe(this.#size - start);
    const length = this.#disk.readSync(this.#fd, buffer, 0, buffer.length, start);
    const text = buffer.toString('utf8', 0, length).replace(/\n$/, '');
    return text.slice(text.lastIndexOf('\n') + 1);
  }

  /** The first line or, of a longer one, its beginning; null in an empty file. */
  firstLine(): string | null {
    if (this.#size === 0) return null;
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, this.#size));
    const text = buffer.toString('utf8', 0, this.#disk.readSync(this.#fd, buffer, 0, buffer.length, 0));
    const end = text.indexOf('\n');
    return end === -1 ? text : text.slice(0, end);
  }

  /** Whole, as text; for files that are kept small. */
  read(): string {
    return this.readFrom(0).toString('utf8');
  }

  /** The bytes from there on, also of a file that has no name any more. */
  readFrom(start: number): Buffer {
    const buffer = Buffer.allocUnsafe(Math.max(0, this.#size - start));
    let at = 0;
    while (at < buffer.length) {
      const length = this.#disk.readSync(this.#fd, buffer, at, buffer.length - at, start + at);
      if (length === 0) break;
      at += length;
    }
    return buffer.subarray(0, at);
  }

  /** False when the name leads elsewhere by now: the file was moved or removed by somebody else. */
  isInPlace(): boolean {
    const isInPlace = standsAt(this.#disk, this.#path, this.#id, this.#links);
    if (isInPlace) this.#seenSize = this.#size;
    return isInPlace;
  }

  /** It has no name any more: what is in it goes when it is closed. */
  isUnlinked(): boolean {
    return this.#disk.fstatSync(this.#fd).nlink === 0;
  }

  /** It has been given another name. */
  at(path: string): this {
    this.#path = path;
    return this;
  }

  sync(): void {
    this.#disk.fdatasyncSync(this.#fd);
  }

  /** Off the event loop: some file systems write a large file out when it is closed. */
  closeLater(): void {
    this.#disk.close(this.#fd, () => {});
  }

  close(): void {
    this.#disk.closeSync(this.#fd);
  }
}
