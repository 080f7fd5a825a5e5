/**
 * The layout of the registry's database, one step after the other and never back. A step that was released is not changed
 * any more: another one follows it. Every start runs what is missing in one transaction, so a process that dies leaves the
 * layout before or the layout after.
 */
import type Database from 'better-sqlite3';
import { moveFileServers } from './move-file-servers.ts';

/** `Gthr`: tells our databases from those of other programs (`PRAGMA application_id`). */
export const APPLICATION_ID = 0x47746872;

/**
 * Every record is a document (the JSON of its noun), with its key and what it is found by beside it, and `digest` over all
 * of them. `revision`: of the change that wrote it, drawn from the one sequence.
 */
const FIRST = `
  create table sequence (
    one integer primary key check (one = 1),
    revision integer not null
  ) strict;
  insert into sequence values (1, 0);

  create table server (
    namespace text not null,
    path text not null,
    version text not null,
    place integer not null,
    is_active integer not null,
    enabled integer not null,
    status text not null,
    search text not null,
    tags text not null,
    revision integer not null,
    document text not null,
    digest text not null,
    primary key (namespace, path, version)
  ) strict;
  create unique index server_active on server (namespace, path) where is_active = 1;

  create table agent (
    namespace text not null,
    path text not null,
    enabled integer not null,
    status text not null,
    visibility text not null,
    search text not null,
    tags text not null,
    revision integer not null,
    document text not null,
    digest text not null,
    primary key (namespace, path)
  ) strict;

  create table rating (
    namespace text not null,
    kind text not null,
    path text not null,
    revision integer not null,
    document text not null,
    digest text not null,
    primary key (namespace, kind, path)
  ) strict;

  create table scope_group (
    namespace text not null,
    scope_name text not null,
    revision integer not null,
    document text not null,
    digest text not null,
    primary key (namespace, scope_name)
  ) strict;

  create table definition (
    namespace text not null,
    server text not null,
    tool text not null,
    is_pending integer not null,
    revision integer not null,
    document text not null,
    digest text not null,
    primary key (namespace, server, tool)
  ) strict;
  create index definition_pending on definition (namespace) where is_pending = 1;

  create table health (
    namespace text not null,
    path text not null,
    revision integer not null,
    document text not null,
    digest text not null,
    primary key (namespace, path)
  ) strict;
`;

/** Files that have taken what they name of what earlier layouts kept for all of them. */
const FILES_KNOWN = `
  create table known_file (
    namespace text not null primary key
  ) strict;
`;

/** What was written since somebody last looked is found without reading the rest. */
const DEFINITIONS_BY_REVISION = `
  create index definition_revision on definition (namespace, revision);
`;

/** In SQL, or by what moves rows with their digests. */
export type Step = string | ((database: Database.Database) => void);

/** Shape: step n leads from layout n to layout n + 1. */
export const MIGRATIONS: readonly Step[] = [FIRST, moveFileServers, FILES_KNOWN, DEFINITIONS_BY_REVISION];

/** From this layout on rows have the columns that they have now: each can be looked at before a step changes it. */
export const SAME_ROWS_SINCE = 1;

export function layoutOf(database: Database.Database): number {
  return Number(database.pragma('user_version', { simple: true }));
}

/** Runs the steps that are missing, or none of them. Throws what SQLite says, with nothing changed. */
export function migrate(database: Database.Database, steps: readonly Step[] = MIGRATIONS): void {
  if (layoutOf(database) === steps.length) return;
  database
    .transaction(() => {
      // Read again: another process may have done it since.
      for (let layout = layoutOf(database); layout < steps.length; layout++) {
        const step = steps[layout] as Step;
        if (typeof step === 'string') database.exec(step);
        else step(database);
        database.pragma(`user_version = ${layout + 1}`);
      }
      database.pragma(`application_id = ${APPLICATION_ID}`);
    })
    .immediate();
}
