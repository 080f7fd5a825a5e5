/** What is asked for when a definition is to be approved, and what comes of it. */
import type { ApprovedTool } from '../../domain/approved-tool.ts';
import { type Failure, failure } from '../../domain/error.ts';

export interface ApprovalWish {
  /** Null: all that wait. */
  tool: string | null;
  /** Of the one definition that somebody has looked at; null: whatever the tool says at that moment. */
  hash: string | null;
}

export type Approval = { kind: 'approved'; tools: readonly ApprovedTool[] } | Failure;

/** The same for a server that whoever asks may not know of. */
export const nothingWaits = (): Failure =>
  failure('NOT_FOUND', {}, { say: 'Nothing of that name waits for approval.' });

export function changedSince(): Failure {
  const say =
    'The tool says something else by now than what this hash is of, and nothing was approved: look at what it says now, ' +
    'and approve that by its hash.';
  return failure('STALE', {}, { say });
}
