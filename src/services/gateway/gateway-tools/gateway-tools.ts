/**
 * The gateway's own tools at work. They are a way in like any other: what they run or list passes the
 * same `decide` as a direct call, through the `run` they are given; nothing here reaches a server by itself.
 */
import type * as z from 'zod';
import type { Answer, Call, Handled } from '../../../domain/call.ts';
import type { CatalogEntry } from '../../../domain/catalog.ts';
import { type Failure, failure } from '../../../domain/error.ts';
import { matchesGlob } from '../../../domain/glob.ts';
import type { Identity } from '../../../domain/identity.ts';
import type { Json, JsonObject } from '../../../domain/json.ts';
import type { ServerKey, ServerSpec } from '../../../domain/server.ts';
import type { Downstreams } from '../../../ports/downstreams.ts';
import type { CatalogBook } from '../../catalog/catalog-book.ts';
import type { Visible } from '../visible.ts';
import {
  CallToolArguments,
  DocumentedFinderArguments,
  ExecuteToolArguments,
  FindToolsArguments,
  GetServerToolsArguments,
  ListServersArguments,
  parseArguments,
} from './arguments.ts';
import type { GatewayToolName } from './definitions.ts';
import { type ToolFinder, toDocumented } from './tool-finder.ts';

/** By server and own name, or by public name. */
type ToolTarget = { server: string; tool: string } | { name: string };

/** Calls a tool as the same caller; decided and recorded by the gateway. */
export type RunTool = (target: ToolTarget, params: JsonObject, timeoutMs: number | null) => Promise<Handled>;

export interface GatewayTools {
  /** `who`: as which it acts; the agent id among the arguments was read before. */
  run(tool: GatewayToolName, who: Identity, call: Call, runTool: RunTool): Promise<Handled>;
}

export function createGatewayTools(deps: {
  catalog: CatalogBook;
  visible: Visible;
  downstreams: Downstreams;
  finder: ToolFinder;
  /** Whether a registry URL that a caller names is one of ours. */
  isOwnUrl: (url: string) => boolean;
  /** Waits for a server that is still starting. */
  settledOne: (server: ServerKey) => Promise<void>;
  /** A cheap look at the configuration files, for file systems without events. */
  reloadIfChanged: () => Promise<void>;
  /** As far as the caller may know of it. */
  status: (who: Identity) => JsonObject;
}): GatewayTools {
  const { catalog, visible, downstreams, finder, isOwnUrl, settledOne, reloadIfChanged, status } = deps;
  const everything = { server: null, exposure: null } as const;

  function listServers(who: Identity, includeMetadata: boolean): Answer {
    const servers = downstreams
      .states()
      .filter(({ spec }) => spec.enabled && spec.versionOf === undefined && visible.isServerVisible(who, spec.key))
      .map(({ spec }) => ({
        name: spec.key,
        description: spec.description,
        ...(includeMetadata ? metadata(spec) : { transport: null, command: null, url: null }),
      }));
    return answer(servers, { result: servers });
  }

  async function serverTools(who: Identity, given: unknown): Promise<Handled> {
    const parsed = parseArguments(GetServerToolsArguments, given);
    if (parsed.kind === 'failure') return parsed;
    const { server, names, pattern, max_schema_tokens: budget } = parsed.value;
    await reloadIfChanged();
    const isThere = visible.isInSight(who, server);
    if (isThere) await settledOne(server);
    const view = isThere ? catalog.current().servers.get(server) : undefined;
    if (view === undefined) return failure('SERVER_UNAVAILABLE', { server, reason: 'No server of this name.' });
    if (view.listing === null || (view.listing.tools.length === 0 && view.reason !== null)) {
      return failure('SERVER_UNAVAILABLE', { server, reason: view.reason ?? 'The server has not answered yet.' });
    }
    const wanted = visible.entries(who, everything, 'tools').filter(
      entry =>
        entry.server === server &&
        // Models write an empty text where they mean none.
        (names == null || names.length === 0 || names.includes(entry.own)) &&
        (pattern == null || pattern === '' || matchesGlob(pattern, entry.own)),
    );
    const tools: Json[] = [];
    let tokens = 0;
    for (const { ownItem } of wanted) {
      const cost = estimateTokens(ownItem);
      if (budget != null && tokens + cost > budget) break;
      tokens += cost;
      tools.push({
        name: ownItem.name ?? '',
        description: ownItem.description ?? '',
        inputSchema: ownItem.inputSchema ?? {},
      });
    }
    const result: JsonObject = {
      tools,
      server,
      total_available: view.listing.tools.length,
      returned: tools.length,
      tokens_used: budget == null ? null : tokens,
      error: null,
    };
    return answer(result, result);
  }

  async function find(who: Identity, given: unknown): Promise<Handled> {
    const parsed = parseArguments(FindToolsArguments, given);
    if (parsed.kind === 'failure') return parsed;
    const { query, limit, server } = parsed.value;
    if (query === undefined) return noQuery('query');
    const wish = { query, limit, server: server ?? null, tags: [], maxServers: null };
    const { hits, confidence } = await finder.find(who, wish);
    const tools: Json[] = hits.map(({ entry, score }) => found(entry, score));
    return answer({ tools, confidence }, { tools, confidence });
  }

  async function findAsDocumented(who: Identity, given: unknown): Promise<Handled> {
    const parsed = parseArguments(DocumentedFinderArguments, given);
    if (parsed.kind === 'failure') return parsed;
    const { query, ...wish } = parsed.value;
    if (query === undefined) return noQuery('natural_language_query');
    const { hits } = await finder.find(who, { query, ...wish });
    const tools: Json[] = hits.map(({ entry, score }) =>
      toDocumented(entry, finder.describeServer(who, entry.server), rounded(score)),
    );
    return answer(tools, { result: tools });
  }

  return {
    async run(tool, who, call, runTool) {
      const given = call.params.arguments;
      switch (tool) {
        case 'list_servers': {
          const parsed = parseArguments(ListServersArguments, given);
          return parsed.kind === 'failure' ? parsed : listServers(who, parsed.value.include_metadata ?? false);
        }
        case 'get_server_tools':
          return serverTools(who, given);
        case 'execute_tool': {
          const parsed = parseArguments(ExecuteToolArguments, given);
          if (parsed.kind === 'failure') return parsed;
          const { server, tool: name, args, timeout_ms } = parsed.value;
          return runTool({ server, tool: name }, innerParams(call.params, args ?? {}), timeout_ms ?? null);
        }
        case 'call_tool': {
          const parsed = parseArguments(CallToolArguments, given);
          if (parsed.kind === 'failure') return parsed;
          const { arguments: args, mcp_registry_url, timeout_ms } = parsed.value;
          if (mcp_registry_url != null && mcp_registry_url !== '' && !isOwnUrl(mcp_registry_url)) {
            return failure(
              'INVALID_PARAMS',
              {},
              { say: 'This gateway calls its own servers only; leave out mcp_registry_url.' },
            );
          }
          const target = findTarget(parsed.value, call.params.name === 'invoke_mcp_tool');
          if ('kind' in target) return target;
          return runTool(target, innerParams(call.params, args ?? {}), timeout_ms ?? null);
        }
        case 'find_tools':
          // One operation; whoever asks by the name in the registry's documents reads their shape.
          return call.params.name === 'intelligent_tool_finder' ? findAsDocumented(who, given) : find(who, given);
        case 'get_gateway_status': {
          const result = status(who);
          return answer(result, result);
        }
      }
    },
  };
}

