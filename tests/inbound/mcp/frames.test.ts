import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import {
  byteLength,
  bytesFrame,
  errorFrame,
  type Frame,
  notificationText,
  requestText,
  resultFrame,
  toLine,
} from '../../../src/inbound/mcp/frames.ts';

const wire = ({ head, bytes, tail }: Frame) =>
  Buffer.concat([Buffer.from(head), bytes ?? Buffer.alloc(0), Buffer.from(tail)]);
const result = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), {
  noNullPrototype: true,
}) as fc.Arbitrary<JsonObject>;
const id = fc.oneof(fc.string({ unit: 'binary' }), fc.maxSafeInteger());

test('a frame is the message, whether put together from text or from bytes, and as long as it says', () => {
  fc.assert(
    fc.property(id, result, (one, given) => {
      const bytes = Buffer.from(JSON.stringify(given));
      for (const frame of [resultFrame(one, given), bytesFrame(one, '', bytes)]) {
        expect(JSON.parse(wire(frame).toString())).toEqual(
          JSON.parse(JSON.stringify({ jsonrpc: '2.0', id: one, result: given })),
        );
        expect(byteLength(frame)).toBe(wire(frame).length);
        expect(toLine(frame)).toBe(wire(frame).toString());
      }
    }),
  );
});

test('a frame of bytes inside a larger buffer takes its part alone', () => {
  const bytes = Buffer.from('xx{"a":1}yy').subarray(2, 9);
  expect(JSON.parse(toLine(bytesFrame(1, '', bytes))).result).toEqual({ a: 1 });
  expect(JSON.parse(toLine(bytesFrame(1, '{"b":2,', bytes.subarray(1)))).result).toEqual({ b: 2, a: 1 });
});

test('an error that answers nothing readable has the id null', () => {
  expect(toLine(errorFrame(null, { code: -32700, message: 'Parse error' }))).toBe(
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}',
  );
});

test('questions and notifications are one line each', () => {
  fc.assert(
    fc.property(result, params => {
      expect(requestText('a', 'm', params)).not.toMatch(/[\r\n]/);
      expect(notificationText('m', params)).not.toMatch(/[\r\n]/);
    }),
  );
});
