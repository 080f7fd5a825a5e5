import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatheredBytes } from '../../../src/outbound/downstream/gathered-bytes.ts';

const KiB = 1024;

describe('bytes that come in pieces', () => {
  test('are the same bytes however they are cut and whatever was expected', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 200 * KiB }), { maxLength: 8 });
    fc.assert(
      fc.property(
        pieces,
        fc.option(fc.integer({ min: -1, max: 2000 * KiB }), { nil: undefined }),
        (parts, expected) => {
          const gathered = new GatheredBytes(expected);
          const lent = Buffer.alloc(200 * KiB);
          for (const part of parts) {
            lent.set(part);
            gathered.push(lent.subarray(0, part.length));
            lent.fill('#');
          }
          const whole = Buffer.concat(parts);
          expect(gathered.length).toBe(whole.length);
          expect(gathered.take().equals(whole)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('leave no memory behind for the garbage collector', () => {
    const before = process.memoryUsage().arrayBuffers;
    const kept: Buffer[] = [];
    const piece = Buffer.alloc(64 * KiB, 'x');
    for (let i = 0; i < 10; i += 1) {
      const gathered = new GatheredBytes();
      for (let sent = 0; sent < 8 * 1024 * KiB; sent += piece.length) gathered.push(piece);
      kept.push(gathered.take());
    }
    const held = process.memoryUsage().arrayBuffers - before;
    expect(kept.every(bytes => bytes.length === 8 * 1024 * KiB)).toBe(true);
    expect(held).toBeLessThan(10 * 8 * 1024 * KiB * 1.1);
  });

  test('are given no more memory than came when much is only promised', () => {
    const before = process.memoryUsage().arrayBuffers;
    const kept = Array.from({ length: 20 }, () => {
      const gathered = new GatheredBytes(16 * 1024 * KiB);
      gathered.push(Buffer.from('x'));
      return gathered.take();
    });
    expect(kept.join('')).toBe('x'.repeat(20));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * 1100 * KiB);
  });
});
