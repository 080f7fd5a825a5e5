/** What a caller is told who has used up a limit: 429 (RFC 6585), when to come back, and how the limit stands. */
import type { Failure } from '../../domain/error.ts';
import type { Limited } from '../../domain/limits.ts';

/** Whole seconds from now, like `Retry-After`: no clock has to agree with ours. */
export function limitHeaders({
  limit,
  remaining,
  retryAfterMs,
  resetMs,
}: Pick<Limited, 'limit' | 'remaining' | 'retryAfterMs' | 'resetMs'>): Record<string, string> {
  return {
    'retry-after': seconds(retryAfterMs),
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-reset': seconds(resetMs),
  };
}

/** The same from a RATE_LIMITED that went through the house. */
export function limitHeadersOf({ data, retryAfterMs }: Failure): Record<string, string> {
  const count = (value: unknown) => (typeof value === 'number' ? value : 0);
  return limitHeaders({
    limit: count(data.limit),
    remaining: count(data.remaining),
    retryAfterMs: retryAfterMs ?? 1000,
    resetMs: count(data.reset_ms),
  });
}

function seconds(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1000)));
}
