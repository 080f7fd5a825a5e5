/**
 * From layout 1 to 2: what is kept of servers of files stood among what was registered, shared by all files that used one
 * name. It goes where each of these files finds it. Nothing else of a row changes but its digest. Approvals that belong to
 * no registered server are of a file, too: not everything in a file is shown in the registry.
 */
import { createHash } from 'node:crypto';
import type Database from 'better-sqlite3';
import { serverOfVersion } from '../../domain/server.ts';
import { namespaceOfEarlier } from './namespace-of-file.ts';

type Row = Record<string, unknown>;

interface Active {
  namespace: string;
  path: string;
  kind: string;
}

export function moveFileServers(database: Database.Database): void {
  const records = database
    .prepare<[], Active>("select namespace, path, document ->> '$.source.kind' as kind from server where is_active = 1")
    .all();
  const keyOf = (namespace: unknown, path: string) => JSON.stringify([namespace, path]);
  const kinds = new Map(records.map(({ namespace, path, kind }) => [keyOf(namespace, path), kind]));
  const isOfFile = ({ namespace, path }: Row) => kinds.get(keyOf(namespace, String(path))) === 'file';
  move(database, 'server', isOfFile);
  move(database, 'health', isOfFile);
  move(database, 'rating', row => row.kind === 'server' && isOfFile(row));
  move(
    database,
    'definition',
    ({ namespace, server }) => kinds.get(keyOf(namespace, `/${serverOfVersion(String(server))}`)) !== 'live',
  );
}

/** Row by row, since documents of all together may not fit into memory. Throws at one that is not as it was written. */
function move(database: Database.Database, table: string, isMeant: (row: Row) => boolean): void {
  const rowids = database.prepare<[], number>(`select rowid from ${table}`).pluck().all();
  const read = database.prepare<[number], Row>(`select * from ${table} where rowid = ?`);
  const write = database.prepare<[string, string, number]>(
    `update ${table} set namespace = ?, digest = ? where rowid = ?`,
  );
  for (const rowid of rowids) {
    const row = read.get(rowid);
    if (row === undefined || !isMeant(row)) continue;
    if (row.digest !== digestOf(row)) throw new Error(`the registry holds a damaged record in ${table}`);
    const namespace = namespaceOfEarlier(String(row.namespace));
    write.run(namespace, digestOf({ ...row, namespace }), rowid);
  }
}

/** Of all columns in the order of the layout, of which it is the last. */
function digestOf(row: Row): string {
  const values = Object.entries(row).flatMap(([column, value]) => (column === 'digest' ? [] : [value]));
  return createHash('sha256').update(JSON.stringify(values)).digest('hex');
}
