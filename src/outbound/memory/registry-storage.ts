/**
 * The registry in memory: for tests, and for a gateway that may forget. It keeps every promise of the ports but the one
 * about the loss of power, and is a namespace of its own.
 */
import type { RegistryStorage } from '../../ports/registry-storage.ts';
import { createRegistry } from '../storage/registry.ts';
import { createMemoryRows } from './registry-rows.ts';

export function createMemoryRegistry(): RegistryStorage {
  const { rows, keep } = createMemoryRows();
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
  return createRegistry(engine, rows);
}
