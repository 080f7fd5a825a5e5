/** What a request of several kinds comes to: tags taken out of it, and places shared out between the kinds. */
import { expect, test } from 'vitest';
import { shareOut } from '../../../src/domain/search/share-out.ts';
import { splitTagWords } from '../../../src/domain/search/tag-words.ts';

test.each([
  { ranked: 'ttttttttttss', limit: 10, chosen: 'ttttttttss', because: 'what the others leave free is not wasted' },
  { ranked: 'ttttttttttssssss', limit: 10, chosen: 'ttttttssss', because: 'one kind has six of ten places at most' },
  { ranked: 'tttttttttttt', limit: 10, chosen: 'tttttttttt', because: 'a kind alone has them all' },
  { ranked: 'ststa', limit: 10, chosen: 'ststa', because: 'few hits are all shown' },
  { ranked: 'ttsa', limit: 1, chosen: 't', because: 'of one place the best has all' },
  { ranked: '', limit: 10, chosen: '', because: 'nothing is shared out as nothing' },
])('$because', ({ ranked, limit, chosen }) => {
  const items = [...ranked].map((kind, place) => ({ kind, place }));
  const shared = shareOut(items, ({ kind }) => kind, limit);
  expect(shared.map(({ kind }) => kind).join('')).toBe(chosen);
  expect(shared.map(({ place }) => place)).toEqual(shared.map(({ place }) => place).sort((a, b) => a - b));
});

test.each([
  { query: 'time in Tokyo', text: 'time in Tokyo', tags: [], because: 'a request without tags is itself' },
  { query: '#Finance stock  price #eu', text: 'stock price', tags: ['finance', 'eu'], because: 'tags stand anywhere' },
  { query: 'parse C# code', text: 'parse C# code', tags: [], because: 'a sharp behind a word is a part of it' },
  {
    query: '#team/a:1.0-x',
    text: 'team/a:1.0-x',
    tags: ['team/a:1.0-x'],
    because: 'tags alone are asked for as words',
  },
  { query: '#eu #EU', text: 'eu', tags: ['eu'], because: 'a tag said twice is one' },
  { query: '# heading', text: '# heading', tags: [], because: 'a sharp alone names no tag' },
])('$because', ({ query, text, tags }) => {
  expect(splitTagWords(query)).toEqual({ text, tags });
});
