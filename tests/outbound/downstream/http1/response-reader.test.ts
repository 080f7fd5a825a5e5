import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MORE, ResponseReader } from '../../../../src/outbound/downstream/http1/response-reader.ts';

interface Outcome {
  status: number;
  type: string | undefined;
  session: string | undefined;
  body: string;
  isComplete: boolean;
  /** Bytes after the end. */
  over: number;
  isKept: boolean;
  error: string | null;
}

/** As a connection does it: every piece lies in the same memory, among what earlier reads left there. */
const memory = Buffer.alloc(256 * 1024, '\r\n\r\nHTTP/1.1 200 OK\r\n');

function readPieces(pieces: readonly Buffer[]): Outcome {
  const chunks: Buffer[] = [];
  const seen: Outcome = {
    status: 0,
    type: undefined,
    session: undefined,
    body: '',
    isComplete: false,
    over: 0,
    isKept: false,
    error: null,
  };
  const reader = new ResponseReader({
    head(status, headers) {
      seen.status = status;
      seen.type = headers['content-type'] as string | undefined;
      seen.session = headers['mcp-session-id'] as string | undefined;
    },
    data: chunk => chunks.push(Buffer.from(chunk)),
  });
  try {
    for (const piece of pieces) {
      if (seen.isComplete) {
        seen.over += piece.length;
        continue;
      }
      piece.copy(memory);
      const over = reader.push(memory, piece.length);
      memory.fill('#', 0, piece.length);
      if (over === MORE) continue;
      seen.isComplete = true;
      seen.over = over;
    }
    if (!seen.isComplete && reader.end()) seen.isComplete = true;
    seen.isKept = seen.isComplete && reader.isKept;
  } catch (cause) {
    seen.error = (cause as { code?: string }).code ?? String(cause);
  }
  seen.body = Buffer.concat(chunks).toString('latin1');
  return seen;
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...[...at].sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}

const OK = 'HTTP/1.1 200 OK\r\n';
const JSON_TYPE = 'content-type: application/json\r\n';

