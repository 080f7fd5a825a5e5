/**
 * The files of one ledger, open: lines go to the end of the current part, which is put aside when it is full; old parts
 * are removed as the operator chose, and the checkpoint says from where on lines must be there. Knows files, and
 * nothing of queues, waiting or failing: what the disk refuses is thrown.
 */
import { join } from 'node:path';
import type { ChainEnd, Checkpoint, Sealed } from '../../domain/audit-chain.ts';
import { readSeal } from '../../domain/audit-chain.ts';
import { findLedgerFiles, headName, intentsName, partName } from '../../domain/audit-names.ts';
import type { AppendFile } from './append-file.ts';
import { type Finding, openInPlaceOf, openPart, putAside } from './current-part.ts';
import type { Disk } from './disk.ts';
import { HeadFile } from './head-file.ts';
import type { Announced, IntentsFile } from './intents-file.ts';
import type { LedgerLock } from './ledger-lock.ts';

export interface Retention {
  durability: 'process' | 'disk';
  maxFileBytes: number;
  /** Parts kept beside the one that is written. */
  keepFiles: number;
  /** Parts last written longer ago are removed; null: age does not matter. */
  keepMs: number | null;
}

export interface LedgerParts {
  folder: string;
  name: string;
  ledger: AppendFile;
  intents: IntentsFile;
  head: HeadFile;
  base: Checkpoint['base'];
  end: ChainEnd;
  lock: LedgerLock;
}

/** One write at most takes this many characters. */
const MAX_WRITE = 1024 * 1024;
/** Between attempts at putting a part aside when the folder does not allow it. */
const ROTATE_AGAIN_MS = 60_000;

export class LedgerFiles {
  readonly intents: IntentsFile;
  readonly #disk: Disk;
  readonly #retention: Retention;
  readonly #parts: LedgerParts;
  #ledger: AppendFile;
  #head: HeadFile;
  #base: Checkpoint['base'];
  #end: ChainEnd;
  /** Of the current part; that of the line to come while it is empty. */
  #firstSeq: number;
  #rotateAfterMs = Number.NEGATIVE_INFINITY;
  rotations = 0;

  constructor(disk: Disk, parts: LedgerParts, retention: Retention) {
    this.#disk = disk;
    this.#parts = parts;
    this.#retention = retention;
    this.#ledger = parts.ledger;
    this.#head = parts.head;
    this.intents = parts.intents;
    this.#base = parts.base;
    this.#end = parts.end;
    this.#firstSeq = this.#readFirstSeq();
  }

  get path(): string {
    return join(this.#parts.folder, this.#parts.name);
  }

  /** The last line written. */
  get end(): ChainEnd {
    return this.#end;
  }

  get fd(): number {
    return this.#ledger.fd;
  }

  #readFirstSeq(): number {
    const first = this.#ledger.firstLine();
    const seal = first === null ? null : readSeal(first);
    return seal?.seq ?? this.#end.seq + 1;
  }

