import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode, failure, GatewayError, toRpcError } from '../../src/domain/error.ts';

const CODES = Object.keys(ERRORS) as ErrorCode[];

describe('a failure as a client reads it', () => {
  test.each(CODES)('%s names itself in data.code, in both eras', code => {
    for (const era of ['legacy', 'modern'] as const) expect(toRpcError(era, failure(code)).data).toEqual({ code });
  });

  test('carries its data, and its own sentence in place of the table’s', () => {
    expect(toRpcError('legacy', failure('TIMEOUT', { timeout_ms: 200 }, { say: 'Too slow.' }))).toEqual({
      code: -32004,
      message: 'Too slow.',
      data: { code: 'TIMEOUT', timeout_ms: 200 },
    });
  });

  test('does not tell the detail', () => {
    const no = failure('INTERNAL', {}, { detail: 'at /srv/app/secret.ts:1' });
    expect(JSON.stringify(toRpcError('modern', no))).not.toContain('/srv');
  });
});

describe('the numbers', () => {
  test.each(CODES)('%s keeps out of the ranges the modern era closed', code => {
    const { modern } = ERRORS[code];
    const assigned = [-32020, -32021, -32022].includes(modern);
    expect(assigned || modern > -32000 || (modern <= -32600 && modern >= -32603) || modern === -32700).toBe(true);
  });

  test.each(CODES)('%s keeps out of the range the specification reserves, in the legacy era too', code => {
    const { legacy } = ERRORS[code];
    expect(legacy <= -32020 && legacy >= -32099).toBe(false);
  });

  test.each(CODES)('%s says a sentence without a path, host or cause', code => {
    expect(ERRORS[code].say).toMatch(/^[A-Z][^/\\@]*\.$/);
  });
});

test('a broken promise keeps its code and its cause', () => {
  const cause = new Error('deep');
  const broken = new GatewayError('INTERNAL', 'call crashed', { cause });
  expect([broken.code, broken.cause, broken.name]).toEqual(['INTERNAL', cause, 'GatewayError']);
});
