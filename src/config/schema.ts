/**
 * The shape of `gateway.config.yaml`: strict (an unknown key is a mistake), every key optional, values as people write
 * them (`30s`, `4MiB`). Defaults and cross-checks live in load.ts, the servers' own in server-spec.ts.
 */
import { z } from 'zod';
import { EXPOSURES } from '../domain/exposure.ts';
import { LONGEST_MS, parseDuration } from './durations.ts';
import { didYouMean, type Mistake } from './problem.ts';

/** Reads a written value with `read`; null means "not that", and `expected` says what would be. */
function written<T>(read: (value: unknown) => T | null, expected: string) {
  return z.unknown().transform((value, context): T => {
    const seen = read(value);
    if (seen !== null) return seen;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

const duration = (min: number, max: number = LONGEST_MS) =>
  written(
    value => {
      const ms = parseDuration(value);
      return ms !== null && ms >= min && ms <= max ? ms : null;
    },
    `must be a duration such as 500ms, 30s or 1h${min > 0 ? `, at least ${min}ms` : ''}`,
  );

/** A whole number; digits in a string too, because `${PORT}` always yields a string. */
const whole = (min: number, max: number) =>
  written(value => {
    const number = typeof value === 'string' && /^\d+$/.test(value.trim()) ? Number(value) : value;
    return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max ? number : null;
  }, `must be a whole number from ${min} to ${max}`);

const yesNo = written(value => {
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

const bytes = (min: number, max: number) =>
  written(value => {
    const [, amount, unit] = BYTES.exec(String(value).trim()) ?? [];
    const size = Number(amount) * (UNIT_BYTES.get(unit ?? 'B') ?? Number.NaN);
    return Number.isSafeInteger(size) && size >= min && size <= max ? size : null;
  }, `must be a size such as 512KiB or 4MiB, from ${min} to ${max} bytes`);

/** Text; a number or a yes/no written without quotes counts as its text (`PORT: 8080` in `env`). */
const scalarText = written(value => {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}, 'must be text');

const text = z.string();
const texts = z.array(scalarText);
const textMap = z.record(z.string(), scalarText);

export const ServerEntry = z.strictObject({
  description: text.optional(),
  enabled: yesNo.optional(),
  command: text.optional(),
  package: text.optional(),
  builtin: text.optional(),
  url: text.optional(),
  args: texts.optional(),
  env: textMap.optional(),
  cwd: text.optional(),
  headers: textMap.optional(),
  transport: z.enum(['auto', 'streamable-http', 'sse']).optional(),
  era: z.enum(['auto', 'legacy', 'modern']).optional(),
  sharing: z.enum(['per-principal', 'per-session', 'shared']).optional(),
  start: z.enum(['eager', 'lazy']).optional(),
  connectTimeout: duration(1).optional(),
  listTimeout: duration(1).optional(),
  callTimeout: z.union([z.null(), z.literal('none'), duration(1)]).optional(),
  maxInFlight: whole(1, 100_000).optional(),
  maxQueued: whole(0, 1_000_000).optional(),
});
export type ServerEntry = z.output<typeof ServerEntry>;

export const ConfigFile = z.strictObject({
  transport: z.enum(['stdio', 'http', 'both']).optional(),
  listen: z
    .strictObject({
      host: text.optional(),
      port: whole(0, 65_535).optional(),
      corsOrigins: z.array(text).optional(),
      allowedHosts: z.array(text).optional(),
      maxBody: bytes(1024, 1024 ** 3).optional(),
      maxInFlight: whole(1, 1_000_000).optional(),
    })
    .optional(),
  apiKey: text.optional(),
  exposure: z
    .strictObject({
      default: z.enum(EXPOSURES).optional(),
      autoThreshold: whole(0, 1_000_000).optional(),
      prefix: z.enum(['server', 'none']).optional(),
      pinned: z.array(text).optional(),
    })
    .optional(),
  sessions: z
    .strictObject({
      ttl: duration(1000).optional(),
      max: whole(1, 10_000_000).optional(),
      maxEvents: whole(0, 1_000_000).optional(),
      maxEventBytes: bytes(0, 1024 ** 3).optional(),
    })
    .optional(),
  /** Each entry is checked by itself with ServerEntry, so that one bad server does not hide the next. */
  servers: z.record(z.string(), z.unknown()).optional(),
  initStrategy: z.enum(['eager', 'lazy']).optional(),
  firstListWait: duration(0).optional(),
  parkedTtl: duration(1000).optional(),
  drain: duration(0).optional(),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).optional(),
      format: z.enum(['auto', 'json', 'pretty']).optional(),
      slowOperation: duration(0).optional(),
    })
    .optional(),
  metrics: yesNo.optional(),
  debug: yesNo.optional(),
  defaultAgent: text.optional(),
});
export type ConfigFile = z.output<typeof ConfigFile>;

type Checked<T> = { ok: true; value: T } | { ok: false; mistakes: Mistake[] };

/**
 * Checks `value` against a strict schema and says every mistake in plain words, below `at`. `null` for a section (all
 * of it commented out) counts as absent.
 */
export function checkShape<T>(schema: z.ZodType<T>, value: unknown, at: readonly (string | number)[]): Checked<T> {
  const result = schema.safeParse(withoutNulls(value));
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, mistakes: result.error.issues.flatMap(issue => toMistakes(issue, schema, at)) };
}

function withoutNulls(value: unknown): unknown {
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key, item]) => item !== null || key === 'callTimeout'));
}

function toMistakes(issue: z.core.$ZodIssue, schema: z.ZodType, at: readonly (string | number)[]): Mistake[] {
  const inside = issue.path.map(segment => (typeof segment === 'symbol' ? String(segment) : segment));
  const path = [...at, ...inside];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => ({
        path: [...path, key],
        message: 'is not a key this gateway knows',
        hint: didYouMean(key, knownKeys(schema, inside)),
      }));
    case 'invalid_type':
      return [{ path, message: `must be ${WORDS.get(issue.expected) ?? issue.expected}`, hint: null }];
    case 'invalid_value':
      return [{ path, message: `must be one of ${issue.values.map(String).join(', ')}`, hint: null }];
    case 'invalid_union':
      // The last alternative is the one with words of its own.
      return [{ path, message: issue.errors.at(-1)?.[0]?.message ?? 'has the wrong form', hint: null }];
    default:
      return [{ path, message: issue.message, hint: null }];
  }
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ['string', 'text'],
  ['array', 'a list'],
  ['object', 'a section of keys'],
  ['record', 'a section of keys'],
]);

/** Keys that exist where an unknown one was found. */
function knownKeys(schema: z.ZodType, path: readonly (string | number)[]): string[] {
  let here: z.ZodType | undefined = schema;
  for (const segment of path) {
    if (!(here instanceof z.ZodObject)) return [];
    const next: unknown = here.shape[String(segment)];
    here = next instanceof z.ZodOptional ? (next.unwrap() as z.ZodType) : undefined;
  }
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}
