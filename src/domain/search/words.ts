/**
 * Text as the words search compares. Requests are sentences and tool texts are not, so words of grammar are dropped
 * (they would be rare here, and ranking rewards what is rare); verbs of action stay. Names are taken apart
 * (`getUserName`, `HTTPServer`, `get_user-name`), scripts without spaces become pairs of letters, and what nobody sees
 * (zero-width and other format characters) never reaches the index.
 */
import { stem } from './stem.ts';

/** Grammar, politeness and wishes; no word that could be the name of an action or a thing. */
const STOP: ReadonlySet<string> = new Set(
  [
    'a an the this that these those there here it its',
    'i me my mine we us our you your he she they them their his her',
    'am is are was were be been being do does did has have had having can could would should will shall may might must',
    'and or but if so as at by for from in into of on onto to with about than then too also just',
    'please want need like let lets',
    'what which who whom whose when how why',
  ].flatMap(line => line.split(' ')),
);

/** Longer numbers are ids and amounts: they name no tool. */
const MAX_DIGITS = 4;
/** A longer run of letters is no word: a key, a hash, or an attempt to fill the index. */
const MAX_LETTERS = 40;

const INVISIBLE = /(?:\p{Cf}|\p{Cc}|\p{Co}|\p{Cn}|\p{Variation_Selector})+/gu;
const RUN = /[\p{L}\p{M}]+|\p{N}+/gu;
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}]/u;
const HUMP = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u;
const NOT_ASCII = /[^ -~\n\r\t]/;
const ACCENTED = /[\u00C0-\u024F\u1E00-\u1EFF]/;

/** The same words come again and again; a bounded memory of them halves the time an index takes. */
const MAX_KNOWN = 50_000;
const known = new Map<string, readonly string[]>();

/** Shape: in the order of the text, with repetitions. */
export function toWords(text: string): string[] {
  const found: string[] = [];
  // NFKC first: full-width letters and ligatures are letters like any other.
  const plain = NOT_ASCII.test(text) ? text.replace(INVISIBLE, joinOrPart).normalize('NFKC') : text;
  for (const run of plain.match(RUN) ?? []) {
    let words = known.get(run);
    if (words === undefined) {
      words = wordsOfRun(run);
      if (known.size >= MAX_KNOWN) known.clear();
      known.set(run, words);
    }
    for (const word of words) found.push(word);
  }
  return found;
}

/** A line break among control characters parts words; an invisible joiner inside a word does not. */
function joinOrPart(hidden: string): string {
  return /[\p{Cc}]/u.test(hidden) ? ' ' : '';
}

function wordsOfRun(run: string): readonly string[] {
  if (/^\p{N}/u.test(run)) return run.length > MAX_DIGITS ? [] : [run];
  if (UNSPACED.test(run)) return pairsOf(run);
  return run.split(HUMP).flatMap(part => {
    if (part.length > MAX_LETTERS) return [];
    const lower = part.toLowerCase();
    const word = ACCENTED.test(lower) ? lower.normalize('NFD').replace(/\p{M}+/gu, '') : lower;
    return STOP.has(word) ? [] : [stem(word)];
  });
}

/** Neighbouring letters in twos; what stands between them in another script stays a word of its own. */
function pairsOf(run: string): string[] {
  const found: string[] = [];
  let unspaced = '';
  let other = '';
  const flush = () => {
    const letters = [...unspaced];
    if (letters.length === 1) found.push(...letters);
    for (let at = 0; at + 1 < letters.length; at++) found.push(`${letters[at]}${letters[at + 1]}`);
    if (other !== '') found.push(...wordsOfRun(other));
    unspaced = '';
    other = '';
  };
  for (const letter of run) {
    const isUnspaced = UNSPACED.test(letter);
    if (isUnspaced ? other !== '' : unspaced !== '' && !/\p{M}/u.test(letter)) flush();
    if (isUnspaced || (unspaced !== '' && /\p{M}/u.test(letter))) unspaced += letter;
    else other += letter;
  }
  flush();
  return found;
}
