/** Where the quarantine is kept, by several processes at a time: a gateway that runs and a command that is typed. */
import type { QuarantineEntry } from '../domain/quarantine.ts';

export interface QuarantineStore {
  /** Rejects when what is kept cannot be read or understood: nobody knows then who is shut out. None kept: empty. */
  read(): Promise<readonly QuarantineEntry[]>;
  /**
   * Changes what is kept now, one change after the other over all processes, and returns what is kept then; on disk
   * before it resolves. `edit` returning null changes nothing.
   */
  change(
    edit: (entries: readonly QuarantineEntry[]) => readonly QuarantineEntry[] | null,
  ): Promise<readonly QuarantineEntry[]>;
  /** Calls back after a change by anybody, within a second; the returned function stops that. */
  watch(onChange: () => void): () => Promise<void>;
}
