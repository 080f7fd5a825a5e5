/** How much two short texts have in common, by their words: the cosine of their counts (0: nothing, 1: the same words). */
const WORD = /[\p{L}\p{N}]+/gu;

export function similarity(one: string, other: string): number {
  const [a, b] = [countWords(one), countWords(other)];
  let shared = 0;
  for (const [word, count] of a) shared += count * (b.get(word) ?? 0);
  const length = lengthOf(a) * lengthOf(b);
  return length === 0 ? 0 : shared / length;
}

function countWords(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [word] of text.toLowerCase().matchAll(WORD)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function lengthOf(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count * count;
  return Math.sqrt(sum);
}
