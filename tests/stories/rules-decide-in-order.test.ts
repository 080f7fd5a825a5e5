/**
 * The worked cases of the agents' rules, asked of a running gateway: by execute_tool and by name, in both eras. Every no
 * names the entry that decided, the book has the same, and nothing that was refused reached a server.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Era } from '../../src/domain/era.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { type GuardedGateway, startGuarded, tokenOf } from '../support/guarded-gateway.ts';
import { type Client, errorOf, type Reply, resultOf } from '../support/mcp-client.ts';

const ALLOWED = null;

/** Servers: echo, web, db, all with the same tools, and vault with tools that only it has. */
const AGENTS = {
  all: { allow: { servers: ['*'] } },
  narrowed: { allow: { servers: ['*'], tools: { echo: ['add'] } } },
  fenced: {
    allow: { servers: ['*'], tools: { echo: ['add'] } },
    deny: { servers: ['db'], tools: { web: ['get_time'] } },
  },
  careful: {
    allow: { servers: ['echo'], tools: { echo: ['delete_one', 'get_time'] } },
    deny: { tools: { echo: ['delete_*'] } },
  },
  emptied: { allow: { servers: ['echo'], tools: { echo: [] } } },
  torn: { allow: { servers: ['echo', 'web'] }, deny: { servers: ['echo'] } },
  globbed: { allow: { servers: ['ec*'] } },
  everywhere: { allow: { servers: ['*'] }, deny: { tools: { '*': ['delete_*'] } } },
} satisfies JsonObject;
type Agent = keyof typeof AGENTS;

const CASES: readonly [agent: Agent, server: string, tool: string, rule: string | null, because: string][] = [
  ['all', 'web', 'add', ALLOWED, 'a server that is allowed without a list of tools grants them all'],
  ['narrowed', 'echo', 'get_time', 'agents.narrowed.allow.tools.echo: no allow entry', 'a list is all there is'],
  ['narrowed', 'echo', 'add', ALLOWED, 'it is on the list'],
  ['narrowed', 'web', 'get_time', ALLOWED, 'the list is another server’s'],
  ['fenced', 'db', 'add', 'agents.fenced.deny.servers[0]', 'the server is denied'],
  ['fenced', 'web', 'get_time', 'agents.fenced.deny.tools.web[0]', 'the tool is denied'],
  ['fenced', 'web', 'echo', ALLOWED, 'its neighbours are not'],
  ['careful', 'echo', 'delete_one', 'agents.careful.deny.tools.echo[0]', 'a denied pattern beats an allowed name'],
  ['careful', 'echo', 'get_time', ALLOWED, 'no pattern denies it'],
  ['careful', 'echo', 'add', 'agents.careful.allow.tools.echo: no allow entry', 'nothing grants it'],
  ['emptied', 'echo', 'add', ALLOWED, 'an empty list is no list'],
  ['torn', 'echo', 'add', 'agents.torn.deny.servers[0]', 'deny beats allow'],
  ['torn', 'web', 'add', ALLOWED, 'the other server is not denied'],
  ['globbed', 'echo', 'add', ALLOWED, 'the pattern covers it'],
  ['globbed', 'web', 'add', 'agents.globbed.allow.servers: no allow entry', 'the pattern does not cover it'],
  [
    'everywhere',
    'db',
    'delete_all',
    'agents.everywhere.deny.tools["*"][0]',
    'what is denied everywhere is denied here',
  ],
  ['everywhere', 'db', 'add', ALLOWED, 'it is not of that pattern'],
];

let servers: StartedScripted[];
let gateway: GuardedGateway;
const clients = new Map<string, Client>();

beforeAll(async () => {
  servers = await Promise.all(['echo', 'web', 'db'].map(name => startScripted({ name })));
  servers.push(await startScripted({ name: 'vault', tools: 2 }));
  const [echo, web, db, vault] = servers.map(({ url }) => ({ url }));
  if (!echo || !web || !db || !vault) throw new Error('four servers');
  gateway = await startGuarded({ servers: { echo, web, db, vault }, rules: { agents: AGENTS } });
}, 60_000);

afterAll(async () => {
  for (const client of clients.values()) await client.close();
  await gateway.stop();
  for (const server of servers) await server.close();
});

async function as(agent: string, era: Era): Promise<Client> {
  const known = clients.get(`${agent} ${era}`);
  if (known !== undefined) return known;
  const client = await gateway.open(era, tokenOf(`of-${agent}`, { agent_id: agent }));
  clients.set(`${agent} ${era}`, client);
  return client;
}

const WAYS = {
  execute_tool: (client: Client, server: string, tool: string) =>
    client.call('execute_tool', { server, tool, args: ARGUMENTS }),
  'tools/call': (client: Client, server: string, tool: string) => client.call(`${server}__${tool}`, ARGUMENTS),
};
type Way = keyof typeof WAYS;
const ARGUMENTS = { a: 1, b: 2, text: 'x' };

const effects = () => servers.map(server => JSON.stringify(server.stats().calls));

let asked = 0;

/** What the book says of the request that was answered last. */
const lineOf = async (count: number) => (await gateway.book(count))[count - 1];

