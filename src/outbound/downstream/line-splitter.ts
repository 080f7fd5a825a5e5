/**
 * Bytes in, lines out: newline-delimited messages as MCP stdio sends them (one JSON text per line, UTF-8, LF).
 * Tolerates CRLF, drops empty lines, refuses a line beyond the cap. Knows nothing of JSON or processes.
 */
import { GatheredBytes } from './gathered-bytes.ts';

const LF = 10;
const CR = 13;

export interface LineSplitter {
  /** Returns false once a line was longer than the cap; from then on everything is ignored. */
  push(chunk: Buffer): boolean;
  /** Hands over a last line without a newline, if there is one. */
  end(): void;
  /** Drops what is held and ignores what follows. */
  abandon(): void;
}

/**
 * Cost is linear in the bytes however they are cut. A line inside one chunk is a view of that chunk; a longer one is
 * gathered. A list of chunks would be simpler, but a server that writes byte by byte would make each byte cost an object.
 */
export function createLineSplitter(maxLineBytes: number, line: (bytes: Buffer) => void): LineSplitter {
  let held: GatheredBytes | null = null;
  let isOver = false;

  function abandon(): void {
    isOver = true;
    held = null;
  }

  function emit(bytes: Buffer): void {
    const length = bytes.length > 0 && bytes[bytes.length - 1] === CR ? bytes.length - 1 : bytes.length;
    if (length > maxLineBytes) abandon();
    else if (length > 0) line(length === bytes.length ? bytes : bytes.subarray(0, length));
  }

  function hold(bytes: Buffer): void {
    // One more than the cap: the CR of a CRLF is not part of the line.
    if ((held?.length ?? 0) + bytes.length > maxLineBytes + 1) {
      abandon();
      return;
    }
    held ??= new GatheredBytes();
    held.push(bytes);
  }

  function releaseHeld(): void {
    if (held === null) return;
    const whole = held.take();
    held = null;
    emit(whole);
  }

  return {
    push(chunk) {
      let from = 0;
      while (!isOver) {
        const at = chunk.indexOf(LF, from);
        if (at === -1) break;
        if (held === null) emit(chunk.subarray(from, at));
        else {
          hold(chunk.subarray(from, at));
          releaseHeld();
        }
        from = at + 1;
      }
      if (!isOver && from < chunk.length) hold(from === 0 ? chunk : chunk.subarray(from));
      return !isOver;
    },
    end: releaseHeld,
    abandon,
  };
}
