/**
 * The quarantine in one small JSON file that people may read and other processes may change. Replaced as a whole: written
 * beside it, on the disk, then renamed over it, so that a reader or a loss of power finds the old or the new one. A lock
 * file keeps two changes from undoing one another. Not read: files that others may write, files beyond a cap.
 */
import { constants } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type QuarantineEntry, readQuarantine, writeQuarantine } from '../../domain/quarantine.ts';
import type { Clock } from '../../ports/clock.ts';
import type { QuarantineStore } from '../../ports/quarantine.ts';
import { look } from '../files/watch.ts';

const MAX_BYTES = 16 * 1024 * 1024;
/** A look costs one question to the system. Its events would come with every line of the ledger in the same folder. */
const LOOK_MS = 500;
const LOCK_TRIES = 200;
const LOCK_PAUSE_MS = 10;
/** A change takes milliseconds; a lock this old was left behind by a process that was killed. */
const STALE_LOCK_MS = 10_000;

export function createQuarantineFile({ path, clock }: { path: string; clock: Clock }): QuarantineStore {
  async function read(): Promise<QuarantineEntry[]> {
    const text = await readWhole(path);
    if (text === null) return [];
    const parsed = readQuarantine(text);
    if (!parsed.ok) throw new Error(`${path} cannot be understood: ${parsed.reason}`);
    return parsed.entries;
  }

  return {
    read,
    async change(edit) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const unlock = await lock(`${path}.lock`, clock);
      try {
        const before = await read();
        const after = edit(before);
        if (after === null) return before;
        const text = writeQuarantine(after);
        // What could not be read again would shut out nobody from the next start on.
        const readBack = readQuarantine(text);
        if (!readBack.ok) throw new Error(`the change cannot be kept: ${readBack.reason}`);
        await replace(path, text);
        return after;
      } finally {
        await unlock();
      }
    },
    watch(onChange) {
      let cancel = () => {};
      let isStopped = false;
      let seen: string | null = null;
      const again = async () => {
        const now = await look([path]);
        if (isStopped) return;
        if (seen !== null && now !== seen) onChange();
        seen = now;
        cancel = clock.after(LOOK_MS, again);
      };
      const first = again();
      return async () => {
        isStopped = true;
        cancel();
        await first;
      };
    },
  };
}

async function readWhole(path: string): Promise<string | null> {
  const file = await open(path, 'r').catch(error => {
    if (isCode(error, 'ENOENT')) return null;
    throw error;
  });
  if (file === null) return null;
  try {
    const { size, mode } = await file.stat();
    if ((mode & constants.S_IWOTH) !== 0) throw new Error(`${path} may be written by everybody: chmod 600 it`);
    if (size > MAX_BYTES) throw new Error(`${path} is larger than ${MAX_BYTES} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

async function replace(path: string, text: string): Promise<void> {
  const beside = `${path}.${process.pid}.new`;
  try {
    await rm(beside, { force: true });
    const file = await open(beside, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  // The rename itself is in the folder.
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function lock(path: string, clock: Clock): Promise<() => Promise<void>> {
  for (let tries = 0; ; tries++) {
    try {
      await (await open(path, 'wx', 0o600)).close();
      return () => rm(path, { force: true });
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
    }
    const age = await stat(path).then(
      ({ mtimeMs }) => clock.wallMs() - mtimeMs,
      () => 0,
    );
    if (age > STALE_LOCK_MS) await rm(path, { force: true });
    else if (tries >= LOCK_TRIES) throw new Error(`${path} is held by another process`);
    else await pause(LOCK_PAUSE_MS);
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
