import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import { readLargeAnswer, requestFrame } from '../../../src/outbound/downstream/frame.ts';

const anyObject = fc.dictionary(fc.string(), fc.jsonValue()) as fc.Arbitrary<JsonObject>;

describe('the bytes of a result', () => {
  test('are found in both layouts that serialisers write', () => {
    fc.assert(
      fc.property(
        anyObject,
        fc.nat(),
        fc.boolean(),
        fc.constantFrom('', '\n', ' \r\n'),
        (result, id, isIdFirst, tail) => {
          const json = JSON.stringify(result);
          const frame = isIdFirst
            ? `{"jsonrpc":"2.0","id":${id},"result":${json}}`
            : `{"result":${json},"jsonrpc":"2.0","id":${id}}`;
          const found = readLargeAnswer(Buffer.from(frame + tail));
          expect(found?.id).toBe(id);
          expect(found?.bytes.toString()).toBe(json);
          expect(JSON.stringify(found?.result)).toBe(json);
        },
      ),
    );
  });

  test.each<{ because: string; frame: string | Buffer }>([
    {
      because: 'a member after the result would be taken for a part of it',
      frame: '{"jsonrpc":"2.0","id":1,"result":{},"x":{}}',
    },
    { because: 'a second result would be', frame: '{"jsonrpc":"2.0","id":1,"result":{},"result":{"a":1}}' },
    { because: 'another id at the end would be', frame: '{"jsonrpc":"2.0","id":1,"result":{},"id":2}' },
    { because: 'a second result in the other layout too', frame: '{"result":{},"result":{},"jsonrpc":"2.0","id":1}' },
    {
      because: 'a member of the result may look like the end of the frame',
      frame: '{"result":{"a":1,"jsonrpc":"2.0","id":1}',
    },
    { because: 'blanks are another layout', frame: '{"jsonrpc": "2.0","id":1,"result":{}}' },
    { because: 'a string id is not ours', frame: '{"jsonrpc":"2.0","id":"1","result":{}}' },
    { because: 'a negative id is not ours', frame: '{"jsonrpc":"2.0","id":-1,"result":{}}' },
    {
      because: 'an id too long for a number is not ours',
      frame: '{"jsonrpc":"2.0","id":12345678901234567890,"result":{}}',
    },
    { because: 'an error is no result', frame: '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}' },
    { because: 'a result must be an object', frame: '{"jsonrpc":"2.0","id":1,"result":[1]}' },
    { because: 'half a frame is none', frame: '{"jsonrpc":"2.0","id":1,"result":{"a":1}' },
    {
      because: 'two frames are not one',
      frame: '{"jsonrpc":"2.0","id":1,"result":{}}{"jsonrpc":"2.0","id":1,"result":{}}',
    },
    {
      because: 'broken UTF-8 must not be sent on',
      frame: Buffer.concat([
        Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"a":"'),
        Buffer.from([0xc3, 0x28]),
        Buffer.from('"}}'),
      ]),
    },
    { because: 'nothing is nothing', frame: '' },
  ])('are not claimed: $because', ({ frame }) => {
    expect(readLargeAnswer(Buffer.from(frame as string))).toBeNull();
  });
});

describe('a request', () => {
  const owned = new Set(['progressToken', 'k/ours']);

  test.each<{ params: JsonObject; added: string; expected: JsonObject }>([
    { params: {}, added: '', expected: {} },
    { params: {}, added: '"k/ours":1', expected: { _meta: { 'k/ours': 1 } } },
    { params: { a: 1 }, added: '"k/ours":1', expected: { a: 1, _meta: { 'k/ours': 1 } } },
    { params: { a: 1, _meta: { b: 2 } }, added: '', expected: { a: 1, _meta: { b: 2 } } },
    { params: { _meta: { b: 2 } }, added: '"k/ours":1', expected: { _meta: { b: 2, 'k/ours': 1 } } },
    {
      params: { _meta: { 'k/ours': 'theirs', progressToken: 'theirs' } },
      added: '"k/ours":1',
      expected: { _meta: { 'k/ours': 1 } },
    },
    { params: { _meta: 'odd' }, added: '"k/ours":1', expected: { _meta: { 'k/ours': 1 } } },
  ])('with $params and $added', ({ params, added, expected }) => {
    const text = String(requestFrame({ id: 7, method: 'tools/call', params, argumentBytes: null }, added, owned));
    expect(JSON.parse(text)).toEqual({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: expected });
    // No key twice: the last one would win at one reader and the first at another.
    expect(text.match(/"k\/ours"/g)?.length ?? 0).toBe(added === '' ? 0 : 1);
  });

  test('keeps a member called __proto__ where it was', () => {
    const params = JSON.parse('{"__proto__":{"a":1},"_meta":{"__proto__":{"b":2}}}') as JsonObject;
    const text = String(requestFrame({ id: 7, method: 'm', params, argumentBytes: null }, '"k/ours":1', owned));
    expect(text).toContain('"params":{"__proto__":{"a":1},"_meta":{"__proto__":{"b":2},"k/ours":1}}');
  });

  test('takes kept arguments as they are, whatever else there is', () => {
    fc.assert(
      fc.property(anyObject, fc.jsonValue(), fc.constantFrom('', '"k/ours":1'), (others, given, added) => {
        const { arguments: _, _meta: _m, ...params } = others;
        const argumentBytes = Buffer.from(` ${JSON.stringify(given)} `);
        const pieces = requestFrame({ id: 7, method: 'tools/call', params, argumentBytes }, added, owned);
        const text = typeof pieces === 'string' ? pieces : Buffer.concat(pieces).toString();
        const meta = added === '' ? {} : { _meta: { 'k/ours': 1 } };
        expect(JSON.parse(text)).toEqual(
          JSON.parse(
            JSON.stringify({
              jsonrpc: '2.0',
              id: 7,
              method: 'tools/call',
              params: { ...params, ...meta, arguments: given },
            }),
          ),
        );
      }),
    );
  });
});
