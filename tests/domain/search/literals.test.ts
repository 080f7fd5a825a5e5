import { expect, test } from 'vitest';
import { kindsWritten } from '../../../src/domain/search/literals.ts';

test.each([
  { text: 'show me notes.txt', kinds: ['file'], because: 'the name of a file' },
  { text: 'open Report.PDF', kinds: ['file'], because: 'in capitals, too' },
  { text: 'add 2 and 3', kinds: ['number'], because: 'numbers' },
  { text: 'round 2.5', kinds: ['number'], because: 'one with a fraction' },
  { text: 'put 7 into sums.csv', kinds: ['file', 'number'], because: 'both' },
  { text: 'meeting on 2026-11-28 at 10:30', kinds: [], because: 'a date and a time are joined' },
  { text: 'call 10.0.0.1', kinds: [], because: 'so is an address' },
  { text: 'what is node.js and gpt4', kinds: ['file'], because: 'a name that looks like a file is taken for one' },
  { text: 'see example.com', kinds: [], because: 'an address is no file' },
  { text: 'then stop. txt', kinds: [], because: 'the end of a sentence is no ending of a file' },
  {
    text: 'take the 3 newest lines of notes.txt and send them on',
    kinds: [],
    because: 'a long request has words enough',
  },
  { text: '', kinds: [], because: 'nothing is written' },
])('$text: $because', ({ text, kinds }) => expect(kindsWritten(text)).toEqual(kinds));
