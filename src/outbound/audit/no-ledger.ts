/** For an operator who wants no ledger (`audit.enabled: false`): takes everything, keeps nothing, stops nothing. */
import type { Ledger } from './ledger-deps.ts';

const COUNTS = {
  lines: 0,
  intents: 0,
  batches: 0,
  failures: 0,
  refused: 0,
  unrecorded: 0,
  aggregated: 0,
  rotations: 0,
};

export function createNoLedger(): Ledger {
  return {
    open: () => {},
    intend: () => null,
    conclude: () => null,
    settle: () => null,
    isRefusing: () => false,
    status: () => ({ file: null, seq: 0, hash: '', failing: null, pending: 0, counts: COUNTS }),
    close: () => Promise.resolve(),
  };
}
