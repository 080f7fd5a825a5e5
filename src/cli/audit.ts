/**
 * `gatehouse audit tail` and `gatehouse audit export`: what the ledger says, for people and for other programs. Reads
 * only; nothing in here changes a ledger.
 */
import { openSync, writeSync } from 'node:fs';
import { type AuditDecision, type AuditEvent, type AuditFilter, matchesFilter, parseEvent } from '../domain/audit.ts';
import { CSV_HEAD, toCsvRow } from '../domain/audit-csv.ts';
import { findLedgers, type LedgerOnDisk, locateLedger, readLedger, readLines } from './audit-files.ts';
import { createFollower } from './audit-follow.ts';
import type { Host, Output } from './host.ts';

export { verifyAudit } from './audit-verify.ts';

export interface ReadOptions {
  file?: string | undefined;
  decision?: string | undefined;
  agent?: string | undefined;
  server?: string | undefined;
  tool?: string | undefined;
  subject?: string | undefined;
  /** ISO 8601, from this on. */
  since?: string | undefined;
  /** ISO 8601, before this. */
  until?: string | undefined;
}

export interface TailOptions extends ReadOptions {
  lines: number;
  follow?: boolean | undefined;
  json?: boolean | undefined;
}

export interface ExportOptions extends ReadOptions {
  format: 'jsonl' | 'csv';
  out?: string | undefined;
}

const LOOK_MS = 250;
const DECISIONS: readonly AuditDecision[] = ['ALLOW', 'DENY', 'ERROR'];

type Filtering = { ok: true; filter: AuditFilter } | { ok: false; message: string };

function toFilter(options: ReadOptions): Filtering {
  const { agent, server, tool, subject } = options;
  const decision = DECISIONS.find(word => word === options.decision?.toUpperCase());
  if (options.decision !== undefined && decision === undefined)
    return { ok: false, message: `--decision is one of ${DECISIONS.join(', ')}` };
  const fromMs = options.since === undefined ? undefined : Date.parse(options.since);
  const untilMs = options.until === undefined ? undefined : Date.parse(options.until);
  if (Number.isNaN(fromMs) || Number.isNaN(untilMs))
    return { ok: false, message: 'times are written 2026-01-31 or 2026-01-31T10:00:00Z' };
  return { ok: true, filter: { decision, agent, server, tool, subject, fromMs, untilMs } };
}

function refuse({ stderr }: Host, message: string): number {
  stderr.line(`error: ${message}`);
  return 2;
}

/** The last lines that match; with `follow` what comes, too, until a signal ends it. */
export async function tailAudit(host: Host, options: TailOptions): Promise<number> {
  const filtering = toFilter(options);
  if (!filtering.ok) return refuse(host, filtering.message);
  const path = locateLedger(host, options.file);
  const ledgers = findLedgers(host, path);
  if (ledgers === null) return 1;
  const say = (event: AuditEvent, line: string) =>
    host.stdout.line(options.json ? line : describeEvent(event, host.stdout));
  const followers = options.follow ? ledgers.map(ledger => createFollower(path, ledger.name)) : [];
  for (const ledger of ledgers) {
    for (const { event, line } of await readLast(ledger, filtering.filter, options.lines)) say(event, line);
  }
  if (!options.follow) return 0;
  await new Promise<void>(resolve => {
    const timer = setInterval(() => {
      for (const line of followers.flatMap(next => next())) {
        const event = parseEvent(line);
        if (event !== null && matchesFilter(event, filtering.filter)) say(event, line);
      }
    }, LOOK_MS);
    host.onSignal(['SIGINT', 'SIGTERM'], () => {
      clearInterval(timer);
      resolve();
    });
  });
  return 0;
}

interface Read {
  event: AuditEvent;
  line: string;
}

/** File by file from the newest: most of the time that is the only one that is read. */
async function readLast({ files }: LedgerOnDisk, filter: AuditFilter, count: number): Promise<Read[]> {
  let last: Read[] = [];
  for (const file of files.toReversed()) {
    const found: Read[] = [];
    for await (const line of readLines(file)) {
      const event = parseEvent(line);
      if (event !== null && matchesFilter(event, filter)) found.push({ event, line });
      if (found.length > 2 * count) found.splice(0, found.length - count);
    }
    last = [...found, ...last];
    if (last.length >= count) break;
  }
  return count === 0 ? [] : last.slice(-count);
}

/** All lines that match, as JSON lines exactly as they stand in the ledger, or as CSV (RFC 4180). */
export async function exportAudit(host: Host, options: ExportOptions): Promise<number> {
  const filtering = toFilter(options);
  if (!filtering.ok) return refuse(host, filtering.message);
  const ledgers = findLedgers(host, locateLedger(host, options.file));
  if (ledgers === null) return 1;
  const write = options.out === undefined ? toStream(host.stdout.stream) : toFile(options.out);
  if (options.format === 'csv') await write(CSV_HEAD);
  for (const ledger of ledgers) {
    for await (const line of readLedger(ledger)) {
      const event = parseEvent(line);
      if (event === null || !matchesFilter(event, filtering.filter)) continue;
      if (!(await write(options.format === 'csv' ? toCsvRow(event) : `${line}\n`))) return 0;
    }
  }
  return 0;
}

/** False: nobody reads any more. */
type Write = (text: string) => Promise<boolean> | boolean;

function toFile(path: string): Write {
  const fd = openSync(path, 'wx', 0o600);
  return text => {
    writeSync(fd, text);
    return true;
  };
}

function toStream(stream: NodeJS.WritableStream): Write {
  let isOpen = true;
  const end = () => {
    isOpen = false;
  };
  stream.once('error', end).once('close', end);
  return text => {
    if (!isOpen || stream.write(text)) return isOpen;
    return new Promise(resolve => {
      const go = () => resolve(isOpen);
      stream.once('drain', go).once('close', go).once('error', go);
    });
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: making them visible is the purpose.
const TERMINAL = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Colours are ours; what others wrote cannot steer the terminal. */
function describeEvent(event: AuditEvent, { paint }: Output): string {
  const { timestamp, decision, agent_id: agent, subject, operation, server, tool, error_code: code, rule } = event;
  const colour = decision === 'ALLOW' ? paint.green : decision === 'DENY' ? paint.yellow : paint.red;
  const target = server === null ? '' : `  ${server}${tool === null ? '' : `/${tool}`}`;
  const more = [code, rule].filter(item => item !== null).map(item => `  ${item}`);
  const told = `${agent ?? subject ?? '-'}  ${operation}${target}  ${event.latency_ms} ms${more.join('')}`;
  return `${paint.dim(spell(timestamp))}  ${colour(spell(decision).padEnd(5))}  ${spell(told)}`;
}

function spell(text: string): string {
  return text.replace(TERMINAL, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
