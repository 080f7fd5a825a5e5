/** Groups of the registry: scopes with their grants and mappings. The promises of repository.ts hold. */
import type { GroupDraft, RegisteredGroup } from '../domain/registered-group.ts';
import type { Added, Updated } from './repository.ts';

export interface GroupRepository {
  find(scopeName: string): Promise<RegisteredGroup | null>;
  /** All: they are few, and each of them counts for every decision. In the order of their names, by code unit. */
  list(): Promise<readonly RegisteredGroup[]>;
  add(draft: GroupDraft): Promise<Added<RegisteredGroup>>;
  /** `expectedRevision` null: whatever it is now. */
  update(scopeName: string, expectedRevision: number | null, next: GroupDraft): Promise<Updated<RegisteredGroup>>;
  /** False: there was none. */
  remove(scopeName: string): Promise<boolean>;
}
