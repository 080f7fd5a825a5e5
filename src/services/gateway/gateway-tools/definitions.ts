/**
 * The gateway's own tools as clients see them: names, parameters and shapes of the agent exposure and of
 * the discovery exposure. Descriptions are written for a model: they say when to use the tool and what comes back.
 */
import type { Catalog, CatalogEntry } from '../../../domain/catalog.ts';
import type { JsonObject } from '../../../domain/json.ts';

const agentId: JsonObject = {
  type: ['string', 'null'],
  description: 'Id of the calling agent; leave out to use the default.',
};

const object = (properties: JsonObject, required: string[]): JsonObject => ({
  type: 'object',
  properties: { ...properties, agent_id: agentId },
  required,
});

const READ_ONLY: JsonObject = { readOnlyHint: true, destructiveHint: false, openWorldHint: false };

const LIST_SERVERS: JsonObject = {
  name: 'list_servers',
  title: 'List servers',
  description:
    'Lists the MCP servers you may use, with what each is for. Start here, then use get_server_tools on the one that fits.',
  inputSchema: object(
    { include_metadata: { type: 'boolean', default: false, description: 'Also return transport, command and URL.' } },
    [],
  ),
  annotations: READ_ONLY,
};

const GET_SERVER_TOOLS: JsonObject = {
  name: 'get_server_tools',
  title: 'Get the tools of a server',
  description:
    "Returns a server's tools with their input schemas. Narrow the answer with names, a pattern or a token budget when the server has many.",
  inputSchema: object(
    {
      server: { type: 'string', description: 'Name of the server, from list_servers.' },
      names: {
        anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }, { type: 'null' }],
        description: 'Only these tools: comma-separated or a list.',
      },
      pattern: { type: ['string', 'null'], description: 'Only tools whose name matches this pattern, e.g. get_*.' },
      max_schema_tokens: {
        type: ['integer', 'null'],
        description: 'Stop before the schemas exceed about this many tokens.',
      },
    },
    ['server'],
  ),
  annotations: READ_ONLY,
};

const EXECUTE_TOOL: JsonObject = {
  name: 'execute_tool',
  title: 'Execute a tool',
  description: "Runs one tool of a server and returns that tool's own result unchanged.",
  inputSchema: object(
    {
      server: { type: 'string', description: 'Name of the server.' },
      tool: { type: 'string', description: 'Name of the tool, from get_server_tools.' },
      args: { type: 'object', description: "The tool's arguments, as its input schema asks." },
      timeout_ms: { type: ['integer', 'null'], description: 'Give up after this many milliseconds.' },
    },
    ['server', 'tool', 'args'],
  ),
};

const GET_GATEWAY_STATUS: JsonObject = {
  name: 'get_gateway_status',
  title: 'Gateway status',
  description: 'Diagnostics: reloads, servers and configuration files of the gateway.',
  inputSchema: object({}, []),
  annotations: READ_ONLY,
};

const CALL_TOOL: JsonObject = {
  name: 'call_tool',
  title: 'Call a found tool',
  description: 'Calls a tool found by find_tools, by its name, and returns its own result unchanged.',
  inputSchema: object(
    {
      name: { type: 'string', description: 'Name of the tool, as find_tools gave it.' },
      arguments: { type: 'object', description: "The tool's arguments, as its inputSchema asks." },
      timeout_ms: { type: ['integer', 'null'], description: 'Give up after this many milliseconds.' },
    },
    ['name'],
  ),
};

const NOTHING_BEHIND =
  'Finds tools by what they do. At present there is none here that you may use: it will find nothing until there is.';

