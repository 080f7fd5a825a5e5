/** Groups of the registry: scopes with what they grant, and which servers are in them. */
import { z } from 'zod';
import { type ServerAccess, toGroupDocument } from '../../domain/registered-group.ts';
import { trimSlashes } from '../../domain/scope-rules.ts';
import { emptyGroup, type GroupWish } from '../../services/registry/groups.ts';
import type { Registry } from '../../services/registry/registry.ts';
import { answer, defineRoute, type RestCall, type RestOutcome, type RestRoute } from './route.ts';
import { alsoAt, answerWith, toPath } from './server-route.ts';
import { document, flag, list } from './written.ts';

const NAME = z.string().trim().min(1).max(256);
const isAll = (names: readonly string[]) => names.includes('*') || names.includes('all');
/** `'*'`, `all`, or a list; a list that holds one of these is everything too. */
const names = z.preprocess(
  written => (written === '*' || written === 'all' ? ['*'] : written),
  z.array(z.string().min(1).max(512)).max(1000),
);
const Access = z.strictObject({
  server: z.string().min(1).max(512),
  methods: names.optional(),
  tools: names.optional(),
});

const CreateBody = z.strictObject({
  group_name: NAME,
  description: z.string().max(4096).optional(),
  create_in_idp: flag.optional(),
});
const ImportBody = z.strictObject({
  scope_name: NAME,
  scope_type: z.string().min(1).max(64).optional(),
  description: z.string().max(4096).optional(),
  server_access: z.array(Access).max(1000).optional(),
  group_mappings: z.array(NAME).max(1000).optional(),
  ui_permissions: z.record(z.string().min(1).max(128), names).optional(),
  create_in_idp: flag.optional(),
  created_at: z.unknown().optional(),
  updated_at: z.unknown().optional(),
});
const MembersBody = z.strictObject({ server_name: z.string().min(1).max(512), group_names: document(list) });
const DeleteBody = z.strictObject({ group_name: NAME, delete_from_idp: flag.optional(), force: flag.optional() });

const GroupShown = z.object({
  scope_name: z.string(),
  scope_type: z.string(),
  description: z.string(),
  server_access: z.array(z.object({ server: z.string(), methods: z.array(z.string()), tools: z.array(z.string()) })),
  group_mappings: z.array(z.string()),
  ui_permissions: z.record(z.string(), z.array(z.string())),
  created_at: z.string(),
  updated_at: z.string(),
});
const Created = z.object({ message: z.string(), ...GroupShown.shape });
const Deleted = z.object({ message: z.string(), scope_name: z.string() });
const MembersChanged = z.object({ message: z.string(), server_path: z.string(), groups: z.array(z.string()) });

/** Whoever asks for more than is done is told so, or would look for it in vain. */
const CREATED_HERE =
  'The group is created here. Create it at the identity provider too, under the same name: nothing is written there.';
const DELETED_HERE = 'The group is deleted here. At the identity provider it stays: nothing is written there.';

const tag = 'groups';
const KEEPERS = { kind: 'ui', action: 'modify_service' } as const;

