/**
 * A lock that the operating system lets go of when its holder dies, however it dies: SQLite's own lock on an empty
 * database file. Process ids in a file would not do: they are used again, and mean nothing across containers that
 * share a volume. Two processes never both hold it; nothing is ever written to the file.
 */
import Database from 'better-sqlite3';

export interface FileLock {
  release(): void;
}

/** null: another process (or another holder in this one) has it. Throws when the file cannot be opened. */
export function tryLock(path: string): FileLock | null {
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
