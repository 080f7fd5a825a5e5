/** What the ledger says in the log: where it ends, and that it cannot be written, not more often than anybody reads. */
import type { Log } from '../../ports/log.ts';
import type { Finding } from './current-part.ts';
import { failureCode } from './disk.ts';
import type { LedgerOptions } from './ledger-deps.ts';
import type { LedgerFiles } from './ledger-files.ts';
import type { Outage } from './own-lines.ts';

/** A failure that comes and goes is told this often at most. */
const TELL_MS = 10_000;

export class LedgerWords {
  readonly #log: Log;
  readonly #config: LedgerOptions;
  #lastToldMs = Number.NEGATIVE_INFINITY;
  #toldCode = '';

  constructor(log: Log, config: LedgerOptions) {
    this.#log = log;
    this.#config = config;
  }

  tellFailing(cause: unknown, nowMs: number): void {
    if (nowMs - this.#lastToldMs < TELL_MS) return;
    this.#lastToldMs = nowMs;
    const code = failureCode(cause);
    this.#toldCode = code;
    // Of what the system refuses its word says enough; what was refused in here is a sentence that names the file.
    const detail = cause instanceof Error && !('syscall' in cause) ? { detail: cause.message } : {};
    const { path: file, onFailure } = this.#config;
    const consequence =
      onFailure === 'closed' ? 'calls are refused until it can be' : 'calls go on, recorded as far as memory allows';
    this.#log.error('audit ledger cannot be written', { code, file, ...detail, consequence });
  }

  /** It fails still: told when it is by something else. */
  tellStillFailing(cause: unknown, nowMs: number): void {
    if (failureCode(cause) !== this.#toldCode) this.tellFailing(cause, nowMs);
  }

  tellWell({ refused, unrecorded }: Outage): void {
    this.#log.info('audit ledger can be written again', { refused, unrecorded });
  }

  tellFinding({ operation, metadata }: Finding): void {
    this.#log.warn('audit ledger is not as it was left', { finding: operation, ...metadata });
  }

  tellPutInPlace(carriedBytes: number): void {
    this.#log.warn('audit ledger was moved or removed by another program; it goes on in a new file', { carriedBytes });
  }

  /** Said where others keep it: who can rewrite the files cannot rewrite what was said. In pieces, or it would be masked. */
  tellEnd(message: string, { path: file, end: { seq, hash } }: LedgerFiles): void {
    this.#log.info(message, { file, seq, sha256: hash.match(/.{1,16}/g)?.join(' ') });
  }
}
