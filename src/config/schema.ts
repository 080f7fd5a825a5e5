/**
 * The shape of `gateway.config.yaml`: strict (an unknown key is a mistake), every key optional, values as people write
 * them (`30s`, `4MiB`). Defaults and cross-checks live in load.ts, the servers' own in server-spec.ts.
 */
import { z } from 'zod';
import { EXPOSURES } from '../domain/exposure.ts';
import { AuditSection } from './audit-config.ts';
import { DefinitionsSection, HealthSection } from './definitions-config.ts';
import { IdentitySection } from './identity-config.ts';
import { LimitsSection } from './limits-config.ts';
import { TlsSection, TrustedProxies } from './listen-config.ts';
import { OutboundSection } from './outbound-config.ts';
import { PolicySection } from './policy-config.ts';
import { didYouMean, type Mistake } from './problem.ts';
import { RegistrySection } from './registry-config.ts';
import { SearchSection } from './search-config.ts';
import { StorageSection } from './storage-config.ts';
import { TokensSection } from './tokens-config.ts';
import { bytes, duration, scalarText, whole, yesNo } from './written-values.ts';

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
  auth: z
    .strictObject({
      scheme: z.enum(['none', 'bearer', 'api_key']),
      credential: scalarText.optional(),
      header: text.optional(),
    })
    .optional(),
  identityHeaders: yesNo.optional(),
  passthrough: yesNo.optional(),
  forwardHeaders: z.array(text).optional(),
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
      tls: TlsSection.optional(),
      trustedProxies: TrustedProxies.optional(),
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
  identity: IdentitySection.optional(),
  policy: PolicySection.optional(),
  audit: AuditSection.optional(),
  limits: LimitsSection.optional(),
  tokens: TokensSection.optional(),
  definitions: DefinitionsSection.optional(),
  health: HealthSection.optional(),
  outbound: OutboundSection.optional(),
  registry: RegistrySection.optional(),
  storage: StorageSection.optional(),
  search: SearchSection.optional(),
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
