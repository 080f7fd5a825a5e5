/** Servers of the registry: registering, listing, reading, changing. Who sees and changes which is the registry's to say. */
import { z } from 'zod';
import { failure } from '../../domain/error.ts';
import { LIFECYCLES } from '../../domain/registered.ts';
import type { ServerFilter } from '../../ports/server-repository.ts';
import { ALIKE } from '../../services/registry/read.ts';
import type { Registered } from '../../services/registry/register.ts';
import type { Registry } from '../../services/registry/registry.ts';
import { answer, defineRoute, type RestCall, type RestOutcome, type RestRoute } from './route.ts';
import { PatchBody, PutBody, RegisterBody, toChange, toNewServer, toWholeChange } from './server-bodies.ts';
import { ServerShown, showServer } from './server-card.ts';
import { aboutPath, alsoAt, etagOf, PathParams, readIfMatch, toPath } from './server-route.ts';
import { flag, list } from './written.ts';

const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(least).max(most));

const ListQuery = z.strictObject({
  query: z.string().max(512).optional(),
  limit: whole(1, 2000).optional(),
  offset: whole(0, 1_000_000_000).optional(),
  status: z.enum([...LIFECYCLES, 'enabled', 'disabled']).optional(),
  tags: list.optional(),
  tag: list.optional(),
  include_tools: flag.optional(),
});

const ServerList = z.object({
  servers: z.array(ServerShown),
  total_count: z.int(),
  limit: z.int(),
  offset: z.int(),
  has_next: z.boolean(),
});