/**
 * The tool that is meant. In the registry's documents a server and a tool are always named together: a call that leaves one
 * out, or spells it wrongly, must not reach another server's tool of that name.
 */
function findTarget(given: z.output<typeof CallToolArguments>, isDocumented: boolean): ToolTarget | Failure {
  const { name, tool_name: tool, server_name: server = given.service_path } = given;
  if (server !== undefined && tool !== undefined) return { server: server.replace(/^\/|\/$/g, ''), tool };
  if (!isDocumented) {
    const found = name ?? tool;
    return found === undefined ? invalid('name: the tool to call, as find_tools gave it.') : { name: found };
  }
  const missing = [
    ...(server === undefined ? ['server_name: is missing: the service_path that intelligent_tool_finder gave'] : []),
    ...(tool === undefined ? ['tool_name: is missing: the tool_name that intelligent_tool_finder gave'] : []),
  ];
  return invalid(`${missing.join('; ')}.`);
}

/** `_meta`, input responses and state travel on with the inner call. */
function innerParams(params: JsonObject, args: JsonObject): JsonObject {
  const { name, arguments: given, ...rest } = params;
  return { ...rest, name: '', arguments: args };
}

function answer(text: Json, structured: JsonObject): Answer {
  return {
    kind: 'answer',
    era: 'legacy',
    result: { content: [{ type: 'text', text: JSON.stringify(text) }], structuredContent: structured, isError: false },
    bytes: null,
  };
}

/** Arguments, environment, headers and paths are nobody's business; only the program's name and a bare URL are told. */
function metadata({ link }: ServerSpec): JsonObject {
  if (link.kind === 'stdio')
    return { transport: 'stdio', command: link.command.replace(/^.*[\\/](?=.)/s, ''), url: null };
  const url = new URL(link.url);
  return { transport: 'http', command: null, url: url.origin + url.pathname };
}

/** The documented estimate: four characters of name, description and compact schema to a token, at least one. */
function estimateTokens(item: JsonObject): number {
  const name = typeof item.name === 'string' ? item.name : '';
  const description = typeof item.description === 'string' ? item.description : '';
  const schema = JSON.stringify(item.inputSchema ?? {});
  return Math.max(1, Math.floor((name.length + description.length + schema.length) / 4));
}

function found(entry: CatalogEntry, score: number): JsonObject {
  const { description, inputSchema } = entry.ownItem;
  return {
    name: entry.name,
    server: entry.server,
    tool: entry.own,
    description: description ?? '',
    inputSchema: inputSchema ?? {},
    score: rounded(score),
  };
}

const rounded = (score: number): number => Math.round(score * 1e6) / 1e6;

const noQuery = (field: string) => invalid(`${field}: say what you want to do.`);

function invalid(what: string): Failure {
  return failure('INVALID_PARAMS', {}, { say: `Invalid arguments. ${what}` });
}
