/**
 * The checkpoint as text, kept in `<ledger>.head`: one JSON object, padded to a fixed length, because it is rewritten in
 * place. Read by the gateway that continues a ledger and by whoever verifies one.
 */
import { z } from 'zod';
import type { Checkpoint } from './audit-chain.ts';

export const CHECKPOINT_BYTES = 512;

const HASH = z.string().regex(/^[0-9a-f]{64}$/);
const Written = z.object({ base_seq: z.int().min(1), base_prev: HASH, seq: z.int().min(0), hash: HASH });

export function formatCheckpoint({ base, last }: Checkpoint): string {
  const text = JSON.stringify({ base_seq: base.seq, base_prev: base.prev, seq: last.seq, hash: last.hash });
  return `${text.padEnd(CHECKPOINT_BYTES - 1)}\n`;
}

/** null for what is none. */
export function parseCheckpoint(text: string): Checkpoint | null {
  try {
    const { base_seq, base_prev, seq, hash } = Written.parse(JSON.parse(text));
    return { base: { seq: base_seq, prev: base_prev }, last: { seq, hash } };
  } catch {
    return null;
  }
}
