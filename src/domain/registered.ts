/** What servers and agents of the registry have in common: who sees them, how far along they are, where they come from. */
import { z } from 'zod';
import { isJsonObject, type JsonObject } from './json.ts';

export const VISIBILITIES = ['public', 'private', 'group-restricted'] as const;
export type Visibility = (typeof VISIBILITIES)[number];

/** A draft is found by nobody who does not ask for drafts; a deprecated one still works. */
export const LIFECYCLES = ['draft', 'beta', 'active', 'deprecated'] as const;
export type Lifecycle = (typeof LIFECYCLES)[number];

/** `live`: registered through an interface. `file`: an operator's file owns it. `federated`: a copy, read only. */
export const Source = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('live') }),
  z.strictObject({ kind: z.literal('file'), file: z.string().min(1) }),
  z.strictObject({ kind: z.literal('federated'), from: z.string().min(1), externalId: z.string() }),
]);
export type Source = z.output<typeof Source>;

/** The revisions that a change may be made to; null: whichever it is. */
export type ExpectedRevisions = ReadonlySet<number> | null;

export const isExpected = (expected: ExpectedRevisions, { revision }: { revision: number }): boolean =>
  expected === null || expected.has(revision);

export const milliseconds = z.number().int().nonnegative();
export const texts = z.array(z.string());

/** Any JSON: it comes out of a JSON parser or goes into a writer, so only its top is looked at. */
export const JsonDocument = z.custom<JsonObject>(isJsonObject, 'must be an object');

/** Fields that every entry has. */
export const entryFields = {
  name: z.string().min(1),
  description: z.string(),
  /** Lower-case or not, as written; unique. */
  tags: texts,
  license: z.string().nullable(),
  visibility: z.enum(VISIBILITIES),
  /** Of use with `group-restricted` only. */
  allowedGroups: texts,
  status: z.enum(LIFECYCLES),
  enabled: z.boolean(),
  /** `Identity.subject` of who may change it besides administrators. */
  owner: z.string().min(1),
  /** For people; gives no rights. */
  registeredBy: z.string(),
  /** Unix milliseconds. */
  registeredAtMs: milliseconds,
  updatedAtMs: milliseconds,
  source: Source,
};
