/**
 * Whether anything fits. The best of a list is not a good hit by itself: a request nobody can serve has a best one too.
 * Evidence is how much of what was asked stands in the document, and how near it is in meaning; both are counted over
 * what the caller sees. No threshold parts the two cleanly, hence a band between.
 */
import type { IndexedDocument } from './inverted-index.ts';
import type { Query } from './query.ts';

/** How sure it is that something fits, surest first. `none`: what follows is only the nearest there is. */
export const CONFIDENCES = ['high', 'low', 'none'] as const;
export type Confidence = (typeof CONFIDENCES)[number];

export interface Evidence {
  /** Share of the request, by what its words tell, that stands in the document: 0..1. */
  coverage: number;
  /** How near it is in meaning: about 0 for any two texts, 1 for the same one; null: unknown. */
  likeness: number | null;
  /** Whether any word of the request stands in the document as it was written. */
  isSaid: boolean;
  /** Whether likeness was told by who reads sentences; else it is of words, and of letters where a word is unknown. */
  isRead: boolean;
}

/** A long request has many words no tool holds, so few found words say less against a tool than a far meaning does. */
const COVERAGE_SHARE = 0.3;
/**
 * Chosen on requests that some tool of a catalog answers and on requests that need no tool: about one in ten of these
 * is called high, and about one in ten of those none.
 */
const HIGH = 0.5;
const LOW = 0.32;

/** Corrected words and letters in common point to something; they are nothing to be sure by, alone or together. */
export function confidenceOf({ coverage, likeness, isSaid, isRead }: Evidence): Confidence {
  const evidence = likeness === null ? coverage : likeness + COVERAGE_SHARE * coverage;
  const sure = isSaid ? evidence : isRead ? (likeness ?? 0) : 0;
  return sure >= HIGH ? 'high' : evidence >= LOW ? 'low' : 'none';
}

/** Of two reasons for one thing the better one counts. */
export const surerOf = (one: Confidence, other: Confidence): Confidence =>
  CONFIDENCES.indexOf(other) < CONFIDENCES.indexOf(one) ? other : one;

/** Of an answer: how sure its best hit is. `none` where there is no hit. Shape: best first. */
export const confidenceIn = (hits: readonly { confidence: Confidence }[]): Confidence => hits[0]?.confidence ?? 'none';

export function coverageOf(query: Query, { terms }: IndexedDocument): number {
  const held = new Set(terms);
  let found = 0;
  let total = 0;
  for (const { term, weight } of query.terms) {
    total += weight;
    if (term !== null && held.has(term)) found += weight;
  }
  return total > 0 ? found / total : 0;
}

export function isSaidIn(query: Query, { terms }: IndexedDocument): boolean {
  const held = new Set(terms);
  return query.terms.some(({ term, isGuess }) => term !== null && !isGuess && held.has(term));
}
