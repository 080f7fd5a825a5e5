/**
 * A lock that the operating system lets go of when its holder dies, however it dies: SQLite's own lock on an empty
 * database file. Process ids in a file would not do: they are used again, and mean nothing across containers that
 * share a volume. Two processes never both hold it; nothing is ever written to the file.
 */
import { lstatSync } from 'node:fs';
import Database from 'better-sqlite3';

export interface FileLock {
  release(): void;
}

/** null: another process (or another holder in this one) has it. Throws when the file cannot be opened, or is none. */
export function tryLock(path: string): FileLock | null {
  // SQLite follows links. Looked at, not opened: to close a file lets go of every lock that this process has on it.
  const facts = lstatSync(path, { throwIfNoEntry: false });
  if (facts?.isFile() === false) throw refuse(path, facts.isSymbolicLink());
  const database = new Database(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if (cause instanceof Database.SqliteError && cause.code.startsWith('SQLITE_BUSY')) return null;
    throw cause;
  }
  return { release: () => void database.close() };
}

function refuse(path: string, isLink: boolean): Error {
  const what = isLink ? 'is a symbolic link' : 'is not a regular file';
  return Object.assign(new Error(`${path} ${what}: move it away`), { code: isLink ? 'ELOOP' : 'EINVAL' });
}
