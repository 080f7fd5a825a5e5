/**
 * The index of an audit ledger in SQLite: a copy of what its lines say, for searching. Made again whenever it does not
 * fit the ledger; nothing is ever read from here that the ledger would not say. Synchronous, and meant for a thread of
 * its own.
 */
import { closeSync, constants, fchmodSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { type AuditEvent, type AuditFilter, parseEvent } from '../../domain/audit.ts';
import { findLedgerFiles, indexName } from '../../domain/audit-names.ts';
import type { AuditOptions, AuditPage, AuditStatistics } from '../../ports/audit.ts';
import { countEvents, listNames } from './audit-statistics.ts';

export interface AuditIndexStore {
  /** Takes in what was written since; returns how many lines that were. */
  catchUp(): number;
  query(filter: AuditFilter, page: { limit: number; before: number | null }): AuditPage;
  statistics(filter: AuditFilter): AuditStatistics;
  options(): AuditOptions;
  close(): void;
}

const LAYOUT = 1;
const CHUNK = 1024 * 1024;
const MAX_PAGE = 1_000;
const LINE_END = 10;

const TABLES = `
  create table event (
    seq integer primary key,
    at_ms integer not null,
    decision text not null,
    agent text,
    subject text,
    operation text not null,
    server text,
    tool text,
    request_id text,
    line text not null
  );
  create index event_agent on event (agent, seq);
  create index event_server on event (server, tool, seq);
  create index event_decision on event (decision, seq);
  create index event_request on event (request_id);
  create index event_time on event (at_ms);
  create table position (one integer primary key check (one = 1), part text not null, at integer not null);
`;

/** `path`: of the ledger that is written. Throws what SQLite refuses. */
export function openAuditIndexStore(path: string): AuditIndexStore {
  const folder = dirname(path);
  const file = join(folder, indexName(basename(path)));
  // As private as the ledger; what SQLite puts beside it has the same mode.
  makePrivate(file);
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  // It can be made again: a lost commit after a loss of power is caught up with.
  database.pragma('synchronous = OFF');
  if (database.pragma('user_version', { simple: true }) !== LAYOUT) {
    database.exec(`drop table if exists event; drop table if exists position; ${TABLES}`);
    database.pragma(`user_version = ${LAYOUT}`);
  }
  const insert = database.prepare<(string | number | null)[]>(
    'insert or replace into event values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const readPosition = database.prepare<[], { part: string; at: number }>('select part, at from position');
  const keepPosition = database.prepare<[string, number]>(
    'insert into position values (1, ?, ?) on conflict (one) do update set part = excluded.part, at = excluded.at',
  );
  const forget = database.prepare<[number]>('delete from event where seq < ?');
  const lastRow = database.prepare<[], { line: string }>('select line from event order by seq desc limit 1');
  const buffer = Buffer.allocUnsafe(CHUNK);

  const takeChunk = database.transaction((part: string, at: number, bytes: Buffer): number => {
    let taken = 0;
    for (const line of bytes.toString('utf8').split('\n')) {
      const event = parseEvent(line);
      if (event === null) continue;
      insert.run(...toRow(event, line));
      taken += 1;
    }
    keepPosition.run(part, at + bytes.length);
    return taken;
  });

  /** Parts are known by their first line, because the one that is written changes its name when it is full. */
  function listParts(): { id: string; file: string; firstSeq: number }[] {
    return findLedgerFiles(basename(path), readdirSync(folder))
      .filter(({ slot }) => slot === 1)
      .flatMap(({ name }) => {
        const file = join(folder, name);
        const firstSeq = readFirstSeq(file);
        return firstSeq === null ? [] : [{ id: String(firstSeq), file, firstSeq }];
      });
  }

  function readFirstSeq(file: string): number | null {
    const fd = openSync(file, 'r');
    const length = readSync(fd, buffer, 0, 64, 0);
    closeSync(fd);
    const seq = /^\{"seq":(\d{1,15}),/.exec(buffer.toString('latin1', 0, length))?.[1];
    return seq === undefined ? null : Number(seq);
  }

  /** The line read last must stand where it was read; otherwise another ledger lies here now. */
  function isOfThisLedger(parts: readonly { id: string; file: string }[]): boolean {
    const position = readPosition.get();
    const part = parts.find(({ id }) => id === position?.part);
    const last = lastRow.get();
    if (position === undefined || part === undefined || last === undefined) return true;
    const expected = Buffer.from(`${last.line}\n`);
    const found = Buffer.alloc(expected.length);
    const fd = openSync(part.file, 'r');
    readSync(fd, found, 0, found.length, Math.max(0, position.at - found.length));
    closeSync(fd);
    return found.equals(expected);
  }

  function readPart(id: string, file: string, from: number): number {
    const fd = openSync(file, 'r');
    let taken = 0;
    try {
      for (let at = from; ; ) {
        const length = readSync(fd, buffer, 0, CHUNK, at);
        const whole = buffer.subarray(0, length).lastIndexOf(LINE_END) + 1;
        if (whole === 0) return taken;
        taken += takeChunk(id, at, buffer.subarray(0, whole));
        at += whole;
      }
    } finally {
      closeSync(fd);
    }
  }

  return {
    catchUp() {
      const parts = listParts();
      if (!isOfThisLedger(parts)) database.exec('delete from event; delete from position');
      const position = readPosition.get();
      const at = parts.findIndex(({ id }) => id === position?.part);
      let taken = 0;
      for (const [index, { id, file }] of parts.entries()) {
        if (index < at) continue;
        taken += readPart(id, file, index === at ? (position?.at ?? 0) : 0);
      }
      const [oldest] = parts;
      if (oldest !== undefined) forget.run(oldest.firstSeq);
      return taken;
    },
    query(filter, { limit, before }) {
      const { where, values } = toConditions(filter);
      const count = database.prepare<unknown[], { total: number }>(
        `select count(*) as total from event where ${where}`,
      );
      const total = count.get(...values)?.total ?? 0;
      const bounded = Math.max(1, Math.min(limit, MAX_PAGE));
      const page = database.prepare<unknown[], { seq: number; line: string }>(
        `select seq, line from event where ${where} and seq < ? order by seq desc limit ?`,
      );
      const rows = page.all(...values, before ?? Number.MAX_SAFE_INTEGER, bounded + 1);
      const shown = rows.slice(0, bounded);
      return {
        events: shown.flatMap(({ line }) => parseEvent(line) ?? []),
        before: rows.length > bounded ? (shown.at(-1)?.seq ?? null) : null,
        total,
      };
    },
    statistics: filter => countEvents(database, toConditions(filter)),
    options: () => listNames(database),
    close: () => void database.close(),
  };
}

/** Made if it is not there. A link is refused: SQLite would follow it, and what it leads to is not a copy of ours. */
function makePrivate(file: string): void {
  const fd = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    if (!fstatSync(fd).isFile()) throw new Error(`${file} is not a regular file`);
    fchmodSync(fd, 0o600);
  } finally {
    closeSync(fd);
  }
}

function toRow(event: AuditEvent, line: string): (string | number | null)[] {
  const { seq, timestamp, decision, agent_id: agent, subject, operation, server, tool, request_id: request } = event;
  const atMs = Date.parse(timestamp);
  return [seq, Number.isNaN(atMs) ? 0 : atMs, decision, agent, subject, operation, server, tool, request, line];
}

const COLUMNS: readonly (readonly [keyof AuditFilter, string])[] = [
  ['fromMs', 'at_ms >= ?'],
  ['untilMs', 'at_ms < ?'],
  ['decision', 'decision = ?'],
  ['agent', 'agent = ?'],
  ['subject', 'subject = ?'],
  ['server', 'server = ?'],
  ['tool', 'tool = ?'],
  ['operation', 'operation = ?'],
  ['requestId', 'request_id = ?'],
];

function toConditions(filter: AuditFilter): { where: string; values: unknown[] } {
  const given = COLUMNS.filter(([name]) => filter[name] !== undefined);
  return {
    where: ['1 = 1', ...given.map(([, test]) => test)].join(' and '),
    values: given.map(([name]) => filter[name]),
  };
}
