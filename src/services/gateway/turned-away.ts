/**
 * Requests that did not become a call, in the book once like those that did: nobody showed who they are, or what was asked
 * was not understood, not allowed in this form, or too much. The ledger turns floods of them into counts.
 */
import type { Failure } from '../../domain/error.ts';
import type { Limited } from '../../domain/limits.ts';
import type { AuditLedger } from '../../ports/audit.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Recorder } from '../../ports/recorder.ts';
import type { Limiter } from '../limits/limiter.ts';
import { failedRecord, refusalRecord, type Unheard } from './recorded.ts';

export interface TurnedAway {
  request(seen: Unheard, no: Failure): void;
  /** Somebody whose credential was refused. Says when its address has shown too many of those. */
  stranger(seen: { id: string; address: string; path: string }, reason: string): Limited | null;
}

export function createTurnedAway(deps: {
  clock: Clock;
  recorder: Recorder;
  audit: Pick<AuditLedger, 'conclude'>;
  limiter: Pick<Limiter, 'takeRefusal'>;
}): TurnedAway {
  const { clock, recorder, audit, limiter } = deps;
  return {
    request(seen, no) {
      const record = failedRecord(seen, clock, no);
      recorder.record(record);
      void audit.conclude(record);
    },
    stranger(seen, reason) {
      const record = refusalRecord(seen, clock, reason);
      recorder.record(record);
      void audit.conclude(record);
      const taken = limiter.takeRefusal(seen.address);
      return taken instanceof Promise || taken.kind === 'allowed' ? null : taken;
    },
  };
}
