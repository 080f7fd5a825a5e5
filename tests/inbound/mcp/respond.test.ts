import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Handled, Relayed } from '../../../src/domain/call.ts';
import { type Era, META } from '../../../src/domain/era.ts';
import { ERRORS, type ErrorCode, failure } from '../../../src/domain/error.ts';
import type { Json, JsonObject } from '../../../src/domain/json.ts';
import { toLine } from '../../../src/inbound/mcp/frames.ts';
import { httpStatus, retryAfterSeconds, toFrame } from '../../../src/inbound/mcp/respond.ts';
import { answerOf } from '../../support/fake-downstreams.ts';

const read = (era: Era, method: string, handled: Handled): JsonObject =>
  JSON.parse(toLine(toFrame(era, 7, method, handled)));
const resultOf = (era: Era, method: string, handled: Handled) => read(era, method, handled).result;
const withBytes = (era: Era, result: JsonObject) => ({
  ...answerOf(era, result),
  bytes: Buffer.from(JSON.stringify(result)),
});

const MODERN_ONLY = ['resultType', 'ttlMs', 'cacheScope'];
const object = fc
  .dictionary(
    fc.oneof(fc.string(), fc.constantFrom('content', 'isError', 'structuredContent', '__proto__', 'nextCursor')),
    fc.jsonValue(),
    {
      noNullPrototype: true,
    },
  )
  .map(value => JSON.parse(JSON.stringify(value)) as JsonObject)
  .filter(value => !MODERN_ONLY.some(member => Object.hasOwn(value, member)) && !Object.hasOwn(value, '_meta'));
const maybeBytes = fc.boolean();

describe('an answer', () => {
  test('in the caller’s own era arrives deep-equal, as bytes or as an object', () => {
    fc.assert(
      fc.property(fc.constantFrom<Era>('legacy', 'modern'), object, maybeBytes, (era, result, asBytes) => {
        const handled = asBytes ? withBytes(era, result) : answerOf(era, result);
        expect(JSON.stringify(read(era, 'tools/call', handled))).toBe(
          JSON.stringify({ jsonrpc: '2.0', id: 7, result }),
        );
      }),
    );
  });

  test.each(['tools/call', 'resources/read', 'tools/list'])(
    'of a legacy server to a modern client keeps every member of %s and says it is complete',
    method => {
      fc.assert(
        fc.property(object, maybeBytes, (result, asBytes) => {
          const handled = asBytes ? withBytes('legacy', result) : answerOf('legacy', result);
          const { resultType, ttlMs, cacheScope, ...rest } = resultOf('modern', method, handled) as JsonObject;
          expect(rest).toEqual(result);
          expect([resultType, ttlMs, cacheScope]).toEqual(
            method === 'tools/call' ? ['complete', undefined, undefined] : ['complete', 0, 'private'],
          );
        }),
      );
    },
  );

  test('of a modern server to a legacy client keeps every member but the era’s own', () => {
    fc.assert(
      fc.property(object, object, maybeBytes, (result, meta, asBytes) => {
        const given: JsonObject = {
          ...result,
          resultType: 'complete',
          ttlMs: 5,
          cacheScope: 'public',
          _meta: { ...meta, [META.serverInfo]: { name: 's' } },
        };
        const handled = asBytes ? withBytes('modern', given) : answerOf('modern', given);
        expect(resultOf('legacy', 'tools/call', handled)).toEqual(
          Object.keys(meta).length > 0 ? { ...result, _meta: meta } : result,
        );
      }),
    );
  });

  test('that came with line breaks between its tokens is still one line for stdio and event streams', () => {
    const bytes = Buffer.from('{\n  "content": [],\r\n  "a": "x\\ny"\n}');
    const line = toLine(
      toFrame('legacy', 7, 'tools/call', { kind: 'answer', era: 'legacy', result: { content: [], a: 'x\ny' }, bytes }),
    );
    expect(line).not.toMatch(/[\r\n]/);
    expect(JSON.parse(line).result).toEqual({ content: [], a: 'x\ny' });
  });

  test.each([
    { bytes: '{}', result: {} },
    { bytes: '{ }', result: {} },
    { bytes: ' {"a":1}', result: { a: 1 } },
    { bytes: '{\n"a":"{"}', result: { a: '{' } },
  ])('kept as the bytes $bytes is translated too', ({ bytes, result }) => {
    const handled = {
      kind: 'answer' as const,
      era: 'legacy' as const,
      result: result as JsonObject,
      bytes: Buffer.from(bytes),
    };
    expect(resultOf('modern', 'tools/call', handled)).toEqual({ ...result, resultType: 'complete' });
  });

  test.each(['a', '', 'x"y\\z', '\ud800', 0, -1, Number.MAX_SAFE_INTEGER])('goes to the id %j', id => {
    for (const handled of [answerOf('legacy', {}), withBytes('legacy', { a: 1 }), failure('INTERNAL')]) {
      expect(JSON.parse(toLine(toFrame('legacy', id, 'tools/call', handled))).id).toBe(id);
    }
  });
});

