import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../../src/domain/json.ts';
import { findLargeArguments, LARGE_BODY_BYTES } from '../../../src/inbound/mcp/large-arguments.ts';

const PAD = 'x'.repeat(LARGE_BODY_BYTES);
const find = (text: string) => findLargeArguments(Buffer.from(text))?.toString() ?? null;

describe('the bytes of large arguments', () => {
  test('are what was sent, or are not found at all', () => {
    const spaced = fc.constantFrom(0, 1, '\t', 4);
    const json = fc.jsonValue() as fc.Arbitrary<Json>;
    const around = fc.dictionary(fc.constantFrom('id', 'method', 'params', 'arguments', 'x"', 'é'), json, {
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(json, around, around, spaced, (args, outer, params, indent) => {
        const body = { ...outer, params: { ...params, arguments: { args, pad: PAD }, after: args } };
        const found = find(JSON.stringify(body, null, indent));
        if (found !== null) expect(JSON.parse(found)).toEqual(JSON.parse(JSON.stringify(body.params.arguments)));
      }),
    );
  });

  test.each([
    { body: { id: 1, params: { name: 't', arguments: { a: PAD } } }, because: 'the plain case' },
    {
      body: { params: { arguments: { a: `\\"${PAD}`, b: [{ arguments: 1 }] } }, id: 1 },
      because: 'escapes in values, and names of members that look alike',
    },
    {
      body: { arguments: 1, params: { _meta: { arguments: 2 }, arguments: { a: PAD } } },
      because: 'others of that name stand elsewhere',
    },
  ])('are found: $because', ({ body }) => {
    expect(JSON.parse(find(JSON.stringify(body)) ?? 'null')).toEqual((body.params as JsonObject).arguments);
  });

  test.each([
    { text: `{"params":{"arguments":{"a":1}}}`, because: 'small ones are not worth it' },
    {
      text: `{"params":{"arguments":{"a":1},"arguments":{"a":"${PAD}"}}}`,
      because: 'two of them: readers differ in which counts',
    },
    { text: `{"params":{"arguments":{"a":1,"a":"${PAD}"}}}`, because: 'a key twice inside' },
    { text: `{"params":{"arguments":{"\\u0061":1,"a":"${PAD}"}}}`, because: 'an escaped key may be another one twice' },
    { text: `{"params":{"\\u0061rguments":{"a":"${PAD}"}}}`, because: 'an escaped name' },
    { text: `{"params":{},"params":{"arguments":{"a":"${PAD}"}}}`, because: 'parameters twice' },
    { text: `{"params":{"name":"${PAD}"}}`, because: 'there are none' },
    { text: `[{"params":{"arguments":{"a":"${PAD}"}}}]`, because: 'a batch' },
    {
      text: `{"params":{"arguments":[${'1,'.repeat(10_000)}1]}}`,
      because: 'looking at ten thousand elements costs more than it saves',
    },
  ])('are not taken: $because', ({ text }) => expect(find(text)).toBeNull());

  test('are not taken of text that is no UTF-8: it would mean something else to another reader', () => {
    const body = Buffer.concat([
      Buffer.from(`{"params":{"arguments":{"a":"${PAD}`),
      Buffer.from([0xff]),
      Buffer.from('"}}}'),
    ]);
    expect(findLargeArguments(body)).toBeNull();
  });
});
