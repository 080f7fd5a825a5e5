/** Approved definitions of tools, and those that wait for approval. The promises of repository.ts hold. */
import type { ApprovedTool } from '../domain/approved-tool.ts';
import type { ServerKey } from '../domain/server.ts';

/**
 * `gone`: nothing was written, because a server of theirs is not there (any more). `stale`: nothing was, because somebody else
 * has written since.
 */
export type DefinitionPut = 'done' | 'gone' | 'stale';

export interface DefinitionRepository {
  find(server: ServerKey, tool: string): Promise<ApprovedTool | null>;
  /** Of one server, in the order of the tools' names, by code unit. Null: there is no such server (any more). */
  list(server: ServerKey): Promise<readonly ApprovedTool[] | null>;
  /** Those that wait, over all servers, by server and then by tool. */
  listPending(): Promise<readonly ApprovedTool[]>;
  /** Over all servers, in no order: those that were written after this revision of the registry. */
  changedSince(revision: number): Promise<readonly ApprovedTool[]>;
  /**
   * All of them or none; each in the place of an earlier one of the same server and tool. `from`: as each was read before,
   * in the same order, null where there was none; absent: whatever is kept by now.
   */
  put(tools: readonly ApprovedTool[], from?: readonly (ApprovedTool | null)[]): Promise<DefinitionPut>;
  /** False: there was none. */
  remove(server: ServerKey, tool: string): Promise<boolean>;
}
