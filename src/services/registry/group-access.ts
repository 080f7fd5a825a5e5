/** A server in a group: what being in it grants, and the same group without it. */
import type { GroupDraft } from '../../domain/registered-group.ts';
import { keyOfPath } from '../../domain/registry-path.ts';
import { trimSlashes } from '../../domain/scope-rules.ts';
import type { Repositories } from '../../ports/registry-storage.ts';

/** Members may list it, and use whatever it offers. */
export function withServer<T extends GroupDraft>(group: T, path: string): T {
  const server = keyOfPath(path);
  const before = withoutServer(group, path);
  const listed = before.uiPermissions.list_service ?? [];
  return {
    ...before,
    serverAccess: [...before.serverAccess, { server, methods: 'all', tools: 'all' }],
    uiPermissions: { ...before.uiPermissions, list_service: listed === 'all' ? 'all' : [...listed, path] },
  };
}

/** The very same group where the server is not in it. Grants on every server stay. */
export function withoutServer<T extends GroupDraft>(group: T, path: string): T {
  const server = keyOfPath(path);
  const serverAccess = group.serverAccess.filter(
    access => access.server === null || trimSlashes(access.server) !== server,
  );
  const uiPermissions: GroupDraft['uiPermissions'] = {};
  let isChanged = serverAccess.length < group.serverAccess.length;
  for (const [action, resources] of Object.entries(group.uiPermissions)) {
    const left = resources === 'all' ? resources : resources.filter(resource => trimSlashes(resource) !== server);
    const isShorter = left.length < resources.length;
    isChanged ||= isShorter;
    if (!isShorter || left.length > 0) uiPermissions[action] = left;
  }
  return isChanged ? { ...group, serverAccess, uiPermissions } : group;
}

/** What any group grants on these servers. */
export async function removeGrants({ groups }: Pick<Repositories, 'groups'>, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  for (const group of await groups.list()) {
    const next = paths.reduce(withoutServer, group);
    if (next !== group) await groups.update(group.scopeName, null, next);
  }
}
