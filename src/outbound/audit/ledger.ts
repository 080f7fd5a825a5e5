/**
 * The audit ledger behind ports/audit.ts: announcements and lines are gathered while the event loop takes in what has
 * arrived, and written with one system call each at the end of that turn. `process`: handed to the operating system,
 * which survives the death of this process; `disk`: on the disk, one fdatasync for all that wait. When the disk refuses,
 * finished operations wait in memory (bounded) and it is tried again until it does not; meanwhile `closed` refuses what
 * has an effect and `open` counts what goes unrecorded.
 */
import { type AuditFacts, judge } from '../../domain/audit.ts';
import type { Sealed } from '../../domain/audit-chain.ts';
import { composeHead, composeInterrupted, composeTail } from '../../domain/audit-line.ts';
import type { LedgerStatus } from '../../ports/audit.ts';
import { type Disk, failureCode, SYSTEM_DISK, syncBoth } from './disk.ts';
import { createFloodGate } from './flood.ts';
import { Announced } from './intents-file.ts';
import type { Ledger, LedgerDeps } from './ledger-deps.ts';
import { LedgerFiles } from './ledger-files.ts';
import { LedgerWords } from './ledger-words.ts';
import { LineQueue } from './line-queue.ts';
import { Lookout } from './lookout.ts';
import { openLedger } from './open-ledger.ts';
import { composeOutage, composeOwnLine, type Outage } from './own-lines.ts';
import { Retries } from './retries.ts';

export type { Ledger, LedgerDeps, LedgerOptions } from './ledger-deps.ts';

const LINE_DELAY_MS = 20;
const LINE_BATCH_CHARS = 64 * 1024;
const HEAD_DELAY_MS = 250;
/** Beyond these in one second, what was turned away becomes counts. */
const TURNED_AWAY_PER_SECOND = 1_000;

const STOP: Promise<boolean> = Promise.resolve(false);

/** Everything of one turn that waits for the same write. */
type Waiting = PromiseWithResolvers<boolean>;

