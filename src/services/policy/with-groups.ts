/**
 * Groups of the registry beside the scopes of the file. A scope that both name has the grants of both; nothing that
 * is stored takes away what the file gives.
 */
import type { RegisteredGroup } from '../../domain/registered-group.ts';
import type { WrittenGrant, WrittenScopes, WrittenUiGrant } from '../../domain/scope-rules.ts';

/** Null: there are neither scopes nor groups. */
export function withGroups(written: WrittenScopes | null, groups: readonly RegisteredGroup[]): WrittenScopes | null {
  if (groups.length === 0) return written;
  const mappings = new Map<string, readonly string[]>(written?.mappings);
  const servers = new Map<string, readonly WrittenGrant[]>(written?.servers);
  const ui = new Map<string, readonly WrittenUiGrant[]>(written?.ui);
  for (const { scopeName, serverAccess, groupMappings, uiPermissions } of groups) {
    const before = servers.get(scopeName) ?? [];
    const grants = serverAccess.map((access, at): WrittenGrant => ({ ...access, place: before.length + at }));
    servers.set(scopeName, [...before, ...grants]);
    const actions = Object.entries(uiPermissions).map(
      ([action, resources]): WrittenUiGrant => ({ action, resources, path: ['UI-Scopes', scopeName, action] }),
    );
    ui.set(scopeName, [...(ui.get(scopeName) ?? []), ...actions]);
    for (const group of groupMappings) {
      const scopes = mappings.get(group) ?? [];
      if (!scopes.includes(scopeName)) mappings.set(group, [...scopes, scopeName]);
    }
  }
  return { mappings, servers, ui };
}