describe('an error of a server', () => {
  const relayed = (era: Era, code: number, more: object = {}): Relayed => ({
    kind: 'relayed',
    era,
    error: { code, message: 'No.', ...more },
  });
  const codeOf = (era: Era, given: Relayed) => (read(era, 'tools/call', given).error as JsonObject).code;

  test.each([
    { to: 'legacy', from: 'legacy', code: -32602, becomes: -32602, because: 'JSON-RPC’s own' },
    { to: 'legacy', from: 'legacy', code: -32002, becomes: -32002, because: 'resource not found' },
    { to: 'legacy', from: 'legacy', code: -32042, becomes: -32042, because: 'URL elicitation of 2025-11-25' },
    { to: 'legacy', from: 'legacy', code: 1234, becomes: 1234, because: 'the server’s own' },
    { to: 'legacy', from: 'modern', code: -32602, becomes: -32602, because: 'JSON-RPC’s own' },
    { to: 'legacy', from: 'modern', code: -32020, becomes: -32603, because: 'about our headers, not the client’s' },
    { to: 'legacy', from: 'modern', code: -32021, becomes: -32603, because: 'about our envelope' },
    { to: 'legacy', from: 'modern', code: -32022, becomes: -32603, because: 'about our version' },
    { to: 'modern', from: 'legacy', code: -32002, becomes: -32602, because: 'the modern era says it so' },
    { to: 'modern', from: 'legacy', code: -32000, becomes: -32603, because: 'the range is closed there' },
    { to: 'modern', from: 'legacy', code: -32001, becomes: -32603, because: 'the range is closed there' },
    { to: 'modern', from: 'legacy', code: -32042, becomes: -32603, because: 'never to a modern client' },
    { to: 'modern', from: 'legacy', code: -32601, becomes: -32601, because: 'JSON-RPC’s own' },
    { to: 'modern', from: 'legacy', code: 42, becomes: 42, because: 'outside the reserved range' },
    { to: 'modern', from: 'modern', code: -32602, becomes: -32602, because: 'the same words' },
  ] as const)('$code from $from to $to is $becomes: $because', ({ to, from, code, becomes }) =>
    expect(codeOf(to, relayed(from, code))).toBe(becomes),
  );

  test('from a legacy server never carries a code to a modern client that the specification keeps for itself', () => {
    fc.assert(
      fc.property(fc.integer({ min: -32_099, max: -32_000 }), code => {
        const told = Number(codeOf('modern', relayed('legacy', code)));
        expect(told >= -32_099 && told <= -32_000).toBe(false);
      }),
    );
  });

  test('keeps its data and loses paths, addresses and tokens of its text', () => {
    const given = relayed('legacy', -32603, {
      message: 'open /home/me/.ssh/id at 10.1.2.3 with Bearer abcdef123456',
      data: { uri: 'x://1', n: [1] },
    });
    const { message, data } = read('legacy', 'tools/call', given).error as JsonObject;
    expect(message).not.toMatch(/home|10\.1|abcdef/);
    expect(data).toEqual({ uri: 'x://1', n: [1] });
  });

  const LEAKS = [
    '/srv/app/internal/keys.pem',
    'token=ghp_q8Zr4Tn1Xc7Vb2Ls9Wd5Kf3Hg6Jm0Pa',
    '10.20.30.40:5432',
    'db-7.prod.internal',
    'Error: no\n    at open (/srv/app/open.ts:3:7)',
  ];
  const dataOf = (era: Era, data: Json, code = -32603) =>
    (read(era, 'tools/call', relayed('legacy', code, { data })).error as JsonObject).data;

  test.each(['legacy', 'modern'] as const)('loses the same in its data, wherever it stands (%s)', era => {
    for (const leak of LEAKS) {
      const told = dataOf(era, { text: leak, list: [[leak]], deep: { er: { text: `x ${leak}` } }, [leak]: 1, n: 7 });
      expect(JSON.stringify(told)).not.toMatch(/srv|ghp_|10\.20|prod\.internal|open\.ts/);
      expect(told).toMatchObject({ n: 7 });
      expect(JSON.stringify(dataOf(era, leak))).not.toMatch(/srv|ghp_|10\.20|prod\.internal|open\.ts/);
    }
  });

  test('keeps what a client is to visit or match as it is', () => {
    const kept = {
      uri: 'file:///srv/a.txt',
      url: 'https://auth.test/go?state=abcdef123456',
      elicitationId: 'aZ3kQ9xV7bN2mT5rW8yC4dF6gH1jL0pSaZ3kQ9xV7bN2mT5r',
      requiredCapabilities: { 'x.internal/ui': { note: '/srv/a.txt' } },
    };
    expect(dataOf('legacy', kept)).toEqual(kept);
    const elicitations = { elicitations: [{ mode: 'url', message: 'see 10.1.2.3', url: kept.url }] };
    expect(dataOf('legacy', elicitations, -32042)).toEqual(elicitations);
  });

  test('is cut with null where its data goes too deep to be looked at', () => {
    for (const depth of [17, 40, 2_000]) {
      for (const leaf of ['/srv/app/keys.pem', { a: '/srv/app/keys.pem' }] as Json[]) {
        const nested = (wrap: (inner: Json) => Json) => Array.from({ length: depth }).reduce<Json>(wrap, leaf);
        for (const data of [nested(inner => [inner]), nested(inner => ({ a: inner }))]) {
          const told = JSON.stringify(dataOf('legacy', data));
          expect(told).not.toContain('srv');
          expect(told).toContain('null');
        }
      }
    }
  });

  test('carries code, message and data, and no other member', () => {
    const given = relayed('legacy', -32603, { data: 1, stack: LEAKS[4], cause: { path: LEAKS[0] } });
    for (const era of ['legacy', 'modern'] as const)
      expect(read(era, 'tools/call', given).error).toEqual({ code: -32603, message: 'No.', data: 1 });
  });
});

