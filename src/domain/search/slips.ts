/**
 * Slips of the keys: one letter too many, one missing, one wrong, or two swapped. Asked only for words that nothing
 * visible holds, and answered only with words that something visible does.
 */
import type { View } from './view.ts';

/** Shorter words are one slip away from too many others. */
const LEAST_LENGTH = 4;
/** A corrected word is a guess. */
export const CORRECTED_SHARE = 0.7;

/** The word most documents hold among those one slip away, or null. Of equals the first by the alphabet. */
export function correctSlip(view: View, word: string): number | null {
  if (word.length < LEAST_LENGTH || !/^\p{L}+$/u.test(word)) return null;
  let found: number | null = null;
  let holders = 0;
  for (let term = 0; term < view.index.termCount; term++) {
    const other = view.index.wordOf(term);
    if (other.length < LEAST_LENGTH - 1 || !isOneSlipAway(word, other)) continue;
    const holding = view.holders(term);
    if (holding === 0) continue;
    const isBetter = holding > holders || (holding === holders && found !== null && other < view.index.wordOf(found));
    if (isBetter) {
      found = term;
      holders = holding;
    }
  }
  return found;
}

/** Whether one insertion, deletion, replacement or swap of neighbours makes one of the other. */
export function isOneSlipAway(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1 || a === b) return false;
  const shorter = Math.min(a.length, b.length);
  let head = 0;
  while (head < shorter && a.charCodeAt(head) === b.charCodeAt(head)) head += 1;
  let tail = 0;
  while (tail < shorter - head && a.charCodeAt(a.length - 1 - tail) === b.charCodeAt(b.length - 1 - tail)) tail += 1;
  const restA = a.length - head - tail;
  const restB = b.length - head - tail;
  if (restA <= 1 && restB <= 1) return true;
  return restA === 2 && restB === 2 && a[head] === b[head + 1] && a[head + 1] === b[head];
}
