/** A registry of a backend on this machine: its rows behind the rules, its turns in front of both. */
import type { RegistryStorage } from '../../ports/registry-storage.ts';
import { bindRepositories } from './repositories.ts';
import type { RegistryRows } from './rows.ts';
import { createTurns, type Engine } from './turns.ts';

export function createRegistry(engine: Engine, rows: RegistryRows): RegistryStorage {
  const turns = createTurns(engine);
  return {
    ...bindRepositories(rows, turns.single),
    transaction: work => turns.transaction(turn => work(bindRepositories(rows, turn))),
    stamp: () => turns.single.read(() => engine.stamp()),
    revision: () => turns.single.read(() => rows.lastRevision()),
    close: () => turns.close(),
  };
}