const CardsByPath = z.record(z.string().regex(/^\//), ServerShown);

const RegisteredAnswer = z.object({ path: z.string(), name: z.string(), message: z.string() });

/** Without the card for whoever may change the server and not list it. */
const Edited = z.union([ServerShown, z.object({ path: z.string(), message: z.string() })]);

const DuplicatesBody = z.strictObject({
  name: z.string().min(1).max(256),
  description: z.string().max(8192).optional(),
  proxy_pass_url: z.string().max(2048).nullish(),
});
const Match = z.object({ path: z.string(), name: z.string(), score: z.number() });
const DuplicatesAnswer = z.object({
  has_collision: z.boolean(),
  collision_with: z.array(z.object({ path: z.string(), name: z.string() })),
  advisory_matches: z.array(Match),
  threshold: z.number(),
  similarity_search_available: z.boolean(),
});

const tag = 'servers';
const LIST = { kind: 'ui', action: 'list_service' } as const;
const MODIFY = { kind: 'ui', action: 'modify_service', owners: 'register_service' } as const;
const EDIT_FAILS = ['NOT_FOUND', 'CONFLICT', 'STALE'] as const;
const EDITED = { 200: { says: 'The card as it is now.', schema: Edited, etag: 'always' } } as const;
const DEFAULT_LIMIT = 20;
const KEEPS_PATH = 'path: a server keeps its path; register it at the other one and remove it here.';

export function serverRoutes(registry: Registry): RestRoute[] {
  const { read } = registry;

  const register = defineRoute({
    ...{ method: 'POST', path: '/api/servers/register', operation: 'servers/register', tag, form: true },
    summary: 'Register a server, another version of one, or one in the place of another',
    ...{ access: { kind: 'ui', action: 'register_service' }, body: RegisterBody },
    answers: { 201: { says: 'It is registered; its tools are read next.', schema: RegisteredAnswer, etag: 'always' } },
    // Of another version, and with `overwrite`, also what there is to say to a change.
    fails: ['CONFLICT', 'NOT_FOUND', 'STALE'],
    about: ({ body }) => ({ target: toPath(body.path) }),
    async run({ who, body, note }) {
      const result = await registry.register(who, toNewServer(body));
      if (result.kind === 'failure') return result;
      const { server } = result.value;
      note({ target: server.path, metadata: { version: server.version } });
      return answer(
        201,
        { path: server.path, name: server.name, message: messageFor(result.value) },
        etagOf(server.revision),
      );
    },
  });

  async function show({ who, params }: RestCall<{ path: string }, unknown, unknown>): Promise<RestOutcome> {
    const path = toPath(params.path);
    const found = await read.find(who, path);
    if (found.kind === 'failure') return found;
    const versions = await registry.versions.list(who, path);
    const names = versions.kind === 'done' ? versions.value.map(({ version }) => version) : [];
    const shown = showServer(found.value, { tools: true, versions: names });
    return answer(200, shown, etagOf(found.value.card.revision));
  }

  const details = defineRoute({
    ...{ method: 'GET', path: '/api/servers/{path+}', operation: 'servers/read', tag, access: LIST },
    ...{ summary: 'Read one server', params: PathParams },
    answers: { 200: { says: 'Its card, without anything secret.', schema: ServerShown, etag: 'always' } },
    fails: ['NOT_FOUND'],
    run: show,
  });

  const listed = defineRoute({
    ...{ method: 'GET', path: '/api/servers', operation: 'servers/list', tag, access: LIST },
    ...{ summary: 'List the servers that the caller may see', query: ListQuery },
    answers: { 200: { says: 'A page of them, by path.', schema: ServerList } },
    async run({ who, query }) {
      const { limit = DEFAULT_LIMIT, offset = 0, include_tools: withTools = true } = query;
      const { servers, total } = await read.list(who, toFilter(query), { offset, limit });
      const shown = servers.map(view => showServer(view, { tools: withTools }));
      const page = { total_count: total, limit, offset, has_next: offset + shown.length < total };
      return answer(200, { servers: shown, ...page });
    },
  });

  return [
    register,
    alsoAt(register, '/register'),
    alsoAt(register, '/api/register'),
    alsoAt(register, '/api/internal/register'),
    listed,
    alsoAt(listed, '/api/internal/list'),
    details,
    defineRoute({
      ...{ method: 'GET', path: '/api/server_details/{path+}', operation: 'servers/read', tag, access: LIST },
      ...{ summary: 'Read one server, or all of them as a map by path', params: PathParams },
      answers: {
        200: { says: 'A card, or a card per path.', schema: z.union([ServerShown, CardsByPath]), etag: 'sometimes' },
      },
      fails: ['NOT_FOUND'],
      async run(call) {
        if (toPath(call.params.path) !== '/all') return show(call);
        const { servers } = await read.list(call.who, {}, { offset: 0, limit: Number.MAX_SAFE_INTEGER });
        return answer(
          200,
          Object.fromEntries(servers.map(view => [view.card.path, showServer(view, { tools: true })])),
        );
      },
    }),
    defineRoute({
      ...{ method: 'PUT', path: '/api/servers/{path+}', operation: 'servers/edit', tag, access: MODIFY, form: true },
      ...{ summary: 'Write a server anew; what is left out is as if it had never been said', params: PathParams },
      ...{ body: PutBody, answers: EDITED, fails: EDIT_FAILS, takesRevision: true },
      about: aboutPath,
      run: call => edit(call, toWholeChange(call.body)),
    }),
    defineRoute({
      ...{ method: 'PATCH', path: '/api/servers/{path+}', operation: 'servers/edit', tag, access: MODIFY, form: true },
      ...{ summary: 'Change a part of a server; what is left out stays', params: PathParams, body: PatchBody },
      ...{ answers: EDITED, fails: EDIT_FAILS, takesRevision: true },
      about: aboutPath,
      run: call => edit(call, toChange(call.body)),
    }),
    defineRoute({
      ...{ method: 'POST', path: '/edit/{path+}', operation: 'servers/edit', tag, access: MODIFY, form: true },
      ...{ summary: 'Change a server by the form of a page', params: PathParams, body: PatchBody },
      answers: { 303: { says: 'Back to the page.', schema: null } },
      ...{ fails: EDIT_FAILS, takesRevision: true },
      async run(call) {
        const edited = await edit(call, toChange(call.body));
        return edited.kind === 'rest' ? { kind: 'rest', status: 303, headers: { location: '/' } } : edited;
      },
    }),
    defineRoute({
      ...{ method: 'POST', path: '/api/servers/check-duplicates', operation: 'servers/check-duplicates', tag },
      ...{ summary: 'Find servers with the same address, or that say much the same of themselves' },
      ...{ access: { kind: 'ui', action: 'list_service' }, form: true, body: DuplicatesBody, hasEffect: false },
      answers: { 200: { says: 'Those that the caller may see.', schema: DuplicatesAnswer } },
      run({ who, body: { name, description = '', proxy_pass_url: url } }) {
        const found = read.findDuplicates(who, { name, description, url: url ?? null });
        return answer(200, {
          has_collision: found.collisions.length > 0,
          collision_with: found.collisions.map(server => ({ path: server.path, name: server.name })),
          advisory_matches: found.alike.map(({ server, score }) => ({ path: server.path, name: server.name, score })),
          threshold: ALIKE,
          similarity_search_available: true,
        });
      },
    }),
  ];

  async function edit(
    { who, params, body, headers }: RestCall<{ path: string }, unknown, PatchBody>,
    change: Parameters<Registry['edit']>[2],
  ): Promise<RestOutcome> {
    const path = toPath(params.path);
    if (body.path !== undefined && toPath(body.path) !== path)
      return failure('INVALID_PARAMS', {}, { say: KEEPS_PATH });
    const edited = await registry.edit(who, path, change, readIfMatch(headers));
    if (edited.kind === 'failure') return edited;
    const found = await read.find(who, path);
    // Whoever may change a server need not be one who may list it.
    if (found.kind === 'failure')
      return answer(200, { path, message: 'It is changed.' }, etagOf(edited.value.revision));
    return answer(200, showServer(found.value, { tools: true }), etagOf(found.value.card.revision));
  }
}

function messageFor({ as, server }: Registered): string {
  if (as === 'new') return 'The server is registered.';
  if (as === 'replaced') return 'The server takes the place of the one before.';
  return `The version ${server.version} is registered beside the active one.`;
}

function toFilter({ query, status, tags, tag: alsoTags }: z.output<typeof ListQuery>): ServerFilter {
  const filter: ServerFilter = {};
  if (query !== undefined && query.trim() !== '') filter.query = query;
  if (status === 'enabled' || status === 'disabled') filter.enabled = status === 'enabled';
  else if (status !== undefined) filter.status = status;
  const wanted = [...(tags ?? []), ...(alsoTags ?? [])];
  if (wanted.length > 0) filter.tags = wanted;
  return filter;
}
