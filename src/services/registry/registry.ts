/** The registry, put together: what is kept, what may be done with it, and word of every change. */
import { createDesk, type RegistryChange, type RegistryDeps, type RegistrySnapshot } from './desk.ts';
import { createRegistryGroups, type RegistryGroups } from './groups.ts';
import { warnOfKeptNames } from './kept-names.ts';
import { createOperateServers, type OperateServers } from './operate.ts';
import { createServerRatings, type ServerRatings } from './ratings.ts';
import { createReadServers, type ReadServers } from './read.ts';
import { createRegisterServers, type RegisterServers } from './register.ts';
import { createTakeInFiles, type TakeInFiles } from './seeds.ts';
import { createServerVersions, type ServerVersions } from './versions.ts';

export interface Registry extends RegisterServers, OperateServers {
  read: ReadServers;
  versions: ServerVersions;
  ratings: ServerRatings;
  groups: RegistryGroups;
  /** Takes in the files and reads what is stored, with a word in the log of what would not be stored today; first of all. */
  start: TakeInFiles;
  /** Takes in the files as they are now, and tells of what that changed. */
  followFiles: TakeInFiles;
  /** Takes in what another process has written. */
  catchUp(): Promise<void>;
  current(): RegistrySnapshot;
  /** Called once a change is stored, before whoever asked for it is answered. */
  onChange(listener: (changes: readonly RegistryChange[]) => void): () => void;
}

export function createRegistry(deps: RegistryDeps): Registry {
  const desk = createDesk(deps);
  const takeInFiles = createTakeInFiles(desk);
  return {
    ...createRegisterServers(desk),
    ...createOperateServers(desk),
    read: createReadServers(desk),
    versions: createServerVersions(desk),
    ratings: createServerRatings(desk),
    groups: createRegistryGroups(desk),
    async start(files, specs) {
      await takeInFiles(files, specs);
      await desk.load();
      warnOfKeptNames(desk);
    },
    async followFiles(files, specs) {
      await takeInFiles(files, specs);
      await desk.catchUp();
    },
    catchUp: desk.catchUp,
    current: desk.current,
    onChange: desk.onChange,
  };
}
