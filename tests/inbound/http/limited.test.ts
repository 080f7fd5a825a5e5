import { expect, test } from 'vitest';
import type { Limited } from '../../../src/domain/limits.ts';
import { limitHeaders } from '../../../src/inbound/http/limited.ts';

const full: Limited = {
  kind: 'limited',
  scope: 'caller',
  what: 'rate',
  limit: 60,
  remaining: 0,
  retryAfterMs: 12_001,
  resetMs: 59_000,
};

test('says in whole seconds from now when to come back and when everything is there again', () => {
  expect(limitHeaders(full)).toEqual({
    'retry-after': '13',
    'x-ratelimit-limit': '60',
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': '59',
  });
});

test('never says to come back at once: the limit is not free before', () => {
  expect(limitHeaders({ ...full, retryAfterMs: 1, resetMs: 0.2 })).toMatchObject({
    'retry-after': '1',
    'x-ratelimit-reset': '1',
  });
});
