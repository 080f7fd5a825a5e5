/**
 * Whether anything fits. The best of a list is not a good hit by itself: a request nobody can serve has a best one too.
 * Evidence is how much of what was asked stands in the document, and how near it is in meaning; both are counted over
 * what the caller sees. No threshold parts the two cleanly, hence a band between.
 */
import type { IndexedDocument } from './inverted-index.ts';
import type { Query } from './query.ts';

/** How sure it is that something fits. `none`: what follows is only the nearest there is. */
export type Confidence = 'high' | 'low' | 'none';

export interface Evidence {
  /** Share of the request, by what its words tell, that stands in the document: 0..1. */
  coverage: number;
  /** Mean likeness in meaning over the vectors there are, or null: -1..1. */
  likeness: number | null;
}

/** Weighed on requests that some tool of a catalog answers, and on requests that need no tool at all. */
const HIGH = 0.5;
const LOW = 0.3;

export function confidenceOf({ coverage, likeness }: Evidence): Confidence {
  const evidence = likeness === null ? coverage : (coverage + Math.max(likeness, 0)) / 2;
  return evidence >= HIGH ? 'high' : evidence >= LOW ? 'low' : 'none';
}

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
