import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLineSplitter } from '../../src/outbound/downstream/line-splitter.ts';

function split(chunks: readonly (string | Buffer)[], maxLineBytes = 1024): { lines: string[]; isWhole: boolean } {
  const lines: string[] = [];
  const splitter = createLineSplitter(maxLineBytes, bytes => lines.push(bytes.toString()));
  const isWhole = chunks.map(chunk => splitter.push(Buffer.from(chunk))).every(Boolean);
  splitter.end();
  return { lines, isWhole };
}

test.each([
  { chunks: ['a\nb\n'], lines: ['a', 'b'], because: 'two lines in one chunk are two lines' },
  { chunks: ['a', 'b', '\n', 'c\n'], lines: ['ab', 'c'], because: 'a line may come in pieces' },
  { chunks: ['a\r\nb\r', '\n'], lines: ['a', 'b'], because: 'CRLF is tolerated, also when it is cut in two' },
  { chunks: ['\n\r\n\n', 'a\n\n'], lines: ['a'], because: 'empty lines are dropped' },
  { chunks: ['a\nb'], lines: ['a', 'b'], because: 'the last line needs no newline' },
  { chunks: ['a\rb\n'], lines: ['a\rb'], because: 'a CR inside a line is part of it' },
  {
    chunks: [Buffer.from('ä').subarray(0, 1), Buffer.from('ä\n').subarray(1)],
    lines: ['ä'],
    because: 'bytes, not characters, are joined',
  },
])('$because', ({ chunks, lines }) => expect(split(chunks)).toEqual({ lines, isWhole: true }));

test.each([
  { chunks: ['12345678\n'], isWhole: true, because: 'a line of exactly the cap passes' },
  { chunks: ['1234', '5678', '\r\n'], isWhole: true, because: 'the CR does not count' },
  { chunks: ['123456789\n'], isWhole: false, because: 'one byte more in a single chunk is refused' },
  { chunks: ['12345', '6789', 'a'], isWhole: false, because: 'one that never ends is refused before its newline' },
])('$because', ({ chunks, isWhole }) => expect(split(chunks, 8).isWhole).toBe(isWhole));

test('yields nothing after a line beyond the cap', () => {
  expect(split(['ok\n', '123456789', '\nlater\n'], 8)).toEqual({ lines: ['ok'], isWhole: false });
});

test('yields the same lines however the bytes are cut', () => {
  const lines = fc.array(fc.string({ unit: 'grapheme', minLength: 1 }).filter(text => !/[\r\n]/.test(text)));
  fc.assert(
    fc.property(lines, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (given, cuts) => {
      const bytes = Buffer.from(given.map(line => `${line}\n`).join(''));
      const chunks: Buffer[] = [];
      for (let at = 0, n = 0; at < bytes.length; n += 1) {
        const size = cuts[n % cuts.length] ?? 1;
        chunks.push(bytes.subarray(at, at + size));
        at += size;
      }
      expect(split(chunks, 1 << 20).lines).toEqual(given);
    }),
    { numRuns: 200 },
  );
});

test('holds one buffer for a line that comes byte by byte, and hands it over as the receiver’s own', () => {
  const lines: Buffer[] = [];
  const splitter = createLineSplitter(1 << 21, bytes => lines.push(bytes));
  for (const letter of ['a', 'b']) {
    const byte = Buffer.from(letter);
    for (let n = 0; n < 1 << 18; n += 1) splitter.push(byte);
    splitter.push(Buffer.from('\n'));
  }
  expect(lines.map(line => [line.length, line[0], line.at(-1)])).toEqual([
    [1 << 18, 97, 97],
    [1 << 18, 98, 98],
  ]);
});
