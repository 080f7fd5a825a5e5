/** Requests in plain words to the servers of a fresh clone: the right tool comes first. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { copyDefaultServers, type DefaultServers } from './default-servers.ts';

let servers: DefaultServers;
let gateway: GatewayProcess;
beforeAll(async () => {
  servers = copyDefaultServers();
  gateway = await startGateway({ env: { GATEWAY_CONFIG: servers.config, GATEWAY_EXPOSURE: '' } });
  await waitFor(async () => {
    const { tools } = JSON.parse((await gateway.get('/api/tool-catalog')).text) as { tools: JsonObject[] };
    return new Set(tools.map(({ server_path: path }) => path)).size === 4 ? true : null;
  }, 'the tools of the four servers');
}, 60_000);
afterAll(async () => {
  await gateway?.stop();
  servers?.remove();
});

async function search(query: string, more: JsonObject = {}) {
  const reply = await fetch(`${gateway.origin}/api/search/semantic`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, ...more }),
  });
  expect(reply.status).toBe(200);
  return (await reply.json()) as Record<'servers' | 'tools', JsonObject[]>;
}

test.each([
  { query: 'what time is it in Tokyo', tool: 'current_time_by_timezone', server: '/currenttime' },
  { query: 'add two numbers', tool: 'get-sum', server: '/everything' },
  { query: 'rename or move a file', tool: 'move_file', server: '/filesystem' },
  { query: 'remember a new relation between two entities', tool: 'create_relations', server: '/memory' },
])('"$query" finds $tool first, and its server', async ({ query, tool, server }) => {
  const { servers: found, tools } = await search(query);
  expect(tools[0]).toMatchObject({ tool_name: tool, server_path: server });
  expect(found[0]).toMatchObject({ path: server, is_enabled: true });
  expect((found[0]?.matching_tools as JsonObject[] | undefined)?.map(({ tool_name: name }) => name)).toContain(tool);
  const alone = await search(query, { entity_types: ['mcp_server'] });
  expect(alone.servers[0]).toMatchObject({ path: server });
});
