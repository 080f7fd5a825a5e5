/**
 * How people write values in `gateway.config.yaml`: `30s`, `4MiB`, `${PORT}` where a number belongs. Each reader says in
 * plain words what it expected. What the values are for is the sections' to say.
 */
import { z } from 'zod';
import { LONGEST_MS, parseDuration } from './durations.ts';

/** Reads a written value with `read`; null means "not that", and `expected` says what would be. */
function written<T>(read: (value: unknown) => T | null, expected: string) {
  return z.unknown().transform((value, context): T => {
    const seen = read(value);
    if (seen !== null) return seen;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

export const duration = (min: number, max: number = LONGEST_MS) =>
  written(
    value => {
      const ms = parseDuration(value);
      return ms !== null && ms >= min && ms <= max ? ms : null;
    },
    `must be a duration such as 500ms, 30s or 1h${min > 0 ? `, at least ${min}ms` : ''}`,
  );

/** A whole number; digits in a string too, because `${PORT}` always yields a string. */
export const whole = (min: number, max: number) =>
  written(value => {
    const number = typeof value === 'string' && /^\d+$/.test(value.trim()) ? Number(value) : value;
    return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max ? number : null;
  }, `must be a whole number from ${min} to ${max}`);

export const yesNo = written(value => {
  if (typeof value === 'boolean') return value;
  return value === 'true' ? true : value === 'false' ? false : null;
}, 'must be true or false');

const BYTES = /^(\d+)\s*(B|KiB|MiB|GiB)?$/;
const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
]);

export const bytes = (min: number, max: number) =>
  written(value => {
    const [, amount, unit] = BYTES.exec(String(value).trim()) ?? [];
    const size = Number(amount) * (UNIT_BYTES.get(unit ?? 'B') ?? Number.NaN);
    return Number.isSafeInteger(size) && size >= min && size <= max ? size : null;
  }, `must be a size such as 512KiB or 4MiB, from ${min} to ${max} bytes`);

/** Text; a number or a yes/no written without quotes counts as its text (`PORT: 8080` in `env`). */
export const scalarText = written(value => {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}, 'must be text');
