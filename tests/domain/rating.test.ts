import { describe, expect, it } from 'vitest';
import { MAX_RATINGS, meanStars, type Rating, Ratings, Stars, withRating } from '../../src/domain/rating.ts';

const by = (subject: string, stars: number, issuer: string | null = 'https://issuer.test'): Rating => ({
  issuer,
  subject,
  name: subject,
  stars,
  atMs: 1_000,
});

it.each([0, 6, 4.5, '5', null, Number.NaN, Number.POSITIVE_INFINITY, true])('takes %s for no stars', value => {
  expect(Stars.safeParse(value).success).toBe(false);
});

it.each([1, 2, 3, 4, 5])('takes %s stars', value => expect(Stars.parse(value)).toBe(value));

describe('ratings of one thing', () => {
  it('holds one per caller: a second takes the place of the first', () => {
    const ratings = withRating([by('ada', 1), by('bob', 4)], by('ada', 5));
    expect(ratings.map(({ subject, stars }) => [subject, stars])).toEqual([
      ['ada', 5],
      ['bob', 4],
    ]);
  });

  it('tells callers of one name and two issuers apart', () => {
    const ratings = [by('ada', 1), by('ada', 5, 'https://other.test'), by('ada', 3, null)].reduce(withRating, []);
    expect(ratings.map(({ stars }) => stars)).toEqual([1, 5, 3]);
  });

  it('keeps the latest hundred of 101 callers', () => {
    let ratings: Rating[] = [];
    for (let i = 0; i <= MAX_RATINGS; i++) ratings = withRating(ratings, by(`caller ${i}`, 3));
    expect(ratings).toHaveLength(100);
    expect([ratings[0]?.subject, ratings.at(-1)?.subject]).toEqual(['caller 1', 'caller 100']);
    expect(Ratings.safeParse(ratings).success).toBe(true);
    expect(Ratings.safeParse([...ratings, by('one more', 3)]).success).toBe(false);
  });

  it('changes a full buffer in place without losing anybody', () => {
    const full = Array.from({ length: MAX_RATINGS }, (_, i) => by(`caller ${i}`, 1));
    const changed = withRating(full, by('caller 0', 5));
    expect(changed.map(({ subject }) => subject)).toEqual(full.map(({ subject }) => subject));
    expect(changed[0]?.stars).toBe(5);
  });
});

it.each([
  { stars: [], mean: 0 },
  { stars: [4], mean: 4 },
  { stars: [1, 2], mean: 1.5 },
  { stars: [5, 5, 1], mean: 11 / 3 },
])('has the arithmetic mean $mean of $stars', ({ stars, mean }) => {
  expect(meanStars(stars.map((count, i) => by(`caller ${i}`, count)))).toBeCloseTo(mean, 12);
});
