/**
 * Peer: the gateway one writes first on the MCP SDK (v1). One Client per downstream, one Server and one
 * transport per session, names prefixed with `<server>__`, JSON answers. Legacy era only, as the SDK is.
 */
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

interface Downstream {
  name: string;
  url?: string;
  command?: string;
  args?: string[];
}
const { port, downstreams } = JSON.parse(process.argv[2] ?? '{}') as { port: number; downstreams: Downstream[] };

const clients = new Map<string, Client>();
for (const { name, url, command, args } of downstreams) {
  const client = new Client({ name: 'sdk-naive', version: '1' }, { capabilities: {} });
  const transport =
    url === undefined
      ? new StdioClientTransport({ command: command ?? '', args: args ?? [] })
      : new StreamableHTTPClientTransport(new URL(url));
  // The SDK's transports are written without exactOptionalPropertyTypes.
  await client.connect(transport as Transport);
  clients.set(name, client);
}

function createServer(): Server {
  const server = new Server({ name: 'sdk-naive', version: '1' }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, async () => {
    const tools = [];
    for (const [name, client] of clients) {
      const listing = await client.listTools();
      for (const tool of listing.tools) tools.push({ ...tool, name: `${name}__${tool.name}` });
    }
    return { tools };
  });
  server.setRequestHandler(CallToolRequestSchema, async request => {
    const [name = '', ...rest] = request.params.name.split('__');
    const client = clients.get(name);
    if (client === undefined) throw new Error(`Unknown server ${name}`);
    return client.callTool({ ...request.params, name: rest.join('__') });
  });
  return server;
}

const sessions = new Map<string, StreamableHTTPServerTransport>();

async function openSession(): Promise<StreamableHTTPServerTransport> {
  const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: true,
    onsessioninitialized: id => {
      sessions.set(id, transport);
    },
    onsessionclosed: id => {
      sessions.delete(id);
    },
  });
  await createServer().connect(transport as Transport);
  return transport;
}

const server = http.createServer(async (request, response) => {
  const id = request.headers['mcp-session-id'];
  const transport = typeof id === 'string' ? sessions.get(id) : await openSession();
  if (transport === undefined) response.writeHead(404).end();
  else await transport.handleRequest(request, response);
});
server.listen({ host: '127.0.0.1', port, backlog: 4096 });
process.on('SIGTERM', () => process.exit(0));
