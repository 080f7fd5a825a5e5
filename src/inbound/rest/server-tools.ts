/** What servers offer and how they are: tools per server, all tools as one catalogue, health, and how a client connects. */
import { z } from 'zod';
import { serverKeyOf } from '../../domain/registered-server.ts';
import type { ServerView } from '../../services/registry/read.ts';
import type { Registry } from '../../services/registry/registry.ts';
import { clientSnippets } from './client-snippets.ts';
import { answer, defineRoute, type RestOutcome, type RestRoute } from './route.ts';
import { HealthShown, showHealth, showTool, ToolShown } from './server-card.ts';
import { alsoAt, PathParams, toPath } from './server-route.ts';
import { whole } from './written.ts';

const ToolsAnswer = z.object({ service_path: z.string(), tools: z.array(ToolShown), num_tools: z.int() });
const CatalogEntry = z.object({
  tool_name: z.string(),
  server_path: z.string(),
  server_name: z.string(),
  description: z.string(),
  input_schema: z.looseObject({}),
});
/** Everything where it is left out. */
const CatalogQuery = z.strictObject({ limit: whole(1, 100_000).optional(), offset: whole(0, 1_000_000).optional() });
const CatalogAnswer = z.object({ tools: z.array(CatalogEntry), total_count: z.int() });
const ConnectAnswer = z.object({
  server_name: z.string(),
  path: z.string(),
  url: z.string().nullable(),
  transport: z.string(),
  custom_headers: z.record(z.string(), z.string()).nullable(),
  clients: z.looseObject({}),
});

const tag = 'servers';
const LIST = { kind: 'ui', action: 'list_service' } as const;
const ALL = { offset: 0, limit: Number.MAX_SAFE_INTEGER };

/** `publicUrl` null: clients come the way they asked. */
export function serverToolRoutes({ read }: Registry, publicUrl: string | null): RestRoute[] {
  const tools = defineRoute({
    ...{ method: 'GET', path: '/api/tools/{path+}', operation: 'servers/tools', tag, access: LIST },
    ...{ summary: 'List the tools of one server, or of all of them', params: PathParams },
    answers: { 200: { says: 'Those that the caller may use.', schema: ToolsAnswer } },
    fails: ['NOT_FOUND'],
    async run({ who, params }): Promise<RestOutcome> {
      const path = toPath(params.path);
      if (path === '/all') {
        const { servers } = await read.list(who, {}, ALL);
        const shown = servers.flatMap(view => ownTools(view).map(tool => ({ ...showTool(tool), ...serverOf(view) })));
        return answer(200, { service_path: 'all', tools: shown, num_tools: shown.length });
      }
      const found = await read.find(who, path);
      if (found.kind === 'failure') return found;
      const shown = ownTools(found.value).map(showTool);
      return answer(200, { service_path: path, tools: shown, num_tools: shown.length });
    },
  });

  return [
    tools,
    alsoAt(tools, '/api/servers/tools/{path+}'),
    defineRoute({
      ...{ method: 'GET', path: '/api/tool-catalog', operation: 'servers/tools', tag, access: LIST },
      ...{ summary: 'List every tool that the caller may use, with its server', query: CatalogQuery },
      answers: {
        200: { says: 'By server, each in the order it lists them; `total_count` of all.', schema: CatalogAnswer },
      },
      async run({ who, query: { limit, offset = 0 } }) {
        const { servers } = await read.list(who, {}, ALL);
        const entries = servers.flatMap(view =>
          ownTools(view).map(tool => {
            const { name, description, schema } = showTool(tool);
            return { tool_name: name, ...serverOf(view), description, input_schema: schema };
          }),
        );
        const page = entries.slice(offset, limit === undefined ? undefined : offset + limit);
        return answer(200, { tools: page, total_count: entries.length });
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/api/servers/health', operation: 'servers/health', tag },
      ...{ access: { kind: 'ui', action: 'health_check_service' }, summary: 'Read how the servers are' },
      answers: { 200: { says: 'By path.', schema: z.record(z.string(), HealthShown) } },
      run({ who, may }) {
        const seen = read.seen(who).filter(({ path }) => may('health_check_service', path));
        return answer(200, Object.fromEntries(seen.map(server => [server.path, showHealth(read.health(who, server))])));
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/api/servers/{path+}/health', operation: 'servers/health', tag, access: LIST },
      ...{ summary: 'Read how one server is', params: PathParams },
      answers: { 200: { says: 'As it was last found.', schema: HealthShown } },
      fails: ['NOT_FOUND'],
      async run({ who, params }) {
        const found = await read.find(who, toPath(params.path));
        return found.kind === 'failure' ? found : answer(200, showHealth(found.value.health));
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/api/servers/{path+}/connect-config', operation: 'servers/connect', tag },
      ...{ access: LIST, summary: 'Read how a client connects to a server', params: PathParams },
      answers: {
        200: { says: 'Settings per client; headers with values for whoever may change it.', schema: ConnectAnswer },
      },
      fails: ['NOT_FOUND'],
      async run({ who, params, headers, note }) {
        const path = toPath(params.path);
        const found = await read.connection(who, path);
        if (found.kind === 'failure') return found;
        const { view, headers: own } = found.value;
        if (own !== null && own.length > 0) note({ target: path, metadata: { headersShown: own.length } });
        const { card } = view;
        const isLocal = card.deployment === 'local';
        const base = publicUrl ?? `http://${headers.host ?? 'localhost'}`;
        const url = isLocal ? null : `${base}/${serverKeyOf(card)}/mcp`;
        const clients = clientSnippets(
          serverKeyOf(card),
          url === null ? { runtime: card.localRuntime ?? {} } : { url },
        );
        const body = { server_name: card.name, path, url, transport: isLocal ? 'stdio' : 'streamable-http', clients };
        const shown = { ...body, custom_headers: own === null ? null : Object.fromEntries(own) };
        return answer(200, shown, { 'cache-control': 'no-store' });
      },
    }),
  ];
}

const ownTools = ({ tools }: ServerView) => tools ?? [];
const serverOf = ({ card }: ServerView) => ({ server_path: card.path, server_name: card.name });
