/**
 * The registry in one SQLite file, which several processes may have open. A change is acknowledged when it is on disk and
 * the mark beside the database says so.
 */
import Database from 'better-sqlite3';
import { isNamespace, NAMESPACE_RULE } from '../../domain/namespace.ts';
import type { RegistryStorage } from '../../ports/registry-storage.ts';
import { createRegistry } from '../storage/registry.ts';
import type { RegistryRows } from '../storage/rows.ts';
import type { Engine } from '../storage/turns.ts';
import { openRegistryDatabase, type RegistryDatabase, sequenceOf } from './database.ts';
import { namespaceOfEarlier, namespaceOfFile } from './namespace-of-file.ts';
import { prepareRows } from './registry-rows.ts';

export interface RegistryPlace {
  /** Absolute. */
  path: string;
  namespace: string;
}

/** Throws with a sentence for the operator when what is there cannot be trusted, and leaves it as it is. */
export function openSqliteRegistry({ path, namespace }: RegistryPlace): RegistryStorage {
  if (!isNamespace(namespace)) throw new RangeError(`a namespace ${NAMESPACE_RULE}`);
  const opened = openRegistryDatabase(path);
  const engine = new SqliteEngine(opened);
  const { database } = opened;
  const nextRevision = () => engine.nextRevision();
  const rowsIn = (place: string) => prepareRows({ database, namespace: place, nextRevision });
  const known = new Map<string, RegistryRows>();
  function rowsOf(file: string): RegistryRows {
    const rows = known.get(file) ?? rowsIn(namespaceOfFile(namespace, file));
    known.set(file, rows);
    return rows;
  }
  const earlier = rowsIn(namespaceOfEarlier(namespace));
  const claim = database.prepare<[string]>('insert or ignore into known_file values (?)');
  return createRegistry(engine, {
    shared: rowsIn(namespace),
    rowsOf,
    claimEarlier: file => (claim.run(namespaceOfFile(namespace, file)).changes > 0 ? earlier : null),
  });
}

class SqliteEngine implements Engine {
  readonly #opened: RegistryDatabase;
  readonly #draw: Database.Statement<[], number>;
  #hasDrawn = false;

  constructor(opened: RegistryDatabase) {
    this.#opened = opened;
    this.#draw = opened.database
      .prepare<[], number>('update sequence set revision = revision + 1 returning revision')
      .pluck();
  }

  nextRevision(): number {
    this.#hasDrawn = true;
    return this.#draw.get() as number;
  }

  tryBegin(): boolean {
    try {
      this.#opened.database.exec('begin immediate');
    } catch (error) {
      if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return false;
      throw error;
    }
    this.#hasDrawn = false;
    return true;
  }

  commit(): void {
    const { database, mark } = this.#opened;
    // Read, not remembered: what was drawn for a part that was undone is not there, and the mark is never ahead.
    const revision = sequenceOf(database);
    database.exec('commit');
    if (this.#hasDrawn) mark.raise(revision);
  }

  /** SQLite has done it itself where the disk was full or failed. */
  rollback(): void {
    if (this.#opened.database.inTransaction) this.#opened.database.exec('rollback');
  }

  atomically<T>(work: () => T): T {
    return this.#opened.database.transaction(work)();
  }

  /** SQLite's own: it does not change with what this connection writes. */
  stamp(): number {
    return this.#opened.database.pragma('data_version', { simple: true }) as number;
  }

  close(): void {
    this.#opened.close();
  }
}
