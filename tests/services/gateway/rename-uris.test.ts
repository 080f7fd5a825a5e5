import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../../src/domain/json.ts';
import { renameUris } from '../../../src/services/gateway/rename-uris.ts';

const RENAMED = new Map([
  ['file:///x', 'b+file:///x'],
  ['ui://app', 'b+ui://app'],
]);

test.each([
  {
    given: { contents: [{ uri: 'file:///x', text: 'hi' }] },
    to: { contents: [{ uri: 'b+file:///x', text: 'hi' }] },
    because: 'contents',
  },
  {
    given: { content: [{ type: 'resource_link', uri: 'file:///x', name: 'file:///x' }] },
    to: { content: [{ type: 'resource_link', uri: 'b+file:///x', name: 'file:///x' }] },
    because: 'links, and no other text',
  },
  {
    given: { _meta: { ui: { resourceUri: 'ui://app' } } },
    to: { _meta: { ui: { resourceUri: 'b+ui://app' } } },
    because: 'MCP Apps',
  },
  {
    given: { _meta: { 'ui/resourceUri': 'ui://app' } },
    to: { _meta: { 'ui/resourceUri': 'b+ui://app' } },
    because: 'their older spelling',
  },
  { given: { uri: 'file:///y' }, to: { uri: 'file:///y' }, because: 'a URI nobody else claimed stays' },
  {
    given: { content: [{ type: 'text', text: 'file:///x' }] },
    to: { content: [{ type: 'text', text: 'file:///x' }] },
    because: 'text is text',
  },
])('puts the public URI into $because', ({ given, to }) => expect(renameUris(given, RENAMED)).toEqual(to));

const json = fc.letrec<{ value: Json; object: JsonObject }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.integer(),
    fc.constant(null),
    fc.constantFrom(...RENAMED.keys()),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object'),
  ),
  object: fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom('uri', 'resourceUri', 'ui/resourceUri', 'uriTemplate', '__proto__')),
    tie('value'),
    { maxKeys: 4, noNullPrototype: true },
  ),
}));

describe('whatever else a result holds', () => {
  test('stays deep-equal, and the given object is not touched', () => {
    fc.assert(
      fc.property(json.object, object => {
        const before = structuredClone(object);
        const renamed = renameUris(object, RENAMED);
        expect(object).toEqual(before);
        const back = new Map([...RENAMED].map(([own, name]) => [name, own]));
        expect(renameUris(renamed, back)).toEqual(object);
      }),
    );
  });

  test('comes back as the same object where nothing had to be renamed', () => {
    fc.assert(
      fc.property(json.object, object => {
        expect(renameUris(object, new Map())).toBe(object);
      }),
    );
  });

  test('is not walked without end', () => {
    let deep: JsonObject = { uri: 'file:///x' };
    for (let i = 0; i < 5_000; i++) deep = { inner: deep };
    expect(renameUris(deep, RENAMED)).toBe(deep);
  });
});
