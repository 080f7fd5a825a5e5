/** Ratings: whole numbers of stars from 1 to 5, one per caller, the latest hundred callers, their arithmetic mean. */
import { z } from 'zod';

export const MAX_RATINGS = 100;

/** Nothing but a number will do: `"5"` and `4.5` are mistakes of whoever sent them. */
export const Stars = z.number().int().min(1).max(5);

export const Rating = z.strictObject({
  issuer: z.string().nullable(),
  /** With its issuer it tells callers apart. */
  subject: z.string().min(1),
  /** For people. */
  name: z.string(),
  stars: Stars,
  /** Unix milliseconds. */
  atMs: z.number().int().nonnegative(),
});
export type Rating = z.output<typeof Rating>;

/** Shape: in the order of each caller's first rating; at most MAX_RATINGS; no caller twice. */
export const Ratings = z.array(Rating).max(MAX_RATINGS);
export type Ratings = z.output<typeof Ratings>;

/** A second rating of a caller takes the place of its first; the oldest goes when there is no room for a new caller. */
export function withRating(ratings: readonly Rating[], rating: Rating): Rating[] {
  const at = ratings.findIndex(({ issuer, subject }) => issuer === rating.issuer && subject === rating.subject);
  if (at !== -1) return ratings.with(at, rating);
  return [...ratings, rating].slice(-MAX_RATINGS);
}

/** Zero where nobody has rated. */
export function meanStars(ratings: readonly Rating[]): number {
  if (ratings.length === 0) return 0;
  return ratings.reduce((sum, { stars }) => sum + stars, 0) / ratings.length;
}
