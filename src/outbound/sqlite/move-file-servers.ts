/**
 * From layout 1 to 2: what is kept of servers of files stood among what was registered, and goes to the file that each
 * record names. Nothing else of a row changes but its digest. A row that is not as it was written stays where it is: the
 * look through all of them at the next opening finds it.
 */
import { createHash } from 'node:crypto';
import type Database from 'better-sqlite3';
import { namespaceOfFile } from './namespace-of-file.ts';

type Row = Record<string, unknown>;

/** Where everything of one server is found, by its namespace and its path. */
const KEPT = {
  rating: "kind = 'server' and path = ?",
  health: 'path = ?',
  definition: "'/' || server = ?",
  server: 'path = ?',
} as const;

export function moveFileServers(database: Database.Database): void {
  const ofFiles = database
    .prepare<[], { namespace: string; path: string; file: string }>(
      "select namespace, path, document ->> '$.source.file' as file from server " +
        "where is_active = 1 and document ->> '$.source.kind' = 'file'",
    )
    .all();
  for (const { namespace, path, file } of ofFiles) {
    const to = namespaceOfFile(namespace, file);
    for (const [table, where] of Object.entries(KEPT)) {
      const rows = database
        .prepare<[string, string], Row>(`select * from ${table} where namespace = ? and ${where}`)
        .all(namespace, path);
      for (const row of rows) if (row.digest === digestOf(row)) move(database, table, row, to);
    }
  }
}

function move(database: Database.Database, table: string, row: Row, namespace: string): void {
  const { digest } = row;
  database
    .prepare(`update ${table} set namespace = ?, digest = ? where namespace = ? and digest = ?`)
    .run(namespace, digestOf({ ...row, namespace }), row.namespace, digest);
}

/** Of all columns in the order of the layout, of which it is the last. */
function digestOf(row: Row): string {
  const values = Object.entries(row).flatMap(([column, value]) => (column === 'digest' ? [] : [value]));
  return createHash('sha256').update(JSON.stringify(values)).digest('hex');
}
