/**
 * The files of an audit ledger as their readers see them: which there are, in which order, and their lines one by one,
 * without ever holding a file in memory. Reads only, and a running gateway may write meanwhile.
 */
import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { toAuditConfig } from '../config/audit-config.ts';
import type { Checkpoint } from '../domain/audit-chain.ts';
import { parseCheckpoint } from '../domain/audit-checkpoint.ts';
import { type OpenIntent, parseIntents } from '../domain/audit-intent.ts';
import { findLedgerFiles, headName, intentsName, slotName } from '../domain/audit-names.ts';
import type { Host } from './host.ts';

/** One gateway process's ledger. */
export interface LedgerOnDisk {
  name: string;
  /** Absolute paths, oldest lines first; the last one is the one that is written. */
  files: readonly string[];
  headFile: string;
  intentsFile: string;
}

/** Longer than any line the gateway writes; what is longer is given in pieces, and no piece is a line. */
const MAX_LINE = 1024 * 1024;

/** What was named, or what the gateway itself would write. */
export function locateLedger({ env, home, cwd }: Host, named: string | undefined): string {
  if (named !== undefined) return resolve(cwd, named);
  return toAuditConfig(undefined, { variable: env.GATEWAY_AUDIT_LOG || undefined, home, cwd, folder: null }).path;
}

/** The ledger of this path and those of further processes beside it; may be empty. */
export function listLedgers(path: string): LedgerOnDisk[] {
  const folder = dirname(path);
  const bySlot = new Map<number, string[]>();
  for (const { slot, name } of findLedgerFiles(basename(path), listNames(folder))) {
    bySlot.set(slot, [...(bySlot.get(slot) ?? []), join(folder, name)]);
  }
  return [...bySlot].map(([slot, files]) => {
    const name = slotName(basename(path), slot);
    const headFile = join(folder, headName(name));
    return { name, files, headFile, intentsFile: join(folder, intentsName(name)) };
  });
}

/** Null: there is none, which has been said. */
export function findLedgers({ stderr }: Host, path: string): LedgerOnDisk[] | null {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const ledgers = isFolder ? [] : listLedgers(path);
  if (ledgers.length > 0) return ledgers;
  const why = isFolder ? `${path} is a folder: name the ledger in it` : `there is no audit ledger at ${path}`;
  stderr.line(`error: ${why}`);
  return null;
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw cause;
  }
}

export function readCheckpoint({ headFile }: LedgerOnDisk): Checkpoint | null {
  return parseCheckpoint(readBeside(headFile));
}

/** What was announced, concluded or not: a running gateway takes them out of the file later than they are concluded. */
export function readIntents({ intentsFile }: LedgerOnDisk): OpenIntent[] {
  return parseIntents(readBeside(intentsFile));
}

/** Empty where there is no such file, or what the gateway does not take for one: a link, a pipe. */
function readBeside(file: string): string {
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return fstatSync(fd).isFile() ? readFileSync(fd, 'utf8') : '';
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}

/** Whole lines, without their ends. What follows the last line end is being written, or was when a process died. */
export async function* readLines(file: string, end?: number): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(file, { encoding: 'utf8', ...(end === undefined ? {} : { end }) })) {
    const pieces = (rest + String(chunk)).split('\n');
    rest = pieces.pop() ?? '';
    yield* pieces;
    if (rest.length > MAX_LINE) {
      yield rest;
      rest = '';
    }
  }
}

export async function* readLedger({ files }: LedgerOnDisk): AsyncGenerator<string> {
  for (const file of files) yield* readLines(file);
}
