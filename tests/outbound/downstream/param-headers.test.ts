import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import {
  encodeHeaderValue,
  paramHeaderValues,
  readParamHeaders,
} from '../../../src/outbound/downstream/param-headers.ts';

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
