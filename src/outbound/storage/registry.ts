/** A registry of a backend on this machine: its rows behind the rules, its turns in front of both. */
import type { RegistryStorage } from '../../ports/registry-storage.ts';
import { type PlacesOfRows, withRowsPerFile } from './per-file.ts';
import { bindRepositories } from './repositories.ts';
import { createTurns, type Engine } from './turns.ts';

export function createRegistry(engine: Engine, places: PlacesOfRows): RegistryStorage {
  const turns = createTurns(engine);
  const rows = withRowsPerFile(places);
  return {
    ...bindRepositories(rows, turns.single),
    transaction: work => turns.transaction(turn => work(bindRepositories(rows, turn))),
    follow(files, work) {
      let putBack = () => {};
      return turns.transaction(
        async turn => {
          const inForce = await turn.write(() => rows.follow(files));
          putBack = inForce.putBack;
          return work(bindRepositories(rows, turn), inForce.followed);
        },
        () => putBack(),
      );
    },
    stamp: () => turns.single.read(() => engine.stamp()),
    revision: () => turns.single.read(() => rows.lastRevision()),
    close: () => turns.close(),
  };
}
