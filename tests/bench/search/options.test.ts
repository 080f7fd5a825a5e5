/** The command line of the benchmark of search: what is asked for is measured, and a mistake says what would do. */
import { describe, expect, it, test } from 'vitest';
import { SETS } from './corpus.ts';
import { readOptions, USAGE } from './options.ts';

describe('the command line', () => {
  it('measures everything unless it is told otherwise', () => {
    expect(readOptions([])).toEqual({
      sets: Object.keys(SETS),
      most: null,
      sizes: [500, 1_000, 5_000, 20_000],
      isMeasuringQuality: true,
      isMeasuringScale: true,
      isHelp: false,
    });
  });

  it('takes sets in the order of the table, whatever order they are named in', () => {
    const { sets, most, isMeasuringScale } = readOptions(['--sets', 'azure,livemcp', '--most', '50', '--no-scale']);
    expect({ sets, most, isMeasuringScale }).toEqual({ sets: ['livemcp', 'azure'], most: 50, isMeasuringScale: false });
  });

  it('explains every option and every set, and its examples are accepted', () => {
    for (const word of ['--sets', '--most', '--sizes', '--no-quality', '--no-scale', '--help', ...Object.keys(SETS)])
      expect(USAGE).toContain(word);
    const examples = [...USAGE.matchAll(/^ {2}npm run search-bench -- (.+?)(?: {2,}.*)?$/gm)];
    expect(examples.length).toBeGreaterThan(2);
    for (const [, args = ''] of examples) expect(() => readOptions(args.split(' '))).not.toThrow();
  });

  test.each([
    { args: ['--sets', 'livemcp,azur'], says: /--sets: azur is none of livemcp, /, because: 'a set nobody has' },
    { args: ['--sets', ''], says: /--sets: nothing is none of/, because: 'no set at all' },
    { args: ['--most', '0'], says: /--most: a whole number from 1/, because: 'no request at all' },
    { args: ['--sizes', '1000,many'], says: /--sizes: a whole number from 1/, because: 'a size that is no number' },
    { args: ['--sizes', ','], says: /--sizes: at least one/, because: 'no size at all' },
    { args: ['--fast'], says: /--fast/, because: 'an option nobody knows' },
  ])('refuses $because', ({ args, says }) => {
    expect(() => readOptions(args)).toThrow(says);
  });
});
