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

/** As the registry's documents show it. */
export interface GroupDocument {
  scope_name: string;
  scope_type: string;
  description: string;
  server_access: { server: string; methods: string[]; tools: string[] }[];
  group_mappings: string[];
  ui_permissions: Record<string, string[]>;
  created_at: string;
  updated_at: string;
}

export function toGroupDocument(group: RegisteredGroup): GroupDocument {
  const shown = (given: readonly string[] | 'all') => (given === 'all' ? ['all'] : [...given]);
  return {
    ...{ scope_name: group.scopeName, scope_type: group.scopeType, description: group.description },
    server_access: group.serverAccess.map(({ server, methods, tools }) => ({
      server: server ?? '*',
      methods: shown(methods),
      tools: shown(tools),
    })),
    group_mappings: [...group.groupMappings],
    ui_permissions: Object.fromEntries(
      Object.entries(group.uiPermissions).map(([action, given]) => [action, shown(given)]),
    ),
    created_at: new Date(group.createdAtMs).toISOString(),
    updated_at: new Date(group.updatedAtMs).toISOString(),
  };
}