class GatheringLedger implements Ledger {
  readonly #deps: LedgerDeps;
  readonly #disk: Disk;
  readonly #announced = new Announced();
  readonly #queue = new LineQueue();
  readonly #flood;
  readonly #words: LedgerWords;
  readonly #lookout: Lookout;
  readonly #retries: Retries;
  readonly #flushNow = () => this.#flush();
  readonly #writeSome = (lines: readonly Sealed[]) => {
    const written = this.#files?.writeSome(lines, this.#deps.clock.wallMs()) ?? 0;
    this.#counts.lines += written;
    return written;
  };
  #files: LedgerFiles | null = null;
  /** Announcements of this turn, as text. */
  #intents = '';
  /** Intents whose line is in the queue. */
  #concluding: number[] = [];
  #waiting: Waiting | null = null;
  #areLinesDue = false;
  #isScheduled = false;
  #isSyncing = false;
  #isDelayed = false;
  #isHeadDue = false;
  #isClosed = false;
  #failing: Outage | null = null;
  readonly #counts = { lines: 0, intents: 0, batches: 0, failures: 0, refused: 0, unrecorded: 0 };

  constructor(deps: LedgerDeps) {
    this.#deps = deps;
    this.#disk = deps.disk ?? SYSTEM_DISK;
    this.#words = new LedgerWords(deps.log, deps.config);
    this.#lookout = new Lookout(deps, this.#words, this.#announced, this.#queue);
    this.#retries = new Retries(deps.clock, () => this.#retry());
    this.#flood = createFloodGate(deps.clock, TURNED_AWAY_PER_SECOND, facts => {
      this.#add(composeHead(facts) + composeTail(facts, null));
      this.#delayLines();
    });
    process.once('exit', this.#writeAll);
  }

  open(): void {
    if (this.#files === null && this.#failing === null && !this.#isClosed) this.#tryToOpen();
  }

  intend(facts: AuditFacts): Promise<boolean> | null {
    this.open();
    if (this.#failing !== null && !this.#isWellAgain()) return this.#deps.config.onFailure === 'closed' ? STOP : null;
    if (this.#isClosed) return STOP;
    if (facts.intent !== 0) return null;
    const head = composeHead(facts);
    facts.intent = this.#announced.add(head);
    this.#intents += this.#announced.line(facts.intent, this.#queue.nextSeq, head);
    this.#counts.intents += 1;
    this.#schedule();
    return this.#wait();
  }

  /** Space may be back: who needs it asks before the timer does. */
  #isWellAgain(): boolean {
    if (this.#retries.areDue()) this.#retry();
    return this.#failing === null;
  }

  conclude(facts: AuditFacts): Promise<void> | null {
    const { intent } = facts;
    if (facts.code === 'AUDIT_UNAVAILABLE') return this.#countRefused(intent);
    this.open();
    const isTurnedAway = intent === 0 && judge(facts.outcome, facts.code) !== 'ALLOW';
    if (isTurnedAway && !this.#flood.admit(facts)) return null;
    const head = this.#announced.headOf(intent) ?? composeHead(facts);
    const isAdded = this.#add(head + composeTail(facts, intent === 0 ? null : this.#announced.idOf(intent)));
    if (intent !== 0) {
      if (isAdded) this.#concluding.push(intent);
      else this.#announced.delete(intent);
    }
    if (!isAdded || this.#failing !== null) return null;
    // An announced one is in the book already; of a list nobody needs to know more than that it was seen.
    const isWaitedFor = intent === 0 && (isTurnedAway || facts.method === 'tools/call');
    if (isWaitedFor || this.#queue.chars >= LINE_BATCH_CHARS) {
      this.#areLinesDue = true;
      this.#schedule();
    } else {
      this.#delayLines();
    }
    return isWaitedFor ? this.#wait() : null;
  }

  #countRefused(intent: number): null {
    this.#announced.delete(intent);
    this.#counts.refused += 1;
    if (this.#failing !== null) this.#failing.refused += 1;
    return null;
  }

  settle(): Promise<unknown> | null {
    if (this.#failing !== null || this.#isClosed || this.#queue.size === 0) return null;
    this.#areLinesDue = true;
    // Files may not change while the disk is waited for; what is due is written right after.
    if (this.#isSyncing) return this.#wait();
    this.#flush();
    return null;
  }

  isRefusing(): boolean {
    if (this.#deps.config.onFailure === 'open') return false;
    this.#lookUnasked();
    return this.#failing !== null;
  }

  /** Nobody may have written for long: who asks is told what the next one who writes would meet. */
  #lookUnasked(): void {
    if (this.#files === null || this.#failing !== null || this.#isClosed) return;
    try {
      this.#look(this.#files, false);
    } catch (cause) {
      this.#fail(cause, null);
    }
  }

  status(): LedgerStatus {
    this.#lookUnasked();
    const { seq, hash } = this.#files?.end ?? { seq: 0, hash: '' };
    return {
      file: this.#files?.path ?? null,
      seq,
      hash,
      failing: this.#failing?.code ?? null,
      pending: this.#queue.size,
      counts: { ...this.#counts, aggregated: this.#flood.aggregated(), rotations: this.#files?.rotations ?? 0 },
    };
  }

  #wait(): Promise<boolean> & Promise<void> {
    this.#waiting ??= Promise.withResolvers<boolean>();
    return this.#waiting.promise as Promise<boolean> & Promise<void>;
  }

  /** False: there is no room left, and the operation goes unrecorded but counted. */
  #add(members: string): boolean {
    if (this.#queue.add(members)) return true;
    this.#counts.unrecorded += 1;
    if (this.#failing !== null) this.#failing.unrecorded += 1;
    return false;
  }

  /** At the end of the event loop's turn, so that all that arrived in it is one write. */
  #schedule(): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    setImmediate(this.#flushNow);
  }

  #delayLines(): void {
    if (this.#isDelayed || this.#isClosed) return;
    this.#isDelayed = true;
    this.#deps.clock.after(LINE_DELAY_MS, this.#whenLinesAreDue);
  }

  readonly #whenLinesAreDue = () => {
    this.#isDelayed = false;
    this.#areLinesDue = true;
    this.#flush();
  };

  #flush(): void {
    this.#isScheduled = false;
    if (this.#isSyncing || this.#isClosed || this.#failing !== null) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    try {
      this.#write();
    } catch (cause) {
      this.#fail(cause, waiting);
      return;
    }
    if (this.#deps.config.durability === 'disk' && waiting !== null) this.#sync(waiting);
    else waiting?.resolve(true);
  }

  /** Throws what the disk refuses; what was written by then is off the queue. */
  #write(): void {
    const files = this.#files;
    if (files === null) return;
    this.#look(files, false);
    if (this.#intents !== '') {
      const intents = this.#intents;
      this.#intents = '';
      files.intents.append(intents);
      this.#counts.batches += 1;
    }
    if (this.#areLinesDue) this.#writeLines(files);
  }

  /** Throws where what was moved or removed by others cannot be put back. While the disk is waited for, files stay open. */
  #look(files: LedgerFiles, isThorough: boolean): void {
    if (this.#isSyncing) return;
    const isLineAdded = isThorough ? this.#lookout.putInPlace(files) : this.#lookout.look(files);
    if (isLineAdded) this.#delayLines();
  }

  #writeLines(files: LedgerFiles): void {
    this.#areLinesDue = false;
    if (this.#queue.size === 0) return;
    const { rotations } = files;
    this.#queue.drain(this.#writeSome);
    this.#counts.batches += 1;
    for (const intent of this.#concluding) this.#announced.delete(intent);
    this.#concluding = [];
    this.#tidy(files, files.rotations !== rotations);
    if (files.rotations !== rotations) this.#words.tellEnd('audit ledger continues in a new file', files);
    if (!this.#isHeadDue) {
      this.#isHeadDue = true;
      this.#deps.clock.after(HEAD_DELAY_MS, this.#writeHead);
    }
    this.#deps.onWritten?.(files.path);
  }

  #tidy(files: LedgerFiles, isNewPart: boolean): void {
    const secure = this.#deps.config.durability === 'disk' ? () => files.sync() : null;
    files.intents.tidy(this.#announced, this.#queue.nextSeq, isNewPart, secure);
  }

  readonly #writeHead = () => {
    this.#isHeadDue = false;
    const files = this.#files;
    if (files === null || this.#isClosed || this.#failing !== null) return;
    try {
      this.#look(files, true);
      files.writeHead();
    } catch (cause) {
      this.#fail(cause, null);
    }
  };

  /** While one sync runs, others gather for the next. */
  #sync(waiting: Waiting): void {
    const files = this.#files;
    if (files === null) return waiting.resolve(true);
    this.#isSyncing = true;
    const finish = (cause: unknown) => {
      this.#isSyncing = false;
      if (cause !== null) return this.#fail(cause, waiting);
      waiting.resolve(true);
      if (this.#waiting !== null || this.#areLinesDue) this.#flush();
    };
    syncBoth(this.#disk, files.intents.fd, files.fd, finish);
  }

  #fail(cause: unknown, waiting: Waiting | null): void {
    const { config } = this.#deps;
    const now = this.#retries.note();
    const code = failureCode(cause);
    this.#counts.failures += 1;
    // The calls that waited are refused, or go on unannounced.
    this.#intents = '';
    this.#failing ??= { code, sinceMs: now, refused: 0, unrecorded: 0 };
    this.#failing.code = code;
    this.#words.tellFailing(cause, now);
    waiting?.resolve(config.onFailure === 'open');
    this.#waiting?.resolve(config.onFailure === 'open');
    this.#waiting = null;
    this.#retries.begin();
  }

  /** Writes what waits and a line about the failure; all is well again when both stand in the file at the path: true. */
  #retry(): boolean {
    const failing = this.#failing;
    if (failing === null || this.#isClosed) return true;
    if (this.#isSyncing) return false;
    const now = this.#retries.note();
    try {
      const files = this.#files ?? this.#openFiles();
      this.#look(files, true);
      this.#writeLines(files);
      // All that can still fail, in front of the line: behind it, it would be one line more with each try.
      this.#tidy(files, false);
      files.writeHead();
      this.#queue.writeAtOnce(composeOutage(failing, now, this.#deps.clock.wallMs()), this.#writeSome);
      files.writeHead();
      if (!files.isInPlace()) throw Object.assign(new Error('gone while it was written'), { code: 'ENOENT' });
    } catch (cause) {
      failing.code = failureCode(cause);
      this.#words.tellStillFailing(cause, now);
      this.#counts.failures += 1;
      return false;
    }
    this.#failing = null;
    this.#words.tellWell(failing);
    return true;
  }

  #tryToOpen(): void {
    try {
      this.#openFiles();
    } catch (cause) {
      this.#fail(cause, null);
    }
  }

  #openFiles(): LedgerFiles {
    const { config, tryLock, clock } = this.#deps;
    const opened = openLedger(this.#disk, config.path, tryLock, this.#deps.maxSlots);
    const files = new LedgerFiles(this.#disk, opened.parts, config);
    this.#files = files;
    for (const finding of opened.findings) this.#words.tellFinding(finding);
    this.#queue.begin(opened.parts.end, [
      ...opened.findings.map(({ operation, metadata }) => composeOwnLine(operation, clock.wallMs(), metadata)),
      ...opened.interrupted.map(({ id, head }) => head + composeInterrupted(id)),
    ]);
    this.#writeLines(files);
    // Only now: until its line is written, an announcement is all there is.
    this.#tidy(files, true);
    files.writeHead();
    this.#words.tellEnd('audit ledger is open', files);
    return files;
  }

  readonly #writeAll = () => {
    if (this.#isClosed || this.#failing !== null) return;
    this.#flood.flush();
    this.#areLinesDue = true;
    try {
      this.#write();
      this.#waiting?.resolve(true);
      this.#waiting = null;
    } catch (cause) {
      this.#fail(cause, this.#waiting);
    }
  };

  async close(): Promise<void> {
    if (this.#isClosed) return;
    process.off('exit', this.#writeAll);
    this.#flood.flush();
    if (this.#failing !== null) this.#retry();
    this.#writeAll();
    this.#isClosed = true;
    const lost = this.#queue.size;
    if (lost > 0) this.#deps.log.error('finished operations could not be written to the audit ledger', { lost });
    const files = this.#files;
    if (files === null) return;
    try {
      try {
        if (lost === 0) this.#tidy(files, true);
        if (this.#deps.config.durability === 'disk') files.sync();
        this.#words.tellEnd('audit ledger is closed', files);
      } finally {
        files.close();
      }
    } catch (cause) {
      this.#deps.log.error('audit ledger could not be closed well', { code: failureCode(cause) });
    }
  }
}

export function createLedger(deps: LedgerDeps): Ledger {
  return new GatheringLedger(deps);
}
