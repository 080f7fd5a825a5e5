/** Words as people and forms write them in queries and headers, read into values. */
import { z } from 'zod';
import { type Failure, failure } from '../../domain/error.ts';

const TRUE = new Set(['true', '1', 'yes', 'on']);
const FALSE = new Set(['false', '0', 'no', 'off', '']);

/** `true`, `1`, `yes`, `on` and their opposites; a JSON boolean too. */
export const flag = z
  .union([z.boolean(), z.string()])
  .transform((written, context) => {
    if (typeof written === 'boolean') return written;
    const word = written.trim().toLowerCase();
    if (TRUE.has(word) || FALSE.has(word)) return TRUE.has(word);
    context.addIssue('must be true or false');
    return z.NEVER;
  })
  .meta({ type: 'boolean' });

export const whole = (from: number, to: number) =>
  z
    .union([z.number(), z.string().regex(/^\d{1,10}$/, 'must be a whole number')])
    .transform(Number)
    .pipe(z.int(`must be a whole number`).min(from, `must be at least ${from}`).max(to, `must be at most ${to}`));

/** A comma separated list, or the name given several times, or a JSON list. */
export const csv = z
  .union([z.string(), z.array(z.string())])
  .transform(written => (Array.isArray(written) ? written : written.split(',')))
  .transform(parts => parts.flatMap(part => part.split(',')).map(part => part.trim()))
  .transform(parts => parts.filter(part => part !== ''));

/** RFC 9110, 8.8.3: strong, because no two states of a record share a revision. */
export function etagOf(revision: number): string {
  return `"${revision}"`;
}

/** The revision that `If-Match` asks for; null where any will do, a failure where it names none of ours. */
export function readIfMatch(header: string | undefined): number | null | Failure {
  if (header === undefined || header.trim() === '*') return null;
  const [, revision] = /^"(\d{1,15})"$/.exec(header.trim()) ?? [];
  return revision === undefined ? failure('STALE') : Number(revision);
}