  /** Writes the first of `queue`, as many as go into one write and into the current part; returns how many. */
  writeSome(queue: readonly Sealed[], nowMs: number): number {
    const [first] = queue;
    if (first === undefined) return 0;
    const { maxFileBytes } = this.#retention;
    const isFull = this.#ledger.size > 0 && this.#ledger.size + Buffer.byteLength(first.line) + 1 > maxFileBytes;
    const mayRotate = isFull && nowMs >= this.#rotateAfterMs;
    if (mayRotate) this.#rotate(nowMs);
    if (this.#ledger.size === 0) this.#firstSeq = first.seq;

    const room = isFull && !mayRotate ? Number.POSITIVE_INFINITY : maxFileBytes - this.#ledger.size;
    let text = '';
    let bytes = 0;
    let last = first;
    let count = 0;
    for (const sealed of queue) {
      bytes += Buffer.byteLength(sealed.line) + 1;
      if (count > 0 && (bytes > room || bytes > MAX_WRITE)) break;
      text += sealed.line;
      text += '\n';
      last = sealed;
      count += 1;
    }
    this.#ledger.append(Buffer.from(text));
    this.#end = { seq: last.seq, hash: last.hash };
    return count;
  }

  #rotate(nowMs: number): void {
    const { folder, name } = this.#parts;
    const part = join(folder, partName(name, this.#firstSeq));
    try {
      this.#disk.renameSync(this.path, part);
    } catch {
      // The part goes on growing: a file that is too long is better than a line that is lost.
      this.#rotateAfterMs = nowMs + ROTATE_AGAIN_MS;
      return;
    }
    let next: AppendFile;
    try {
      next = openPart(this.#disk, this.path);
    } catch (cause) {
      this.#disk.renameSync(part, this.path);
      throw cause;
    }
    const full = this.#ledger;
    this.#ledger = next;
    this.rotations += 1;
    // What was written before this turn is on the disk already; without `disk` nobody asked for it.
    if (this.#retention.durability === 'disk') full.sync();
    full.closeLater();
    this.#removeOldParts(nowMs);
  }

  /** The checkpoint moves first: what it does not ask for any more may be gone. */
  #removeOldParts(nowMs: number): void {
    const { folder, name } = this.#parts;
    const { keepFiles, keepMs } = this.#retention;
    const names = findLedgerFiles(name, this.#disk.readdirSync(folder)).filter(
      file => file.slot === 1 && file.firstSeq !== null,
    );
    const isOld = (part: string) => {
      if (keepMs === null) return false;
      const written = this.#disk.statSync(join(folder, part), { throwIfNoEntry: false })?.mtimeMs;
      return written !== undefined && written < nowMs - keepMs;
    };
    let surplus = Math.max(0, names.length - keepFiles);
    while (surplus < names.length && isOld(names[surplus]?.name ?? '')) surplus += 1;
    const doomed = names.slice(0, surplus);
    const kept = names[surplus];
    if (doomed.length === 0) return;
    const base = kept === undefined ? { seq: this.#end.seq + 1, prev: this.#end.hash } : this.#readBase(kept.name);
    if (base === null) return;
    this.#base = base;
    this.writeHead();
    this.#head.sync();
    for (const part of doomed) this.#disk.unlinkSync(join(folder, part.name));
  }

  #readBase(part: string): Checkpoint['base'] | null {
    const file = openPart(this.#disk, join(this.#parts.folder, part));
    const line = file.firstLine();
    file.close();
    const seal = line === null ? null : readSeal(line);
    return seal === null ? null : { seq: seal.seq, prev: seal.prev };
  }

  writeHead(): void {
    this.#head.write({ base: this.#base, last: this.#end });
  }

  /** False: lines would go where nobody reads them. One question to the system, for in front of every write. */
  isLedgerInPlace(): boolean {
    return this.#ledger.isInPlace();
  }

  isInPlace(): boolean {
    const { lock } = this.#parts;
    return this.#ledger.isInPlace() && this.intents.isInPlace() && this.#head.isInPlace() && lock.isInPlace();
  }

  /**
   * Puts in its place what was moved or removed from outside; null: all is in place. The folder is not made again: who
   * took it away, or the volume under it, must bring it back. Each step stands by itself, so that what failed half-way
   * is gone on with.
   */
  putInPlace(announced: Announced, nextSeq: number): { findings: readonly Finding[]; carriedBytes: number } | null {
    if (this.isInPlace()) return null;
    const { folder, name, lock } = this.#parts;
    const isSynced = this.#retention.durability === 'disk';
    // What is wrong with the folder itself is told by the system in its own words.
    this.#disk.readdirSync(folder);
    if (!lock.isInPlace()) lock.takeAgain();
    const findings: Finding[] = [];
    let carriedBytes = 0;
    if (!this.#ledger.isInPlace()) {
      const place = { disk: this.#disk, folder, name };
      const state = { lastHash: this.#end.hash, isBookGone: !this.#head.isInPlace() };
      const next = openInPlaceOf(this.#ledger, place, state);
      if (isSynced) next.ledger.sync();
      this.#ledger.close();
      this.#ledger = next.ledger;
      this.#firstSeq = this.#readFirstSeq();
      findings.push(...next.findings);
      carriedBytes = next.carriedBytes;
    }
    if (!this.intents.isInPlace()) {
      if (this.#hasText(intentsName(name))) {
        findings.push({
          operation: 'audit/put-aside',
          metadata: { file: putAside(this.#disk, folder, intentsName(name)) },
        });
      }
      this.intents.putBack(announced, nextSeq, isSynced);
    }
    if (!this.#head.isInPlace()) {
      const next = new HeadFile(this.#disk, join(folder, headName(name)));
      this.#head.close();
      this.#head = next;
    }
    this.writeHead();
    return { findings, carriedBytes };
  }

  #hasText(name: string): boolean {
    return (this.#disk.lstatSync(join(this.#parts.folder, name), { throwIfNoEntry: false })?.size ?? 0) > 0;
  }

  sync(): void {
    this.#ledger.sync();
  }

  /** Closes all of them, and throws where the checkpoint could not be written before. */
  close(): void {
    try {
      this.writeHead();
      this.#head.sync();
    } finally {
      this.#ledger.close();
      this.intents.close();
      this.#head.close();
      this.#parts.lock.release();
    }
  }
}
