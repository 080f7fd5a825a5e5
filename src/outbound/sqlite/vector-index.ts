/**
 * Vectors kept in SQLite: by sqlite-vec where its extension loads, by plain arithmetic over the same rows where not. One
 * file holds one space (model, size, recipe of the texts); opened for another space it starts empty. A copy of what an
 * embedder said: it can always be made again.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import * as sqliteVec from 'sqlite-vec';
import type { VectorSpace, VectorStore } from '../../ports/vector-store.ts';

const LAYOUT = 1;
/** sqlite-vec takes no more at once. */
const MAX_NEIGHBOURS = 4_096;

/** `path`: a file, or `:memory:`. `plain`: does without the extension. Throws what SQLite refuses. */
export function openVectorIndex(path: string, space: VectorSpace, { plain = false } = {}): VectorStore {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  // What is lost with the power is asked for again.
  database.pragma('synchronous = OFF');
  const hasExtension = !plain && loadExtension(database);
  const formerly = prepareTables(database, space, hasExtension);

  const findId = database.prepare<[string], { id: number }>('select id from item where key = ?');
  const addItem = database.prepare<[string]>('insert into item (key) values (?)');
  const dropItem = database.prepare<[number | bigint]>('delete from item where id = ?');
  const dropVector = database.prepare<[bigint]>('delete from vector where rowid = ?');
  const addVector = database.prepare<[bigint, Buffer]>('insert into vector (rowid, embedding) values (?, ?)');
  const allItems = database.prepare<[], { id: number; key: string }>('select id, key from item');
  const ids = new Map(allItems.all().map(({ id, key }) => [key, id]));
  const rank = hasExtension ? nearestByExtension(database, () => ids.size) : nearestByHand(database);

  const put = database.transaction((rows: readonly { key: string; vector: Float32Array }[]) => {
    for (const { key, vector } of rows) {
      if (vector.length !== space.dimensions)
        throw new RangeError(`a vector of ${vector.length} values in a space of ${space.dimensions}`);
      const known = findId.get(key)?.id;
      const id = BigInt(known ?? addItem.run(key).lastInsertRowid);
      if (known !== undefined) dropVector.run(id);
      addVector.run(id, Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength));
    }
  });
  const drop = database.transaction((keys: readonly string[]) => {
    for (const key of keys) {
      const id = findId.get(key)?.id;
      if (id === undefined) continue;
      dropVector.run(BigInt(id));
      dropItem.run(id);
    }
  });

  return {
    formerly,
    known: keys => new Set(keys.filter(key => ids.has(key))),
    put(rows) {
      put(rows);
      for (const { key } of rows) ids.set(key, findId.get(key)?.id ?? 0);
      rank.changed();
    },
    keepOnly(keys) {
      const gone = [...ids.keys()].filter(key => !keys.has(key));
      if (gone.length === 0) return;
      drop(gone);
      for (const key of gone) ids.delete(key);
      rank.changed();
    },
    nearest(vector, among, limit) {
      const keyOf = new Map<number, string>();
      for (const key of among) {
        const id = ids.get(key);
        if (id !== undefined) keyOf.set(id, key);
      }
      if (keyOf.size === 0) return [];
      return rank
        .nearest(vector, [...keyOf.keys()], Math.min(limit, MAX_NEIGHBOURS))
        .map(({ id, likeness }) => ({ key: keyOf.get(id) ?? '', likeness }));
    },
    close: () => void database.close(),
  };
}

function loadExtension(database: Database.Database): boolean {
  try {
    sqliteVec.load(database);
    return true;
  } catch {
    // No build of it for this platform: slower, and otherwise the same.
    return false;
  }
}

