/**
 * A tool's definition as it was approved, which is the one that is served, and one that differs and waits for somebody to
 * look at it. One record per server and tool.
 */
import { z } from 'zod';
import { WARNING_KINDS } from './name-warning.ts';
import { JsonDocument, milliseconds } from './registered.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/);

export const PendingDefinition = z.strictObject({
  definition: JsonDocument,
  hash,
  changes: z.array(
    z.strictObject({
      pointer: z.string(),
      kind: z.enum(['added', 'removed', 'changed']),
      effect: z.enum(['block', 'quarantine']),
    }),
  ),
  /** When it was first seen; Unix milliseconds. */
  seenAtMs: milliseconds,
});
export type PendingDefinition = z.output<typeof PendingDefinition>;

/** Somebody has looked at a warning and found it to be in order. */
export const Acknowledgement = z.strictObject({
  kind: z.enum(WARNING_KINDS),
  other: z.strictObject({ server: z.string().min(1), tool: z.string().nullable() }),
  /** A subject. */
  by: z.string().min(1),
  atMs: milliseconds,
});
export type Acknowledgement = z.output<typeof Acknowledgement>;

export const ApprovedTool = z.strictObject({
  /** Key of the server, without a leading slash. */
  server: z.string().min(1),
  /** Its own name. */
  tool: z.string().min(1),
  approved: JsonDocument,
  hash,
  approvedAtMs: milliseconds,
  /** A subject, or a word for the rule that approved it (`first-seen`). */
  approvedBy: z.string().min(1),
  /** null: the server says what was approved. */
  pending: PendingDefinition.nullable(),
  /** Of warnings about the approved definition, and of no other: gone with it. At most one of a meaning (`meaningOf`). */
  acknowledged: z.array(Acknowledgement).default([]),
});
export type ApprovedTool = z.output<typeof ApprovedTool>;

/** Whether nobody has approved, offered or acknowledged anything in between. Null: nothing is kept. */
export function isSameRecord(one: ApprovedTool | null, other: ApprovedTool | null): boolean {
  if (one === null || other === null) return one === other;
  const marks = ({ hash, approvedAtMs, approvedBy, pending, acknowledged }: ApprovedTool) =>
    JSON.stringify([hash, approvedAtMs, approvedBy, pending?.hash, pending?.seenAtMs, acknowledged]);
  return marks(one) === marks(other);
}
