import { describe, expect, it, test } from 'vitest';
import { fuse } from '../../../src/domain/search/fusion.ts';
import { addUp, best, spread, withOwnerVote, withSentences } from '../../../src/domain/search/ranking.ts';
import { splitSentences } from '../../../src/domain/search/sentences.ts';

const list = (scores: Record<string, number>) =>
  Object.entries(scores).map(([document, score]) => ({ document, score }));
const order = (found: readonly { document: string }[]) => found.map(({ document }) => document);

describe('fuse', () => {
  const lexical = list({ a: 1, b: 0.5, c: 0.25 });
  const vector = list({ c: 1, a: 0.6, d: 0.3 });

  it('adds the weighted scores of both', () => {
    const fused = fuse(lexical, vector, { lexical: 0.3, vector: 0.7 });
    const expected = { a: 0.3 * 1 + 0.7 * 0.6, b: 0.3 * 0.5, c: 0.3 * 0.25 + 0.7 * 1, d: 0.7 * 0.3 };
    for (const { document, relevance } of fused)
      expect(relevance).toBeCloseTo(expected[document as keyof typeof expected], 7);
    expect(order(fused)).toEqual(['c', 'a', 'd', 'b']);
  });

  it('changes the order with the weights', () => {
    expect(order(fuse(lexical, vector, { lexical: 0.9, vector: 0.1 }))[0]).toBe('a');
    expect(order(fuse(lexical, vector, { lexical: 0.1, vector: 0.9 }))[0]).toBe('c');
  });

  it('is the lexical ranking where there is no vector', () => {
    const fused = fuse(lexical, null, { lexical: 0.3, vector: 0.7 });
    expect(fused.map(({ relevance, vector: none }) => [relevance, none])).toEqual([
      [1, null],
      [0.5, null],
      [0.25, null],
    ]);
  });

  it('gives distinct falling scores in 0..1 where all are alike', () => {
    for (const score of [0, 0.5, 1]) {
      const alike = Array.from({ length: 100 }, (_, place) => ({ document: place, score }));
      const scores = fuse(alike, alike, { lexical: 0.3, vector: 0.7 }).map(({ relevance }) => relevance);
      expect(new Set(scores).size).toBe(100);
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
      expect(Math.max(...scores)).toBeLessThanOrEqual(1);
      expect(Math.min(...scores)).toBeGreaterThan(0);
      for (const given of scores) expect(Math.abs(given - score)).toBeLessThan(1e-6);
    }
  });
});

describe('spread', () => {
  it('keeps the worse of two hits above nothing', () => {
    expect(spread(list({ a: 4, b: 2 }))).toEqual(list({ a: 1, b: 0.5 }));
  });

  it('measures a full list from its last', () => {
    expect(spread(list({ a: 4, b: 3, c: 2 }), 3)).toEqual(list({ a: 1, b: 0.5, c: 0 }));
  });

  it('gives nothing to those that are all unlike', () => {
    expect(spread(list({ a: 0, b: 0 }))).toEqual(list({ a: 0, b: 0 }));
    expect(spread(list({ a: 2, b: 2, c: 2 }), 3)).toEqual(list({ a: 1, b: 1, c: 1 }));
  });

  it('never goes below 0, whatever a cosine was', () => {
    expect(spread(list({ a: 0.5, b: -0.5 }))).toEqual(list({ a: 1, b: 0 }));
  });
});

test('best keeps the first of equals and drops the rest', () => {
  expect(order(best(list({ a: 1, b: 2, c: 2, d: 0 }), 2))).toEqual(['b', 'c']);
});

test('addUp counts what a list does not hold as nothing', () => {
  const sum = addUp([
    { found: list({ a: 1, b: 0.5 }), weight: 0.4 },
    { found: list({ b: 1 }), weight: 0.6 },
  ]);
  expect(sum.map(({ document, score }) => [document, Number(score.toFixed(6))])).toEqual([
    ['b', 0.8],
    ['a', 0.4],
  ]);
});

describe('withSentences', () => {
  it('lifts what one sentence asked for', () => {
    const whole = list({ a: 10, b: 9, c: 1 });
    expect(order(withSentences(whole, [list({ a: 5, c: 1 }), list({ c: 8 })]))).toEqual(['a', 'b', 'c']);
    expect(order(withSentences(whole, [list({ b: 5 }), list({ c: 8, b: 4 })]))).toEqual(['b', 'a', 'c']);
  });
});

describe('withOwnerVote', () => {
  it('lifts the tools of the server with several good ones, softly', () => {
    const found = list({ 'x.1': 1, 'y.1': 0.95, 'y.2': 0.9, 'y.3': 0.9, 'x.2': 0.1 });
    const voted = withOwnerVote(found, document => document.split('.')[0] ?? null, 0.2);
    expect(order(voted)).toEqual(['y.1', 'x.1', 'y.2', 'y.3', 'x.2']);
  });

  it('leaves what belongs to nobody where its score puts it', () => {
    expect(withOwnerVote(list({ a: 2, b: 1 }), () => null, 0.2)).toEqual(list({ a: 1, b: 0.5 }));
  });
});

describe('splitSentences', () => {
  test.each([
    {
      text: 'Find cheap flights to Rome. Then book a hotel room there!',
      parts: 2,
      because: 'two sentences are two wishes',
    },
    { text: 'Find a cheap flight, a hotel and a car in Rome', parts: 0, because: 'commas and "and" part no wish' },
    { text: 'Read the log file and then send a mail report', parts: 2, because: 'a step that follows is a wish' },
    { text: 'Hi there. Thanks! Read the whole file please.', parts: 0, because: 'politeness is no wish' },
    {
      text: 'Convert version 1.2.3 of it to plain text files',
      parts: 0,
      because: 'a dot inside a number ends nothing',
    },
    {
      text: `${'Open the next ticket now. '.repeat(3)}Close the last ticket now.`,
      parts: 2,
      because: 'once is enough',
    },
  ])('$because', ({ text, parts }) => {
    expect(splitSentences(text)).toHaveLength(parts);
  });

  it('stops at sixteen', () => {
    const text = Array.from({ length: 40 }, (_, at) => `Open ticket number ${at} now.`).join(' ');
    expect(splitSentences(text)).toHaveLength(16);
  });
});
