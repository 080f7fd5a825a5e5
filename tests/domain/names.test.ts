import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashedName, MAX_PUBLIC_NAME, publicName } from '../../src/domain/names.ts';

const plainKey = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
const anyKey = fc.oneof(plainKey, fc.string({ minLength: 1, maxLength: 80, unit: 'grapheme' }));
const anyOwn = fc.oneof(fc.stringMatching(/^[A-Za-z0-9_.-]{1,70}$/), fc.string({ maxLength: 120, unit: 'binary' }));
/** Names that differ only in where the underscores stand: the hard case for a separator made of them. */
const underscored = fc.stringMatching(/^[ab_]{1,6}$/);

describe('a public name', () => {
  test('has only letters, digits, underscore and dash, at most 60 of them, whatever a server calls its tools', () => {
    fc.assert(
      fc.property(fc.constantFrom('server' as const, 'none' as const), anyKey, anyOwn, (style, server, own) => {
        expect(publicName(style, server, own)).toMatch(/^[A-Za-z0-9_-]{1,60}$/);
        expect(hashedName(style, server, own)).toMatch(/^[A-Za-z0-9_-]{1,60}$/);
      }),
    );
  });

  test('belongs to one server and one tool alone', () => {
    const pair = fc.oneof(fc.tuple(anyKey, anyOwn), fc.tuple(underscored, underscored));
    fc.assert(
      fc.property(fc.uniqueArray(pair, { selector: ([s, o]) => `${s}\0${o}`, minLength: 2, maxLength: 40 }), pairs => {
        const names = pairs.map(([server, own]) => publicName('server', server, own));
        expect(new Set(names).size).toBe(pairs.length);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    { server: 'github', own: 'create_issue', name: 'github__create_issue', because: 'a plain name stays readable' },
    { server: 'a', own: '_b', name: 'a___b', because: 'a leading underscore of a tool is plain' },
    { server: 'a-1', own: 'x', name: 'a-1__x', because: 'a dash is allowed' },
    { server: 's', own: 'x'.repeat(57), name: `s__${'x'.repeat(57)}`, because: '60 characters still fit' },
  ])('is $name: $because', ({ server, own, name }) => expect(publicName('server', server, own)).toBe(name));

  test.each([
    { server: 'a_', own: 'b', because: '`a` with the tool `_b` would be called the same' },
    { server: 'a__b', own: 'c', because: '`a` with the tool `b__c` would be called the same' },
    { server: 's', own: 'x'.repeat(58), because: '61 characters are dropped by the tightest client' },
    { server: 's', own: 'files/read', because: 'a slash is not allowed in a name' },
    { server: 's', own: 'naïve', because: 'a letter outside ASCII is not allowed' },
    { server: 's', own: '', because: 'an empty name would end in the separator' },
  ])('of $server and $own carries a hash: $because', ({ server, own }) => {
    expect(publicName('server', server, own)).toMatch(/_[0-9a-f]{8}$/);
    expect(publicName('server', server, own)).toBe(hashedName('server', server, own));
  });

  test('without prefix is the own name, as long as that can be written', () => {
    expect(publicName('none', 'github', 'create_issue')).toBe('create_issue');
    expect(publicName('none', 'github', 'create.issue')).toMatch(/^create_issue_[0-9a-f]{8}$/);
    expect(publicName('none', 'github', 'x'.repeat(61))).toHaveLength(MAX_PUBLIC_NAME);
  });
});
