/**
 * A long request often needs several tools, one after the other, and the tools of its loudest wish would fill the list.
 * So what says again what those above it said counts a little less; the next wish comes in earlier. Both scores are
 * lowered alike: relevance stays their weighted sum, and falls from place to place.
 */
import { type Fused, keepApart } from './fusion.ts';
import type { IndexedDocument } from './inverted-index.ts';
import type { Query } from './query.ts';

/** What a document loses that says nothing but what those above it said. Flat from 0.1 to 0.2. */
const REPEATED = 0.2;
/** Each one above that holds a word halves what is new in it. */
const WORN = 0.5;
/** A shorter request has one wish. */
const LEAST_WORDS = 8;

interface Candidate {
  hit: Fused<IndexedDocument>;
  /** Places in the request of the words it holds; null until it is looked at. */
  held: readonly number[] | null;
  /** What it counted when it was last looked at; only ever falls. */
  relevance: number;
}

/**
 * The best `limit` of a list. `queryOf`: the request in the words of a document's kind; the same place is the same word
 * in all of them. Shape: best first.
 */
export function spreadOverWishes(
  found: readonly Fused<IndexedDocument>[],
  queryOf: (document: IndexedDocument) => Query,
  limit: number,
): Fused<IndexedDocument>[] {
  const [best] = found;
  if (best === undefined || queryOf(best.document).terms.length < LEAST_WORDS) return found.slice(0, limit);
  /** By place in the request: what is still new in the word, 0..1. */
  const news = new Float64Array(queryOf(best.document).terms.length).fill(1);

  const shareKept = ({ document }: Fused<IndexedDocument>, held: readonly number[]): number => {
    const { terms } = queryOf(document);
    let all = 0;
    let repeated = 0;
    for (const place of held) {
      const weight = terms[place]?.weight ?? 0;
      all += weight;
      repeated += weight * (1 - (news[place] as number));
    }
    return all > 0 ? 1 - (REPEATED * repeated) / all : 1;
  };

  const waiting = found.map((hit): Candidate => ({ hit, held: null, relevance: hit.relevance }));
  const chosen: Fused<IndexedDocument>[] = [];
  while (waiting.length > 0 && chosen.length < limit) {
    const candidate = waiting.shift() as Candidate;
    const { hit } = candidate;
    const held = candidate.held ?? placesHeld(queryOf(hit.document), hit.document);
    const share = shareKept(hit, held);
    const relevance = hit.relevance * share;
    if (relevance < (waiting[0]?.relevance ?? 0)) {
      // What anybody counts only falls: whoever counted less than this when last looked at need not be looked at first.
      const place = waiting.findIndex(other => other.relevance <= relevance);
      waiting.splice(place === -1 ? waiting.length : place, 0, { hit, held, relevance });
      continue;
    }
    for (const place of held) news[place] = (news[place] as number) * WORN;
    const { lexical, vector } = hit;
    chosen.push({ ...hit, relevance, lexical: lexical * share, vector: vector === null ? null : vector * share });
  }
  return keepApart(chosen);
}

function placesHeld({ terms }: Query, document: IndexedDocument): number[] {
  const held = new Set(document.terms);
  return terms.flatMap(({ term }, place) => (term !== null && held.has(term) ? [place] : []));
}
