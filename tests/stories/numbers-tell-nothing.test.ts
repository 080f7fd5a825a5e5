/**
 * Numbers are of what their reader may see: how many tools a server has, when it changes, what is counted of it. A caller
 * who may use two of five tools finds two, wherever it looks.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { waitFor } from '../support/gateway-process.ts';
import { openClient } from '../support/mcp-client.ts';
import { METHODS, openSearched, type SearchedGateway, tokenFor, type Who } from '../support/searched-gateway.ts';

const LOB: Who = { name: 'lou', groups: ['lob'] };
/** Has the same rights in the registry, and may use every tool. */
const KEEPER: Who = { name: 'kim', groups: ['keepers'] };
const HERE = ['harvest'];
const UI = { list_service: HERE, toggle_service: HERE, health_check_service: HERE };
const tools = ['tool_0', 'tool_1', 'tool_2', 'tool_3', 'toggle'].map((name, n) => ({
  ...{ name, description: `Plans the crops of field ${n}`, inputSchema: { type: 'object' } },
}));

let server: StartedScripted;
let searched: SearchedGateway;
beforeAll(async () => {
  server = await startScripted({ tools });
  searched = await openSearched({
    rights: {
      lob: {
        ui: UI,
        servers: [{ server: 'harvest', methods: METHODS, tools: ['tool_0', 'tool_1'] }],
      },
      keepers: { ui: UI, servers: [{ server: 'harvest', methods: METHODS, tools: '*' }] },
    },
    servers: [
      { path: '/harvest', name: 'Harvest', description: 'Plans when crops are brought in', proxy_pass_url: server.url },
    ],
    agents: [],
    tools: 5,
  });
}, 60_000);
afterAll(async () => {
  await searched?.stop();
  await server?.close();
});

/** Every number of tools in an answer, wherever it stands. */
function numbersIn(value: Json | undefined): number[] {
  if (Array.isArray(value)) return value.flatMap(numbersIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => (key === 'num_tools' ? [Number(below)] : numbersIn(below)));
}

async function useTool(who: Who, name: string, args: JsonObject): Promise<JsonObject> {
  const headers = { authorization: `Bearer ${tokenFor(who)}` };
  const client = await openClient(searched.gateway.origin, 'modern', { path: '/mcp/registry', headers });
  try {
    const { answer } = await client.request('tools/call', { name, arguments: args });
    return ((answer?.result as JsonObject | undefined)?.structuredContent ?? answer) as JsonObject;
  } finally {
    await client.close();
  }
}

async function firstMessage(who: Who): Promise<JsonObject> {
  const socket = new WebSocket(`${searched.gateway.origin.replace('http', 'ws')}/ws/health_status`, {
    headers: { authorization: `Bearer ${tokenFor(who)}` },
  });
  const [data] = await once(socket, 'message');
  socket.close();
  return JSON.parse(String(data)) as JsonObject;
}

const get = (path: string) => (who: Who) => searched.ask(who, 'GET', path);
const post = (path: string, body?: JsonObject) => (who: Who) => searched.ask(who, 'POST', path, body);

describe('the number of tools is that of the caller', () => {
  const SURFACES: Record<string, (who: Who) => Promise<JsonObject>> = {
    'the list of servers': get('/api/servers'),
    'a server': get('/api/servers/harvest'),
    'its details': get('/api/server_details/harvest'),
    'the details of all': get('/api/server_details/all'),
    'its tools': get('/api/tools/harvest'),
    'its health': get('/api/servers/harvest/health'),
    'the health of all': get('/api/servers/health'),
    'the health that is streamed': get('/ws/health_status'),
    'the stream itself': firstMessage,
    'the counts': async who => ({ num_tools: (await get('/api/stats')(who)).tools ?? null }),
    'a search': post('/api/search/semantic', { query: 'crops', max_results: 5 }),
    'the public interface of registries': get('/v0.1/servers'),
    'switching it on': post('/api/servers/toggle', { path: '/harvest', new_state: true }),
    'reading it anew': post('/api/refresh/harvest'),
    'the tool that lists servers': who => useTool(who, 'list_services', {}),
    'the tool that tells their health': who => useTool(who, 'healthcheck', {}),
    'the tool that switches one on': who => useTool(who, 'toggle_service', { service_path: '/harvest', enabled: true }),
    'the tool that reads one anew': who => useTool(who, 'refresh_service', { service_path: '/harvest' }),
  };

  test.each(Object.entries(SURFACES))('in %s', async (_, look) => {
    const [few, all] = [numbersIn(await look(LOB)), numbersIn(await look(KEEPER))];
    expect([new Set(few), new Set(all)]).toEqual([new Set([2]), new Set([5])]);
  });
});

test('the coming and going of a tool that a caller may not use is no event to it', async () => {
  const heard: Record<string, JsonObject[]> = {};
  const sockets = await Promise.all(
    [LOB, KEEPER].map(async who => {
      const socket = new WebSocket(`${searched.gateway.origin.replace('http', 'ws')}/ws/health_status`, {
        headers: { authorization: `Bearer ${tokenFor(who)}` },
      });
      const messages: JsonObject[] = [];
      heard[who.name] = messages;
      socket.on('message', data => void messages.push(JSON.parse(String(data))));
      await once(socket, 'message');
      return socket;
    }),
  );
  const headers = { authorization: `Bearer ${tokenFor(KEEPER)}` };
  const client = await openClient(searched.gateway.origin, 'modern', { path: '/harvest/mcp', headers });
  // Adds a tool to its list and announces it.
  await client.request('tools/call', { name: 'toggle', arguments: {} });
  await client.close();
  await waitFor(
    () => (numbersIn(heard[KEEPER.name]?.at(-1)).includes(6) ? true : null),
    'whoever may use every tool hears of it',
  );
  await sleep(300);
  expect(heard[LOB.name]?.length).toBe(1);
  for (const socket of sockets) socket.close();
});
