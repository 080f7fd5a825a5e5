/**
 * Who and what is shut out at once, whatever rules, scopes or rank say. An entry names one caller, agent, server or tool
 * exactly: patterns belong to policy, and in an emergency a pattern is a slip that shuts out everybody.
 */
import { z } from 'zod';
import type { Identity } from './identity.ts';
import { trimSlashes } from './scope-rules.ts';

export const QUARANTINE_KINDS = ['caller', 'agent', 'server', 'tool'] as const;
export type QuarantineKind = (typeof QUARANTINE_KINDS)[number];

export interface QuarantineEntry {
  kind: QuarantineKind;
  /** A caller's subject, an agent id, a server's key, or `<server>/<tool>` with the tool's own name. */
  name: string;
  /** For operators; never told to the one it is about. */
  reason: string;
  /** Who set it. */
  by: string;
  /** Unix milliseconds. */
  sinceMs: number;
  /** null: until it is removed. */
  untilMs: number | null;
}

/** So many that nobody writes them by hand, few enough to be looked through. */
export const MAX_QUARANTINED = 10_000;

const Entry = z.strictObject({
  kind: z.enum(QUARANTINE_KINDS),
  name: z.string().min(1).max(1024),
  reason: z.string().max(1024),
  by: z.string().max(256),
  since: z.iso.datetime({ offset: true }),
  until: z.iso.datetime({ offset: true }).nullable().optional(),
});
const Document = z.strictObject({ version: z.literal(1), entries: z.array(Entry).max(MAX_QUARANTINED) });

/** What is wrong with the document as a sentence, or its entries. The text is not quoted. */
export function readQuarantine(text: string): { ok: true; entries: QuarantineEntry[] } | { ok: false; reason: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'it is not JSON' };
  }
  const parsed = Document.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { ok: false, reason: `${issue?.path.join('.') || 'the document'} is not as it should be` };
  }
  return {
    ok: true,
    entries: parsed.data.entries.map(({ since, until, ...entry }) => ({
      ...entry,
      name: quarantinedName(entry.kind, entry.name),
      sinceMs: Date.parse(since),
      untilMs: until === undefined || until === null ? null : Date.parse(until),
    })),
  };
}

export function writeQuarantine(entries: readonly QuarantineEntry[]): string {
  const written = entries.map(({ sinceMs, untilMs, ...entry }) => ({
    ...entry,
    since: new Date(sinceMs).toISOString(),
    until: untilMs === null ? null : new Date(untilMs).toISOString(),
  }));
  return `${JSON.stringify({ version: 1, entries: written }, null, 2)}\n`;
}

/** Servers, and so their tools, are written with a slash in front in the registry; here as everywhere in policy without. */
export function quarantinedName(kind: QuarantineKind, name: string): string {
  return kind === 'server' ? trimSlashes(name) : kind === 'tool' ? name.replace(/^\/+/, '') : name;
}

/** Without what is over, and with `entry` in the place of an earlier one of the same name. Null: there are too many. */
export function withEntry(
  entries: readonly QuarantineEntry[],
  entry: QuarantineEntry,
  nowMs: number,
): QuarantineEntry[] | null {
  const others = entries.filter(other => isInForce(other, nowMs) && !isSame(other, entry));
  if (others.length >= MAX_QUARANTINED) return null;
  return [...others, { ...entry, name: quarantinedName(entry.kind, entry.name) }];
}

export function withoutEntry(
  entries: readonly QuarantineEntry[],
  gone: Pick<QuarantineEntry, 'kind' | 'name'>,
): QuarantineEntry[] {
  return entries.filter(entry => !isSame(entry, gone));
}

/** What is in force at a moment, to be asked quickly. Immutable. */
export interface Quarantined {
  size: number;
  byKind: Readonly<Record<QuarantineKind, ReadonlyMap<string, QuarantineEntry>>>;
}

export function quarantinedAt(entries: readonly QuarantineEntry[], nowMs: number): Quarantined {
  const inForce = entries.filter(entry => isInForce(entry, nowMs));
  const of = (kind: QuarantineKind) =>
    new Map(inForce.filter(entry => entry.kind === kind).map(entry => [entry.name, entry]));
  return {
    size: inForce.length,
    byKind: { caller: of('caller'), agent: of('agent'), server: of('server'), tool: of('tool') },
  };
}

/** The entry that shuts out; null: none does. `tool` by its own name. Null as far as it does not matter. */
export function findBlock(
  { size, byKind }: Quarantined,
  who: Identity | null,
  server: string | null,
  tool: string | null,
): QuarantineEntry | null {
  if (size === 0) return null;
  if (who !== null) {
    const found = byKind.caller.get(who.subject) ?? (who.agent === null ? undefined : byKind.agent.get(who.agent));
    if (found !== undefined) return found;
  }
  if (server === null) return null;
  const found = byKind.server.get(server);
  if (found !== undefined || tool === null || byKind.tool.size === 0) return found ?? null;
  return byKind.tool.get(`${server}/${tool}`) ?? null;
}

export function isInForce({ untilMs }: QuarantineEntry, nowMs: number): boolean {
  return untilMs === null || untilMs > nowMs;
}

function isSame(a: Pick<QuarantineEntry, 'kind' | 'name'>, b: Pick<QuarantineEntry, 'kind' | 'name'>): boolean {
  return a.kind === b.kind && quarantinedName(a.kind, a.name) === quarantinedName(b.kind, b.name);
}
