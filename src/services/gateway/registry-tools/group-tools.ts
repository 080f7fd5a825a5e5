/** The tools for groups of the registry: scopes with what they grant, and which servers are in them. */
import { z } from 'zod';
import type { JsonObject } from '../../../domain/json.ts';
import { toGroupDocument } from '../../../domain/registered-group.ts';
import { done } from '../../registry/desk.ts';
import { emptyGroup } from '../../registry/groups.ts';
import { defineTool, nameList, type RegistryTool, type ToolNeed } from './registry-tool.ts';
import { toPath } from './server-tools.ts';

const KEEPERS: ToolNeed = { kind: 'all', action: 'modify_service' };

const groupName = z.string().trim().min(1).max(256).describe('Name of the group.');
const Members = z.strictObject({
  server_name: z.string().min(1).max(512).describe('Path of the server: /github.'),
  group_names: nameList.describe('Names of groups of the registry.'),
});

function membersTool(name: string, title: string, description: string, change: 'addServer' | 'removeServer') {
  return defineTool({
    ...{ name, title, description, needs: KEEPERS, hasEffect: true, args: Members },
    about: ({ server_name: server }) => toPath(server),
    async run({ registry: { groups } }, { who }, { server_name: server, group_names: names }) {
      const path = toPath(server);
      const changed = await groups[change](who, path, names);
      return changed.kind === 'failure' ? changed : done({ service_path: path, groups: [...changed.value] });
    },
  });
}

export const GROUP_TOOLS: readonly RegistryTool[] = [
  membersTool(
    'add_server_to_scopes_groups',
    'Put a server into groups',
    'Puts a server into groups of the registry: from then on their members may list it and use all of its tools.',
    'addServer',
  ),
  membersTool(
    'remove_server_from_scopes_groups',
    'Take a server out of groups',
    'Takes a server out of groups of the registry: what the groups granted on it ends at once.',
    'removeServer',
  ),
  defineTool({
    ...{ name: 'create_group', title: 'Create a group', needs: KEEPERS, hasEffect: true },
    description:
      'Creates a group of the registry, which grants nothing yet. Members of a group of that name at the identity provider are in it. Then use add_server_to_scopes_groups.',
    args: z.strictObject({ group_name: groupName, description: z.string().max(4096).default('') }),
    about: ({ group_name: name }) => name,
    async run({ registry: { groups } }, { who }, { group_name: name, description }) {
      const created = await groups.create(who, { ...emptyGroup(name), description });
      return created.kind === 'failure' ? created : done({ ...toGroupDocument(created.value) } as JsonObject);
    },
  }),
  defineTool({
    ...{ name: 'delete_group', title: 'Delete a group', needs: KEEPERS, hasEffect: true, isDestructive: true },
    description: 'Deletes a group of the registry with all that it grants.',
    args: z.strictObject({ group_name: groupName }),
    about: ({ group_name: name }) => name,
    async run({ registry: { groups } }, { who }, { group_name: name }) {
      const removed = await groups.remove(who, name);
      return removed.kind === 'failure' ? removed : done({ scope_name: removed.value, deleted: true });
    },
  }),
  defineTool({
    ...{ name: 'list_groups', title: 'List the groups', needs: KEEPERS },
    description: 'Lists the groups of the registry: what each grants on servers and in the registry, and to whom.',
    args: z.strictObject({}),
    run({ registry: { groups } }, { who }) {
      const found = groups.list(who);
      if (found.kind === 'failure') return found;
      const shown = found.value.map(group => ({ ...toGroupDocument(group) }) as JsonObject);
      return done({ groups: shown, total_count: shown.length });
    },
  }),
];