export function serverGroupRoutes({ groups }: Registry): RestRoute[] {
  const create = defineRoute({
    ...{ method: 'POST', path: '/api/servers/groups/create', operation: 'groups/create', tag, access: KEEPERS },
    ...{ summary: 'Create a group whose name an identity provider knows too', form: true, body: CreateBody },
    answers: { 201: { says: 'It is there, and grants nothing yet.', schema: Created } },
    fails: ['CONFLICT'],
    about: ({ body }) => ({ target: body.group_name }),
    async run({ who, body }) {
      const { group_name: name, description = '', create_in_idp: isWantedThere = false } = body;
      const created = await groups.create(who, { ...emptyGroup(name), description });
      return answerWith(
        created,
        group => ({ message: isWantedThere ? CREATED_HERE : 'The group is created.', ...toGroupDocument(group) }),
        201,
      );
    },
  });
  const remove = defineRoute({
    ...{ method: 'POST', path: '/api/servers/groups/delete', operation: 'groups/delete', tag, access: KEEPERS },
    ...{ summary: 'Delete a group with all that it grants', form: true, body: DeleteBody },
    answers: { 200: { says: 'It is gone.', schema: Deleted } },
    fails: ['NOT_FOUND', 'CONFLICT'],
    about: ({ body }) => ({ target: body.group_name }),
    async run({ who, body: { group_name: name, delete_from_idp: isUnwantedThere = false } }) {
      return answerWith(await groups.remove(who, name), scope => ({
        message: isUnwantedThere ? DELETED_HERE : 'The group is deleted.',
        scope_name: scope,
      }));
    },
  });
  const add = membersRoute('/api/servers/groups/add', 'Put a server into groups', groups.addServer);
  const takeOut = membersRoute('/api/servers/groups/remove', 'Take a server out of groups', groups.removeServer);
  const all = defineRoute({
    ...{ method: 'GET', path: '/api/servers/groups', operation: 'groups/list', tag, access: KEEPERS },
    summary: 'List the groups of the registry',
    answers: { 200: { says: 'By name.', schema: z.object({ groups: z.array(GroupShown), total: z.int() }) } },
    run: ({ who }) =>
      answerWith(groups.list(who), found => ({ groups: found.map(toGroupDocument), total: found.length })),
  });

  return [
    create,
    alsoAt(create, '/api/internal/create-group'),
    remove,
    alsoAt(remove, '/api/internal/delete-group'),
    add,
    alsoAt(add, '/api/internal/add-to-groups'),
    takeOut,
    alsoAt(takeOut, '/api/internal/remove-from-groups'),
    all,
    alsoAt(all, '/api/internal/list-groups'),
    defineRoute({
      ...{ method: 'POST', path: '/api/servers/groups/import', operation: 'groups/import', tag, access: KEEPERS },
      ...{ summary: 'Write a whole group, in the place of one of the same name', body: ImportBody },
      answers: { 200: { says: 'As it counts from now on.', schema: GroupShown } },
      fails: ['CONFLICT'],
      about: ({ body }) => ({ target: body.scope_name }),
      async run({ who, body }) {
        return answerWith(await groups.import(who, toWish(body)), toGroupDocument);
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/api/servers/groups/{group+}', operation: 'groups/read', tag, access: KEEPERS },
      ...{ summary: 'Read one group', params: z.object({ group: z.string() }) },
      answers: { 200: { says: 'What it grants, and to whom.', schema: GroupShown } },
      fails: ['NOT_FOUND'],
      run: ({ who, params }) => answerWith(groups.find(who, params.group), toGroupDocument),
    }),
  ];
}

function membersRoute(path: string, summary: string, change: Registry['groups']['addServer']): RestRoute {
  return defineRoute({
    ...{
      method: 'POST',
      path,
      operation: 'groups/members',
      tag,
      access: KEEPERS,
      summary,
      form: true,
      body: MembersBody,
    },
    answers: { 200: { says: 'It counts from now on.', schema: MembersChanged } },
    fails: ['NOT_FOUND', 'CONFLICT'],
    about: ({ body }) => ({ target: toPath(body.server_name) }),
    async run({ who, body, note }: RestCall<unknown, unknown, z.output<typeof MembersBody>>): Promise<RestOutcome> {
      const server = toPath(body.server_name);
      note({ metadata: { groups: body.group_names.join(',').slice(0, 512) } });
      const changed = await change(who, server, body.group_names);
      if (changed.kind === 'failure') return changed;
      return answer(200, { message: 'The groups are changed.', server_path: server, groups: changed.value });
    },
  });
}

function toWish(body: z.output<typeof ImportBody>): GroupWish {
  const permissions = Object.entries(body.ui_permissions ?? {});
  return {
    scopeName: body.scope_name,
    scopeType: body.scope_type ?? 'server_scope',
    description: body.description ?? '',
    serverAccess: (body.server_access ?? []).map(toAccess),
    groupMappings: body.group_mappings ?? [],
    uiPermissions: Object.fromEntries(permissions.map(([action, given]) => [action, isAll(given) ? 'all' : given])),
  };
}

function toAccess({ server, methods = [], tools = [] }: z.output<typeof Access>): ServerAccess {
  return {
    server: isAll([server]) ? null : trimSlashes(server),
    methods: isAll(methods) ? 'all' : methods,
    tools: isAll(tools) ? 'all' : tools,
  };
}