/** Another space, or the other way of keeping vectors, begins with nothing: vectors of two spaces cannot be compared. */
function prepareTables(
  database: Database.Database,
  space: VectorSpace,
  hasExtension: boolean,
): VectorStore['formerly'] {
  const wanted = JSON.stringify([LAYOUT, hasExtension, space.model, space.dimensions, space.recipe]);
  database.exec('create table if not exists space (one integer primary key check (one = 1), name text not null)');
  const found = database.prepare<[], { name: string }>('select name from space').get()?.name;
  if (found === wanted) return 'same';
  database.transaction(() => {
    dropVectorTable(database);
    database.exec('drop table if exists item; create table item (id integer primary key, key text not null unique)');
    database.exec(
      hasExtension
        ? `create virtual table vector using vec0(embedding float[${space.dimensions}] distance_metric=cosine)`
        : 'create table vector (rowid integer primary key, embedding blob not null)',
    );
    database.prepare('insert or replace into space values (1, ?)').run(wanted);
  })();
  return found === undefined ? 'nothing' : toSpace(found);
}

/** Back from the name that it was given above. */
function toSpace(name: string): VectorSpace {
  const [, , model, dimensions, recipe] = JSON.parse(name) as [number, boolean, string, number, string];
  return { model, dimensions, recipe };
}

/** A table of the extension cannot be dropped without it: then its name is cleared from the schema with its shadows. */
function dropVectorTable(database: Database.Database): void {
  try {
    database.exec('drop table if exists vector');
  } catch {
    database.unsafeMode(true);
    database.pragma('writable_schema = on');
    database.exec("delete from sqlite_master where name = 'vector'");
    database.pragma('writable_schema = reset');
    database.unsafeMode(false);
    const shadows = database
      .prepare<[], { name: string }>(
        "select name from sqlite_master where type = 'table' and name like 'vector\\_%' escape '\\'",
      )
      .all();
    for (const { name } of shadows) database.exec(`drop table if exists "${name.replaceAll('"', '""')}"`);
  }
}

interface Ranking {
  nearest(vector: Float32Array, ids: readonly number[], limit: number): { id: number; likeness: number }[];
  changed(): void;
}

/** `count`: of all vectors there are. */
function nearestByExtension(database: Database.Database, count: () => number): Ranking {
  interface Row {
    rowid: number;
    distance: number;
  }
  const ofAll = database.prepare<[Buffer, number], Row>(
    'select rowid, distance from vector where embedding match ? and k = ? order by distance',
  );
  const ofSome = database.prepare<[Buffer, number, string], Row>(
    `select rowid, distance from vector
      where embedding match ? and k = ? and rowid in (select value from json_each(?)) order by distance`,
  );
  return {
    nearest(vector, ids, limit) {
      const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
      // Asking for as many more as there are others is exact too, and where it can be done several times as fast.
      const enough = limit + count() - ids.length;
      const asked = new Set(ids);
      const rows =
        enough <= MAX_NEIGHBOURS
          ? ofAll.all(bytes, enough).filter(({ rowid }) => asked.has(rowid))
          : ofSome.all(bytes, limit, JSON.stringify(ids));
      return rows.slice(0, limit).map(({ rowid, distance }) => ({ id: rowid, likeness: 1 - distance }));
    },
    changed() {},
  };
}

function nearestByHand(database: Database.Database): Ranking {
  const all = database.prepare<[], { rowid: number; embedding: Buffer }>('select rowid, embedding from vector');
  let vectors: Map<number, Float32Array> | null = null;
  return {
    nearest(vector, ids, limit) {
      vectors ??= new Map(all.all().map(({ rowid, embedding }) => [rowid, toFloats(embedding)]));
      const kept = vectors;
      return ids
        .flatMap(id => {
          const other = kept.get(id);
          return other === undefined ? [] : [{ id, likeness: cosine(vector, other) }];
        })
        .sort((a, b) => b.likeness - a.likeness || a.id - b.id)
        .slice(0, limit);
    },
    changed() {
      vectors = null;
    },
  };
}

/** Copied: the bytes SQLite hands out need not lie where four-byte numbers may. */
function toFloats(bytes: Buffer): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}

function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let squareA = 0;
  let squareB = 0;
  for (let j = 0; j < a.length; j++) {
    const x = a[j] as number;
    const y = b[j] as number;
    dot += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  return dot / (Math.sqrt(squareA * squareB) || 1);
}
