/**
 * Files for one reader: made 0600 from their first byte on, replaced whole (written beside, synced, renamed), and refused
 * when they are links, not regular, too large, or open to others.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

export type PrivateText = { kind: 'text'; text: string } | { kind: 'absent' } | { kind: 'refused'; reason: string };

/** `mustBePrivate`: others must not even be able to read it. */
export function readPrivateFile(path: string, maxBytes: number, mustBePrivate: boolean): PrivateText {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? { kind: 'absent' } : { kind: 'refused', reason: reasonOf(error) };
  }
  try {
    const facts = fstatSync(file);
    if (!facts.isFile()) return { kind: 'refused', reason: 'it is not a regular file' };
    if (mustBePrivate && (facts.mode & 0o077) !== 0)
      return { kind: 'refused', reason: 'others than its owner may open it (chmod 600)' };
    if (facts.size > maxBytes) return { kind: 'refused', reason: 'it is too large' };
    const bytes = Buffer.alloc(facts.size);
    let at = 0;
    while (at < bytes.length) {
      const read = readSync(file, bytes, at, bytes.length - at, at);
      if (read === 0) break;
      at += read;
    }
    return { kind: 'text', text: bytes.toString('utf8', 0, at) };
  } catch (error) {
    return { kind: 'refused', reason: reasonOf(error) };
  } finally {
    closeSync(file);
  }
}

/** Throws; the file is then as it was. */
export function writePrivateFile(path: string, text: string): void {
  const beside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    create(beside, text);
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  syncFolder(path);
}

/** False when there is one already, which is left as it is. */
export function createPrivateFile(path: string, text: string): boolean {
  const beside = `${path}.${randomBytes(6).toString('hex')}`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    create(beside, text);
    // Under its name it is there whole or not at all, however the process ends.
    linkSync(beside, path);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(beside, { force: true });
  }
  syncFolder(path);
  return true;
}

function create(path: string, text: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A rename is on disk when its folder is. */
function syncFolder(path: string): void {
  const folder = openSync(dirname(path), constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  return code === 'ELOOP' ? 'it is a symbolic link' : `it cannot be opened (${code === '' ? 'unknown error' : code})`;
}
