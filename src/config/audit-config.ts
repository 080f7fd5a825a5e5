/**
 * The `audit` section: where the ledger is, what happens when it cannot be written, how long it is kept. Every key has
 * a default; GATEWAY_AUDIT_LOG wins over `path`. A relative path in a file is relative to that file.
 */
import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { bytes, whole, yesNo } from './written-values.ts';

export const AuditSection = z.strictObject({
  enabled: yesNo.optional(),
  path: z.string().min(1).optional(),
  onFailure: z.enum(['closed', 'open']).optional(),
  durability: z.enum(['process', 'disk']).optional(),
  maxFileSize: bytes(64 * 1024, 16 * 1024 ** 3).optional(),
  keepFiles: whole(0, 100_000).optional(),
  keepDays: whole(1, 36_500).optional(),
  index: yesNo.optional(),
});
export type AuditSection = z.output<typeof AuditSection>;

export interface AuditConfig {
  enabled: boolean;
  /** Absolute. */
  path: string;
  /** `closed`: what cannot be recorded is not done. `open`: it is done, with a warning and a count. */
  onFailure: 'closed' | 'open';
  /** `process`: a record outlives this process; `disk`: also a loss of power. */
  durability: 'process' | 'disk';
  maxFileBytes: number;
  /** Full files kept beside the one that is written. */
  keepFiles: number;
  /** null: age does not matter. */
  keepMs: number | null;
  /** A searchable copy in SQLite, beside the ledger. */
  index: boolean;
}

const DAY_MS = 86_400_000;
/** Contract of the first gateway of this name. */
const DEFAULT_PATH = '.cache/agent-mcp-gateway/logs/audit.jsonl';

/** `folder`: of the file the section was written in. */
export function toAuditConfig(
  written: AuditSection | undefined,
  from: { variable: string | undefined; home: string; cwd: string; folder: string | null },
): AuditConfig {
  const { variable, home, cwd, folder } = from;
  const named = variable ?? written?.path;
  const base = variable === undefined ? (folder ?? cwd) : cwd;
  return {
    enabled: written?.enabled ?? true,
    path: named === undefined ? resolve(home, DEFAULT_PATH) : toPath(named, base, home),
    onFailure: written?.onFailure ?? 'closed',
    durability: written?.durability ?? 'process',
    maxFileBytes: written?.maxFileSize ?? 64 * 1024 * 1024,
    keepFiles: written?.keepFiles ?? 20,
    keepMs: written?.keepDays === undefined ? null : written.keepDays * DAY_MS,
    index: written?.index ?? true,
  };
}

function toPath(written: string, base: string, home: string): string {
  if (written === '~') return home;
  if (written.startsWith('~/')) return resolve(home, written.slice(2));
  return isAbsolute(written) ? written : resolve(base, written);
}
