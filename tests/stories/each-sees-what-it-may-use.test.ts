/**
 * Lines of business at one gateway, with a real authorization server: every bot is shown what it may use, and may use what
 * it is shown - tools, prompts, resources, templates, completion, by list and by search. And the official client, given
 * nothing but the address, finds its way from a refusal to a working call as the person who signed in.
 */
import { Client as SdkClient, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Era } from '../../src/domain/era.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { type AuthorizationServer, startAuthorizationServer } from '../support/authorization-server.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { findFreePort } from '../support/free-port.ts';
import { type GuardedGateway, startGuarded } from '../support/guarded-gateway.ts';
import { type Client, errorOf, openClient, type Reply, resultOf } from '../support/mcp-client.ts';
import { createVisitor } from '../support/visitor.ts';

const SERVERS = ['currenttime', 'fininfo', 'mcpgw'] as const;
const TALK = ['initialize', 'notifications/initialized', 'ping', 'tools/list', 'tools/call'];
const SCOPES = {
  group_mappings: {
    'registry-admins': ['mcp-servers-unrestricted/execute'],
    'registry-users-lob1': ['lob1'],
    'registry-users-lob2': ['lob2', 'readers-of-fininfo'],
  },
  'mcp-servers-unrestricted/execute': [{ server: '*', methods: 'all', tools: '*' }],
  lob1: [
    { server: 'currenttime', methods: [...TALK, 'prompts/list', 'prompts/get'], tools: ['get_time', 'echo', 'add'] },
    { server: 'mcpgw', methods: TALK, tools: '*' },
  ],
  lob2: [{ server: 'fininfo', methods: TALK, tools: ['add'] }],
  'readers-of-fininfo': [{ server: 'fininfo', methods: ['resources/list', 'resources/read'], tools: [] }],
};
const bot = (name: string, group: string) => ({ id: `${name}-bot`, secret: `secret-of-${name}`, groups: [group] });
const BOTS = {
  admin: bot('admin', 'registry-admins'),
  lob1: bot('lob1', 'registry-users-lob1'),
  lob2: bot('lob2', 'registry-users-lob2'),
  stranger: bot('stranger', 'registry-users-lob3'),
};
type Bot = keyof typeof BOTS;
const FIRST = 'mcp:tools.list';

let authority: AuthorizationServer;
let servers: StartedScripted[];
let gateway: GuardedGateway;
const tokens = new Map<Bot, string>();

beforeAll(async () => {
  authority = await startAuthorizationServer({
    clients: Object.values(BOTS),
    scopes: [FIRST],
    people: new Map([['alice', ['registry-users-lob1']]]),
  });
  servers = await Promise.all(SERVERS.map(name => startScripted({ name })));
  const port = await findFreePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  gateway = await startGuarded({
    servers: Object.fromEntries(SERVERS.map((name, i) => [name, { url: servers[i]?.url ?? '' }])),
    scopes: SCOPES,
    issuer: false,
    settings: {
      exposure: { default: 'direct' },
      identity: {
        publicUrl,
        requiredScopes: [FIRST],
        issuers: [{ issuer: authority.issuer, kind: 'oidc', audiences: [`${publicUrl}/mcp`] }],
      },
    },
    env: { GATEWAY_HTTP_PORT: String(port) },
  });
  for (const [name, client] of Object.entries(BOTS))
    tokens.set(name as Bot, await authority.token(client, `${publicUrl}/mcp`, FIRST));
}, 60_000);

afterAll(async () => {
  await gateway.stop();
  for (const server of servers) await server.close();
  await authority.close();
});

const open = (name: Bot, era: Era, path = '/mcp'): Promise<Client> =>
  openClient(gateway.origin, era, {
    path,
    // Servers ask nothing of a client that can answer nothing.
    capabilities: {},
    headers: { authorization: `Bearer ${tokens.get(name)}` },
  });

const KINDS = {
  tools: { list: 'tools/list', id: 'name' },
  prompts: { list: 'prompts/list', id: 'name' },
  resources: { list: 'resources/list', id: 'uri' },
  resourceTemplates: { list: 'resources/templates/list', id: 'uriTemplate' },
} as const;
type Kind = keyof typeof KINDS;

async function listed(client: Client, kind: Kind): Promise<string[]> {
  const { list, id } = KINDS[kind];
  const items = (resultOf(await client.request(list))[kind] ?? []) as JsonObject[];
  return items.map(item => String(item[id])).sort();
}

const isDenied = (reply: Reply) =>
  (errorOf(reply).data as JsonObject | undefined)?.code === 'DENIED_BY_POLICY' || reply.status === 403;

