/**
 * `gatehouse quarantine add|list|remove`: changes the file that a running gateway watches, so it acts within a second and
 * needs no credential but the right to that file.
 */
import { parseDuration } from '../config/durations.ts';
import { didYouMean } from '../config/problem.ts';
import {
  isInForce,
  QUARANTINE_KINDS,
  type QuarantineEntry,
  type QuarantineKind,
  quarantinedName,
  withEntry,
  withoutEntry,
} from '../domain/quarantine.ts';
import type { Host } from './host.ts';
import { printable } from './report.ts';

/** What is kept, as ports/quarantine.ts has it. */
export interface QuarantineChanges {
  read(): Promise<readonly QuarantineEntry[]>;
  change(
    edit: (entries: readonly QuarantineEntry[]) => readonly QuarantineEntry[] | null,
  ): Promise<readonly QuarantineEntry[]>;
}

export interface QuarantineDesk {
  store: QuarantineChanges;
  wallMs(): number;
  /** Who types: a login name. */
  operator: string;
  /** Those that the configuration names; none: nothing is known of names. */
  servers: readonly string[];
}

const DONE = 0;
const FAILED = 1;
const MISUSED = 2;

export async function addToQuarantine(
  { stdout, stderr }: Host,
  { store, wallMs, operator, servers }: QuarantineDesk,
  wish: { kind: string; name: string; reason: string; for?: string },
): Promise<number> {
  const kind = toKind(wish.kind);
  const lastsMs = wish.for === undefined ? null : parseDuration(wish.for);
  const mistake = findMistake(kind, wish, wish.for !== undefined && (lastsMs === null || lastsMs === 0));
  if (kind === null || mistake !== null) {
    stderr.line(`error: ${mistake}`);
    return MISUSED;
  }
  const sinceMs = wallMs();
  const untilMs = lastsMs === null ? null : sinceMs + lastsMs;
  const entry = { kind, name: wish.name, reason: wish.reason, by: operator, sinceMs, untilMs };
  let isFull = false;
  await store.change(entries => {
    const more = withEntry(entries, entry, sinceMs);
    isFull = more === null;
    return more;
  });
  if (isFull) {
    stderr.line('error: the quarantine is full');
    return FAILED;
  }
  stdout.line(`${kind} ${printable(wish.name)} is shut out${untilMs === null ? '' : ` until ${toTime(untilMs)}`}.`);
  const hint = findUnknownServer(kind, wish.name, servers);
  if (hint !== null) stderr.line(hint);
  return DONE;
}

/** A slip in a name shuts out nobody, and looks as if it had. */
function findUnknownServer(kind: QuarantineKind, written: string, servers: readonly string[]): string | null {
  if (servers.length === 0 || (kind !== 'server' && kind !== 'tool')) return null;
  const name = quarantinedName(kind, written);
  const isKnown = servers.some(server => (kind === 'server' ? name === server : name.startsWith(`${server}/`)));
  if (isKnown) return null;
  const server = kind === 'server' ? name : name.slice(0, name.lastIndexOf('/'));
  const guess = didYouMean(server, servers);
  const hint = guess === null ? '' : ` (${guess})`;
  return `no server of the configuration is called ${printable(server)}${hint}; it holds for one that is registered, now or later`;
}

export async function removeFromQuarantine(
  { stdout, stderr }: Host,
  { store }: QuarantineDesk,
  wish: { kind: string; name: string },
): Promise<number> {
  const kind = toKind(wish.kind);
  if (kind === null) {
    stderr.line(`error: ${KINDS}`);
    return MISUSED;
  }
  let found = false;
  await store.change(entries => {
    const fewer = withoutEntry(entries, { kind, name: wish.name });
    found = fewer.length < entries.length;
    return found ? fewer : null;
  });
  if (!found) {
    stderr.line(`error: there is no ${kind} ${printable(wish.name)} in quarantine`);
    return FAILED;
  }
  stdout.line(`${kind} ${printable(wish.name)} is let in again.`);
  return DONE;
}

export async function listQuarantine({ stdout }: Host, { store, wallMs }: QuarantineDesk): Promise<number> {
  const nowMs = wallMs();
  const entries = (await store.read()).filter(entry => isInForce(entry, nowMs));
  if (entries.length === 0) stdout.line('Nobody and nothing is in quarantine.');
  const width = Math.max(0, ...entries.map(({ name }) => printable(name).length));
  for (const { kind, name, reason, by, sinceMs, untilMs } of entries) {
    const end = untilMs === null ? 'until removed' : `until ${toTime(untilMs)}`;
    const facts = `since ${toTime(sinceMs)} ${end} by ${printable(by)}: ${printable(reason)}`;
    stdout.line(`${kind.padEnd(6)}  ${printable(name).padEnd(width)}  ${facts}`);
  }
  return DONE;
}

const KINDS = `what to shut out must be one of ${QUARANTINE_KINDS.join(', ')}`;

function toKind(written: string): QuarantineKind | null {
  return QUARANTINE_KINDS.find(kind => kind === written) ?? null;
}

function findMistake(
  kind: QuarantineKind | null,
  { name, reason }: { name: string; reason: string },
  isBadTime: boolean,
): string | null {
  if (kind === null) return KINDS;
  if (reason.length > 1024) return 'the reason must have at most 1024 characters';
  if (name === '' || name.length > 1024) return 'the name must have 1 to 1024 characters';
  if (kind === 'tool' && !/^\/?[^/]+\/./.test(name)) return 'a tool is named <server>/<tool>';
  return isBadTime ? '--for must be a duration such as 30m or 24h' : null;
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
