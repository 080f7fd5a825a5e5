/**
 * Names that a reader takes for another: letters of other alphabets and digits that look like Latin ones, version tails,
 * one wrong letter. Equal letters are no likeness but the same name, which prefixes keep apart: `sendEmail` on one server
 * and `send_email` on another are two authors' habits. The idea of a skeleton is that of Unicode TS #39; the table is the
 * part of it that names of tools call for.
 */

/** `confusable`: looks equal. `version`: the same with a version. `typo`: one letter apart. */
export type Likeness = 'confusable' | 'version' | 'typo';

export interface NameForms {
  /** Letters and digits as written: equal for names that differ in case and separators alone. */
  plain: string;
  /** Equal for names that look equal. */
  skeleton: string;
  /** `plain` without its version tail; null: it has none. */
  unversioned: string | null;
  /** Whether letters of other alphabets or unseen characters stand in it. */
  isDisguised: boolean;
  words: readonly string[];
}

/** What a letter looks like, by the Latin letter; capitals where only these are alike. */
const LOOKS_LIKE: readonly (readonly [latin: string, alike: string])[] = [
  ['a', '\u0430\u0251\u03b1\u04d9' + '4@'],
  ['b', '\u042c\u044c\u0412\u0432\u0392\u03b2' + '8'],
  ['c', '\u0441\u03f2\u1d04'],
  ['d', '\u0501\u0257'],
  ['e', '\u0435\u04bd\u03b5\u0395' + '3'],
  ['g', '\u0261\u0581' + '9'],
  ['h', '\u04bb\u043d\u0570\u0397'],
  ['i', '\u0456\u0131\u03b9\u04cf\u0399\u01c0' + '1l|!'],
  ['j', '\u0458\u03f3'],
  ['k', '\u043a\u03ba'],
  ['m', '\u043c\u039c'],
  ['n', '\u043f\u03b7\u0578\u039d'],
  ['o', '\u043e\u03bf\u03c3\u0585' + '0'],
  ['p', '\u0440\u03c1'],
  ['q', '\u051b\u0563'],
  ['r', '\u0433\u1d26'],
  ['s', '\u0455\ua731' + '5$'],
  ['t', '\u0442\u03c4' + '7'],
  ['u', '\u03c5\u057d\u028b'],
  ['v', '\u03bd\u0475\u1d20'],
  ['w', '\u0461\u0448\u051d\u03c9'],
  ['x', '\u0445\u03c7'],
  ['y', '\u0443\u04af\u03b3\u028f\u03a5'],
  ['z', '\u1d22\u0396'],
];
const LATIN_OF: ReadonlyMap<string, string> = new Map(
  LOOKS_LIKE.flatMap(([latin, alike]) => [...alike].map(letter => [letter, latin] as const)),
);

/** A name as long as a book is compared by its beginning. */
const MAX_COMPARED = 128;
/** Shorter names and words are one letter apart by chance: `get_node` and `get_note`. */
const MIN_TYPO_NAME = 8;
const MIN_TYPO_WORD = 5;
const MIN_VERSIONED = 4;
/** Three digits and more are a size or a year. */
const VERSION_TAIL = /(?:[_.\-\s]+v?|v)?(?<![\d])\d{1,2}$/i;

/** What no reader sees, and the accents that fall off when a letter is taken apart. */
const UNSEEN = /[\p{C}\p{DI}\p{M}]/gu;
const NOT_WRITTEN = /[^\p{L}\p{N}]+/gu;

export function formsOf(written: string): NameForms {
  const name = written.slice(0, MAX_COMPARED).normalize('NFKC');
  const words = name
    .replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(NOT_WRITTEN)
    .filter(word => word !== '');
  const tail = VERSION_TAIL.exec(name);
  const unversioned = tail === null ? '' : plainOf(name.slice(0, tail.index));
  return {
    plain: words.join(''),
    skeleton: skeletonOf(name),
    unversioned: unversioned.length < MIN_VERSIONED ? null : unversioned,
    // NFKC has turned letters of full width into plain ones already, so the name as written is asked.
    isDisguised: /[^\p{ASCII}]/u.test(written.slice(0, MAX_COMPARED)),
    words,
  };
}

/** As `NameForms.plain`. */
export function plainOf(written: string): string {
  return written.slice(0, MAX_COMPARED).normalize('NFKC').toLowerCase().replaceAll(NOT_WRITTEN, '');
}

/** Shape: lower-case; empty where nothing can be seen of it. */
export function skeletonOf(written: string): string {
  let skeleton = '';
  for (const letter of written.slice(0, MAX_COMPARED).normalize('NFKD').replaceAll(UNSEEN, '')) {
    const small = letter.toLowerCase();
    skeleton += LATIN_OF.get(letter) ?? LATIN_OF.get(small) ?? small.replaceAll(NOT_WRITTEN, '');
  }
  return skeleton;
}

/** Null: they are the same name, or nobody would take one for the other. Gravest first. */
export function findLikeness(one: NameForms, other: NameForms): Likeness | null {
  if (one.plain === other.plain && one.isDisguised === other.isDisguised) return null;
  if (one.skeleton !== '' && one.skeleton === other.skeleton) return 'confusable';
  if (one.unversioned === other.plain || other.unversioned === one.plain) return 'version';
  return isTypo(one, other) ? 'typo' : null;
}

/** The names that may be one letter apart share one of these. Shape: empty for a name too short to tell. */
export function typoKeys({ plain }: NameForms): Iterable<string> {
  if (plain.length < MIN_TYPO_NAME - 1) return [];
  const keys = new Set([plain]);
  for (let at = 0; at < plain.length; at++) keys.add(plain.slice(0, at) + plain.slice(at + 1));
  return keys;
}

/**
 * Two words of a language are one letter apart often, and a wrong letter in the middle of a long word is what a reader
 * passes over. So short words do not count, nor a first letter, nor plurals, nor `summarise` and `summarize`.
 */
function isTypo(one: NameForms, other: NameForms): boolean {
  if (Math.max(one.plain.length, other.plain.length) < MIN_TYPO_NAME || !isOneApart(one.plain, other.plain))
    return false;
  if (one.words.length !== other.words.length) return isWrongWord(one.plain, other.plain);
  return one.words.every((word, at) => word === other.words[at] || isWrongWord(word, other.words[at] ?? ''));
}

function isWrongWord(one: string, other: string): boolean {
  if (Math.min(one.length, other.length) < MIN_TYPO_WORD || one[0] !== other[0] || /\d/.test(one + other)) return false;
  if (`${one}s` === other || `${other}s` === one) return false;
  return one.replaceAll('is', 'iz') !== other.replaceAll('is', 'iz');
}

/** One letter more, less, other, or changed with its neighbour. */
function isOneApart(one: string, other: string): boolean {
  const [short, long] = one.length <= other.length ? [one, other] : [other, one];
  if (short === long || long.length - short.length > 1) return false;
  let at = 0;
  while (at < short.length && short[at] === long[at]) at++;
  if (short.length < long.length) return short.slice(at) === long.slice(at + 1);
  if (short.slice(at + 1) === long.slice(at + 1)) return true;
  return short[at] === long[at + 1] && short[at + 1] === long[at] && short.slice(at + 2) === long.slice(at + 2);
}
