/** One call on its way down the staircase: what every step reads, and the record it fills in. */
import type { Call, CallRecord, Line } from '../../domain/call.ts';
import type { Identity } from '../../domain/identity.ts';

export interface Turn {
  /** As which it acts: the caller, or an agent it may act as. */
  who: Identity;
  /** As identified. */
  caller: Identity;
  call: Call;
  line: Line;
  record: CallRecord;
}
