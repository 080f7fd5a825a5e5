import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../../src/domain/json.ts';
import { decodeHeaderText, encodeHeaderText, readMirrored, readParamHeaders } from '../../src/domain/param-headers.ts';

const schema = (properties: Json) => ({ type: 'object', properties });
const header = (name: Json, type: Json = 'string') => ({ type, 'x-mcp-header': name });

describe('reading annotations', () => {
  test('finds them along properties, with the way to the argument', () => {
    const read = readParamHeaders(schema({ region: header('Region'), a: schema({ b: header('Deep', 'integer') }) }));
    expect(read).toEqual({
      kind: 'valid',
      headers: [
        { name: 'Region', path: ['region'] },
        { name: 'Deep', path: ['a', 'b'] },
      ],
    });
  });

  test.each([
    { input: undefined, because: 'no schema' },
    { input: true, because: 'a boolean schema' },
    { input: schema({ a: { type: 'string', description: 'see x-mcp-header' } }), because: 'only words about it' },
  ])('finds none: $because', ({ input }) => expect(readParamHeaders(input)).toEqual({ kind: 'valid', headers: [] }));

  test.each([
    { input: schema({ a: header('Two words') }), because: 'the name is no token' },
    { input: schema({ a: header('') }), because: 'the name is empty' },
    { input: schema({ a: header('X\r\nSet-Cookie: a') }), because: 'the name would split the header' },
    { input: schema({ a: header(7) }), because: 'the name is no text' },
    { input: schema({ a: header('A', 'object') }), because: 'objects cannot be mirrored' },
    { input: schema({ a: header('A', 'number') }), because: 'numbers have many spellings' },
    { input: schema({ a: header('A', ['string', 'null']) }), because: 'a choice of types is not one of the three' },
    { input: schema({ a: header('Region'), b: header('REGION') }), because: 'header names do not tell case' },
    { input: { type: 'array', items: header('A') }, because: 'it stands under items' },
    { input: { anyOf: [schema({ a: header('A') })] }, because: 'it stands under anyOf' },
    {
      input: { $defs: { x: header('A') }, ...schema({ a: { $ref: '#/$defs/x' } }) },
      because: 'it stands behind a reference',
    },
  ])('refuses the tool: $because', ({ input }) => expect(readParamHeaders(input as Json).kind).toBe('invalid'));
});

describe('a mirrored argument', () => {
  const at = (path: string[]) => ({ name: 'X', path });
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
  ])('$because', ({ args, path, text }) => expect(readMirrored(args as Json | undefined, at(path))).toBe(text));
});

describe('header text', () => {
  test('comes back as it was, whatever it holds, and is fit for a header on the way', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), text => {
        const written = encodeHeaderText(text);
        expect(written).toMatch(/^[\x20-\x7e]+$/);
        expect(decodeHeaderText(written)).toBe(text);
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
  ])('$because', ({ text, written }) => expect(encodeHeaderText(text)).toBe(written));

  test.each(['=?base64?%%%?=', '=?base64?eA=?=', '=?base64?e A==?='])(
    '%s is no valid base64: null, not a guess',
    value => expect(decodeHeaderText(value)).toBeNull(),
  );
});
