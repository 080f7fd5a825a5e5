import { describe, expect, it, test } from 'vitest';
import { stem } from '../../../src/domain/search/stem.ts';
import { toWords } from '../../../src/domain/search/words.ts';

describe('toWords', () => {
  test.each([
    { text: 'getUserName', words: ['get', 'user', 'name'], because: 'a hump begins a word' },
    { text: 'HTTPServer', words: ['http', 'server'], because: 'the last capital belongs to the next word' },
    { text: 'get_user-name.v2', words: ['get', 'user', 'name', 'v', '2'], because: 'marks and digits part words' },
    { text: 'Please can you create an issue', words: ['creat', 'issu'], because: 'grammar and politeness say nothing' },
    { text: 'order 1234567 of 2024', words: ['order', '2024'], because: 'a long number is an id, a year is not' },
    { text: '搜索文件', words: ['搜索', '索文', '文件'], because: 'a script without spaces is read in pairs' },
    { text: '用GitHub搜索', words: ['用', 'git', 'hub', '搜索'], because: 'a name inside such a script stays a name' },
    { text: 'ｆｉｌｅ ﬁle', words: ['file', 'file'], because: 'wide letters and ligatures are letters' },
    { text: 'créer une Über-sicht', words: ['creer', 'un', 'uber', 'sicht'], because: 'an accent is often left out' },
    { text: 'de\u200Blete\u00AD', words: ['delet'], because: 'what nobody sees parts no word' },
    { text: 'a\u0000b one\u0007two', words: ['b', 'on', 'two'], because: 'a control character is a gap' },
    { text: `x ${'k'.repeat(41)}`, words: ['x'], because: 'a run this long is a key, not a word' },
    { text: '... !!! --', words: [], because: 'marks alone are no words' },
  ])('$because: $text', ({ text, words }) => {
    expect(toWords(text)).toEqual(words);
  });

  it('keeps verbs of action', () => {
    for (const verb of ['get', 'list', 'find', 'make', 'send', 'run', 'show', 'use', 'help', 'give'])
      expect(toWords(verb)).toEqual([stem(verb)]);
  });
});

describe('stem', () => {
  test.each([
    ['create', 'creating', 'created', 'creates'],
    ['file', 'files'],
    ['search', 'searches', 'searching'],
    ['reply', 'replies', 'replied'],
    ['connect', 'connection', 'connections', 'connected'],
    ['run', 'running', 'runs'],
    ['generalization', 'generalizations'],
  ])('makes one word of %s and its forms', (...forms) => {
    expect(new Set(forms.map(stem)).size).toBe(1);
  });

  // From the tables of the paper.
  test.each([
    ['caresses', 'caress'],
    ['ponies', 'poni'],
    ['agreed', 'agre'],
    ['plastered', 'plaster'],
    ['hopping', 'hop'],
    ['falling', 'fall'],
    ['filing', 'file'],
    ['happy', 'happi'],
    ['sky', 'sky'],
    ['relational', 'relat'],
    ['digitizer', 'digit'],
    ['sensibiliti', 'sensibl'],
    ['triplicate', 'triplic'],
    ['hopefulness', 'hope'],
    ['adoption', 'adopt'],
    ['effective', 'effect'],
    ['rate', 'rate'],
    ['cease', 'ceas'],
    ['controll', 'control'],
    ['roll', 'roll'],
  ])('makes %s into %s', (word, expected) => {
    expect(stem(word)).toBe(expected);
  });

  test.each(['naïve', 'a', 'is', '2024', 'Été', '搜索'])('leaves %s alone: the rules know English words only', word => {
    expect(stem(word)).toBe(word);
  });
});
