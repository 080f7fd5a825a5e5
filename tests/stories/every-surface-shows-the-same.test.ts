/**
 * Whoever asks, whatever the scopes and whatever is visible to whom: the list of servers, the compatibility API, the search
 * and the servers that can be called over MCP are one set, and so are the tools that are listed, found and callable.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { errorOf, resultOf } from '../support/mcp-client.ts';
import { ADMIN, METHODS, openSearched, type SearchedGateway, tokenFor, type Who } from '../support/searched-gateway.ts';

const SEED = 20_261_126;
const CALLERS = 12;
const SERVERS = ['atlas', 'borealis', 'cassini', 'delta', 'team/ember', 'team/fjord', 'granite', 'harbor'];
const TOOLS = ['tool_0001', 'tool_0002', 'tool_0003'];
const TEAMS = ['red', 'green', 'blue'];

const someTeams = fc.subarray(TEAMS);
const aVisibility = fc.oneof(
  fc.constant({ visibility: 'public' }),
  fc.constant({ visibility: 'private' }),
  fc.subarray(TEAMS, { minLength: 1 }).map(teams => ({ visibility: 'group-restricted', allowed_groups: teams })),
);
/** Per server the tools that are granted; null: all. A server of which nothing is granted is not listed either. */
const aGrant = fc.oneof(fc.constant(null), fc.subarray(TOOLS));
const someRights = fc.record({ teams: someTeams, grants: fc.tuple(...SERVERS.map(() => aGrant)) });

const [visibilities = []] = fc.sample(fc.tuple(...SERVERS.map(() => aVisibility)), { seed: SEED, numRuns: 1 });
const callers = fc.sample(someRights, { seed: SEED, numRuns: CALLERS }).map(({ teams, grants }, at) => {
  const name = `caller-${at}`;
  const granted = SERVERS.map((server, i) => ({ server, tools: grants[i] ?? null })).filter(
    ({ tools }) => tools === null || tools.length > 0,
  );
  return {
    who: { name, groups: [name, ...teams] } satisfies Who,
    rights: {
      ui: { list_service: granted.map(({ server }) => server) },
      servers: granted.map(({ server, tools }) => ({ server, methods: METHODS, tools: tools ?? '*' })),
    },
  };
});

let behind: StartedScripted;
let searched: SearchedGateway;
/** Public name to path of its server. */
let everyTool: Map<string, string>;
beforeAll(async () => {
  behind = await startScripted({ tools: TOOLS.length });
  searched = await openSearched({
    rights: Object.fromEntries(callers.map(({ who, rights }) => [who.name, rights])),
    servers: SERVERS.map((path, i) => ({
      ...{ path: `/${path}`, name: `Server ${path}`, description: `Works for ${path}`, proxy_pass_url: behind.url },
      ...visibilities[i],
    })),
    agents: [],
    tools: SERVERS.length * TOOLS.length,
  });
  const { tools } = await searched.search(ADMIN, 'a tool', { entity_types: ['tool'] });
  everyTool = new Map(tools.map(({ public_name: name, server_path: path }) => [String(name), String(path)]));
  expect(everyTool.size).toBe(SERVERS.length * TOOLS.length);
}, 60_000);
afterAll(async () => {
  await searched?.stop();
  await behind?.close();
});

const sorted = (names: Iterable<unknown>) => [...new Set(Array.from(names, String))].sort();
const rows = (list: unknown) => list as JsonObject[];

async function overMcp(who: Who) {
  const client = await searched.gateway.open('modern', tokenFor(who));
  const listed = rows(resultOf(await client.request('tools/list')).tools ?? []).map(({ name }) => String(name));
  const callable: { server: string; name: string }[] = [];
  for (const [name, server] of everyTool) {
    const reply = await client.call(name, { subject: 'it' });
    if (reply.answer?.result !== undefined) callable.push({ server, name });
    else expect((errorOf(reply).data as JsonObject).code, name).toMatch(/^(?:DENIED_BY_POLICY|TOOL_NOT_FOUND)$/);
  }
  await client.close();
  return { listed, callable };
}

async function overRest(who: Who) {
  const get = (path: string) => searched.ask(who, 'GET', path);
  const official = rows((await get('/v0.1/servers')).servers).map(({ server }) => {
    const meta = ((server as JsonObject)._meta as JsonObject)['io.mcpgateway/internal'] as JsonObject;
    return meta.path;
  });
  const servers = await searched.search(who, 'works for somebody', { entity_types: ['mcp_server'] });
  const tools = await searched.search(who, 'takes a subject and a few options', { entity_types: ['tool'] });
  return {
    official,
    found: servers.servers.map(({ path }) => path),
    foundTools: tools.tools.map(({ public_name: name }) => name),
    ofFoundTools: tools.tools.map(({ server_path: path }) => path),
  };
}

/** Whoever may list no server is refused the list, and sees none anywhere else. */
async function listedServers(who: Who, mayList: boolean): Promise<unknown[]> {
  if (mayList) return rows((await searched.ask(who, 'GET', '/api/servers')).servers).map(({ path }) => path);
  await expect(searched.ask(who, 'GET', '/api/servers')).rejects.toThrow(' 403 ');
  return [];
}

test.each(callers)(
  '$who.name sees one set of servers and one of tools',
  async ({ who, rights }) => {
    const servers = sorted(await listedServers(who, rights.ui.list_service.length > 0));
    const { official, found, foundTools, ofFoundTools } = await overRest(who);
    const { listed, callable } = await overMcp(who);
    expect({ official: sorted(official), found: sorted(found) }).toEqual({ official: servers, found: servers });
    expect(sorted(callable.map(({ server }) => server))).toEqual(servers);
    expect(sorted(ofFoundTools)).toEqual(servers);
    const names = sorted(callable.map(({ name }) => name));
    expect({ listed: sorted(listed), found: sorted(foundTools) }).toEqual({ listed: names, found: names });
  },
  30_000,
);

test('the callers differ: no set is everything, nothing or the same for all', async () => {
  const seen = new Set<string>();
  for (const { who } of callers) seen.add(sorted((await overRest(who)).foundTools).join(' '));
  expect(seen.size).toBeGreaterThan(CALLERS / 2);
});
