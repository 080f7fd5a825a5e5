/**
 * The `tokens` section: tokens of our own that callers get for a part of their own rights. On by default where callers are
 * told apart at all. Relative paths are relative to the file; by default the files are beside the audit ledger.
 */
import { dirname, isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { whole, yesNo } from './written-values.ts';

/** A token lives no longer, whatever is configured. */
export const MOST_HOURS = 24;

export const TokensSection = z.strictObject({
  enabled: yesNo.optional(),
  perHour: whole(1, 1_000_000).optional(),
  maxHours: whole(1, MOST_HOURS).optional(),
  keyFile: z.string().min(1).optional(),
});
export type TokensSection = z.output<typeof TokensSection>;

export interface TokensConfig {
  enabled: boolean;
  /** Tokens per caller. */
  perHour: number;
  maxHours: number;
  /** Absolute; private keys. */
  keyFile: string;
  /** Absolute. */
  revocationsFile: string;
}

const KEY_FILE = 'token-keys.json';
const REVOCATIONS_FILE = 'token-revocations.json';

/** `auditPath`: absolute; `hasCallers`: issuers or named keys are configured. */
export function toTokensConfig(
  written: TokensSection | undefined,
  from: { folder: string; auditPath: string; hasCallers: boolean },
): TokensConfig {
  const { keyFile } = written ?? {};
  const path =
    keyFile === undefined
      ? resolve(dirname(from.auditPath), KEY_FILE)
      : isAbsolute(keyFile)
        ? keyFile
        : resolve(from.folder, keyFile);
  return {
    enabled: written?.enabled ?? from.hasCallers,
    perHour: written?.perHour ?? 10,
    maxHours: written?.maxHours ?? MOST_HOURS,
    keyFile: path,
    revocationsFile: resolve(dirname(path), REVOCATIONS_FILE),
  };
}