describe.each((['legacy', 'modern'] as const).flatMap(era => (Object.keys(WAYS) as Way[]).map(way => ({ era, way }))))(
  '$way of a $era client',
  ({ era, way }) => {
    test.each(CASES)('%s asks %s for %s: %s, because %s', async (agent, server, tool, rule) => {
      const client = await as(agent, era);
      const before = effects();
      const reply = await WAYS[way](client, server, tool);
      expect(reply.status).toBe(200);
      expect(reply.headers).not.toHaveProperty('www-authenticate');
      expect(await lineOf(++asked)).toMatchObject({
        ...{ agent_id: agent, agent_verified: true, operation: way, server, tool },
        decision: rule === ALLOWED ? 'ALLOW' : 'DENY',
        ...(rule === ALLOWED ? {} : { rule, error_code: 'DENIED_BY_POLICY' }),
      });
      if (rule === ALLOWED) return expect(resultOf(reply).content).toHaveLength(1);
      expect(errorOf(reply)).toEqual({
        code: era === 'legacy' ? -32000 : -31000,
        message: 'Denied by policy.',
        data: { code: 'DENIED_BY_POLICY', agent_id: agent, operation: way, rule },
      });
      expect(effects()).toEqual(before);
    });
  },
);

test('a list shows what may be called and nothing else: 20 of 21 tools of web, one of echo, none of db', async () => {
  const { tools } = resultOf(await (await as('fenced', 'legacy')).request('tools/list'));
  const names = (tools as { name: string }[]).map(({ name }) => name);
  const of = (server: string) => names.filter(name => name.startsWith(`${server}__`));
  expect([of('web').length, of('echo'), of('db')]).toEqual([20, ['echo__add'], []]);
  expect(names).not.toContain('web__get_time');
  const listed = resultOf(await (await as('fenced', 'legacy')).call('list_servers')).structuredContent;
  expect((listed as { result: { name: string }[] }).result.map(({ name }) => name)).toEqual(['echo', 'web', 'vault']);
});

test('an unknown tool of an allowed server is unknown, under both ways to ask', async () => {
  const client = await as('globbed', 'legacy');
  for (const way of Object.values(WAYS)) {
    expect(errorOf(await way(client, 'echo', 'no_such'))).toMatchObject({
      code: -32002,
      data: { code: 'TOOL_NOT_FOUND', tool: 'no_such', server: 'echo' },
    });
  }
});

/** What an answer says, without the name that was asked for. */
const sayOf = (reply: Reply, name: string) => [
  reply.status,
  JSON.stringify(errorOf(reply)).replaceAll(name, '<name>'),
  JSON.stringify(reply.answer?.result ?? null),
];

describe.each(['legacy', 'modern'] as const)('to a %s client', era => {
  test.each([
    ['execute_tool', (of: Client, server: string) => WAYS.execute_tool(of, server, 'add')],
    ['execute_tool of an unknown tool', (of: Client, server: string) => WAYS.execute_tool(of, server, 'no_such')],
    ['tools/call', (of: Client, server: string) => WAYS['tools/call'](of, server, 'add')],
    ['tools/call of an unknown tool', (of: Client, server: string) => WAYS['tools/call'](of, server, 'no_such')],
    ['get_server_tools', (of: Client, server: string) => of.call('get_server_tools', { server })],
    ['call_tool', (of: Client, server: string) => of.call('call_tool', { name: `${server}__add`, arguments: {} })],
    ['prompts/get', (of: Client, server: string) => of.request('prompts/get', { name: `${server}__greet` })],
    [
      'completion/complete',
      (of: Client, server: string) =>
        of.request('completion/complete', {
          ref: { type: 'ref/prompt', name: `${server}__greet` },
          argument: { name: 'name', value: 'a' },
        }),
    ],
  ])('%s answers for a server it may not use as for one that does not exist', async (_, askFor) => {
    const client = await as('globbed', era);
    expect(sayOf(await askFor(client, 'web'), 'web')).toEqual(sayOf(await askFor(client, 'nil'), 'nil'));
  });

  test('a tool’s name without its server tells nothing to whom it is hidden, and is enough for whom it is not', async () => {
    const ways = [
      (client: Client, name: string) => client.call(name),
      (client: Client, name: string) => client.call('call_tool', { name, arguments: {} }),
    ];
    for (const way of ways) {
      const hidden = sayOf(await way(await as('globbed', era), 'tool_0001'), 'tool_0001');
      expect(hidden).toEqual(sayOf(await way(await as('globbed', era), 'no_such'), 'no_such'));
      expect((await way(await as('all', era), 'tool_0001')).answer).toHaveProperty('result');
    }
  });

  test('a server’s own door answers alike too', async () => {
    const token = tokenOf('of-globbed', { agent_id: 'globbed' });
    const enter = async (server: string) => {
      try {
        const client = await gateway.open(era, token, `/${server}/mcp`);
        return sayOf(await client.request('tools/list'), server);
      } catch (refused) {
        return String(refused).replaceAll(server, '<name>');
      }
    };
    expect(await enter('web')).toEqual(await enter('nil'));
  });
});
