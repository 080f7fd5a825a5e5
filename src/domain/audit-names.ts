/**
 * How the files of a ledger are called. `audit.jsonl` is written; `audit.000000000001.jsonl` is an older part, named by
 * the first line in it, so that names in order are lines in order. Further processes that were given the same path keep
 * ledgers of their own beside it: `audit-2.jsonl`, `audit-3.jsonl`. Names only, no folders.
 */

export interface LedgerName {
  /** 1 for the configured name itself. */
  slot: number;
  /** First line of an older part; null for the file that is written. */
  firstSeq: number | null;
}

const SEQ_DIGITS = 12;

function split(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? { stem: name.slice(0, dot), extension: name.slice(dot) } : { stem: name, extension: '' };
}

/** The ledger of the n-th process on the same path, from 1. */
export function slotName(name: string, slot: number): string {
  const { stem, extension } = split(name);
  return slot === 1 ? name : `${stem}-${slot}${extension}`;
}

/** Of a slot's name. */
export function partName(name: string, firstSeq: number): string {
  const { stem, extension } = split(name);
  return `${stem}.${String(firstSeq).padStart(SEQ_DIGITS, '0')}${extension}`;
}

/** Every file of every ledger of this name among `names`, by slot and then by line. */
export function findLedgerFiles(name: string, names: readonly string[]): (LedgerName & { name: string })[] {
  const { stem, extension } = split(name);
  const found: (LedgerName & { name: string })[] = [];
  for (const candidate of names) {
    if (!candidate.startsWith(stem) || !candidate.endsWith(extension)) continue;
    const middle = candidate.slice(stem.length, candidate.length - extension.length);
    const match = /^(?:-([2-9]|[1-9]\d{1,3}))?(?:\.(\d{12}))?$/.exec(middle);
    if (match === null) continue;
    const [, slot, seq] = match;
    found.push({ name: candidate, slot: Number(slot ?? 1), firstSeq: seq === undefined ? null : Number(seq) });
  }
  const order = (file: LedgerName) => file.firstSeq ?? Number.POSITIVE_INFINITY;
  return found.sort((a, b) => a.slot - b.slot || order(a) - order(b));
}

export const headName = (name: string) => `${name}.head`;
export const intentsName = (name: string) => `${name}.intents`;
export const lockName = (name: string) => `${name}.lock`;
export const indexName = (name: string) => `${name}.index`;
