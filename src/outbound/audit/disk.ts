/**
 * The system calls that the ledger makes, as a value: the only seam between it and the disk, so that a full or broken
 * one can be shown to it. Nothing but node:fs is behind it in the running gateway.
 */
import fs from 'node:fs';
import type { Links } from './open-file.ts';

export type Disk = Pick<
  typeof fs,
  | 'openSync'
  | 'close'
  | 'closeSync'
  | 'readSync'
  | 'writeSync'
  | 'fstatSync'
  | 'statSync'
  | 'lstatSync'
  | 'ftruncateSync'
  | 'fdatasyncSync'
  | 'fdatasync'
  | 'fchmodSync'
  | 'mkdirSync'
  | 'readdirSync'
  | 'renameSync'
  | 'unlinkSync'
>;

export const SYSTEM_DISK: Disk = fs;

/** The system's word for what went wrong (`ENOSPC`), fit for logs and metrics. */
export function failureCode(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : null;
  return typeof code === 'string' ? code : 'UNKNOWN';
}

/** Which file it is, whatever it is called: as long as it is open, no other one is it. */
export interface FileId {
  dev: number;
  ino: number;
}

/** False when the name leads elsewhere or nowhere, or by a link that is not followed. Throws when the way to it cannot be read. */
export function standsAt(disk: Disk, path: string, { dev, ino }: FileId, links: Links): boolean {
  const look = links === 'followed' ? disk.statSync : disk.lstatSync;
  const found = look(path, { throwIfNoEntry: false });
  return found !== undefined && found.ino === ino && found.dev === dev;
}

/** First the one, then the other, off the event loop; null when both are on the disk. */
export function syncBoth(disk: Disk, first: number, second: number, done: (failed: Error | null) => void): void {
  disk.fdatasync(first, failed => {
    if (failed) done(failed);
    else disk.fdatasync(second, alsoFailed => done(alsoFailed));
  });
}
