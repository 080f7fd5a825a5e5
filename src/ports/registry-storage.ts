/**
 * All that the registry keeps, for one namespace: another namespace in the same place is another registry, and neither
 * sees a record of the other. The promises of repository.ts hold.
 */
import type { ServerFiles } from '../domain/server-files.ts';
import type { AgentRepository } from './agent-repository.ts';
import type { DefinitionRepository } from './definition-repository.ts';
import type { GroupRepository } from './group-repository.ts';
import type { HealthRepository } from './health-repository.ts';
import type { RatingRepository } from './rating-repository.ts';
import type { ServerRepository } from './server-repository.ts';

export interface Repositories {
  servers: ServerRepository;
  agents: AgentRepository;
  ratings: RatingRepository;
  groups: GroupRepository;
  definitions: DefinitionRepository;
  health: HealthRepository;
}

/** What it meant that files came into force. Shape: paths. */
export interface FilesFollowed {
  /** Their file no longer names them, and no other of these does: nothing is kept of them. */
  gone: readonly string[];
  /** Registered, and out of sight as long as a file names the same path. */
  behind: readonly string[];
}

export interface RegistryStorage extends Repositories {
  /**
   * All of what `work` does through the repositories that it is given, or nothing: it is undone when `work` throws, and
   * the error is thrown on. Nobody else writes meanwhile, in this process or another, so `work` waits for nothing but
   * these repositories. The storage's own repositories would wait for the end of it: using them inside is an error.
   */
  transaction<T>(work: (repositories: Repositories) => Promise<T>): Promise<T>;
  /**
   * Puts other files in force: what they name is kept apart from what is registered, for whoever reads the same file, and
   * what a file no longer names is not kept. Before the first time there is no file. `work` sees them in force, in one
   * transaction with the change; when it throws, the files before are in force as they were.
   */
  follow<T>(files: ServerFiles, work: (repositories: Repositories, followed: FilesFollowed) => Promise<T>): Promise<T>;
  /** The highest revision of any record so far, of those that are gone too; 0: nothing was ever written. */
  revision(): Promise<number>;
  /** Another one whenever somebody else (another process) has written since; cheap enough to be asked every second. */
  stamp(): Promise<number>;
  /** Waits for what is under way; whatever is asked afterwards rejects. */
  close(): Promise<void>;
}
