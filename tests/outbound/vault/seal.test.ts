import { describe, expect, test } from 'vitest';
import { createSeal } from '../../../src/outbound/vault/seal.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';

const setup = () => {
  const clock = createFrozenClock();
  return { clock, seal: createSeal(clock) };
};

describe('a handle', () => {
  test('opens for its purpose and subject, whatever the text holds', () => {
    const { seal } = setup();
    for (const text of ['', 'x', '\0\n"é漢🙂', 'x'.repeat(100_000)])
      expect(seal.open('p', 'alice', seal.seal('p', 'alice', text))).toBe(text);
  });

  test('opens for nobody else and for nothing else, however the words are divided between the two', () => {
    const { seal } = setup();
    const handle = seal.seal('state a', 'b', 'secret');
    for (const [purpose, subject] of [
      ['state a', 'c'],
      ['state', 'a b'],
      ['state a b', ''],
      ['task', 'b'],
      ['state a","b', ''],
    ] as const)
      expect(seal.open(purpose, subject, handle)).toBeNull();
  });

  test('with any bit changed is none', () => {
    const { seal } = setup();
    const handle = seal.seal('p', 'alice', 'text');
    const bytes = Buffer.from(handle, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(seal.open('p', 'alice', changed.toString('base64url'))).toBeNull();
    }
  });

  test('with any character changed, added or left out is none: one handle has one spelling', () => {
    const { seal } = setup();
    // Of a length at which the last character carries bits that mean nothing.
    const handle = seal.seal('p', 'alice', 'ab');
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= \n.';
    for (let at = 0; at <= handle.length; at++) {
      for (const other of alphabet) {
        const changed = handle.slice(0, at) + other + handle.slice(at + 1);
        if (changed !== handle) expect(seal.open('p', 'alice', changed)).toBeNull();
      }
    }
    for (let cut = 0; cut < handle.length; cut++) expect(seal.open('p', 'alice', handle.slice(0, cut))).toBeNull();
  });

  test('ends with its time', () => {
    const { seal, clock } = setup();
    const [short, endless] = [seal.seal('p', 'a', 'x', 1000), seal.seal('p', 'a', 'x')];
    clock.advance(999);
    expect(seal.open('p', 'a', short)).toBe('x');
    clock.advance(1);
    expect([seal.open('p', 'a', short), seal.open('p', 'a', endless)]).toEqual([null, 'x']);
  });

  test('of another process is none, unless both were given one key', () => {
    const { clock, seal } = setup();
    expect(createSeal(clock).open('p', 'a', seal.seal('p', 'a', 'x'))).toBeNull();
    const key = Buffer.alloc(32, 7);
    expect(createSeal(clock, key).open('p', 'a', createSeal(clock, key).seal('p', 'a', 'x'))).toBe('x');
    expect(() => createSeal(clock, Buffer.alloc(16))).toThrow(RangeError);
  });

  test('is made with a nonce of its own: of 10,000 for one text no two begin alike', () => {
    const { seal } = setup();
    const nonces = Array.from({ length: 10_000 }, () => seal.seal('p', 'a', 'x').slice(0, 16));
    expect(new Set(nonces).size).toBe(10_000);
  });
});
