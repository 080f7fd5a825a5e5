import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import {
  decodeHeaderValue,
  encodeHeaderValue,
  paramHeaderValues,
  readMirrored,
  readParamHeaders,
} from '../../src/domain/param-headers.ts';

const schema = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({ type: 'object', properties, ...more });
const mark = (name: string, type = 'string'): JsonObject => ({ type, 'x-mcp-header': name });

describe('header annotations of a tool', () => {
  test('are found at any depth of properties', () => {
    const found = readParamHeaders(
      schema({ region: mark('Region'), deep: schema({ on: mark('On', 'boolean'), n: mark('N', 'integer') }) }),
    );
    expect(found).toEqual([
      { header: 'mcp-param-region', path: ['region'] },
      { header: 'mcp-param-on', path: ['deep', 'on'] },
      { header: 'mcp-param-n', path: ['deep', 'n'] },
    ]);
  });

  test.each<{ because: string; schema: JsonObject }>([
    { because: 'under items there is no one value', schema: schema({ list: { type: 'array', items: mark('A') } }) },
    { because: 'a branch may not apply', schema: schema({}, { anyOf: [schema({ a: mark('A') })] }) },
    { because: 'a condition may not apply', schema: schema({}, { else: schema({ a: mark('A') }) }) },
    { because: 'definitions are reached by reference only', schema: schema({}, { $defs: { a: mark('A') } }) },
    { because: 'the root is not an argument', schema: schema({}, { 'x-mcp-header': 'A' }) },
    { because: 'an object is no header value', schema: schema({ a: mark('A', 'object') }) },
    { because: 'a number has more than one spelling', schema: schema({ a: mark('A', 'number') }) },
    { because: 'a type is needed', schema: schema({ a: { 'x-mcp-header': 'A' } }) },
    { because: 'a header name is a token', schema: schema({ a: mark('A B') }) },
    { because: 'a line break is no token', schema: schema({ a: mark('A\r\nX: 1') }) },
    { because: 'a name is not empty', schema: schema({ a: mark('') }) },
    { because: 'a name is a string', schema: schema({ a: { type: 'string', 'x-mcp-header': 1 } }) },
    { because: 'names differ by more than case', schema: schema({ a: mark('Region'), b: mark('REGION') }) },
  ])('are invalid: $because', ({ schema: given }) => {
    expect(readParamHeaders(given)).toBeNull();
  });

  test('are not looked for in data', () => {
    expect(readParamHeaders(schema({ a: { type: 'object', default: mark('A'), examples: [mark('B')] } }))).toEqual([]);
    expect(readParamHeaders(undefined)).toEqual([]);
  });

  test('of a schema nested beyond reason are still bounded work', () => {
    let deep: JsonObject = schema({ a: mark('A') });
    for (let i = 0; i < 1000; i += 1) deep = schema({ a: deep });
    expect(readParamHeaders(deep)).toBeNull();
  });
});

test('values are written as their argument is, absent ones not at all', () => {
  const headers = ['s', 'b', 'n', 'o', 'gone'].map(name => ({ header: `mcp-param-${name}`, path: [name] }));
  const args = { s: 'x', b: false, n: 12, o: { no: 'primitive' } };
  expect(paramHeaderValues(headers, args)).toEqual(['mcp-param-s', 'x', 'mcp-param-b', 'false', 'mcp-param-n', '12']);
  expect(paramHeaderValues(headers, undefined)).toEqual([]);
  expect(paramHeaderValues([{ header: 'mcp-param-p', path: ['toString'] }], {})).toEqual([]);
});

test.each([
  { value: 'plain value', plain: true },
  { value: 'tab\tinside', plain: true },
  { value: '', plain: false },
  { value: ' outer', plain: false },
  { value: 'outer\t', plain: false },
  { value: 'line\r\nbreak', plain: false },
  { value: 'ünïcode 😀', plain: false },
  { value: '=?base64?eA==?=', plain: false },
  { value: '\u007f', plain: false },
])('"$value" as a header value', ({ value, plain }) => {
  const encoded = encodeHeaderValue(value);
  const inner = /^=\?base64\?(.*)\?=$/.exec(encoded)?.[1];
  expect(inner === undefined).toBe(plain);
  expect(inner === undefined ? encoded : Buffer.from(inner, 'base64').toString()).toBe(value);
});

describe('a mirrored argument', () => {
  test.each([
    { args: { a: 'text' }, path: ['a'], text: 'text', because: 'text as it is' },
    { args: { a: 7 }, path: ['a'], text: '7', because: 'numbers in digits' },
    { args: { a: false }, path: ['a'], text: 'false', because: 'booleans as words' },
    { args: { a: { b: '' } }, path: ['a', 'b'], text: '', because: 'empty is not absent' },
    { args: {}, path: ['a'], text: null, because: 'absent' },
    { args: { a: null }, path: ['a'], text: null, because: 'null is absent' },
    { args: { a: ['x'] }, path: ['a'], text: null, because: 'no primitive' },
    { args: undefined, path: ['a'], text: null, because: 'no arguments at all' },
    { args: {}, path: ['constructor', 'name'], text: null, because: 'what every object has is no argument' },
    { args: {}, path: ['toString'], text: null, because: 'what every object has is no argument' },
  ])('$because', ({ args, path, text }) => expect(readMirrored(args as Json | undefined, path)).toBe(text));
});

describe('header text', () => {
  test('comes back as it was, whatever it holds, and is fit for a header on the way', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), text => {
        const written = encodeHeaderValue(text);
        expect(written).toMatch(/^[\x20-\x7e]+$/);
        expect(decodeHeaderValue(written)).toBe(text);
      }),
    );
  });

  test.each([
    { text: 'us-east1', written: 'us-east1', because: 'plain stays plain' },
    { text: ' lead', written: '=?base64?IGxlYWQ=?=', because: 'outer white space would be lost' },
    { text: '', written: '=?base64??=', because: 'an empty header may be dropped on the way' },
    { text: 'Zürich', written: '=?base64?WsO8cmljaA==?=', because: 'headers are ASCII' },
    {
      text: '=?base64?eA==?=',
      written: '=?base64?PT9iYXNlNjQ/ZUE9PT89?=',
      because: 'it would be taken for an encoded one',
    },
  ])('$because', ({ text, written }) => expect(encodeHeaderValue(text)).toBe(written));

  test.each(['=?base64?%%%?=', '=?base64?eA=?=', '=?base64?e A==?='])(
    '%s is no valid base64: null, not a guess',
    value => expect(decodeHeaderValue(value)).toBeNull(),
  );
});
