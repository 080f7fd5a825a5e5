/**
 * Records as rows: a noun's document, what it is found by, and a digest over all of that, so that a bit that fell over is
 * a damaged record and not another truth. Every row that is read passes here, at the start of the program each of them.
 */
import { createHash } from 'node:crypto';
import type Database from 'better-sqlite3';
import type { z } from 'zod';
import { ApprovedTool } from '../../domain/approved-tool.ts';
import { Ratings } from '../../domain/rating.ts';
import { RegisteredAgent } from '../../domain/registered-agent.ts';
import { RegisteredGroup } from '../../domain/registered-group.ts';
import { RegisteredServer } from '../../domain/registered-server.ts';
import { ServerHealth } from '../../domain/server-health.ts';
import { searchTextOf, tagTextOf } from '../storage/matching.ts';

export type Value = string | number;
export type Row = Readonly<Record<string, unknown>>;

export interface Table<T> {
  name: string;
  /** Of the primary key, after the namespace. */
  keys: readonly string[];
  /** What it is found by besides, in the order of its values. */
  columns: readonly string[];
  schema: z.ZodType<T>;
}

export const SERVER = {
  name: 'server',
  keys: ['path', 'version'],
  columns: ['place', 'is_active', 'enabled', 'status', 'search', 'tags'],
  schema: RegisteredServer,
} as const satisfies Table<RegisteredServer>;

export const AGENT = {
  name: 'agent',
  keys: ['path'],
  columns: ['enabled', 'status', 'visibility', 'search', 'tags'],
  schema: RegisteredAgent,
} as const satisfies Table<RegisteredAgent>;

export const RATING = {
  name: 'rating',
  keys: ['kind', 'path'],
  columns: [],
  schema: Ratings,
} as const satisfies Table<Ratings>;

export const GROUP = {
  name: 'scope_group',
  keys: ['scope_name'],
  columns: [],
  schema: RegisteredGroup,
} as const satisfies Table<RegisteredGroup>;

/** `tool` holds the name as JSON: a stranger chose it, and not every string is a text to a database. */
export const DEFINITION = {
  name: 'definition',
  keys: ['server', 'tool'],
  columns: ['is_pending'],
  schema: ApprovedTool,
} as const satisfies Table<ApprovedTool>;

export const HEALTH = {
  name: 'health',
  keys: ['path'],
  columns: [],
  schema: ServerHealth,
} as const satisfies Table<ServerHealth>;

const TABLES: readonly Table<unknown>[] = [SERVER, AGENT, RATING, GROUP, DEFINITION, HEALTH];

/** `place`: how many versions its path had before. */
export function serverValues(server: RegisteredServer, place: number): Value[] {
  const { path, version, isActiveVersion, enabled, status, tags } = server;
  const found = [searchTextOf(server), tagTextOf(tags)];
  return [path, version, place, Number(isActiveVersion), Number(enabled), status, ...found];
}

export function agentValues(agent: RegisteredAgent): Value[] {
  const { path, enabled, status, visibility, tags } = agent;
  return [path, Number(enabled), status, visibility, searchTextOf(agent), tagTextOf(tags)];
}

/** A noun as a whole row. Throws when the noun is not what can be read again. */
export function toRow<T>(
  table: Table<T>,
  namespace: string,
  values: readonly Value[],
  noun: T,
  revision: number,
): Value[] {
  const document = JSON.stringify(table.schema.parse(noun));
  const row = [namespace, ...values, revision, document];
  return [...row, digestOf(row)];
}

/** Not `insert or replace`: that would take away a row which is in the way of another promise. */
export function insertion<T>({ name, keys, columns }: Table<T>): string {
  const rest = [...columns, 'revision', 'document', 'digest'];
  const names = ['namespace', ...keys, ...rest];
  return (
    `insert into ${name} (${names.join(', ')}) values (${names.map(() => '?').join(', ')}) ` +
    `on conflict (namespace, ${keys.join(', ')}) do update set ${rest.map(column => `${column} = excluded.${column}`).join(', ')}`
  );
}

/** `row`: with all its columns. Throws where it is not as it was written. */
export function toNoun<T>({ name, keys, columns, schema }: Table<T>, row: unknown): T {
  const fields = row as Row;
  const written = [
    fields.namespace,
    ...[...keys, ...columns].map(column => fields[column]),
    fields.revision,
    fields.document,
  ];
  const where = `${name} ${keys.map(key => String(fields[key])).join(' ')}`;
  if (fields.digest !== digestOf(written)) throw new Error(`the registry holds a damaged record: ${where}`);
  const parsed = schema.safeParse(JSON.parse(String(fields.document)));
  if (!parsed.success) throw new Error(`the registry holds a record that this version does not understand: ${where}`);
  return parsed.data;
}

/** Throws at the first row, of whatever namespace, that is not as it was written. Returns the highest revision. */
export function checkRows(database: Database.Database): number {
  let highest = 0;
  for (const table of TABLES) {
    for (const row of database.prepare<[], Row>(`select * from ${table.name}`).iterate()) {
      toNoun(table, row);
      highest = Math.max(highest, Number(row.revision));
    }
  }
  return highest;
}

function digestOf(row: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(row)).digest('hex');
}
