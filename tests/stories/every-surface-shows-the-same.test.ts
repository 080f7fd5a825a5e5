/**
 * Whatever the scopes of a caller and whatever is visible to whom: the list of servers, the compatibility API and the
 * servers that are found are one set, and so are the tools that are listed, found and callable. Where a server is granted
 * with its tools, as scopes are meant to be written, all of these are of the same servers. What the sets must be is said
 * here a second time, from the grants alone.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { type Client, errorOf, resultOf } from '../support/mcp-client.ts';
import { ADMIN, METHODS, openSearched, type SearchedGateway, tokenFor, type Who } from '../support/searched-gateway.ts';

const RUNS = 40;
/** Shrinking what failed counts as well; what was found until then is told. */
const MOST_MS = 60_000;
const SERVERS = ['atlas', 'borealis', 'cassini', 'team--ember', 'team/ember', 'team/fjord', 'granite', 'harbor'];
const TOOLS = ['tool_0001', 'tool_0002', 'tool_0003'];
const TEAMS = ['red', 'green', 'blue'];
const GROUP = 'caller';

const aVisibility = fc.oneof(
  fc.constant({ visibility: 'public', allowed_groups: [] as string[] }),
  fc.constant({ visibility: 'private', allowed_groups: [] as string[] }),
  fc
    .subarray(TEAMS, { minLength: 1 })
    .map(teams => ({ visibility: 'group-restricted', allowed_groups: teams as string[] })),
);
/** Of one server, what its caller is granted there: all tools, some, or none, which is no grant at all. */
const aGrant = fc.oneof(fc.constant(TOOLS), fc.subarray(TOOLS));
const aServer = fc.record({ shown: aVisibility, tools: aGrant });
/** Whether it may be listed: as it is used, or as somebody wrote the two halves of a file apart. */
const together = aServer.map(server => ({ ...server, isListed: server.tools.length > 0 }));
const apart = fc
  .record({ server: aServer, isListed: fc.boolean() })
  .map(({ server, isListed }) => ({ ...server, isListed }));
const worldOf = (server: typeof together) =>
  fc.record({ teams: fc.subarray(TEAMS), servers: fc.tuple(...SERVERS.map(() => server)) });
const aWorld = fc.oneof(worldOf(together), worldOf(apart));
type World = typeof aWorld extends fc.Arbitrary<infer T> ? T : never;

let behind: StartedScripted;
let searched: SearchedGateway;
/** Public names by path and own name. */
let nameOf: Map<string, string>;
beforeAll(async () => {
  behind = await startScripted({ tools: TOOLS.length });
  searched = await openSearched({
    rights: {},
    servers: SERVERS.map(path => ({
      ...{ path: `/${path}`, name: `Server ${path}`, description: `Works for ${path}`, proxy_pass_url: behind.url },
    })),
    agents: [],
    tools: SERVERS.length * TOOLS.length,
  });
  const { tools } = await searched.search(ADMIN, 'a tool', { entity_types: ['tool'] });
  nameOf = new Map(
    tools.map(({ public_name: name, server_path: path, tool_name: tool }) => [`${path} ${tool}`, String(name)]),
  );
  expect(nameOf.size).toBe(SERVERS.length * TOOLS.length);
}, 60_000);
afterAll(async () => {
  await searched?.stop();
  await behind?.close();
});

const sorted = (names: Iterable<unknown>) => [...new Set(Array.from(names, String))].sort();
const rows = (list: unknown) => (list ?? []) as JsonObject[];

/** The only changes are those of REST: they hold for the very next question on any surface. */
async function establish({ teams, servers }: World): Promise<Who> {
  const granted = servers.map(({ tools }, at) => ({ server: SERVERS[at] ?? '', tools })).filter(it => it.tools.length);
  await searched.ask(ADMIN, 'POST', '/api/servers/groups/import', {
    ...{ scope_name: GROUP, group_mappings: [GROUP] },
    server_access: granted.map(({ server, tools }) => ({ server, tools, methods: METHODS })),
    ui_permissions: { list_service: SERVERS.filter((_, at) => servers[at]?.isListed) },
  });
  for (const [at, { shown }] of servers.entries())
    await searched.ask(ADMIN, 'PATCH', `/api/servers/${SERVERS[at]}`, shown);
  return { name: 'casey', groups: [GROUP, ...teams] };
}

