/**
 * A group of the registry: a scope with what it grants on servers and in the registry, and which groups of the identity
 * providers have it. The same three things that `scopes.yml` says (scope-rules.ts), kept one record per scope.
 */
import { z } from 'zod';
import { texts } from './registered.ts';

const names = z.union([z.literal('all'), texts]);

export const ServerAccess = z.strictObject({
  /** Key of a server without slashes around it; null: every server. */
  server: z.string().nullable(),
  methods: names,
  tools: names,
});
export type ServerAccess = z.output<typeof ServerAccess>;

export const RegisteredGroup = z.strictObject({
  scopeName: z.string().min(1).max(256),
  scopeType: z.string().min(1),
  description: z.string(),
  serverAccess: z.array(ServerAccess),
  /** Names or object ids of groups whose members hold this scope. */
  groupMappings: texts,
  /** Action of the registry -> paths or names. */
  uiPermissions: z.record(z.string(), names),
  /** Unix milliseconds. */
  createdAtMs: z.number().int().nonnegative(),
  updatedAtMs: z.number().int().nonnegative(),
  /** Of the latest change, higher than any earlier one in the storage. */
  revision: z.number().int().positive(),
});
export type RegisteredGroup = z.output<typeof RegisteredGroup>;

/** As it is handed to be stored: the storage gives the revision. */
export type GroupDraft = Omit<RegisteredGroup, 'revision'>;
