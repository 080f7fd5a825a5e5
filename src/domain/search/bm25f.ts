/**
 * Ranking by words: BM25F, one saturation over the weighted fields of a document (S. Robertson, H. Zaragoza, "The
 * Probabilistic Relevance Framework: BM25 and Beyond", 2009). Saturation is also what bounds stuffing: however often a
 * word is repeated, it never counts as more than one word found.
 *
 * Beyond it, a document gains by how much of its own name was said. A long request holds more words than any document,
 * so how many of them one holds says little; that all of a name is among them says what the request is about.
 */
import { FIELD_NAMES, type FieldName } from './document.ts';
import { countOf, fieldOf, slotOf } from './inverted-index.ts';
import type { Query } from './query.ts';
import type { View } from './view.ts';

/** `weight`: of one use. `length`: how far a long field is held against it, 0..1. */
export type FieldTuning = Readonly<Record<FieldName, { weight: number; length: number }>>;

export const FIELD_TUNING: FieldTuning = {
  name: { weight: 2, length: 0.3 },
  owner: { weight: 1, length: 0.3 },
  description: { weight: 1, length: 0.6 },
  tags: { weight: 0.7, length: 0.3 },
  parts: { weight: 0.4, length: 0.6 },
  partTexts: { weight: 0.3, length: 0.7 },
  values: { weight: 0.2, length: 0.7 },
};
export const SATURATION = 2;
/** What a document gains, as a share of its score, when its whole name was said. */
const NAME_SHARE = 0.5;
const NAME = FIELD_NAMES.indexOf('name');

/** Scores by slot and the slots that have one. Lives until the next ranking with the same board. */
export interface ScoreBoard {
  scores: Float64Array;
  touched: number[];
}

export function rankByWords(
  view: View,
  query: Query,
  tuning: FieldTuning = FIELD_TUNING,
  saturation = SATURATION,
): ScoreBoard {
  const { index, visible, meanLengths } = view;
  const scores = new Float64Array(index.slots.length);
  /** By slot: what those words of its name tell that were said. */
  const named = new Float64Array(index.slots.length);
  const touched: number[] = [];
  const weights = FIELD_NAMES.map(name => tuning[name].weight);
  const lengths = FIELD_NAMES.map(name => tuning[name].length);

  const settle = (slot: number, found: number, gain: number) => {
    if (slot < 0) return;
    if (scores[slot] === 0) touched.push(slot);
    scores[slot] = (scores[slot] as number) + (gain * found) / (saturation + found);
  };
  for (const { term, weight, count } of query.terms) {
    if (term === null) continue;
    const gain = weight * (1 + Math.log(count));
    let slot = -1;
    let found = 0;
    for (const use of index.usesOf(term)) {
      const here = slotOf(use);
      if (visible[here] !== 1) continue;
      if (here !== slot) {
        settle(slot, found, gain);
        slot = here;
        found = 0;
      }
      const field = fieldOf(use);
      if (field === NAME) named[here] = (named[here] as number) + weight;
      const strictness = lengths[field] as number;
      const length = (index.slots[here]?.lengths[field] as number) / (meanLengths[field] || 1);
      found += ((weights[field] as number) * countOf(use)) / (1 - strictness + strictness * length);
    }
    settle(slot, found, gain);
  }
  for (const slot of touched) {
    const said = named[slot] as number;
    // Two misspelt words may be corrected to one: a name is said once.
    if (said > 0)
      scores[slot] = (scores[slot] as number) * (1 + NAME_SHARE * Math.min(1, said / view.nameWeightOf(slot)));
  }
  return { scores, touched };
}
