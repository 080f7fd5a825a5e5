/**
 * The file that lines go to, opened: at the start, and again when another one stands at its path or none. What is not our
 * writing is put aside whole, never written into. What the old file holds and nobody could read any more is carried over.
 */
import { join } from 'node:path';
import type { AuditMetadata } from '../../domain/audit.ts';
import { readSeal } from '../../domain/audit-chain.ts';
import { AppendFile } from './append-file.ts';
import type { Disk } from './disk.ts';
import type { OwnOperation } from './own-lines.ts';

/** What was not as it was left, to be written down. */
export interface Finding {
  operation: OwnOperation;
  metadata: AuditMetadata;
}

export interface CurrentPart {
  ledger: AppendFile;
  findings: readonly Finding[];
}

/** The file that is written, or an older part of it. It may be a link to another volume, as it may be named in the settings. */
export function openPart(disk: Disk, path: string): AppendFile {
  return new AppendFile(disk, path, 'followed');
}

/** What follows the last line end was never waited for by anybody. */
export function openCurrentPart(disk: Disk, folder: string, name: string): CurrentPart {
  const path = join(folder, name);
  const ledger = openPart(disk, path);
  const last = ledger.lastLine();
  const isOurs = last === null || readSeal(last) !== null || ledger.firstLine()?.startsWith('{"seq":') === true;
  if (!isOurs) return beginAnew(disk, folder, name, ledger);
  const dropped = ledger.dropPartialLine();
  return {
    ledger,
    findings: dropped === 0 ? [] : [{ operation: 'audit/healed', metadata: { dropped_bytes: dropped } }],
  };
}

/** A file of this name that is not ours gets another one. Returns that. */
export function putAside(disk: Disk, folder: string, name: string): string {
  for (let number = 1; ; number += 1) {
    const aside = `${name}.other-${number}`;
    if (disk.lstatSync(join(folder, aside), { throwIfNoEntry: false }) !== undefined) continue;
    disk.renameSync(join(folder, name), join(folder, aside));
    return aside;
  }
}

function beginAnew(disk: Disk, folder: string, name: string, other: AppendFile): CurrentPart {
  const file = putAside(disk, folder, name);
  const ledger = openPart(disk, join(folder, name));
  other.close();
  return { ledger, findings: [{ operation: 'audit/put-aside', metadata: { file } }] };
}

/**
 * Where `old` was. A file that was only moved keeps its lines. One without a name does not: of it goes along what was
 * written since it was last seen in its place, and all of it where the whole book went with it.
 */
export function openInPlaceOf(
  old: AppendFile,
  { disk, folder, name }: { disk: Disk; folder: string; name: string },
  { lastHash, isBookGone }: { lastHash: string; isBookGone: boolean },
): CurrentPart & { carriedBytes: number } {
  let part = openCurrentPart(disk, folder, name);
  try {
    const last = part.ledger.lastLine();
    let rest = last === null ? null : findRest(old, last, lastHash);
    if (last !== null && rest === null) part = beginAnew(disk, folder, name, part.ledger);
    rest ??= old.isUnlinked() ? old.readFrom(isBookGone ? 0 : old.seenSize) : Buffer.alloc(0);
    part.ledger.append(rest);
    return { ...part, carriedBytes: rest.length };
  } catch (cause) {
    part.ledger.close();
    throw cause;
  }
}

/** What of `old` comes after a line, such as the last one of a copy; null: the line is not of this chain. */
function findRest(old: AppendFile, line: string, lastHash: string): Buffer | null {
  if (readSeal(line)?.hash === lastHash) return Buffer.alloc(0);
  const written = old.readFrom(0);
  const at = written.lastIndexOf(`${line}\n`);
  return at === -1 ? null : written.subarray(at + Buffer.byteLength(line) + 1);
}
