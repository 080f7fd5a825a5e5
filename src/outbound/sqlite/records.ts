/** What the repositories of one namespace share: the connection, and the revision that the next change gets. */
import type Database from 'better-sqlite3';
import { insertion, type Row, type Table, toNoun, toRow, type Value } from './tables.ts';

export interface Access {
  database: Database.Database;
  namespace: string;
  /** Draws the next number of the one sequence; within the transaction of the change. */
  nextRevision(): number;
}

export interface Records<T> {
  /** `where` follows the namespace; `values` fill its places. Shape: in the order that `where` gives. */
  all(where: string, ...values: Value[]): T[];
  one(where: string, ...values: Value[]): T | null;
  count(where: string, ...values: Value[]): number;
  put(values: readonly Value[], noun: T, revision: number): void;
  /** Returns how many there were. */
  remove(where: string, ...values: Value[]): number;
}

/** Statements are prepared when they are first used, and once. */
export function createRecords<T>({ database, namespace }: Access, table: Table<T>): Records<T> {
  const prepared = new Map<string, Database.Statement<Value[], unknown>>();
  const prepare = (head: string, where: string) => {
    const sql = `${head} ${table.name} where namespace = ? and ${where}`;
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare<Value[], unknown>(sql);
    prepared.set(sql, statement);
    return statement;
  };
  const insert = database.prepare<Value[]>(insertion(table));
  return {
    all: (where, ...values) =>
      prepare('select * from', where)
        .all(namespace, ...values)
        .map(row => toNoun(table, row)),
    one(where, ...values) {
      const row = prepare('select * from', where).get(namespace, ...values);
      return row === undefined ? null : toNoun(table, row);
    },
    count: (where, ...values) =>
      Number((prepare('select count(*) as total from', where).get(namespace, ...values) as Row).total),
    put: (values, noun, revision) => void insert.run(...toRow(table, namespace, values, noun, revision)),
    remove: (where, ...values) => prepare('delete from', where).run(namespace, ...values).changes,
  };
}
