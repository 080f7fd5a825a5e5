/** Registered A2A agents, one record per path. The promises of repository.ts hold. */
import type { Lifecycle, Visibility } from '../domain/registered.ts';
import type { AgentDraft, RegisteredAgent } from '../domain/registered-agent.ts';
import type { Added, Cursor, Page, PageRequest, Updated } from './repository.ts';

/** What is absent does not narrow. */
export interface AgentFilter {
  /** In name, path, description, a tag or the name of a skill, whatever the case; every word of it somewhere. */
  query?: string;
  status?: Lifecycle;
  /** All of them; whatever the case. */
  tags?: readonly string[];
  enabled?: boolean;
  visibility?: Visibility;
  /** Changed after this revision. */
  changedSince?: number;
}

export interface AgentRepository {
  find(path: string): Promise<RegisteredAgent | null>;
  list(filter: AgentFilter, page: PageRequest | Cursor): Promise<Page<RegisteredAgent>>;
  add(draft: AgentDraft): Promise<Added<RegisteredAgent>>;
  /** `expectedRevision` null: whatever it is now. */
  update(path: string, expectedRevision: number | null, next: AgentDraft): Promise<Updated<RegisteredAgent>>;
  /** With its ratings. False: there was none. */
  remove(path: string): Promise<boolean>;
}
