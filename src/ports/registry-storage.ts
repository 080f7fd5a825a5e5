/**
 * All that the registry keeps, for one namespace: another namespace in the same place is another registry, and neither
 * sees a record of the other. The promises of repository.ts hold.
 */
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

export interface RegistryStorage extends Repositories {
  /**
   * All of what `work` does through the repositories that it is given, or nothing: it is undone when `work` throws, and
   * the error is thrown on. Nobody else writes meanwhile, in this process or another, so `work` waits for nothing but
   * these repositories. The storage's own repositories would wait for the end of it: using them inside is an error.
   */
  transaction<T>(work: (repositories: Repositories) => Promise<T>): Promise<T>;
  /** The highest revision of any record so far, of those that are gone too; 0: nothing was ever written. */
  revision(): Promise<number>;
  /** Another one whenever somebody else (another process) has written since; cheap enough to be asked every second. */
  stamp(): Promise<number>;
  /** Waits for what is under way; whatever is asked afterwards rejects. */
  close(): Promise<void>;
}
