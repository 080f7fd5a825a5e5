/** The parts of the house that say nothing unless asked: no limits, nobody shut out, and a book kept in memory. */

import type { AuditFacts } from '../../src/domain/audit.ts';
import { UNLIMITED } from '../../src/domain/limits.ts';
import type { AuditLedger, LedgerStatus } from '../../src/ports/audit.ts';
import type { Pins } from '../../src/services/catalog/pins.ts';
import { createLimiter, type Limiter } from '../../src/services/limits/limiter.ts';
import { createQuarantine, type Quarantine } from '../../src/services/limits/quarantine.ts';
import { createFrozenClock } from './frozen-clock.ts';

export interface KeptBook extends AuditLedger {
  /** What was announced and what was concluded, in order. */
  readonly intents: AuditFacts[];
  readonly lines: AuditFacts[];
  /** Nothing can be written: what has an effect must not happen. */
  isFull: boolean;
}

export function createKeptBook(): KeptBook {
  const intents: AuditFacts[] = [];
  const lines: AuditFacts[] = [];
  const book: KeptBook = {
    intents,
    lines,
    isFull: false,
    intend(facts) {
      if (book.isFull) return Promise.resolve(false);
      intents.push({ ...facts });
      facts.intent = intents.length;
      return Promise.resolve(true);
    },
    conclude(facts) {
      lines.push({ ...facts });
      return null;
    },
    settle: () => null,
    isRefusing: () => book.isFull,
    status: (): LedgerStatus => {
      throw new Error('nobody asks here');
    },
  };
  return book;
}

export function createFreeLimiter(): Limiter {
  return createLimiter({
    store: {
      take() {
        throw new Error('nothing is limited, so nothing is counted');
      },
    },
    rules: UNLIMITED,
  });
}

export function createEmptyQuarantine(): Quarantine {
  return createQuarantine({
    store: { read: async () => [], change: async edit => edit([]) ?? [], watch: () => async () => {} },
    clock: createFrozenClock(),
    log: {
      debug() {},
      info() {},
      warn() {},
      error() {},
      with: () => {
        throw new Error('no more');
      },
    },
  });
}

/** Definitions are passed on as they come. */
export function createOpenPins(): Pick<Pins, 'screen' | 'isHeld'> {
  return { screen: async (_server, tools) => tools, isHeld: () => false };
}