/** Says what is behind it (servers, counts, topics): a model calls a search only when it knows there is something to find. */
function findTools(catalog: Catalog, visible: readonly CatalogEntry[]): JsonObject {
  const counts = new Map<string, number>();
  for (const { server } of visible) counts.set(server, (counts.get(server) ?? 0) + 1);
  const servers = [...counts].slice(0, 40).map(([key, count]) => {
    const about = catalog.servers.get(key)?.description;
    return `${key} (${count}${about ? `: ${about.slice(0, 80)}` : ''})`;
  });
  return {
    name: 'find_tools',
    title: 'Find tools',
    description:
      visible.length === 0
        ? NOTHING_BEHIND
        : `Finds the right tool among ${visible.length} tools of ${counts.size} servers by describing what you want to do. ` +
          `Use it before saying that something cannot be done. Then call what it found with call_tool; confidence none means that nothing fits well. Servers: ${servers.join(', ')}.`,
    inputSchema: object(
      {
        query: { type: 'string', description: 'What you want to do, in plain words.' },
        limit: { type: 'integer', minimum: 1, maximum: 50, default: 5, description: 'How many tools to return.' },
        server: { type: ['string', 'null'], description: 'Search only this server.' },
      },
      ['query'],
    ),
    annotations: READ_ONLY,
  };
}

/** The same search by the name and in the shape of the registry's documents. */
const INTELLIGENT_TOOL_FINDER: JsonObject = {
  name: 'intelligent_tool_finder',
  title: 'Find a tool for a task',
  description:
    'Finds the tool that fits what you want to do, with its schema and its server. Give what it returns to invoke_mcp_tool: service_path as server_name, and tool_name.',
  inputSchema: object(
    {
      natural_language_query: { type: 'string', description: 'What you want to do, in plain words.' },
      top_k_services: { type: 'integer', minimum: 1, maximum: 50, default: 3, description: 'Of so many servers.' },
      top_n_tools: { type: 'integer', minimum: 1, maximum: 50, default: 1, description: 'How many tools to return.' },
      tags: { type: 'array', items: { type: 'string' }, description: 'Only servers that have all of these tags.' },
    },
    ['natural_language_query'],
  ),
  annotations: READ_ONLY,
};

const INVOKE_MCP_TOOL: JsonObject = {
  name: 'invoke_mcp_tool',
  title: 'Invoke a found tool',
  description:
    "Calls a tool found by intelligent_tool_finder on its server, through this gateway, and returns that tool's own result unchanged.",
  inputSchema: object(
    {
      mcp_registry_url: { type: ['string', 'null'], description: 'Leave out: only this gateway can be meant.' },
      server_name: { type: 'string', description: 'The service_path that the finder gave.' },
      tool_name: { type: 'string', description: 'The tool_name that the finder gave.' },
      arguments: { type: 'object', description: "The tool's arguments, as its tool_schema asks." },
      timeout_ms: { type: ['integer', 'null'], description: 'Give up after this many milliseconds.' },
    },
    ['server_name', 'tool_name', 'arguments'],
  ),
};

export function gatewayToolItems(debug: boolean) {
  return (
    exposure: 'agent' | 'discovery' | 'registry',
    catalog: Catalog,
    visible: readonly CatalogEntry[],
  ): readonly JsonObject[] => {
    const shown =
      exposure === 'agent' ? [LIST_SERVERS, GET_SERVER_TOOLS, EXECUTE_TOOL] : [findTools(catalog, visible), CALL_TOOL];
    if (exposure === 'registry') shown.push(INTELLIGENT_TOOL_FINDER, INVOKE_MCP_TOOL);
    return debug ? [...shown, GET_GATEWAY_STATUS] : shown;
  };
}

/** Names under which the gateway's tools are called; the aliases are older spellings. */
export const GATEWAY_TOOLS = {
  list_servers: 'list_servers',
  get_server_tools: 'get_server_tools',
  execute_tool: 'execute_tool',
  get_gateway_status: 'get_gateway_status',
  find_tools: 'find_tools',
  intelligent_tool_finder: 'find_tools',
  call_tool: 'call_tool',
  invoke_mcp_tool: 'call_tool',
} as const;

export type GatewayToolName = (typeof GATEWAY_TOOLS)[keyof typeof GATEWAY_TOOLS];

export function findGatewayTool(name: string, debug: boolean): GatewayToolName | null {
  if (!Object.hasOwn(GATEWAY_TOOLS, name)) return null;
  const tool = GATEWAY_TOOLS[name as keyof typeof GATEWAY_TOOLS];
  return tool === 'get_gateway_status' && !debug ? null : tool;
}
