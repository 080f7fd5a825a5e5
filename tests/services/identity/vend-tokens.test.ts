import { expect, test } from 'vitest';
import { drawRandom } from '../../../src/services/identity/vend-tokens.ts';

test('the id of a token is never taken for an option', () => {
  const draws = [Buffer.alloc(16, 0xfb), Buffer.alloc(16, 0xf8), Buffer.alloc(16, 0x07)];
  expect(draws.map(bytes => bytes.toString('base64url')[0])).toEqual(['-', '-', 'B']);
  expect(drawRandom(() => draws.shift() ?? Buffer.alloc(16))).toBe('BwcHBwcHBwcHBwcHBwcHBw');
  for (let i = 0; i < 1_000; i++) expect(drawRandom()).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
});
