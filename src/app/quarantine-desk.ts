/** The quarantine as a command changes it: the file that a running gateway looks at. */
import { createSystemClock } from '../outbound/clock.ts';
import { createQuarantineFile } from '../outbound/limits/quarantine-file.ts';
import type { QuarantineStore } from '../ports/quarantine.ts';

/** `path`: absolute. */
export function openQuarantine(path: string): { store: QuarantineStore; wallMs(): number } {
  const clock = createSystemClock();
  return { store: createQuarantineFile({ path, clock }), wallMs: () => clock.wallMs() };
}
