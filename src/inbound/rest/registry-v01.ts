/**
 * The compatibility API of the official MCP Registry (v0.1): the servers that a caller may see, as `server.json` documents.
 * What is not for the caller is not there: 404, never 403.
 */
import { z } from 'zod';
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { publishedName, readPublishedName } from '../../domain/published-name.ts';
import { type RegisteredServer, serverKeyOf } from '../../domain/registered-server.ts';
import { pathOfKey } from '../../domain/registry-path.ts';
import type { ServerView } from '../../services/registry/read.ts';
import type { Registry } from '../../services/registry/registry.ts';
import { answer, defineRoute, type RestCall, type RestOutcome, type RestRoute } from './route.ts';
import { isoOrNull } from './server-card.ts';

const SCHEMA = 'https://static.modelcontextprotocol.io/schemas/2025-10-17/server.schema.json';
/** The longest title and description of that schema. */
const MAX_TEXT = 100;

const Transport = z.object({ type: z.string(), url: z.string() });
const ServerDocument = z.looseObject({
  $schema: z.string(),
  name: z.string(),
  title: z.string(),
  description: z.string(),
  version: z.string(),
  packages: z
    .array(z.looseObject({ registryType: z.string(), identifier: z.string(), version: z.string() }))
    .optional(),
  remotes: z.array(Transport).optional(),
  _meta: z.record(z.string(), z.looseObject({})),
});
const Entry = z.object({ server: ServerDocument, _meta: z.record(z.string(), z.looseObject({})) });
const ListAnswer = z.object({
  servers: z.array(Entry),
  metadata: z.object({ nextCursor: z.string().nullable(), count: z.int() }),
});

const ListQuery = z.strictObject({
  cursor: z.string().max(1024).optional(),
  limit: z
    .string()
    .regex(/^\d{1,6}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(1000))
    .optional(),
  search: z.string().max(512).optional(),
  version: z.string().max(128).optional(),
  updated_since: z.string().max(64).optional(),
});
const NameParams = z.object({ name: z.string() });

const tag = 'registry v0.1';
const DEFAULT_LIMIT = 100;
/** Nobody learns by a refusal what there is. */
const access = { kind: 'caller' } as const;

/** `publicUrl` null: clients come the way they asked. */
export function registryV01Routes({ read }: Registry, publicUrl: string | null): RestRoute[] {
  type Call = RestCall<unknown, unknown, unknown>;
  const baseOf = ({ headers }: Call) => publicUrl ?? `http://${headers.host ?? 'localhost'}`;

  async function findByName({ who }: Call, name: string): Promise<ServerView | Failure> {
    const key = readPublishedName(name);
    const found = key === null ? null : await read.find(who, pathOfKey(key));
    return found?.kind === 'done' ? found.value : notThere();
  }

  const routes = [
    defineRoute({
      ...{ method: 'GET', path: '/v0.1/servers', operation: 'registry/list', tag, access, query: ListQuery },
      summary: 'List servers in the form of the official registry',
      answers: { 200: { says: 'A page of them, by name.', schema: ListAnswer } },
      async run(call) {
        const {
          cursor = '',
          limit = DEFAULT_LIMIT,
          search = '',
          version = 'latest',
          updated_since: since,
        } = call.query;
        const sinceMs = since === undefined ? 0 : Date.parse(since);
        if (Number.isNaN(sinceMs))
          return failure('INVALID_PARAMS', {}, { say: 'updated_since: must be an RFC 3339 time' });
        const named = read
          .seen(call.who)
          .map((server): [string, RegisteredServer] => [publishedName(serverKeyOf(server)), server])
          .filter(([name, server]) => name > cursor && isAsked(server, name, { search, version, sinceMs }))
          .sort(([a], [b]) => (a < b ? -1 : 1));
        const views = await viewAll(
          call.who,
          named.slice(0, limit).map(([, server]) => server),
        );
        const last = named.length > limit ? (named[limit - 1]?.[0] ?? null) : null;
        const servers = views.map(view => toEntry(view, baseOf(call)));
        return answer(200, { servers, metadata: { nextCursor: last, count: servers.length } });
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/v0.1/servers/{name+}/versions', operation: 'registry/read', tag, access },
      ...{ summary: 'List the versions of a server', params: NameParams },
      answers: { 200: { says: 'The one that is called.', schema: ListAnswer } },
      fails: ['NOT_FOUND'],
      async run(call): Promise<RestOutcome> {
        const found = await findByName(call, call.params.name);
        if ('code' in found) return found;
        const entry = toEntry(found, baseOf(call));
        return answer(200, { servers: [entry], metadata: { nextCursor: null, count: 1 } });
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/v0.1/servers/{name+}/versions/{version}', operation: 'registry/read', tag, access },
      ...{
        summary: 'Read one version of a server, or the `latest`',
        params: NameParams.extend({ version: z.string() }),
      },
      answers: { 200: { says: 'Its document.', schema: Entry } },
      fails: ['NOT_FOUND'],
      async run(call): Promise<RestOutcome> {
        const { name, version } = call.params;
        const found = await findByName(call, name);
        if ('code' in found) return found;
        if (version !== 'latest' && version !== found.card.version) return notThere();
        return answer(200, toEntry(found, baseOf(call)));
      },
    }),
  ];

  async function viewAll(who: Identity, servers: readonly RegisteredServer[]): Promise<ServerView[]> {
    const views = await Promise.all(servers.map(({ path }) => read.find(who, path)));
    return views.flatMap(found => (found.kind === 'done' ? [found.value] : []));
  }

  return routes;
}

const notThere = () => failure('NOT_FOUND', {}, { say: 'There is no such server.' });

/** Of a server there is the version that is called, and that is the `latest`. */
function isAsked(
  server: RegisteredServer,
  name: string,
  { search, version, sinceMs }: { search: string; version: string; sinceMs: number },
): boolean {
  if (version !== 'latest' && version !== server.version) return false;
  const words = `${name} ${server.name}`.toLowerCase();
  return server.updatedAtMs >= sinceMs && words.includes(search.toLowerCase());
}

function toEntry({ card, health, numTools }: ServerView, base: string): z.output<typeof Entry> {
  const name = publishedName(serverKeyOf(card));
  const url = `${base}/${serverKeyOf(card)}/mcp`;
  const transport = { type: 'streamable-http', url };
  const description = card.description.trim() === '' ? card.name : card.description;
  const isLocal = card.deployment === 'local';
  const link = {
    packages: [{ registryType: 'mcpb', identifier: name, version: card.version, transport, runtimeHint: 'docker' }],
    remotes: [transport],
  };
  return {
    server: {
      ...{ $schema: SCHEMA, name, title: cut(card.name), description: cut(description), version: card.version },
      ...(isLocal ? {} : link),
      _meta: {
        'io.mcpgateway/internal': {
          ...{ path: card.path, is_enabled: card.enabled, health_status: health.status, num_tools: numTools },
          ...{ tags: card.tags, license: card.license, status: card.status, sunset_date: card.sunsetDate },
        },
      },
    },
    _meta: {
      'io.mcpgateway/registry': { last_checked: isoOrNull(health.checkedAtMs), health_status: health.status },
    },
  };
}

function cut(text: string): string {
  const letters = [...text];
  return letters.length <= MAX_TEXT ? text : `${letters.slice(0, MAX_TEXT - 1).join('')}…`;
}
