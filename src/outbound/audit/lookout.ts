/**
 * Looks whether the files of a ledger stand where they should, in front of writes and whenever somebody asks: a file that
 * was moved or removed takes what is written into it along. Put back what can be, told in the log; else it throws.
 */

import type { Announced } from './intents-file.ts';
import type { LedgerDeps } from './ledger-deps.ts';
import type { LedgerFiles } from './ledger-files.ts';
import type { LedgerWords } from './ledger-words.ts';
import type { LineQueue } from './line-queue.ts';
import { composeOwnLine } from './own-lines.ts';

/** Often enough that no call goes through that could know better; a thousand times a second costs nothing. */
const LOOK_MS = 1;

export class Lookout {
  readonly #deps: LedgerDeps;
  readonly #words: LedgerWords;
  readonly #announced: Announced;
  readonly #queue: LineQueue;
  #lastLookMs = Number.NEGATIVE_INFINITY;

  constructor(deps: LedgerDeps, words: LedgerWords, announced: Announced, queue: LineQueue) {
    this.#deps = deps;
    this.#words = words;
    this.#announced = announced;
    this.#queue = queue;
  }

  /** A short look, and none right after another. True: lines about what was found wait in the queue. */
  look(files: LedgerFiles): boolean {
    const now = this.#deps.clock.monotonicMs();
    if (now - this.#lastLookMs < LOOK_MS) return false;
    this.#lastLookMs = now;
    return !files.isLedgerInPlace() && this.putInPlace(files);
  }

  /** All files, without fail. True as above. */
  putInPlace(files: LedgerFiles): boolean {
    const changed = files.putInPlace(this.#announced, this.#queue.nextSeq);
    if (changed === null) return false;
    this.#words.tellPutInPlace(changed.carriedBytes);
    for (const finding of changed.findings) {
      this.#words.tellFinding(finding);
      this.#queue.add(composeOwnLine(finding.operation, this.#deps.clock.wallMs(), finding.metadata));
    }
    return changed.findings.length > 0;
  }
}