describe('the HTTP status', () => {
  const inBand = 'what was understood is answered in-band';
  test.each([
    { era: 'legacy', handled: answerOf('legacy', {}), status: 200, because: 'an answer' },
    {
      era: 'legacy',
      handled: answerOf('legacy', { isError: true }),
      status: 200,
      because: 'a tool’s own failure is an answer',
    },
    { era: 'modern', handled: failure('INVALID_PARAMS'), status: 200, because: inBand },
    { era: 'modern', handled: failure('SERVER_UNAVAILABLE'), status: 200, because: inBand },
    { era: 'legacy', handled: failure('METHOD_NOT_FOUND'), status: 200, because: inBand },
    {
      era: 'modern',
      handled: failure('METHOD_NOT_FOUND'),
      status: 404,
      because: 'the one case for 404 in the modern era',
    },
    { era: 'modern', handled: failure('MISSING_CAPABILITY'), status: 400, because: 'always 400 in the modern era' },
    { era: 'legacy', handled: failure('OVERLOADED'), status: 503, because: 'proxies and retrying clients must see it' },
    {
      era: 'modern',
      handled: failure('SHUTTING_DOWN'),
      status: 503,
      because: 'proxies and retrying clients must see it',
    },
    {
      era: 'legacy',
      handled: { kind: 'challenge', status: 401, wwwAuthenticate: 'x' },
      status: 401,
      because: 'a challenge',
    },
    {
      era: 'legacy',
      handled: { kind: 'relayed', era: 'legacy', error: { code: -32601, message: '' } },
      status: 200,
      because: 'a server’s own',
    },
  ] as const)('in the $era era is $status: $because', ({ era, handled, status }) =>
    expect(httpStatus(era, handled as Handled)).toBe(status),
  );
});

test.each([
  { no: failure('OVERLOADED', {}, { retryAfterMs: 2_500 }), seconds: 3, because: 'rounded up' },
  { no: failure('OVERLOADED', {}, { retryAfterMs: 1 }), seconds: 1, because: 'at least one' },
  { no: failure('SHUTTING_DOWN'), seconds: 1, because: 'a second where nothing is known' },
  { no: failure('INVALID_PARAMS'), seconds: null, because: 'the same again will not help' },
])('Retry-After is $seconds: $because', ({ no, seconds }) => expect(retryAfterSeconds(no)).toBe(seconds));

test.each(Object.keys(ERRORS) as ErrorCode[])('%s is told with its code in both eras', code => {
  for (const era of ['legacy', 'modern'] as const) {
    expect(read(era, 'tools/call', failure(code)).error).toMatchObject({ code: ERRORS[code][era], data: { code } });
  }
});
