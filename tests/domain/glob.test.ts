import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matchesGlob } from '../../src/domain/glob.ts';

/** fnmatch as one would write it down: try everything. */
function matchesSlowly(pattern: string, text: string): boolean {
  const head = pattern[0];
  if (head === undefined) return text === '';
  if (head === '*')
    return matchesSlowly(pattern.slice(1), text) || (text !== '' && matchesSlowly(pattern, text.slice(1)));
  const char = text[0];
  if (char === undefined) return false;
  if (head === '?') return matchesSlowly(pattern.slice(1), text.slice(1));
  // What negates is never a member, whatever comes behind it.
  const bracket = /^\[(?=([!^]?))\1(.[^\]]*)\]/s.exec(pattern);
  if (head !== '[' || bracket === null) return head === char && matchesSlowly(pattern.slice(1), text.slice(1));
  const [whole = '', negation, members = ''] = bracket;
  let isMember = false;
  let rest = members;
  while (rest !== '') {
    const range = /^(.)-(.)/s.exec(rest);
    const [low, high] = range === null ? [rest[0] ?? '', rest[0] ?? ''] : [range[1] ?? '', range[2] ?? ''];
    if (char >= low && char <= high) isMember = true;
    rest = rest.slice(range === null ? 1 : 3);
  }
  return isMember !== (negation !== '') && matchesSlowly(pattern.slice(whole.length), text.slice(1));
}

describe('a pattern', () => {
  test.each([
    { pattern: 'get_*', text: 'get_time', matches: true, because: 'a star takes the rest' },
    { pattern: 'get_*', text: 'get_', matches: true, because: 'a star may take nothing' },
    { pattern: 'get_*', text: 'Get_time', matches: false, because: 'case counts' },
    { pattern: '[ad]*', text: 'delete_all', matches: true, because: 'contract G49' },
    { pattern: '[ad]*', text: 'echo', matches: false, because: 'e is no member' },
    { pattern: '[!ad]*', text: 'echo', matches: true, because: 'negation' },
    { pattern: '[a-c]x', text: 'bx', matches: true, because: 'a range' },
    { pattern: '[c-a]x', text: 'bx', matches: false, because: 'a range backwards is empty' },
    { pattern: '[a-]', text: '-', matches: true, because: 'a dash at the end is a member' },
    { pattern: '[]]', text: ']', matches: true, because: 'a bracket right after the opening is a member' },
    { pattern: '[!]]', text: ']', matches: false, because: 'the same, negated' },
    { pattern: '[ab', text: '[ab', matches: true, because: 'without a closing one the bracket is itself' },
    { pattern: '[!]', text: '!', matches: false, because: 'a bracket right after the negation closes nothing' },
    { pattern: '[!]', text: '[!]', matches: true, because: 'so all three are themselves' },
    { pattern: '?', text: '', matches: false, because: 'a question mark takes exactly one' },
    { pattern: '', text: '', matches: true, because: 'nothing is nothing' },
    { pattern: '', text: 'a', matches: false, because: 'nothing is not something' },
    { pattern: 'a/*', text: 'a/b/c', matches: true, because: 'a slash is a character like any other' },
    { pattern: '.*', text: 'xyz', matches: false, because: 'it is no regular expression' },
  ])('$pattern and "$text": $because', ({ pattern, text, matches }) =>
    expect(matchesGlob(pattern, text)).toBe(matches),
  );

  test('means what the naive reading says', () => {
    const pattern = fc.stringMatching(/^(?:[abc*?\]!^-]|\[|\[[!^]?[abc-]{1,3}\]){0,8}$/);
    fc.assert(
      fc.property(pattern, fc.stringMatching(/^[abc[\]!^-]{0,8}$/), (one, text) => {
        expect(matchesGlob(one, text)).toBe(matchesSlowly(one, text));
      }),
      { numRuns: 5_000 },
    );
  });

  test('made of many stars is done with at once', () => {
    // 200 is what get_server_tools takes; a backtracking matcher would not come back from this.
    expect(matchesGlob(`${'*a'.repeat(100)}b`, 'a'.repeat(5_000))).toBe(false);
  });
});
