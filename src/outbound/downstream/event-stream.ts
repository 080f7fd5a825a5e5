/**
 * Server-sent events out of chunks of bytes (WHATWG HTML, section 9.2), without turning them into text: the data of an
 * event is copied out of the chunk once. Bounded: an event, or a line that never ends, beyond the limit ends
 * the stream. Time linear in the bytes however they are cut.
 */
import { GatheredBytes } from './gathered-bytes.ts';

const LF = 10;
const CR = 13;
const COLON = 58;
const SPACE = 32;
const BOM = [0xef, 0xbb, 0xbf] as const;
const MAX_FIELD_NAME = 5;
const MAX_ID_BYTES = 4096;

export interface StreamEvent {
  /** `message` unless the stream says otherwise. */
  type: string;
  /** Lines joined by LF; may be empty (a priming event carries only an id). */
  data: Buffer;
  /** The last id seen on the stream, or null. */
  id: string | null;
}

export interface EventStreamReader {
  /** The chunk is lent. False: a limit was passed, and the rest of the stream is not worth reading. */
  push(chunk: Buffer): boolean;
  /** The last id seen, for `Last-Event-ID`. */
  readonly lastId: string | null;
  /** The server's wish for the wait before the next connection. */
  readonly retryMs: number | null;
}

export function createEventStreamReader(
  maxEventBytes: number,
  lastId: string | null,
  emit: (event: StreamEvent) => void,
): EventStreamReader {
  /** The start of a line whose end has not come yet. */
  let pending: GatheredBytes | null = null;
  let dataLines: Buffer[] = [];
  let dataBytes = 0;
  let hasData = false;
  let type = '';
  let id = lastId;
  let hasNewId = false;
  let retryMs: number | null = null;
  let isAfterCr = false;
  let isStart = true;
  let isBroken = false;

  /** `isLent`: its memory is used again. */
  function takeLine(line: Buffer, isLent: boolean): boolean {
    if (isStart) {
      isStart = false;
      if (line[0] === BOM[0] && line[1] === BOM[1] && line[2] === BOM[2]) line = line.subarray(BOM.length);
    }
    if (line.length === 0) {
      dispatch();
      return true;
    }
    const colon = line.subarray(0, MAX_FIELD_NAME + 1).indexOf(COLON);
    if (colon === 0) return true;
    if (colon < 0 && line.length > MAX_FIELD_NAME) return true;
    const name = line.toString('latin1', 0, colon < 0 ? line.length : colon);
    let from = colon < 0 ? line.length : colon + 1;
    if (line[from] === SPACE) from += 1;
    if (name === 'data') {
      hasData = true;
      dataBytes += line.length - from + 1;
      if (dataBytes > maxEventBytes) return false;
      dataLines.push(isLent ? Buffer.from(line.subarray(from)) : line.subarray(from));
    } else if (name === 'event') {
      type = line.toString('utf8', from);
    } else if (name === 'id') {
      const text = line.toString('utf8', from, from + MAX_ID_BYTES + 1);
      if (text.length <= MAX_ID_BYTES && !text.includes('\0')) {
        id = text === '' ? null : text;
        hasNewId = true;
      }
    } else if (name === 'retry') {
      const text = line.toString('latin1', from);
      if (/^\d{1,9}$/.test(text)) retryMs = Number(text);
    }
    return true;
  }

  function dispatch(): void {
    const first = dataLines[0];
    if (hasData || hasNewId) {
      const data =
        first === undefined ? Buffer.alloc(0) : dataLines.length === 1 ? first : Buffer.concat(interleave(dataLines));
      const event = { type: type === '' ? 'message' : type, data, id };
      reset();
      emit(event);
    } else reset();
  }

  function reset(): void {
    dataLines = [];
    dataBytes = 0;
    hasData = false;
    hasNewId = false;
    type = '';
  }

  function endLine(rest: Buffer): boolean {
    if (pending === null) return takeLine(rest, true);
    pending.push(rest);
    const line = pending.take();
    pending = null;
    return takeLine(line, false);
  }

  return {
    push(chunk) {
      if (isBroken) return false;
      let at = 0;
      if (isAfterCr && chunk[0] === LF) at = 1;
      if (chunk.length > 0) isAfterCr = false;
      let nextCr = chunk.indexOf(CR, at);
      while (at < chunk.length) {
        const lf = chunk.indexOf(LF, at);
        if (nextCr >= 0 && nextCr < at) nextCr = chunk.indexOf(CR, at);
        const end = nextCr >= 0 && (lf < 0 || nextCr < lf) ? nextCr : lf;
        if (end < 0) {
          pending ??= new GatheredBytes();
          pending.push(chunk.subarray(at));
          // "data: " and a line end are not data.
          if (pending.length > maxEventBytes + 16) isBroken = true;
          break;
        }
        if (!endLine(chunk.subarray(at, end))) {
          isBroken = true;
          break;
        }
        at = end + 1;
        if (end === nextCr) {
          if (at === chunk.length) isAfterCr = true;
          else if (chunk[at] === LF) at += 1;
        }
      }
      return !isBroken;
    },
    get lastId() {
      return id;
    },
    get retryMs() {
      return retryMs;
    },
  };
}

function interleave(lines: readonly Buffer[]): Buffer[] {
  const parts: Buffer[] = [];
  for (const line of lines) {
    if (parts.length > 0) parts.push(NEWLINE);
    parts.push(line);
  }
  return parts;
}

const NEWLINE = Buffer.from('\n');
