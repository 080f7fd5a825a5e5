/**
 * Values as forms and JSON write them: a list is a list or text with commas, a document is an object or JSON as text, a
 * yes is `true`, `on`, `1`. What comes out is of one kind, so nobody behind the route knows how it was sent.
 */
import { z } from 'zod';
import { JsonDocument } from '../../domain/registered.ts';

const MAX_ITEMS = 256;
const item = z.string().trim().min(1).max(512);

const unique = (items: readonly string[]): string[] => [...new Set(items)];

/** Without blanks around its items, each once. */
export const list = z
  .union([
    z.array(item).max(MAX_ITEMS),
    z
      .string()
      .max(64 * 1024)
      .transform(text =>
        text
          .split(',')
          .map(part => part.trim())
          .filter(part => part !== ''),
      )
      .pipe(z.array(item).max(MAX_ITEMS)),
  ])
  .transform(unique);

/** In a JSON list, or a list in any other spelling. */
export const listText = z.preprocess(written => {
  if (typeof written !== 'string' || !written.trimStart().startsWith('[')) return written;
  return parseJson(written) ?? written;
}, list);

export const flag = z.union([
  z.boolean(),
  z
    .string()
    .toLowerCase()
    .pipe(z.enum(['true', 'on', 'yes', '1', 'false', 'off', 'no', '0']))
    .transform(word => ['true', 'on', 'yes', '1'].includes(word)),
]);

export const count = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^\d{1,9}$/)
      .transform(Number),
  ])
  .pipe(z.int().min(0));

/** Stars in a form, which has no numbers; in JSON they are one. */
export const starsInForm = z
  .string()
  .regex(/^[1-5]$/, 'must be a whole number from 1 to 5')
  .transform(Number);

/** Empty text is none. */
export const optionalText = z
  .string()
  .trim()
  .max(4096)
  .transform(text => (text === '' ? null : text));

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A JSON document of this shape, or its text; an empty text is `null`. */
export function document<T extends z.ZodType>(schema: T) {
  return z.preprocess(written => {
    if (typeof written !== 'string') return written;
    return written.trim() === '' ? null : (parseJson(written) ?? written);
  }, schema);
}

export const jsonObject = document(JsonDocument.nullable());

export const whole = (from: number, to: number) =>
  z
    .union([z.number(), z.string().regex(/^\d{1,10}$/, 'must be a whole number')])
    .transform(Number)
    .pipe(z.int(`must be a whole number`).min(from, `must be at least ${from}`).max(to, `must be at most ${to}`));