const WELL_FORMED: { because: string; bytes: string; is: Partial<Outcome> }[] = [
  {
    because: 'a body has the length it says',
    bytes: `${OK}${JSON_TYPE}Content-Length: 11\r\nmcp-session-id: abc-1\r\n\r\n{"a":"\r\n\r"}`,
    is: { status: 200, type: 'application/json', session: 'abc-1', body: '{"a":"\r\n\r"}', isKept: true, over: 0 },
  },
  {
    because: 'names have any case and values any padding',
    bytes: `${OK}CONTENT-TYPE: \t Application/JSON; charset=utf-8 \t\r\ncontent-LENGTH:2\r\n\r\n{}`,
    is: { type: 'Application/JSON; charset=utf-8', body: '{}', isKept: true },
  },
  {
    because: 'chunks are joined, extensions and trailers skipped',
    bytes: `${OK}Transfer-Encoding: CHUNKED\r\n\r\n3;name="v"\r\nabc\r\n00A \r\n0123456789\r\n0\r\nx-sum: 1\r\ny: 2\r\n\r\n`,
    is: { body: 'abc0123456789', isKept: true, over: 0 },
  },
  {
    because: 'interim answers are skipped',
    bytes: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}content-length: 1\r\n\r\nx`,
    is: { status: 200, body: 'x', isKept: true },
  },
  {
    because: 'without a length the body ends with the connection',
    bytes: `${OK}${JSON_TYPE}\r\n{"open":1}`,
    is: { body: '{"open":1}', isComplete: true, isKept: false },
  },
  {
    because: 'a 204 has no body whatever it says',
    bytes: 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n',
    is: { status: 204, body: '', isComplete: true, isKept: true },
  },
  { because: 'a 304 has no body', bytes: 'HTTP/1.1 304\r\n\r\n', is: { status: 304, isComplete: true, isKept: true } },
  {
    because: 'an empty body is complete',
    bytes: 'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n',
    is: { status: 202, isComplete: true, isKept: true },
  },
  {
    because: 'connection: close is honoured among other options',
    bytes: `${OK}connection: foo, Close\r\ncontent-length: 1\r\n\r\nx`,
    is: { body: 'x', isKept: false },
  },
  {
    because: 'HTTP/1.0 is read and not kept',
    bytes: 'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx',
    is: { body: 'x', isKept: false },
  },
  {
    because: 'what follows a complete answer is counted, not read',
    bytes: `${OK}content-length: 1\r\n\r\nx${OK}content-length: 1\r\n\r\ny`,
    is: { body: 'x', over: 39 },
  },
  {
    because: 'two sessions are none',
    bytes: `${OK}mcp-session-id: a\r\nmcp-session-id: b\r\ncontent-length: 0\r\n\r\n`,
    is: { session: '' },
  },
  {
    because: 'an answer that breaks off is not complete',
    bytes: `${OK}content-length: 10\r\n\r\nabc`,
    is: { body: 'abc', isComplete: false },
  },
  {
    because: 'chunks that break off are not complete',
    bytes: `${OK}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`,
    is: { body: 'abc', isComplete: false },
  },
];

describe('a response', () => {
  test.each(WELL_FORMED)('reads the same however it is cut: $because', ({ bytes, is }) => {
    const all = Buffer.from(bytes, 'latin1');
    const whole = readPieces([all]);
    expect(whole).toMatchObject({ error: null, ...is });
    for (let at = 1; at < all.length; at += 1) expect(readPieces(cut(all, [at])), `cut at ${at}`).toEqual(whole);
    expect(readPieces([...all].map(byte => Buffer.from([byte])))).toEqual(whole);
  });

  test('of any shape reads the same in any pieces', () => {
    const body = fc.uint8Array({ maxLength: 3000 }).map(bytes => Buffer.from(bytes));
    const fields = fc.array(fc.constantFrom('x-a: 1', 'Server: \xe9', 'date:', 'mcp-session-id: s'), { maxLength: 3 });
    const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
    const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(body, fields, places, sizes, fc.boolean(), (data, extra, at, chunkSizes, isChunked) => {
        const head = extra.map(field => `${field}\r\n`).join('');
        const framing = isChunked ? 'transfer-encoding: chunked' : `content-length: ${data.length}`;
        const bytes = Buffer.concat([
          Buffer.from(`HTTP/1.1 200 OK\r\n${head}${framing}\r\n\r\n`, 'latin1'),
          ...(isChunked ? inChunks(data, chunkSizes) : [data]),
        ]);
        const outcome = readPieces(
          cut(
            bytes,
            at.map(place => Math.floor(place * bytes.length)),
          ),
        );
        expect(outcome).toMatchObject({ error: null, isComplete: true, over: 0, isKept: true });
        expect(outcome.body).toBe(data.toString('latin1'));
      }),
      { numRuns: 300 },
    );
  });

  test('of any bytes is read or refused, and never read past its end', () => {
    const piece = fc.constantFrom(
      ...[
        'HTTP/1.1 ',
        '200',
        ' OK',
        '\r\n',
        '\n',
        '\r',
        'content-length: ',
        '5',
        'transfer-encoding: chunked',
        '0',
        ':',
      ],
      ...['a', '\0', ' ', 'HTTP/1.1 200 OK\r\n', '\r\n\r\n', 'connection: close', ';', 'ffffffff', '-1'],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.nat(), (parts, at) => {
        const bytes = Buffer.from(parts.join(''), 'latin1');
        const whole = readPieces([bytes]);
        if (whole.error !== null) expect(whole.error).toBe('HTTP1_INVALID');
        expect(whole.over).toBeLessThanOrEqual(bytes.length);
        const pieces = readPieces(cut(bytes, [at % (bytes.length + 1)]));
        // What came before the mistake came, too, wherever the cuts are.
        expect(pieces).toEqual(whole);
      }),
      { numRuns: 1000 },
    );
  });

  test('of one byte per chunk arrives as one piece per read', () => {
    const count = 2000;
    let pieces = 0;
    const reader = new ResponseReader({ head() {}, data: () => (pieces += 1) });
    const bytes = Buffer.from(`${OK}transfer-encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(count)}0\r\n\r\n`);
    expect(reader.push(bytes, bytes.length)).toBe(0);
    expect(pieces).toBe(1);
  });

  test('with a head of 64 KB is read, also a byte at a time', () => {
    const bytes = Buffer.from(`${OK}x: ${'a'.repeat(64 * 1024 - 60)}\r\ncontent-length: 1\r\n\r\nx`);
    expect(readPieces([bytes])).toMatchObject({ error: null, body: 'x' });
    expect(readPieces([...bytes].map(byte => Buffer.from([byte])))).toMatchObject({ error: null, body: 'x' });
  });

  test('is over for its listener once that has stopped', () => {
    let chunks = 0;
    const reader = new ResponseReader({ head: () => reader.stop(), data: () => (chunks += 1) });
    const bytes = Buffer.from(`${OK}content-length: 1\r\n\r\nx`);
    expect(reader.push(bytes, bytes.length)).toBe(MORE);
    expect(chunks).toBe(0);
  });
});

const MALFORMED: { because: string; bytes: string }[] = [
  {
    because: 'content-length beside transfer-encoding',
    bytes: 'content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
  },
  {
    because: 'transfer-encoding beside content-length',
    bytes: 'transfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n',
  },
  { because: 'two different lengths', bytes: 'content-length: 1\r\ncontent-length: 2\r\n\r\nx' },
  { because: 'a list of lengths', bytes: 'content-length: 1, 1\r\n\r\nx' },
  { because: 'a negative length', bytes: 'content-length: -1\r\n\r\n' },
  { because: 'a length with a plus', bytes: 'content-length: +1\r\n\r\nx' },
  { because: 'a hexadecimal length', bytes: 'content-length: 0x1\r\n\r\nx' },
  { because: 'an empty length', bytes: 'content-length:\r\n\r\n' },
  { because: 'a length beyond all numbers', bytes: 'content-length: 9999999999999999\r\n\r\n' },
  { because: 'another transfer coding', bytes: 'transfer-encoding: gzip, chunked\r\n\r\n' },
  { because: 'chunked twice', bytes: 'transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n' },
  { because: 'a chunk size that is none', bytes: 'transfer-encoding: chunked\r\n\r\nxyz\r\n' },
  { because: 'an empty chunk size', bytes: 'transfer-encoding: chunked\r\n\r\n\r\nabc' },
  { because: 'a negative chunk size', bytes: 'transfer-encoding: chunked\r\n\r\n-1\r\n' },
  { because: 'a chunk size beyond 32 bits', bytes: 'transfer-encoding: chunked\r\n\r\n100000000\r\n' },
  { because: 'a chunk that ends in LF', bytes: 'transfer-encoding: chunked\r\n\r\n1\r\nx\n' },
  { because: 'a chunk longer than its size', bytes: 'transfer-encoding: chunked\r\n\r\n1\r\nxy\r\n' },
  { because: 'a chunk size that ends in LF', bytes: 'transfer-encoding: chunked\r\n\r\n1\nx\r\n' },
  { because: 'an endless extension', bytes: `transfer-encoding: chunked\r\n\r\n1;${'e'.repeat(20_000)}` },
  { because: 'endless trailers', bytes: `transfer-encoding: chunked\r\n\r\n0\r\n${'t: 1\r\n'.repeat(20_000)}` },
  { because: 'a trailer that ends in LF', bytes: 'transfer-encoding: chunked\r\n\r\n0\r\na: b\n\r\n' },
  { because: 'header lines that end in LF', bytes: 'a: b\ncontent-length: 0\r\n\r\n' },
  { because: 'a head of LF alone, at once', bytes: 'a: b\n\n' },
  { because: 'a folded header', bytes: 'a: b\r\n c\r\ncontent-length: 0\r\n\r\n' },
  { because: 'a space before the colon', bytes: 'content-length : 0\r\n\r\n' },
  { because: 'a header without a name', bytes: ': b\r\n\r\n' },
  { because: 'a line without a colon', bytes: 'nonsense\r\n\r\n' },
  { because: 'NUL in a value', bytes: 'a: b\0c\r\n\r\n' },
  { because: 'CR in a value', bytes: 'a: b\rc\r\n\r\n' },
  { because: 'CR where a line begins', bytes: '\rx: y\r\ncontent-length: 0\r\n\r\n' },
  { because: 'an endless head', bytes: `a: ${'b'.repeat(70_000)}` },
  { because: 'a head beyond the bound', bytes: `a: ${'b'.repeat(70_000)}\r\n\r\n` },
].map(row => ({ ...row, bytes: OK + row.bytes }));

MALFORMED.push(
  { because: 'another protocol', bytes: 'SSH-2.0-OpenSSH_9.2\r\n\r\n' },
  { because: 'HTTP/2', bytes: 'HTTP/2.0 200 OK\r\n\r\n' },
  { because: 'HTTP/1.2', bytes: 'HTTP/1.2 200 OK\r\n\r\n' },
  { because: 'a status of two digits', bytes: 'HTTP/1.1 20 OK\r\n\r\n' },
  { because: 'a status of four digits', bytes: 'HTTP/1.1 2000 OK\r\n\r\n' },
  { because: 'a status below 100', bytes: 'HTTP/1.1 099 No\r\n\r\n' },
  { because: 'a status above 599', bytes: 'HTTP/1.1 600 No\r\n\r\n' },
  { because: 'an upgrade nobody asked for', bytes: 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n' },
  { because: 'chunks in HTTP/1.0', bytes: 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n' },
  { because: 'an empty line first', bytes: `\r\n\r\n${OK}content-length: 0\r\n\r\n` },
);

describe('refused, whole or a byte at a time', () => {
  test.each(MALFORMED)('$because', ({ bytes }) => {
    const all = Buffer.from(bytes, 'latin1');
    const refused = { error: 'HTTP1_INVALID', isComplete: false };
    const whole = readPieces([all]);
    expect(whole).toMatchObject(refused);
    expect(readPieces([...all].map(byte => Buffer.from([byte])))).toEqual(whole);
  });

  test.each([
    { bytes: '3\r\nabc\r\nxyz\r\n', body: 'abc', because: 'a size that is none' },
    { bytes: '3\r\nabc\r\n2\r\ndef\r\n', body: 'abcde', because: 'data beyond the size' },
    { bytes: '3\r\nabc\r\n0\r\nx: \0\r\n', body: 'abc', because: 'a bad trailer' },
  ])('with what was whole before it: $because', ({ bytes, body }) => {
    const all = Buffer.from(`${OK}transfer-encoding: chunked\r\n\r\n${bytes}`, 'latin1');
    for (let at = 1; at <= all.length; at += 1)
      expect(readPieces(cut(all, [at])), `cut at ${at}`).toMatchObject({ error: 'HTTP1_INVALID', body });
  });
});

function inChunks(data: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0, i = 0; at < data.length; i += 1) {
    const piece = data.subarray(at, at + (sizes[i % sizes.length] ?? 1));
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
    at += piece.length;
  }
  return [...parts, Buffer.from('0\r\n\r\n')];
}
