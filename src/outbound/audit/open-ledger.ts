/**
 * Opening a ledger: the first path that no other process writes, the end of the chain found again, what a dead process
 * left half-done put right. Whatever is found that is not as it was left becomes a line of its own; nothing is repaired
 * in silence, and no line that is whole is ever changed.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { AuditMetadata } from '../../domain/audit.ts';
import { type ChainEnd, type Checkpoint, readSeal } from '../../domain/audit-chain.ts';
import { findConcluded, type OpenIntent } from '../../domain/audit-intent.ts';
import { findLedgerFiles, headName, intentsName, lockName, slotName } from '../../domain/audit-names.ts';
import type { AppendFile } from './append-file.ts';
import { type Finding, openCurrentPart, openPart } from './current-part.ts';
import type { Disk } from './disk.ts';
import { HeadFile } from './head-file.ts';
import { IntentsFile } from './intents-file.ts';
import type { LedgerParts } from './ledger-files.ts';
import { LedgerLock, type TryLock } from './ledger-lock.ts';
import { openFile } from './open-file.ts';

export interface Opened {
  parts: LedgerParts;
  /** Announced before the last process died, and not in the ledger: to be written down as interrupted. */
  interrupted: readonly OpenIntent[];
  findings: readonly Finding[];
}

const MAX_SLOTS = 256;
const CHUNK = 1024 * 1024;
/** Longer than any id with its quotes: what a chunk's end may cut. */
const OVERLAP = 128;

/** Throws what the system refuses. */
export function openLedger(disk: Disk, path: string, tryLock: TryLock, maxSlots = MAX_SLOTS): Opened {
  const folder = dirname(path);
  disk.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { name, lock } = findFreeSlot(disk, folder, basename(path), tryLock, maxSlots);
  const closers: (() => void)[] = [() => lock.release()];
  try {
    const head = new HeadFile(disk, join(folder, headName(name)));
    closers.push(() => head.close());
    const intents = new IntentsFile(disk, join(folder, intentsName(name)));
    closers.push(() => intents.close());
    const { ledger, findings } = openCurrentPart(disk, folder, name);
    closers.push(() => ledger.close());

    const found = findEnd(disk, folder, name, ledger);
    const checkpoint = head.read();
    const continued = continueChain(found, checkpoint, () => readFirstBase(disk, folder, name));
    const announced = intents.read();
    const parts: LedgerParts = { folder, name, ledger, intents, head, ...continued, lock };
    return {
      parts,
      interrupted: announced.length === 0 ? [] : withoutConcluded(disk, folder, name, announced),
      findings: [...findings, ...continued.findings],
    };
  } catch (cause) {
    for (const close of closers.reverse()) close();
    throw cause;
  }
}

function findFreeSlot(
  disk: Disk,
  folder: string,
  name: string,
  tryLock: TryLock,
  maxSlots: number,
): { name: string; lock: LedgerLock } {
  for (let slot = 1; slot <= maxSlots; slot += 1) {
    const candidate = slotName(name, slot);
    const lock = LedgerLock.tryTo(disk, join(folder, lockName(candidate)), tryLock);
    if (lock !== null) return { name: candidate, lock };
  }
  throw Object.assign(new Error('too many gateways write audit logs here'), { code: 'EBUSY' });
}

/** The last sealed line there is, in the current part or the one before it. */
function findEnd(disk: Disk, folder: string, name: string, ledger: AppendFile): ChainEnd | null {
  const last = ledger.lastLine();
  if (last !== null) return readSeal(last);
  const part = listParts(disk, folder, name).at(-1);
  if (part === undefined) return null;
  const file = openPart(disk, join(folder, part));
  const line = file.lastLine();
  file.close();
  return line === null ? null : readSeal(line);
}

function listParts(disk: Disk, folder: string, name: string): string[] {
  return findLedgerFiles(name, disk.readdirSync(folder))
    .filter(file => file.slot === 1 && file.firstSeq !== null)
    .map(file => file.name);
}

function readFirstBase(disk: Disk, folder: string, name: string): Checkpoint['base'] | null {
  const file = openPart(disk, join(folder, listParts(disk, folder, name)[0] ?? name));
  const line = file.firstLine();
  file.close();
  const seal = line === null ? null : readSeal(line);
  return seal === null ? null : { seq: seal.seq, prev: seal.prev };
}

/** Where lines and checkpoint disagree, the chain is continued so that verifying finds what is missing. */
function continueChain(
  found: ChainEnd | null,
  checkpoint: Checkpoint | null,
  readBase: () => Checkpoint['base'] | null,
): { base: Checkpoint['base']; end: ChainEnd; findings: readonly Finding[] } {
  const disagree = (metadata: AuditMetadata): readonly Finding[] => [{ operation: 'audit/discrepancy', metadata }];
  if (checkpoint === null) {
    if (found === null) {
      const id = randomBytes(32).toString('hex');
      return { base: { seq: 1, prev: id }, end: { seq: 0, hash: id }, findings: [] };
    }
    const base = readBase() ?? { seq: found.seq, prev: found.hash };
    return { base, end: pick(found), findings: disagree({ finding: 'checkpoint missing', found_seq: found.seq }) };
  }
  const { base, last } = checkpoint;
  const isEmpty = last.seq < base.seq;
  if (found === null || found.seq < last.seq) {
    const findings = isEmpty
      ? []
      : disagree({ finding: 'lines missing', found_seq: found?.seq ?? 0, last_seq: last.seq });
    return { base, end: last, findings };
  }
  const isOther = found.seq === last.seq && found.hash !== last.hash;
  const findings = isOther ? disagree({ finding: 'line differs from checkpoint', last_seq: last.seq }) : [];
  return { base, end: pick(found), findings };
}

const pick = ({ seq, hash }: ChainEnd): ChainEnd => ({ seq, hash });

/** Concluded ones carry their id in a line that is not older than their announcement. */
function withoutConcluded(disk: Disk, folder: string, name: string, announced: readonly OpenIntent[]): OpenIntent[] {
  const open = new Map(announced.map(intent => [intent.id, intent]));
  const oldest = Math.min(...announced.map(({ after }) => after));
  const parts = findLedgerFiles(name, disk.readdirSync(folder)).filter(({ slot }) => slot === 1);
  for (const [index, part] of parts.entries()) {
    const next = parts[index + 1]?.firstSeq;
    if (next !== undefined && next !== null && next <= oldest) continue;
    forEachId(disk, join(folder, part.name), id => void open.delete(id));
  }
  return [...open.values()];
}

function forEachId(disk: Disk, path: string, take: (id: string) => void): void {
  const { fd } = openFile(disk, path, constants.O_RDONLY, 'followed');
  try {
    const buffer = Buffer.allocUnsafe(CHUNK);
    let carried = '';
    for (let at = 0; ; ) {
      const length = disk.readSync(fd, buffer, 0, CHUNK, at);
      if (length === 0) return;
      at += length;
      const text = carried + buffer.toString('latin1', 0, length);
      for (const id of findConcluded(text)) take(id);
      carried = text.slice(-OVERLAP);
    }
  } finally {
    disk.closeSync(fd);
  }
}
