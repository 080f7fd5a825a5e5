import { describe, expect, test } from 'vitest';
import { KeyedHash } from '../../../src/outbound/limits/keyed-hash.ts';
import { createMemoryLimits } from '../../../src/outbound/limits/memory-limits.ts';
import { WindowTable } from '../../../src/outbound/limits/window-table.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';

const MINUTE = { id: 'minute', calls: 5, perMs: 60_000 };

function setUp() {
  const clock = createFrozenClock();
  const limits = createMemoryLimits(clock);
  const isTaken = (key = 'a', window = MINUTE) => limits.take([key], [window]).fullAt === -1;
  return { clock, limits, isTaken };
}

describe('a window', () => {
  test('lets five a minute through and refuses the sixth until the minute is over', () => {
    const { clock, limits, isTaken } = setUp();
    for (let i = 0; i < 5; i++) expect(isTaken()).toBe(true);
    const refused = limits.take(['a'], [MINUTE]);
    expect(refused).toEqual({ fullAt: 0, limit: 5, remaining: 0, retryAfterMs: 60_000, resetMs: 60_000 });
    clock.advance(59_999);
    expect(isTaken()).toBe(false);
    clock.advance(1);
    expect(isTaken()).toBe(true);
  });

  test('says how much is left and when all of it is there again', () => {
    const { clock, limits } = setUp();
    expect(limits.take(['a'], [MINUTE])).toMatchObject({ remaining: 4, resetMs: 60_000 });
    clock.advance(20_000);
    // The second call is of the second quarter, which is forgotten 15 s after the first.
    expect(limits.take(['a'], [MINUTE])).toMatchObject({ remaining: 3, resetMs: 55_000 });
  });

  test('slides: no three quarters of a window hold more than the limit', () => {
    const { clock, limits } = setUp();
    const takenAt: number[] = [];
    for (let ms = 0; ms < 600_000; ms += 700) {
      if (limits.take(['a'], [MINUTE]).fullAt === -1) takenAt.push(ms);
      clock.advance(700);
    }
    for (const from of takenAt) {
      expect(takenAt.filter(ms => ms >= from && ms < from + 45_000).length).toBeLessThanOrEqual(5);
    }
    expect(takenAt.length).toBeGreaterThanOrEqual(45);
  });

  test('a caller that keeps to its limit is never refused, whenever it calls', () => {
    const { clock, isTaken } = setUp();
    for (let i = 0; i < 200; i++) {
      expect(isTaken()).toBe(true);
      clock.advance(12_001 + ((i * 7919) % 500));
    }
  });

  test('what it says of when to come back is true to the millisecond', () => {
    const { clock, limits, isTaken } = setUp();
    for (let i = 0; i < 400; i++) {
      const verdict = limits.take(['a'], [MINUTE]);
      if (verdict.fullAt === -1) {
        clock.advance((i * 137) % 9_000);
        continue;
      }
      clock.advance(verdict.retryAfterMs - 1);
      expect(limits.take(['a'], [MINUTE]).fullAt).toBe(0);
      clock.advance(1);
      expect(isTaken()).toBe(true);
    }
  });

  test('what was refused uses nothing up', () => {
    const { clock, isTaken } = setUp();
    for (let i = 0; i < 5; i++) isTaken();
    for (let i = 0; i < 100; i++) isTaken();
    clock.advance(60_000);
    for (let i = 0; i < 5; i++) expect(isTaken()).toBe(true);
  });

  test('a wall clock that is set changes nothing', () => {
    const wall = { atMs: 1_000_000_000 };
    const clock = createFrozenClock();
    const limits = createMemoryLimits({ monotonicMs: clock.monotonicMs, wallMs: () => wall.atMs } as never);
    for (let i = 0; i < 5; i++) limits.take(['a'], [MINUTE]);
    for (const jump of [3_600_000, -7_200_000]) {
      wall.atMs += jump;
      expect(limits.take(['a'], [MINUTE])).toMatchObject({ fullAt: 0, retryAfterMs: 60_000 });
    }
  });
});

