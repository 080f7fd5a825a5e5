/**
 * Why a document was found, for people to read: the sentence of its description that holds most of what was asked.
 */
import type { SearchDocument } from './document.ts';
import { toWords } from './words.ts';

/** Plain text, at most 160 characters; the beginning of the description where no word was found in it. */
export type MatchContext = string;

const MAX_LENGTH = 160;
const MAX_READ = 2_000;

export function matchContext(document: SearchDocument, query: string): MatchContext {
  const asked = new Set(toWords(query));
  const description = (document.fields.description ?? '').slice(0, MAX_READ);
  let chosen = '';
  let most = -1;
  for (const sentence of description.split(/(?<=[.!?\u3002])\s+|\n+/)) {
    const plain = sentence.replace(/\s+/g, ' ').trim();
    if (plain === '') continue;
    const found = new Set(toWords(plain).filter(word => asked.has(word))).size;
    if (found > most) {
      chosen = plain;
      most = found;
    }
  }
  return shorten(chosen === '' ? document.name : chosen);
}

function shorten(text: string): string {
  const letters = [...text];
  return letters.length <= MAX_LENGTH
    ? text
    : `${letters
        .slice(0, MAX_LENGTH - 1)
        .join('')
        .trimEnd()}…`;
}
