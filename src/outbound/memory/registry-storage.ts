/**
 * The registry in memory: for tests, and for a gateway that may forget. It keeps every promise of the ports but the one
 * about the loss of power, and is a namespace of its own.
 */
import type { RegistryStorage } from '../../ports/registry-storage.ts';
import { createRegistry } from '../storage/registry.ts';
import type { RegistryRows } from '../storage/rows.ts';
import { createRecordSet } from './records.ts';
import { createMemoryRows, type Sequence } from './registry-rows.ts';

export function createMemoryRegistry(): RegistryStorage {
  const set = createRecordSet();
  const sequence: Sequence = { revision: 0 };
  const keep = () => {
    const putBack = set.keep();
    const { revision } = sequence;
    return () => {
      putBack();
      sequence.revision = revision;
    };
  };
  let undo = () => {};
  const engine = {
    tryBegin() {
      undo = keep();
      return true;
    },
    commit() {},
    rollback: () => undo(),
    atomically<T>(work: () => T): T {
      const undoPart = keep();
      try {
        return work();
      } catch (error) {
        undoPart();
        throw error;
      }
    },
    // Nobody else has it.
    stamp: () => 0,
    close() {},
  };
  const ofFiles = new Map<string, RegistryRows>();
  function rowsOf(file: string): RegistryRows {
    const rows = ofFiles.get(file) ?? createMemoryRows(set, sequence);
    ofFiles.set(file, rows);
    return rows;
  }
  return createRegistry(engine, { shared: createMemoryRows(set, sequence), rowsOf, claimEarlier: () => null });
}
