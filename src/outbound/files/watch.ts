/**
 * Notices that one of a few files has changed: by events of the system, so that a rename over the file and a file that
 * appears later are seen too, and on request by a look at the files themselves, for file systems without events. A
 * change is a different file, size or time of the file a path leads to; what is in it is the reader's business.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { watch } from 'chokidar';
import type { Log } from '../../ports/log.ts';

export interface FileWatchOptions {
  paths: readonly string[];
  /** How long events must pause before `onChange`: one save is often several writes. */
  debounceMs: number;
  log: Log;
  /** Called once per change, never while a look of `changedSinceLastLook` has already told of it. */
  onChange(): void;
}

export interface FileWatch {
  /** True once per change: a look counts as seen, and so does a call of `onChange`. */
  changedSinceLastLook(): Promise<boolean>;
  close(): Promise<void>;
}

/** A file written to without pause is told of all the same, after this many debounces. */
const LONGEST_WAIT = 3;

export function createFileWatch({ paths, debounceMs, log, onChange }: FileWatchOptions): FileWatch {
  const files = new Set(paths.map(path => resolve(path)));
  if (files.size === 0) return { changedSinceLastLook: async () => false, close: async () => {} };

  let closed = false;
  /** What the last look saw; looks follow one another, so that two of them never both claim one change. */
  let seen: Promise<string> = look(files);

  const lookAgain = (): Promise<boolean> => {
    const before = seen;
    const now = before.then(() => look(files));
    seen = now;
    return Promise.all([before, now]).then(([earlier, later]) => earlier !== later);
  };

  let pause: NodeJS.Timeout | undefined;
  let limit: NodeJS.Timeout | undefined;
  const stopTimers = () => {
    clearTimeout(pause);
    clearTimeout(limit);
    limit = undefined;
  };
  const settle = async () => {
    stopTimers();
    if ((await lookAgain()) && !closed) onChange();
  };
  const notice = () => {
    if (closed) return;
    clearTimeout(pause);
    pause = setTimeout(settle, debounceMs);
    limit ??= setTimeout(settle, debounceMs * LONGEST_WAIT);
  };

  const watcher = watch([...files], { ignoreInitial: true, ignorePermissionErrors: true, persistent: false });
  watcher.on('all', notice);
  watcher.on('error', error =>
    log.warn('files cannot be watched; a change is noticed when it is looked for', {
      error: error instanceof Error ? error.message : String(error),
    }),
  );

  return {
    changedSinceLastLook: () => (closed ? Promise.resolve(false) : lookAgain()),
    async close() {
      closed = true;
      stopTimers();
      await watcher.close();
    },
  };
}

/**
 * What can be seen of files without reading them: another text, another content. Follows links: of a mounted folder whose
 * files are links, the target changes.
 */
export async function look(files: Iterable<string>): Promise<string> {
  const facts = await Promise.all(
    [...files].map(file =>
      stat(file, { bigint: true }).then(
        ({ ino, size, mtimeNs, ctimeNs }) => `${ino} ${size} ${mtimeNs} ${ctimeNs}`,
        () => 'absent',
      ),
    ),
  );
  return facts.join('\n');
}
