import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/domain/secret.ts';

const VALUE = 'canary-4f1d9a';

describe('a secret', () => {
  const secret = new Secret(VALUE);

  test.each([
    { way: 'String()', text: String(secret) },
    { way: 'a template', text: `${secret}` },
    { way: 'concatenation', text: `x${secret.toString()}` },
    { way: 'JSON', text: JSON.stringify({ secret, list: [secret], map: [...new Map([['k', secret]])] }) },
    { way: 'inspect', text: inspect({ secret }, { depth: 9, showHidden: true }) },
    { way: 'inspect in a Map', text: inspect(new Map([['k', secret]]), { showHidden: true }) },
    { way: 'an error message', text: new Error(`bad ${secret}`).message },
    { way: 'its keys', text: JSON.stringify([Object.entries(secret), Reflect.ownKeys(secret).map(String)]) },
    { way: 'a copy', text: inspect({ ...secret }, { showHidden: true }) },
  ])('is not told by $way', ({ text }) => expect(text).not.toContain(VALUE));

  test('is given only to who asks for it by name', () => expect(secret.reveal()).toBe(VALUE));

  test('matches itself alone', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(new Secret(a).matches(a)).toBe(true);
        expect(new Secret(a).matches(b)).toBe(a === b);
      }),
    );
    expect(secret.matches(`${VALUE}x`)).toBe(false);
    expect(secret.matches(VALUE.slice(0, -1))).toBe(false);
  });
});
