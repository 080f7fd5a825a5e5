/**
 * A request as words of a view. A word that no visible document holds is corrected to a visible one a slip of the keys
 * away, if there is one; otherwise it stays unknown, whether a hidden document holds it or nobody does. A file or a number
 * that is written out counts as that word, too.
 */
import { kindsWritten } from './literals.ts';
import { CORRECTED_SHARE, correctSlip } from './slips.ts';
import type { View } from './view.ts';
import { toWords } from './words.ts';

export interface QueryTerm {
  /** null: no visible document holds it. */
  term: number | null;
  /** Another word was written: this one is a guess. */
  isGuess: boolean;
  /** How much it tells in this view. */
  weight: number;
  /** How often it was said. */
  count: number;
}

export interface Query {
  /** Shape: each word once. */
  terms: readonly QueryTerm[];
  /** Ids of the words in the order of the text; null for unknown ones. */
  order: readonly (number | null)[];
}

/** Words of a request that are looked up: a novel is no request. */
const MOST_WORDS = 400;
/** Words looked up among their neighbours: each costs a walk over the vocabulary. */
const MOST_CORRECTIONS = 8;

export function toQuery(view: View, text: string): Query {
  const words = toWords(text).slice(0, MOST_WORDS);
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);

  const byWord = new Map<string, number | null>();
  let corrections = 0;
  const terms = [...counts].map(([word, count]) => {
    const known = view.index.findTerm(word);
    const term = known === null || view.holders(known) === 0 ? null : known;
    byWord.set(word, term);
    if (term !== null) return { term, isGuess: false, weight: view.weightOf(term), count };
    const meant = corrections++ < MOST_CORRECTIONS ? correctSlip(view, word) : null;
    const isGuess = meant !== null;
    return { term: meant, isGuess, weight: view.weightOf(meant) * (isGuess ? CORRECTED_SHARE : 1), count };
  });
  for (const word of kindsWritten(text).flatMap(toWords)) {
    if (counts.has(word)) continue;
    const known = view.index.findTerm(word);
    const isHeld = known !== null && view.holders(known) > 0;
    // Nobody said it: where nothing holds it, nothing is missing. It keeps its place, which is the same among all kinds.
    terms.push({ term: isHeld ? known : null, isGuess: true, weight: isHeld ? view.weightOf(known) : 0, count: 1 });
  }
  return { terms, order: words.map(word => byWord.get(word) ?? null) };
}
