/**
 * Lists of scored documents and what is done with one of them before two are fused: cut to the best, take in what each
 * sentence found, lift the tools of a fitting server, spread to 0..1.
 */

/** `document`: any one thing per document; two lists speak of the same one by the same object. */
export interface Scored<T> {
  document: T;
  score: number;
}

/** Both lists are cut to the same depth before they are spread: otherwise the longer one would be squeezed. */
export const DEPTH = 100;
const SENTENCE_DEPTH = 30;
const SENTENCE_SHARE = 0.5;
const VOTERS = 4;

/** The best of a list, best first; of equals those that came first. Does not sort what it drops. */
export function best<T>(found: readonly Scored<T>[], depth = DEPTH): Scored<T>[] {
  return bestOf(
    found.map(({ document }) => document),
    Float64Array.from(found, ({ score }) => score),
    depth,
  );
}

/** The same for scores that lie beside their documents: most are dropped before anything is made of them. */
export function bestOf<T>(documents: readonly T[], scores: Float64Array, depth = DEPTH): Scored<T>[] {
  const floor = documents.length <= depth ? Number.NEGATIVE_INFINITY : scores.toSorted()[documents.length - depth];
  const found: Scored<T>[] = [];
  for (const [at, document] of documents.entries()) {
    const score = scores[at] as number;
    if (score >= (floor as number)) found.push({ document, score });
  }
  return found.sort((a, b) => b.score - a.score).slice(0, depth);
}

/** Adds half of what a document scored in the sentence it fits best. */
export function withSentences<T>(
  whole: readonly Scored<T>[],
  sentences: readonly (readonly Scored<T>[])[],
): Scored<T>[] {
  if (sentences.length === 0) return [...whole];
  const total = new Map(toTopOne(whole).map(({ document, score }) => [document, score]));
  const most = new Map<T, number>();
  for (const sentence of sentences) {
    for (const { document, score } of toTopOne(sentence).slice(0, SENTENCE_DEPTH))
      most.set(document, Math.max(most.get(document) ?? 0, score));
  }
  for (const [document, score] of most) total.set(document, (total.get(document) ?? 0) + SENTENCE_SHARE * score);
  return best([...total].map(([document, score]) => ({ document, score })));
}

/**
 * A soft vote for the server: the mean of its four best tools, times `share`. Soft, because choosing the server first
 * loses whatever a wrong choice hides.
 */
export function withOwnerVote<T>(
  found: readonly Scored<T>[],
  ownerOf: (document: T) => string | null,
  share: number,
): Scored<T>[] {
  const scores = toTopOne(found);
  const voters = new Map<string, { sum: number; count: number }>();
  for (const { document, score } of scores) {
    const owner = ownerOf(document);
    if (owner === null) continue;
    const votes = voters.get(owner) ?? { sum: 0, count: 0 };
    if (votes.count < VOTERS) voters.set(owner, { sum: votes.sum + score, count: votes.count + 1 });
  }
  return best(
    scores.map(({ document, score }) => {
      const owner = ownerOf(document);
      const votes = owner === null ? undefined : voters.get(owner);
      return { document, score: score + (share * (votes?.sum ?? 0)) / VOTERS };
    }),
  );
}

/**
 * To 0..1: the best is 1; 0 is the last of a full list, or no likeness at all where the list is shorter, so that the
 * worse of two hits is not nothing.
 */
export function spread<T>(found: readonly Scored<T>[], depth = DEPTH): Scored<T>[] {
  const high = found[0]?.score ?? 0;
  const low = found.length < depth ? 0 : (found[found.length - 1]?.score ?? 0);
  const range = high - low;
  // All alike: all of them fit, or none does.
  const alike = high > 0 ? 1 : 0;
  return found.map(({ document, score }) => ({
    document,
    score: range > 0 ? Math.max(0, (score - low) / range) : alike,
  }));
}

/** Adds weighted lists; what a list does not hold counts 0 there. */
export function addUp<T>(lists: readonly { found: readonly Scored<T>[]; weight: number }[]): Scored<T>[] {
  const total = new Map<T, number>();
  for (const { found, weight } of lists)
    for (const { document, score } of found) total.set(document, (total.get(document) ?? 0) + weight * score);
  return best([...total].map(([document, score]) => ({ document, score })));
}

function toTopOne<T>(found: readonly Scored<T>[]): Scored<T>[] {
  const top = found[0]?.score ?? 0;
  return top > 0 ? found.map(({ document, score }) => ({ document, score: score / top })) : [...found];
}
