/**
 * Cuts a byte stream into HTTP/1.1 messages: heads as text, bodies as bytes.
 * The two ends of the benchmark use it instead of node:http, which alone costs more per call than nginx
 * does and would hide what is between them. Bodies: Content-Length, chunked, or until the peer closes
 * (RFC 9112, section 6). Refused: heads and bodies beyond the bounds below.
 */
export type OnMessage = (head: string, body: Buffer) => void;

export interface Reader {
  /** Yields an error by throwing: the stream cannot be read any further. */
  feed(chunk: Buffer): void;
  /** The peer closed. True when that ended a message, or fell between two. */
  close(): boolean;
}

const MAX_HEAD_BYTES = 64 * 1024;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const HEAD_END = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);
const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;

type Expecting = 'head' | 'body' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'until-close';

export function createReader(reads: 'requests' | 'responses', onMessage: OnMessage): Reader {
  let expecting: Expecting = 'head';
  let head = '';
  let leftOver: Buffer | null = null;
  let bytesLeft = 0;
  let parts: Buffer[] = [];
  let bodyBytes = 0;

  const keep = (part: Buffer): void => {
    bodyBytes += part.length;
    if (bodyBytes > MAX_BODY_BYTES) throw new Error('body too long');
    parts.push(part);
  };
  const finish = (): void => {
    const first = parts[0];
    const body = first === undefined ? EMPTY : parts.length === 1 ? first : Buffer.concat(parts, bodyBytes);
    if (parts.length > 0) parts = [];
    bodyBytes = 0;
    expecting = 'head';
    onMessage(head, body);
  };
  const readHead = (bytes: Buffer, from: number): number => {
    const end = bytes.indexOf(HEAD_END, from);
    if (end < 0) return -1;
    head = bytes.toString('latin1', from, end + 2);
    const isInterim = reads === 'responses' && head.startsWith('HTTP/1.1 1');
    if (isInterim) return end + 4;
    const length = LENGTH.exec(head);
    if (length !== null) {
      bytesLeft = Number(length[1]);
      if (bytesLeft > MAX_BODY_BYTES) throw new Error('body too long');
      if (bytesLeft === 0) finish();
      else expecting = 'body';
    } else if (CHUNKED.test(head)) expecting = 'chunk-size';
    else if (reads === 'responses' && !/^HTTP\/1\.[01] (204|304)/.test(head)) expecting = 'until-close';
    else finish();
    return end + 4;
  };
  const readLine = (bytes: Buffer, from: number): number => {
    const end = bytes.indexOf('\r\n', from, 'latin1');
    if (end < 0) return -1;
    if (expecting === 'chunk-end') expecting = 'chunk-size';
    else if (expecting === 'chunk-size') {
      const size = bytes.toString('latin1', from, Math.min(end, from + 20));
      bytesLeft = Number.parseInt(size, 16);
      if (Number.isNaN(bytesLeft)) throw new Error(`bad chunk size ${JSON.stringify(size)}`);
      expecting = bytesLeft === 0 ? 'trailer' : 'chunk';
    } else if (end === from) finish();
    return end + 2;
  };
  const readBody = (bytes: Buffer, from: number): number => {
    const to = expecting === 'until-close' ? bytes.length : Math.min(bytes.length, from + bytesLeft);
    keep(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
    if (expecting === 'until-close') return to;
    bytesLeft -= to - from;
    if (bytesLeft === 0) {
      if (expecting === 'body') finish();
      else expecting = 'chunk-end';
    }
    return to;
  };

  return {
    feed(chunk) {
      const bytes = leftOver === null ? chunk : Buffer.concat([leftOver, chunk]);
      leftOver = null;
      let at = 0;
      while (at < bytes.length) {
        const isBody = expecting === 'body' || expecting === 'chunk' || expecting === 'until-close';
        const next = isBody ? readBody(bytes, at) : expecting === 'head' ? readHead(bytes, at) : readLine(bytes, at);
        if (next < 0) {
          if (bytes.length - at > MAX_HEAD_BYTES) throw new Error('head or line too long');
          leftOver = bytes.subarray(at);
          return;
        }
        at = next;
      }
    },
    close() {
      if (expecting === 'until-close') finish();
      return expecting === 'head' && leftOver === null;
    },
  };
}