/** What is granted and in sight. */
function expected({ teams, servers }: World) {
  const visible = servers.flatMap(({ shown: { visibility, allowed_groups: allowed }, ...server }, at) => {
    const isVisible = visibility === 'public' || allowed.some(team => (teams as string[]).includes(team));
    return isVisible ? [{ path: `/${SERVERS[at]}`, ...server }] : [];
  });
  const paths = (some: typeof visible) => sorted(some.map(({ path }) => path));
  return {
    servers: paths(visible.filter(({ isListed }) => isListed)),
    ofTools: paths(visible.filter(({ tools }) => tools.length > 0)),
    tools: sorted(visible.flatMap(({ path, tools }) => tools.map(tool => nameOf.get(`${path} ${tool}`)))),
  };
}

async function callable(client: Client): Promise<string[]> {
  const answered: string[] = [];
  for (const name of nameOf.values()) {
    const reply = await client.call(name, { subject: 'it' });
    if (reply.answer?.result !== undefined) answered.push(name);
    else expect((errorOf(reply).data as JsonObject).code, name).toMatch(/^(?:DENIED_BY_POLICY|TOOL_NOT_FOUND)$/);
  }
  return answered;
}

async function overMcp(who: Who) {
  const client = await searched.gateway.open('modern', tokenFor(who));
  const listed = rows(resultOf(await client.request('tools/list')).tools).map(({ name }) => name);
  const answered = await callable(client);
  await client.close();
  const pathOf = new Map([...nameOf].map(([key, name]) => [name, key.split(' ')[0]]));
  return { listed: sorted(listed), callable: sorted(answered), ofCallable: sorted(answered.map(it => pathOf.get(it))) };
}

async function overRest(who: Who) {
  const official = rows((await searched.ask(who, 'GET', '/v0.1/servers')).servers).map(({ server }) => {
    const meta = ((server as JsonObject)._meta as JsonObject)['io.mcpgateway/internal'] as JsonObject;
    return meta.path;
  });
  const servers = await searched.search(who, 'works for somebody', { entity_types: ['mcp_server'] });
  const tools = await searched.search(who, 'takes a subject and a few options', { entity_types: ['tool'] });
  return {
    official: sorted(official),
    found: sorted(servers.servers.map(({ path }) => path)),
    foundTools: sorted(tools.tools.map(({ public_name: name }) => name)),
    ofFoundTools: sorted(tools.tools.map(({ server_path: path }) => path)),
  };
}

/** Whoever may list no server is refused the list, and sees none anywhere else. */
async function listedServers(who: Who, { servers }: World): Promise<string[]> {
  const listing = searched.ask(who, 'GET', '/api/servers');
  if (servers.some(({ isListed }) => isListed)) return sorted(rows((await listing).servers).map(it => it.path));
  await expect(listing).rejects.toThrow(' 403 ');
  return [];
}

test('every surface shows one set of servers and one of tools: what is granted and in sight', async () => {
  const seen = new Set<string>();
  let wholes = 0;
  const property = fc.asyncProperty(aWorld, async world => {
    const who = await establish(world);
    const should = expected(world);
    const { official, found, foundTools, ofFoundTools } = await overRest(who);
    const mcp = await overMcp(who);
    const listed = await listedServers(who, world);
    expect({ official, found, listed }).toEqual({
      ...{ official: should.servers, found: should.servers, listed: should.servers },
    });
    expect({ found: ofFoundTools, callable: mcp.ofCallable }).toEqual({
      ...{ found: should.ofTools, callable: should.ofTools },
    });
    expect({ listed: mcp.listed, callable: mcp.callable, found: foundTools }).toEqual({
      ...{ listed: should.tools, callable: should.tools, found: should.tools },
    });
    seen.add(should.tools.join(' '));
    if (world.servers.every(({ tools, isListed }) => isListed === tools.length > 0)) {
      wholes += 1;
      expect(should.servers).toEqual(should.ofTools);
    }
  });
  await fc.assert(property, { numRuns: RUNS, interruptAfterTimeLimit: MOST_MS, markInterruptAsFailure: false });
  expect(seen.size, 'the worlds differ').toBeGreaterThan(5);
  expect(wholes, 'some are written as they are meant to be').toBeGreaterThan(0);
}, 90_000);
