/**
 * English stems: `created`, `creating` and `creation` become one word. Source: M. F. Porter, "An algorithm for suffix
 * stripping", Program 14 (1980), with the two departures its author published (`-bli`, `-logi`). Takes lower-case ASCII
 * words; anything else is returned as it is, for the rules know English alone.
 */

const PLAIN = /^[a-z]{3,}$/;

type Rule = readonly [ending: string, becomes: string];

const STEP_2: readonly Rule[] = [
  ...([
    ['ational', 'ate'],
    ['tional', 'tion'],
    ['enci', 'ence'],
    ['anci', 'ance'],
    ['izer', 'ize'],
  ] as const),
  ...([
    ['bli', 'ble'],
    ['alli', 'al'],
    ['entli', 'ent'],
    ['eli', 'e'],
    ['ousli', 'ous'],
  ] as const),
  ...([
    ['ization', 'ize'],
    ['ation', 'ate'],
    ['ator', 'ate'],
    ['alism', 'al'],
    ['iveness', 'ive'],
  ] as const),
  ...([
    ['fulness', 'ful'],
    ['ousness', 'ous'],
    ['aliti', 'al'],
    ['iviti', 'ive'],
    ['biliti', 'ble'],
  ] as const),
  ['logi', 'log'],
];

const STEP_3: readonly Rule[] = [
  ...([
    ['icate', 'ic'],
    ['ative', ''],
    ['alize', 'al'],
    ['iciti', 'ic'],
    ['ical', 'ic'],
    ['ful', ''],
  ] as const),
  ['ness', ''],
];

const STEP_4: readonly Rule[] = [
  ...['al', 'ance', 'ence', 'er', 'ic', 'able', 'ible', 'ant', 'ement', 'ment', 'ent', 'ou', 'ism', 'ate', 'iti'],
  ...['ous', 'ive', 'ize', 'ion'],
]
  .sort((a, b) => b.length - a.length)
  .map(ending => [ending, ''] as const);

/** Returns the stem; the same for every form of a word that the rules know. */
export function stem(word: string): string {
  if (!PLAIN.test(word)) return word;
  let rest = inflections(word);
  // Steps 1c and 5 look at single letters, steps 2 to 4 at a table each.
  if (rest.endsWith('y') && hasVowel(rest.slice(0, -1))) rest = `${rest.slice(0, -1)}i`;
  rest = replaceEnding(rest, STEP_2, 0);
  rest = replaceEnding(rest, STEP_3, 0);
  rest = replaceEnding(rest, STEP_4, 1);
  return lastLetters(rest);
}

/** Steps 1a and 1b: plurals, `-ed` and `-ing`. */
function inflections(word: string): string {
  let rest = word;
  if (rest.endsWith('sses') || rest.endsWith('ies')) rest = rest.slice(0, -2);
  else if (rest.endsWith('s') && !rest.endsWith('ss')) rest = rest.slice(0, -1);

  if (rest.endsWith('eed')) return measure(rest.slice(0, -3)) > 0 ? rest.slice(0, -1) : rest;
  const ending = rest.endsWith('ed') ? 2 : rest.endsWith('ing') ? 3 : 0;
  if (ending === 0 || !hasVowel(rest.slice(0, -ending))) return rest;
  rest = rest.slice(0, -ending);
  if (/(?:at|bl|iz)$/.test(rest)) return `${rest}e`;
  if (endsInDouble(rest) && !/[lsz]$/.test(rest)) return rest.slice(0, -1);
  return measure(rest) === 1 && endsInShortSyllable(rest) ? `${rest}e` : rest;
}

/** The longest ending that fits decides, whether what is left of the word is long enough for it or not. */
function replaceEnding(word: string, rules: readonly Rule[], above: number): string {
  for (const [ending, becomes] of rules) {
    if (!word.endsWith(ending)) continue;
    const rest = word.slice(0, -ending.length);
    if (ending === 'ion' && !/[st]$/.test(rest)) return word;
    return measure(rest) > above ? rest + becomes : word;
  }
  return word;
}

/** Step 5: a silent `e`, and one of two `l`. */
function lastLetters(word: string): string {
  let rest = word;
  if (rest.endsWith('e')) {
    const before = rest.slice(0, -1);
    const length = measure(before);
    if (length > 1 || (length === 1 && !endsInShortSyllable(before))) rest = before;
  }
  return rest.endsWith('ll') && measure(rest.slice(0, -1)) > 1 ? rest.slice(0, -1) : rest;
}

/** `y` is a vowel after a consonant. */
function isConsonant(word: string, at: number): boolean {
  const letter = word.charCodeAt(at);
  if (letter === 97 || letter === 101 || letter === 105 || letter === 111 || letter === 117) return false;
  return letter !== 121 || at === 0 || !isConsonant(word, at - 1);
}

function hasVowel(word: string): boolean {
  for (let at = 0; at < word.length; at++) if (!isConsonant(word, at)) return true;
  return false;
}

/** How many times a vowel is followed by a consonant: Porter's m. */
function measure(word: string): number {
  let count = 0;
  let wasVowel = false;
  for (let at = 0; at < word.length; at++) {
    const consonant = isConsonant(word, at);
    if (consonant && wasVowel) count += 1;
    wasVowel = !consonant;
  }
  return count;
}

function endsInDouble(word: string): boolean {
  const last = word.length - 1;
  return last > 0 && word[last] === word[last - 1] && isConsonant(word, last);
}

/** Consonant, vowel, consonant other than w, x, y: `hop`, not `snow`. */
function endsInShortSyllable(word: string): boolean {
  const last = word.length - 1;
  return (
    last >= 2 &&
    isConsonant(word, last) &&
    !isConsonant(word, last - 1) &&
    isConsonant(word, last - 2) &&
    !/[wxy]$/.test(word)
  );
}
