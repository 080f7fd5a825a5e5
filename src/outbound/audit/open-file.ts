/**
 * Opening a file of the ledger. Refused: what is no regular file, because a pipe keeps nothing and a device is nobody's
 * book; and, for the files beside the ledger, a symbolic link, because what it leads to would be written over.
 */
import { constants, type Stats } from 'node:fs';
import type { Disk } from './disk.ts';

/** `followed`: for the ledger itself alone, which an operator may keep on another volume. */
export type Links = 'followed' | 'refused';

/** Its message is a sentence for the operator. */
export class RefusedFile extends Error {
  readonly code: string;

  constructor(code: string, path: string, what: string) {
    super(`${path} ${what}: move it away`);
    this.code = code;
  }
}

const OWNER_ONLY = 0o600;
/** What the system says of a name that is not to be opened as a file. */
const REFUSALS: Readonly<Record<string, string>> = {
  ELOOP: 'is a symbolic link',
  EISDIR: 'is a folder',
  ENXIO: 'is a socket or a pipe',
};

/** Throws what the system refuses, and what is refused here. */
export function openFile(disk: Disk, path: string, flags: number, links: Links): { fd: number; facts: Stats } {
  // Never waits for somebody at the other end of a pipe.
  const wanted = flags | constants.O_NONBLOCK | (links === 'refused' ? constants.O_NOFOLLOW : 0);
  let fd: number;
  try {
    fd = disk.openSync(path, wanted, OWNER_ONLY);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const what = links === 'refused' ? REFUSALS[code] : undefined;
    throw what === undefined ? cause : new RefusedFile(code, path, what);
  }
  try {
    const facts = disk.fstatSync(fd);
    if (!facts.isFile()) throw new RefusedFile('EINVAL', path, 'is not a regular file');
    return { fd, facts };
  } catch (cause) {
    disk.closeSync(fd);
    throw cause;
  }
}
