import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../../../src/domain/json.ts';
import { isTooDeep, MAX_DEPTH } from '../../../src/inbound/mcp/json-depth.ts';

const check = (text: string) => isTooDeep(Buffer.from(text));
const nested = (depth: number, open = '[', close = ']') => open.repeat(depth) + close.repeat(depth);

/** Depth as the parsed value has it. */
function depthOf(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(inner => depthOf(inner as Json)));
}

describe('a text', () => {
  test.each([
    { text: nested(MAX_DEPTH), deep: false, because: 'the limit itself is allowed' },
    { text: nested(MAX_DEPTH + 1), deep: true, because: 'one more is not' },
    { text: nested(MAX_DEPTH + 1, '{"a":', '}'), deep: true, because: 'objects count like lists' },
    { text: nested(100_000), deep: true, because: 'ten thousands would end the stack of a recursive reader' },
    { text: '['.repeat(1_000_000), deep: true, because: 'it need not be valid' },
    { text: `[${'[],'.repeat(1_000)}[]]`, deep: false, because: 'many are not deep' },
    { text: JSON.stringify('['.repeat(1_000)), deep: false, because: 'brackets in a string are text' },
    {
      text: JSON.stringify(`${'\\'.repeat(7)}"${'['.repeat(1_000)}`),
      deep: false,
      because: 'an escaped quote does not end a string',
    },
    {
      text: `["\\\\",${nested(MAX_DEPTH)}]`,
      deep: true,
      because: 'an escaped backslash does not escape the quote after it',
    },
    { text: `"${'['.repeat(1_000)}`, deep: false, because: 'a string without an end is a string' },
    { text: '', deep: false, because: 'nothing is not deep' },
  ])('of $text.length characters: $because', ({ text, deep }) => expect(check(text)).toBe(deep));

  test('is too deep exactly when its value is', () => {
    const wrapped = fc
      .tuple(fc.jsonValue(), fc.integer({ min: MAX_DEPTH - 8, max: MAX_DEPTH + 4 }), fc.infiniteStream(fc.boolean()))
      .map(([value, times, kinds]) => {
        let json = value as Json;
        for (let i = 0; i < times; i++) json = kinds.next().value === true ? [json, '"{[\\'] : { 'k\\"[': json };
        return json;
      });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue() as fc.Arbitrary<Json>, wrapped), value => {
        expect(check(JSON.stringify(value))).toBe(depthOf(value) > MAX_DEPTH);
      }),
    );
  });
});
