/**
 * The mark beside a database: the last change that somebody was told of. SQLite takes a log that was cut off or wiped for
 * one that ends there, and opens as it was before; with the mark that is found out. Rewritten in place, always the same
 * few bytes, after the change and before it is acknowledged: it may lag behind the database and is never ahead of it.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs';

const DIGITS = 16;
const CHECK = 8;
const WORD = 'gatehouse registry ';
const BYTES = WORD.length + DIGITS + 1 + CHECK + 1;
const NO_LINK = constants.O_NOFOLLOW;

export type MarkReading = { kind: 'revision'; revision: number } | { kind: 'absent' } | { kind: 'damaged' };

/** Throws what the system says when there is something that cannot be read. */
export function readMark(path: string): MarkReading {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | NO_LINK | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { kind: 'absent' };
    throw error;
  }
  try {
    return readFrom(fd);
  } finally {
    closeSync(fd);
  }
}

export class AcknowledgedMark {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT | NO_LINK, 0o600);
  }

  /** On disk when it returns. Another process may have marked a later change already. */
  raise(revision: number): void {
    const now = readFrom(this.#fd);
    if (now.kind === 'revision' && now.revision >= revision) return;
    const bytes = Buffer.from(format(revision));
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at, bytes.length - at, at);
    fdatasyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function readFrom(fd: number): MarkReading {
  const buffer = Buffer.alloc(BYTES + 1);
  const text = buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
  // Made and not yet written: as good as none.
  if (text === '') return { kind: 'absent' };
  const revision = Number(text.slice(WORD.length, WORD.length + DIGITS));
  return Number.isSafeInteger(revision) && revision >= 0 && text === format(revision)
    ? { kind: 'revision', revision }
    : { kind: 'damaged' };
}

function format(revision: number): string {
  const head = WORD + String(revision).padStart(DIGITS, '0');
  return `${head} ${createHash('sha256').update(head).digest('hex').slice(0, CHECK)}\n`;
}
