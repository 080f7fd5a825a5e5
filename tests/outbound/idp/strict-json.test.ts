import { expect, test } from 'vitest';
import { parseStrictObject } from '../../../src/outbound/idp/strict-json.ts';

const read = (text: string) => parseStrictObject(Buffer.from(text));

test.each([
  '{}',
  '{"a":{"b":1},"b":1}',
  '{"a":["a","a"],"b":"a"}',
  '{ "a" : "b:c" , "b" : "\\"a\\":" }',
  '{"a":[{"x":1},{"x":2}]}',
])('reads %s', text => expect(read(text)).toEqual(JSON.parse(text)));

test.each([
  { text: '{"a":1,"a":1}', because: 'a name twice' },
  { text: '{"a":1,"\\u0061":2}', because: 'a name twice, once escaped' },
  { text: '{"x":{"a":1, "a" :2}}', because: 'a name twice further down' },
  { text: '{"x":[{"a":1,"b":[],"a":2}]}', because: 'a name twice in a list' },
  { text: '{"__proto__":1,"__proto__":2}', because: 'a name of our language twice' },
  { text: '[]', because: 'no object' },
  { text: 'null', because: 'nothing' },
  { text: '', because: 'empty' },
  { text: '{"a":1}x', because: 'more than an object' },
  { text: '\ufeff{}', because: 'a byte order mark' },
  { text: `{"a":${'['.repeat(16)}${']'.repeat(16)}}`, because: 'too deep' },
])('refuses $because', ({ text }) => expect(read(text)).toBeNull());

test('refuses bytes that are no text', () => {
  expect(parseStrictObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toBeNull();
});