/** An address names no server: what may not be used is as unknown as what nobody has. */
const isUnknown = (reply: Reply) =>
  ['RESOURCE_NOT_FOUND', 'INVALID_PARAMS'].includes(String((errorOf(reply).data as JsonObject | undefined)?.code));

async function used(
  names: readonly string[],
  use: (name: string) => Promise<Reply>,
  isKeptFrom = isDenied,
): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) if (!isKeptFrom(await use(name))) found.push(name);
  return found;
}

describe('the six access tests', () => {
  test.each([
    ['admin', 'currenttime__get_time', true],
    ['admin', 'fininfo__delete_all', true],
    ['lob1', 'currenttime__get_time', true],
    ['lob1', 'fininfo__add', false],
    ['lob2', 'fininfo__add', true],
    ['lob2', 'currenttime__get_time', false],
  ] as const)('%s-bot calls %s: %s', async (name, tool, isAllowed) => {
    const client = await open(name, 'legacy');
    const before = servers.map(server => JSON.stringify(server.stats().calls));
    const reply = await client.call(tool, { a: 1, b: 2 });
    expect([reply.status, reply.answer !== null && 'result' in reply.answer]).toEqual([
      isAllowed ? 200 : 403,
      isAllowed,
    ]);
    const isUntouched = JSON.stringify(servers.map(server => JSON.stringify(server.stats().calls)));
    expect(isUntouched === JSON.stringify(before)).toBe(!isAllowed);
    await client.close();
  });
});

describe.each(['legacy', 'modern'] as const)('a %s client', era => {
  test('of a line of business is shown a true part of what an administrator is', async () => {
    const shown = new Map<Bot, string[]>();
    for (const name of ['admin', 'lob1', 'lob2', 'stranger'] as const) {
      const client = await open(name, era);
      shown.set(name, await listed(client, 'tools'));
      await client.close();
    }
    const [admin = [], lob1 = [], lob2 = []] = [shown.get('admin'), shown.get('lob1'), shown.get('lob2')];
    expect([admin.length, lob1.length, lob2, shown.get('stranger')]).toEqual([63, 24, ['fininfo__add'], []]);
    expect([...lob1, ...lob2].filter(name => !admin.includes(name))).toEqual([]);
  });

  test.each(['admin', 'lob1', 'lob2', 'stranger'] as const)('of %s may use exactly what it is shown', async name => {
    const [all, client] = [await open('admin', era), await open(name, era)];
    const everything = {
      // Calling this one changes what is listed.
      tools: (await listed(all, 'tools')).filter(tool => !tool.endsWith('__toggle')),
      prompts: await listed(all, 'prompts'),
      resources: await listed(all, 'resources'),
      resourceTemplates: await listed(all, 'resourceTemplates'),
    };
    expect(Object.values(everything).map(({ length }) => length)).toEqual([60, 6, 9, 3]);
    const shown = (await listed(client, 'tools')).filter(tool => !tool.endsWith('__toggle'));
    expect(await used(everything.tools, tool => client.call(tool, {}))).toEqual(shown);

    const prompts = await listed(client, 'prompts');
    const completion = (ref: JsonObject, argument: string) =>
      client.request('completion/complete', { ref, argument: { name: argument, value: 'a' } });
    expect(await used(everything.prompts, it => client.request('prompts/get', { name: it }))).toEqual(prompts);
    expect(await used(everything.prompts, it => completion({ type: 'ref/prompt', name: it }, 'name'))).toEqual(prompts);

    const [resources, templates] = [await listed(client, 'resources'), await listed(client, 'resourceTemplates')];
    expect(await used(everything.resources, uri => client.request('resources/read', { uri }), isUnknown)).toEqual(
      resources,
    );
    if (era === 'legacy')
      expect(
        await used(everything.resources, uri => client.request('resources/subscribe', { uri }), isUnknown),
      ).toEqual(resources);
    const read = (template: string) => client.request('resources/read', { uri: template.replace('{id}', '7') });
    expect(await used(everything.resourceTemplates, read, isUnknown)).toEqual(templates);
    const complete = (uri: string) => completion({ type: 'ref/resource', uri }, 'id');
    expect(await used(everything.resourceTemplates, complete, isUnknown)).toEqual(templates);
    for (const it of [all, client]) await it.close();
  });

  test('gets one answer for addresses that it may not know and for those that nobody has', async () => {
    const [all, client] = [await open('admin', era), await open('stranger', era)];
    const [there = ''] = await listed(all, 'resources');
    const nobodys = 'nobody://has/this';
    const answers = async (uri: string) => {
      const replies = [
        await client.request('resources/read', { uri }),
        await client.request('completion/complete', {
          ref: { type: 'ref/resource', uri },
          argument: { name: 'id', value: 'a' },
        }),
        ...(era === 'legacy' ? [await client.request('resources/subscribe', { uri })] : []),
      ];
      return JSON.stringify(replies.map(reply => [reply.status, errorOf(reply)])).replaceAll(uri, 'URI');
    };
    expect(await answers(there)).toBe(await answers(nobodys));
    for (const it of [all, client]) await it.close();
  });

  test.each(['admin', 'lob1', 'lob2', 'stranger'] as const)(
    'of %s finds by every way in what the list shows',
    async name => {
      const direct = await open(name, era);
      const shown = await listed(direct, 'tools');
      const agent = await open(name, era, '/mcp/agent');
      const told = resultOf(await agent.call('list_servers')).structuredContent as { result: { name: string }[] };
      const seen = told.result.map(it => it.name);
      const byServer: string[] = [];
      for (const server of SERVERS) {
        const answer = resultOf(await agent.call('get_server_tools', { server })).structuredContent as
          | { tools: { name: string }[] }
          | undefined;
        for (const tool of answer?.tools ?? []) byServer.push(`${server}__${tool.name}`);
      }
      expect(byServer.sort()).toEqual(shown);
      expect([...new Set([...shown.map(tool => tool.split('__')[0] ?? '')])].sort()).toEqual(seen.sort());
      // What it is told at the door names the same servers.
      const welcome = await instructionsFor(direct, name);
      expect(SERVERS.filter(server => welcome.includes(server))).toEqual(seen);

      const finder = await open(name, era, '/mcp/discovery');
      for (const query of ['tells the time', 'adds two numbers', 'deletes everything', 'what has this server seen']) {
        const found = resultOf(await finder.call('find_tools', { query, limit: 50 })).structuredContent as {
          tools: { name: string }[];
        };
        expect(found.tools.map(tool => tool.name).filter(tool => !shown.includes(tool))).toEqual([]);
      }
      for (const hidden of SERVERS.filter(server => !seen.includes(server)))
        expect(isDenied(await finder.call('call_tool', { name: `${hidden}__add`, arguments: { a: 1, b: 2 } }))).toBe(
          true,
        );
      for (const client of [direct, agent, finder]) await client.close();
    },
  );
});