describe('several windows at once', () => {
  test('one that is full leaves the others as they were', () => {
    const { limits } = setUp();
    const wide = { id: 'wide', calls: 100, perMs: 60_000 };
    for (let i = 0; i < 5; i++) limits.take(['a'], [MINUTE]);
    for (let i = 0; i < 3; i++) expect(limits.take(['x', 'a'], [wide, MINUTE]).fullAt).toBe(1);
    expect(limits.take(['x'], [wide])).toMatchObject({ remaining: 99 });
  });

  test('of two full ones the longer wait is told, of two open ones the smaller rest', () => {
    const { limits } = setUp();
    const hour = { id: 'hour', calls: 5, perMs: 3_600_000 };
    for (let i = 0; i < 3; i++) limits.take(['a'], [hour]);
    expect(limits.take(['a', 'a'], [MINUTE, hour])).toMatchObject({ fullAt: -1, remaining: 1 });
    for (let i = 0; i < 4; i++) limits.take(['a'], [MINUTE]);
    limits.take(['a'], [hour]);
    expect(limits.take(['a', 'a'], [MINUTE, hour])).toMatchObject({ fullAt: 1, retryAfterMs: 3_600_000 });
  });

  test('one key under two windows is two counts', () => {
    const { isTaken } = setUp();
    for (let i = 0; i < 5; i++) isTaken('a');
    expect(isTaken('a')).toBe(false);
    expect(isTaken('a', { ...MINUTE, id: 'other' })).toBe(true);
    expect(isTaken('b')).toBe(true);
  });
});

describe('a million keys', () => {
  test('are kept apart in less than 64 MB, and hardly one is forgotten', () => {
    const { limits } = setUp();
    const once = { id: 'once', calls: 1, perMs: 3_600_000 };
    for (let i = 0; i < 1_000_000; i++) limits.take([`https://issuer.example|user-${i}`], [once]);
    expect(limits.bytes()).toBeLessThan(64 * 1024 * 1024);
    let forgotten = 0;
    for (let i = 0; i < 1_000_000; i += 97) {
      if (limits.take([`https://issuer.example|user-${i}`], [once]).fullAt === -1) forgotten++;
    }
    expect(forgotten / (1_000_000 / 97)).toBeLessThan(0.01);
  }, 60_000);

  test('in a table of a thousand places push out whoever was seen least lately, never the one that calls', () => {
    const clock = createFrozenClock();
    const table = new WindowTable(4);
    const limits = createMemoryLimits(clock, table);
    const once = { id: 'once', calls: 1, perMs: 3_600_000 };
    limits.take(['busy'], [once]);
    for (let i = 0; i < 50_000; i++) {
      clock.advance(50);
      limits.take([`stranger ${i}`], [once]);
      if (i % 20 === 0) expect(limits.take(['busy'], [once]).fullAt).toBe(0);
    }
    expect(table.bytes()).toBe(96 * 4 * 16 * 36);
  });
});

describe('the keyed hash', () => {
  test('is HalfSipHash-2-4: the value of its authors for the empty message', () => {
    const hash = new KeyedHash(0x03020100, 0x07060504);
    hash.digest('', '');
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(hash.low, 0);
    bytes.writeUInt32LE(hash.high, 4);
    expect(bytes.toString('hex')).toBe('218d1f59b9b83cc8');
  });

  test('tells apart where one text ends and the next begins, and differs with the key', () => {
    const hash = new KeyedHash(1, 2);
    const of = (a: string, b: string, by = hash) => {
      by.digest(a, b);
      return `${by.low} ${by.high}`;
    };
    const pairs = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc', ''],
      ['', 'abc'],
      ['abc', '\0'],
      ['a\0', 'c'],
      ['a', '\0c'],
    ] as const;
    expect(new Set(pairs.map(([a, b]) => of(a, b))).size).toBe(pairs.length);
    expect(of('a', 'b', new KeyedHash(1, 3))).not.toBe(of('a', 'b'));
  });
});
