/** Reading what an operator points at: regular files of bounded size, with a word for what went wrong. */
import { readFileSync, statSync } from 'node:fs';

export type TextFile = { ok: true; text: string } | { ok: false; missing: boolean; reason: string };

/** Refuses folders, devices and pipes (a read of `/dev/zero` would never end) and files above `maxBytes`. */
export function readTextFile(path: string, maxBytes: number): TextFile {
  try {
    const facts = statSync(path);
    if (!facts.isFile()) {
      return { ok: false, missing: false, reason: facts.isDirectory() ? 'it is a folder' : 'it is not a regular file' };
    }
    if (facts.size > maxBytes) {
      return { ok: false, missing: false, reason: `it is larger than ${Math.floor(maxBytes / 1024)} KiB` };
    }
    // A byte order mark is how some editors save; it is no part of the text.
    return { ok: true, text: readFileSync(path, 'utf8').replace(/^\uFEFF/, '') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    return {
      ok: false,
      missing: code === 'ENOENT' || code === 'ENOTDIR',
      reason: REASONS.get(code) ?? `error ${code}`,
    };
  }
}

export function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'it does not exist'],
  ['ENOTDIR', 'a part of its path is not a folder'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['ELOOP', 'its symbolic links form a loop'],
]);