async function instructionsFor(client: Client, name: Bot): Promise<string> {
  if (client.era === 'modern') return String(resultOf(await client.request('server/discover')).instructions);
  const hello = await fetch(`${gateway.origin}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${tokens.get(name)}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'story', version: '1' } },
    }),
  });
  return ((await hello.json()) as { result: { instructions: string } }).result.instructions;
}

test('the official client gets from a 401 to a working call with nothing but the address, as the one who signed in', async () => {
  const { authProvider, browser } = createVisitor();
  const begin = () => ({
    client: new SdkClient({ name: 'visitor', version: '1' }),
    transport: new StreamableHTTPClientTransport(new URL(`${gateway.origin}/mcp`), { authProvider }),
  });
  const first = begin();
  await expect(first.client.connect(first.transport)).rejects.toThrow(UnauthorizedError);
  if (browser.url === null) throw new Error('no browser was opened');
  await first.transport.finishAuth((await authority.signIn(browser.url, 'alice')).searchParams);

  const { client, transport } = begin();
  await client.connect(transport);
  const { tools } = await client.listTools();
  expect(tools.length).toBe(24);
  const answer = await client.callTool({ name: 'currenttime__add', arguments: { a: 20, b: 22 } });
  expect(answer.content).toEqual([{ type: 'text', text: '42' }]);
  await expect(client.callTool({ name: 'fininfo__add', arguments: { a: 1, b: 1 } })).rejects.toThrow();
  await client.close();
  const lines = (await gateway.book(1)).filter(({ subject }) => subject === `${authority.issuer}|alice`);
  expect(lines.map(({ server, tool, decision }) => [server, tool, decision])).toContainEqual([
    ...['currenttime', 'add', 'ALLOW'],
  ]);
});

test('a token for a server that is named like the registry opens that server alone', async () => {
  const token = await authority.token(BOTS.admin, `${gateway.origin}/mcpgw/mcp`, FIRST);
  const headers = { authorization: `Bearer ${token}` };
  const own = await openClient(gateway.origin, 'modern', { path: '/mcpgw/mcp', headers });
  expect(await listed(own, 'tools')).toContain('echo');
  const registry = await openClient(gateway.origin, 'modern', { path: '/mcp/registry', headers });
  expect(resultOf(await registry.request('tools/list')).tools).not.toContainEqual(
    expect.objectContaining({ name: 'list_services' }),
  );
  const other = await openClient(gateway.origin, 'modern', { path: '/currenttime/mcp', headers });
  expect((await other.request('tools/list')).status).toBe(403);
  for (const client of [own, registry, other]) await client.close();
});
