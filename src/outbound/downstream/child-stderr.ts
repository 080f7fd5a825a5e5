/**
 * A child's stderr: always drained, a bounded part of it logged at debug level, the last lines kept for the day it
 * dies. Declared secrets are masked and control characters removed; nothing from here is fit for a client.
 */
import { stripVTControlCharacters } from 'node:util';
import type { Log } from '../../ports/log.ts';
import type { SecretMask } from './secret-mask.ts';

const LF = 10;
const LINE_BYTES = 2048;
const LINES_PER_WINDOW = 20;
const WINDOW_MS = 1000;
const TAIL_LINES = 20;
const TAIL_CHARS = 4096;

export interface StderrReader {
  push(chunk: Buffer): void;
  end(): void;
  /** The last lines, oldest first, joined by " | "; empty when the child said nothing. */
  tail(): string;
}

export function createStderrReader(log: Log, mask: SecretMask): StderrReader {
  /** Enough behind the cut to hold a whole secret that begins before it: masking comes first, cutting second. */
  const keptBytes = LINE_BYTES + mask.longestBytes;
  const lastLines: Buffer[] = [];
  let line: Buffer[] = [];
  let lineBytes = 0;
  let logged = 0;
  let suppressed = 0;
  let window: NodeJS.Timeout | null = null;

  function toText(bytes: Buffer): string {
    const masked = mask.apply(stripVTControlCharacters(bytes.toString('utf8')));
    const text = masked.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
    return text.length > LINE_BYTES || bytes.length >= keptBytes ? `${text.slice(0, LINE_BYTES)}...` : text;
  }

  function closeWindow(): void {
    if (window !== null) clearTimeout(window);
    window = null;
    logged = 0;
    if (suppressed > 0) log.debug('child wrote more to stderr than is logged', { lines: suppressed });
    suppressed = 0;
  }

  function finishLine(): void {
    if (lineBytes === 0) return;
    // Copied even when it is one piece: a view would keep the whole chunk alive for as long as the child is quiet.
    const whole = Buffer.concat(line, lineBytes);
    line = [];
    lineBytes = 0;
    lastLines.push(whole);
    if (lastLines.length > TAIL_LINES) lastLines.shift();
    window ??= setTimeout(closeWindow, WINDOW_MS).unref();
    if (logged >= LINES_PER_WINDOW) {
      suppressed += 1;
      return;
    }
    logged += 1;
    const text = toText(whole);
    if (text !== '') log.debug('child stderr', { line: text });
  }

  function keep(piece: Buffer): void {
    const room = keptBytes - lineBytes;
    if (room <= 0 || piece.length === 0) return;
    // Copied, so that a child writing byte by byte holds bytes here and not one chunk for each.
    line.push(Buffer.from(piece.length > room ? piece.subarray(0, room) : piece));
    lineBytes += Math.min(room, piece.length);
    if (line.length >= 64) line = [Buffer.concat(line, lineBytes)];
  }

  return {
    push(chunk) {
      let from = 0;
      for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, from)) {
        keep(chunk.subarray(from, at));
        finishLine();
        from = at + 1;
      }
      keep(from === 0 ? chunk : chunk.subarray(from));
    },
    end() {
      finishLine();
      closeWindow();
    },
    tail: () =>
      lastLines
        .map(toText)
        .filter(text => text !== '')
        .join(' | ')
        .slice(-TAIL_CHARS),
  };
}
