/**
 * What was revoked, in one small private file that several processes on the same path keep together: entries are added
 * and end by themselves, never taken back, so two writers can only both be right. Whoever finds an entry of its own
 * missing writes it again. A file that cannot be read is an answer too: nobody can say what is revoked.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Identity } from '../../domain/identity.ts';
import { Revocation, revocationKey } from '../../domain/vended.ts';
import type { Revocations } from '../../ports/own-tokens.ts';
import { readPrivateFile, writePrivateFile } from '../vault/private-file.ts';

const MAX_BYTES = 64 * 1024 * 1024;
const MAX_ENTRIES = 100_000;
const RevocationsFile = z.strictObject({ revoked: z.array(Revocation).max(2 * MAX_ENTRIES) });

export interface RevocationFile extends Revocations {
  /** Reads what others wrote, and writes what is missing there. Null: all is well; else what is wrong. */
  sync(): string | null;
}

export interface RevocationFileOptions {
  path: string;
  nowMs(): number;
  /** Names an issuer's token as lineages do; null where it has no id. */
  markOf(who: Identity): string | null;
}

export function createRevocationFile({ path, nowMs, markOf }: RevocationFileOptions): RevocationFile {
  let entries = new Map<string, Revocation>();
  let hasParents = false;

  function take(more: Iterable<Revocation>): void {
    const now = nowMs();
    const next = new Map<string, Revocation>();
    for (const entry of [...entries.values(), ...more]) {
      if (entry.untilMs <= now) continue;
      const key = revocationKey(entry);
      const known = next.get(key);
      if (known === undefined) next.set(key, entry);
      else {
        const [atMs, untilMs] = [Math.max(known.atMs, entry.atMs), Math.max(known.untilMs, entry.untilMs)];
        next.set(key, { ...entry, atMs, untilMs });
      }
    }
    entries = next;
    hasParents = [...next.values()].some(({ kind }) => kind === 'parent');
  }

  function sync(): string | null {
    const found = readPrivateFile(path, MAX_BYTES, true);
    if (found.kind === 'refused') return found.reason;
    const written = found.kind === 'absent' ? [] : parse(found.text);
    if (written === null) return 'it is damaged';
    take(written);
    const onDisk = new Map(written.map(entry => [revocationKey(entry), entry]));
    const isMissing = [...entries].some(([key, entry]) => {
      const kept = onDisk.get(key);
      return kept === undefined || kept.atMs < entry.atMs || kept.untilMs < entry.untilMs;
    });
    if (!isMissing) return null;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writePrivateFile(path, `${JSON.stringify({ revoked: [...entries.values()] })}\n`);
      return null;
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be written';
    }
  }

  const covers = (kind: Revocation['kind'], key: string, atMs: number) => {
    const entry = entries.get(revocationKey({ kind, key }));
    return entry !== undefined && nowMs() < entry.untilMs && atMs <= entry.atMs;
  };

  return {
    sync,
    add(entry) {
      if (entries.size >= MAX_ENTRIES) {
        take([]);
        if (entries.size >= MAX_ENTRIES) return 'full';
      }
      take([entry]);
      return sync() === null ? 'kept' : 'unkept';
    },
    isRevoked(who) {
      if (entries.size === 0) return false;
      const { method, lineage, tokenId } = who;
      if (method === 'vended') {
        const atMs = lineage?.atMs ?? 0;
        if (tokenId !== null && covers('token', tokenId, atMs)) return true;
        return (
          covers('subject', who.subject, atMs) || (lineage !== undefined && covers('parent', lineage.parent, atMs))
        );
      }
      if (method !== 'jwt' || !hasParents) return false;
      const mark = markOf(who);
      return mark !== null && covers('parent', mark, 0);
    },
  };
}

function parse(text: string): Revocation[] | null {
  try {
    return RevocationsFile.parse(JSON.parse(text)).revoked;
  } catch {
    return null;
  }
}
