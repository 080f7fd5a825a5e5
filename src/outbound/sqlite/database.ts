/**
 * The registry's database file: made whole or not at all, looked through before anything is written to it, and never begun
 * anew over what was there. What is refused is left byte for byte as it was, for whoever can rescue more of it.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
} from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { acknowledgedName, walName } from '../../domain/registry-names.ts';
import { AcknowledgedMark, readMark } from './acknowledged.ts';
import { APPLICATION_ID, layoutOf, MIGRATIONS, migrate, SAME_ROWS_SINCE, type Step } from './migrations.ts';
import { checkRows } from './tables.ts';

export interface RegistryDatabase {
  database: Database.Database;
  mark: AcknowledgedMark;
  close(): void;
}

/** Other processes hold it for milliseconds; longer waits are not spent here, where nothing else can run meanwhile. */
const BUSY_MS = 50;
const MIGRATION_MS = 20_000;
const HEADER = Buffer.from('SQLite format 3\0');

/** Throws with a sentence for the operator: what is wrong, and what to do. */
export function openRegistryDatabase(path: string, steps: readonly Step[] = MIGRATIONS): RegistryDatabase {
  const markPath = acknowledgedName(path);
  if (!isThere(path)) {
    for (const rest of [walName(path), markPath]) {
      if (isThere(rest))
        throw new Error(
          `the registry database ${path} is gone and ${rest} is still there. Restore the database from a backup; ` +
            `to begin with an empty registry, remove that file first`,
        );
    }
    create(path, steps);
  }
  checkFile(path);
  check(path, markPath, steps);
  return open(path, markPath, steps);
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Beside its place first: under its name a database is there with all its tables or not at all. */
function create(path: string, steps: readonly Step[]): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const beside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    closeSync(openSync(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600));
    const database = new Database(beside);
    migrate(database, steps);
    database.pragma('journal_mode = WAL');
    database.close();
    sync(beside);
    linkSync(beside, path);
    sync(folder);
  } catch (error) {
    // Another process was faster: its database is as good.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    for (const rest of ['', '-wal', '-shm', '-journal']) rmSync(beside + rest, { force: true });
  }
}

function sync(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function checkFile(path: string): void {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw refusal(path, code === 'ELOOP' ? 'is a symbolic link' : `cannot be opened (${code})`, POINT);
  }
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile()) throw refusal(path, 'is not a file', POINT);
    if ((facts.mode & 0o077) !== 0) throw refusal(path, 'can be opened by others than its owner', 'chmod 600 it');
    if (facts.size === 0) throw refusal(path, 'is empty, and was not made so by this program', RESCUE);
    const head = Buffer.alloc(HEADER.length);
    readSync(fd, head, 0, head.length, 0);
    if (!head.equals(HEADER)) throw refusal(path, 'is damaged, or a file of another kind', RESCUE);
  } finally {
    closeSync(fd);
  }
}

const POINT = 'name a file that this program may read and write';
const RESCUE =
  'restore a backup, or name another file; to begin with an empty registry, move it away together with the files beside ' +
  'it that begin with its name';
const UPGRADE = 'start the version that wrote it, or a later one';

function refusal(path: string, what: string, advice: string, cause?: unknown): Error {
  return new Error(`the registry database ${path} ${what}: ${advice}`, { cause });
}

/** By a connection that cannot write: closing another kind would move what is left of a damaged log into the database. */
function check(path: string, markPath: string, steps: readonly Step[]): void {
  // First, so that the database cannot be behind it by what other processes do meanwhile.
  const mark = readMark(markPath);
  if (mark.kind === 'damaged')
    throw new Error(`${markPath} is damaged: remove it if the registry database beside it is the latest there is`);
  let database: Database.Database | null = null;
  try {
    database = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_MS });
    const what = findDamage(database, path, steps);
    if (what !== null) throw what;
    const revision = sequenceOf(database);
    if (mark.kind === 'revision' && revision < mark.revision)
      throw refusal(
        path,
        `has lost changes that were acknowledged (it ends at ${revision}, ${markPath} says ${mark.revision})`,
        `restore a later backup; if this is the one to go on with, remove ${markPath}`,
      );
  } catch (error) {
    if (error instanceof Database.SqliteError) throw refusal(path, `is damaged (${error.code})`, RESCUE, error);
    throw error;
  } finally {
    database?.close();
  }
}

function findDamage(database: Database.Database, path: string, steps: readonly Step[]): Error | null {
  database.pragma('cell_size_check = on');
  if (database.pragma('application_id', { simple: true }) !== APPLICATION_ID)
    return refusal(path, 'is a database of another program', RESCUE);
  const layout = layoutOf(database);
  if (layout > steps.length) return refusal(path, 'was written by a newer version of this program', UPGRADE);
  // It is made with its tables, so without them it is not what was made.
  if (layout === 0) return refusal(path, 'does not have the tables of a registry', RESCUE);
  const found = database.pragma('integrity_check(1)', { simple: true });
  if (found !== 'ok') return refusal(path, `is damaged (${String(found).slice(0, 200)})`, RESCUE);
  if (schemaOf(database) !== schemaAfter(steps.slice(0, layout)))
    return refusal(path, 'does not have the tables of a registry', RESCUE);
  if (layout < SAME_ROWS_SINCE) return null;
  try {
    const highest = checkRows(database);
    return highest > sequenceOf(database) ? refusal(path, 'is damaged (its sequence went back)', RESCUE) : null;
  } catch (error) {
    if (error instanceof Database.SqliteError) throw error;
    return refusal(
      path,
      `cannot be trusted (${error instanceof Error ? error.message : 'unknown error'})`,
      RESCUE,
      error,
    );
  }
}

/** Tables and indexes as they were written; not what SQLite keeps for its own planning. */
function schemaOf(database: Database.Database): string {
  const rows = database
    .prepare("select type, name, sql from sqlite_schema where name not like 'sqlite_stat%' order by type, name")
    .all();
  return JSON.stringify(rows);
}

function schemaAfter(steps: readonly Step[]): string {
  const model = new Database(':memory:');
  try {
    migrate(model, steps);
    return schemaOf(model);
  } finally {
    model.close();
  }
}

export function sequenceOf(database: Database.Database): number {
  return database.prepare<[], number>('select revision from sequence').pluck().get() ?? 0;
}

function open(path: string, markPath: string, steps: readonly Step[]): RegistryDatabase {
  const database = new Database(path, { fileMustExist: true, timeout: BUSY_MS });
  try {
    database.pragma('journal_mode = WAL');
    // An acknowledged change survives the loss of power, not only of the process.
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = on');
    database.pragma('trusted_schema = off');
    database.pragma('cell_size_check = on');
    // Another process may be at it.
    database.pragma(`busy_timeout = ${MIGRATION_MS}`);
    migrate(database, steps);
    database.pragma(`busy_timeout = ${BUSY_MS}`);
    const mark = new AcknowledgedMark(markPath);
    mark.raise(sequenceOf(database));
    return {
      database,
      mark,
      close() {
        database.close();
        mark.close();
      },
    };
  } catch (error) {
    database.close();
    if (error instanceof Database.SqliteError) throw refusal(path, `cannot be used (${error.code})`, POINT, error);
    throw error;
  }
}
