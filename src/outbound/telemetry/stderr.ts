/**
 * Stderr as a place for lines that can never stop the process: a parent that opened the pipe and does not read it
 * must neither block the event loop nor the exit. Written at once where there is room, so that a line survives
 * whatever kills us next; queued in bounds where there is none; dropped and counted beyond.
 */
import { writeSync } from 'node:fs';

export interface StderrSink {
  write(line: string): void;
  /** Waits briefly for a slow reader, at most 250 ms; for the end of the process. */
  flush(): void;
}

const STDERR = 2;
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
const RETRY_MS = 20;
const FLUSH_MS = 250;

/** `noteDropped` renders the line that tells how many are missing. */
export function createStderrSink(noteDropped: (count: number) => string): StderrSink {
  makeNonBlocking();
  let queue: Buffer[] = [];
  let queuedBytes = 0;
  let dropped = 0;
  let isGone = false;
  let isWaiting = false;

  /** Writes what fits now; false while something is left. */
  function drain(): boolean {
    while (queue.length > 0 && !isGone) {
      const batch = queue.length === 1 ? queue[0] : Buffer.concat(queue);
      if (batch === undefined) return true;
      const written = writeSome(batch);
      queuedBytes -= written;
      queue = written === batch.length ? [] : [batch.subarray(written)];
      if (queue.length > 0) return isGone;
      if (dropped > 0) {
        const note = Buffer.from(noteDropped(dropped));
        dropped = 0;
        queue = [note];
        queuedBytes = note.length;
      }
    }
    return true;
  }

  function writeSome(bytes: Buffer): number {
    try {
      return writeSync(STDERR, bytes);
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code === 'EAGAIN' || code === 'EINTR') return 0;
      // Closed, or a full disk: there is nowhere left to say so.
      isGone = code === 'EPIPE' || code === 'EBADF' || code === 'ECONNRESET';
      return bytes.length;
    }
  }

  function retryLater(): void {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      if (!drain()) retryLater();
    }, RETRY_MS).unref();
  }

  function flush(): void {
    const sleep = new Int32Array(new SharedArrayBuffer(4));
    for (let waited = 0; !drain() && waited < FLUSH_MS; waited += RETRY_MS) Atomics.wait(sleep, 0, 0, RETRY_MS);
  }

  process.on('exit', flush);
  return {
    write(line) {
      if (isGone) return;
      const bytes = Buffer.from(line);
      if (queuedBytes + bytes.length > MAX_QUEUED_BYTES) {
        dropped += 1;
        return;
      }
      queue.push(bytes);
      queuedBytes += bytes.length;
      // While a retry is pending the pipe is full: trying at every line would only copy the queue about.
      if (!isWaiting && !drain()) retryLater();
    },
    flush,
  };
}

/**
 * Node opens a stderr that is a pipe in blocking mode (process I/O, documented). The handle can undo that; Node puts
 * the descriptor's flags back when it exits. Files and terminals stay as they are.
 */
function makeNonBlocking(): void {
  const { _handle: handle } = process.stderr as unknown as { _handle?: { setBlocking?(on: boolean): number } };
  if (!process.stderr.isTTY) handle?.setBlocking?.(false);
}
