/**
 * Whoever holds a key may ask for the figures of the gateway, and finds those of what it may list: no label and no total
 * tells of a private server, a tool of which nothing was granted, or another's agent. Whoever may change every server
 * finds them all.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { openClient } from '../support/mcp-client.ts';
import { ADMIN, METHODS, openSearched, type SearchedGateway, tokenFor, type Who } from '../support/searched-gateway.ts';

const LOB: Who = { name: 'lou', groups: ['lob'] };
const EVERYBODY: Who = { name: 'eve', groups: ['everybody'] };
const tool = (name: string) => ({ name, description: name, inputSchema: { type: 'object' } });
let server: StartedScripted;
let searched: SearchedGateway;

async function call(who: Who, name: string, args: JsonObject = {}): Promise<JsonObject | null> {
  const headers = { authorization: `Bearer ${tokenFor(who)}` };
  const client = await openClient(searched.gateway.origin, 'modern', { path: '/mcp', headers });
  const { answer } = await client.request('tools/call', { name, arguments: args });
  await client.close();
  return answer;
}

beforeAll(async () => {
  server = await startScripted({ tools: [tool('pick'), tool('press')] });
  const at = (path: string, more: JsonObject = {}) => ({
    ...{ path: `/${path}`, name: path, description: path, proxy_pass_url: server.url },
    ...more,
  });
  searched = await openSearched({
    rights: {
      lob: {
        ui: { list_service: ['orchard'] },
        servers: [{ server: 'orchard', methods: METHODS, tools: ['pick'] }],
      },
      everybody: { ui: { list_service: ['all'] }, servers: [{ server: '*', methods: METHODS, tools: '*' }] },
    },
    servers: [at('orchard'), at('northwind'), at('vineyard', { visibility: 'private' })],
    agents: [],
    tools: 6,
  });
  for (const name of ['orchard__pick', 'orchard__press', 'northwind__pick', 'vineyard__pick']) {
    const answer = await call(ADMIN, name);
    expect(answer?.error, JSON.stringify(answer)).toBeUndefined();
  }
}, 60_000);
afterAll(async () => {
  await searched?.stop();
  await server?.close();
});

async function figures(who: Who): Promise<{ text: string; json: JsonObject }> {
  const ask = (accept: string) =>
    fetch(`${searched.gateway.origin}/metrics`, { headers: { authorization: `Bearer ${tokenFor(who)}`, accept } });
  return {
    text: await (await ask('text/plain')).text(),
    json: (await (await ask('application/json')).json()) as JsonObject,
  };
}

const namesIn = (written: string) =>
  ['orchard', 'northwind', 'vineyard', 'press'].filter(name => written.includes(`"${name}"`));

test.each([
  { who: ADMIN, finds: ['orchard', 'northwind', 'vineyard', 'press'], because: 'may change every server' },
  { who: EVERYBODY, finds: ['orchard', 'northwind', 'press'], because: 'may list everything, and one is private' },
  { who: LOB, finds: ['orchard'], because: 'may list one server and use one tool of it' },
  { who: { name: 'stan', groups: [] }, finds: [], because: 'may list nothing' },
])('$who.name finds figures of $finds: $because', async ({ who, finds }) => {
  const { text, json } = await figures(who);
  expect(namesIn(text)).toEqual(finds);
  const servers = Object.keys(json.servers as JsonObject);
  expect(servers.sort()).toEqual(finds.filter(name => name !== 'press').sort());
});

test('a total is that of what is shown', async () => {
  const callsIn = async (who: Who) => {
    const { operations } = (await figures(who)).json as { operations: Record<string, { count: number }> };
    return operations['tools/call']?.count ?? 0;
  };
  expect([await callsIn(ADMIN), await callsIn(EVERYBODY), await callsIn(LOB)]).toEqual([4, 3, 2]);
  expect((await fetch(`${searched.gateway.origin}/metrics`)).status).toBe(401);
});

test('a name that was only asked for is no figure: it would tell what is private from what is not there', async () => {
  const explain = (name: string) =>
    searched.ask(EVERYBODY, 'POST', '/api/policy/explain', { server: name, tool: 'pick' }).catch(() => null);
  for (const name of ['vineyard', 'vanished']) {
    await call(EVERYBODY, 'execute_tool', { server: name, tool: 'pick', args: {} });
    await call(EVERYBODY, `${name}__pick`);
    await explain(name);
  }
  const { text, json } = await figures(EVERYBODY);
  for (const name of ['vineyard', 'vanished']) {
    expect(text).not.toContain(name);
    expect(JSON.stringify(json)).not.toContain(name);
  }
});

test('readiness, which anybody may ask for, counts nothing that is not for everybody', async () => {
  const ready = await fetch(`${searched.gateway.origin}/ready`);
  const { total_count: all } = await searched.ask(ADMIN, 'GET', '/api/servers');
  expect(await ready.json()).toEqual({ status: 'ready', servers_configured: Number(all) - 1 });
});
