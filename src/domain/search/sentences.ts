/**
 * A long request asks for several things. Each of its sentences is searched by itself as well, so that the second thing
 * is not drowned by the first. Not split at commas or at `and`: one wish often has several of those.
 */
import { toWords } from './words.ts';

const BETWEEN = new RegExp(
  [
    String.raw`(?<=[.?!;\u3002\uff1f\uff01\uff1b])\s*(?=\P{N})`,
    String.raw`\n+`,
    String.raw`\s*\u2022\s*`,
    String.raw`,\s+(?:and\s+)?(?:then|also|next|finally|after that)\s+`,
    String.raw`\s+(?:and then|as well as)\s+`,
  ].join('|'),
  'iu',
);
const LEAST_WORDS = 3;
const MOST_SENTENCES = 16;

/** Shape: in order, each once; empty where the text is one sentence. */
export function splitSentences(text: string): string[] {
  const found = new Set<string>();
  for (const part of text.split(BETWEEN)) {
    const sentence = part.trim();
    if (sentence !== '' && toWords(sentence).length >= LEAST_WORDS) found.add(sentence);
    if (found.size === MOST_SENTENCES) break;
  }
  return found.size < 2 ? [] : [...found];
}
