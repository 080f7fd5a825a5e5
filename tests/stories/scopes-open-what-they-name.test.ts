/**
 * Scopes at a running gateway: to look is not to do, a restricted tool is the only one, groups add up, names mean nothing by
 * themselves, and rules and scopes both have to agree. A refusal that a wider token would lift asks for just that scope.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { type GuardedGateway, startGuarded, tokenOf } from '../support/guarded-gateway.ts';
import { type Client, errorOf, exchange, type Reply, resultOf } from '../support/mcp-client.ts';

/** Every name an operator may choose, so that the same story can be told in other words. */
interface Words {
  readers: string;
  executors: string;
  fininfo: string;
  toolsOnly: string;
  groupOfBoth: string;
  groupOfReaders: string;
  groupOfFininfo: string;
}

const PLAIN: Words = {
  readers: 'mcp-servers-unrestricted/read',
  executors: 'mcp-servers-unrestricted/execute',
  fininfo: 'mcp-servers-restricted/execute',
  toolsOnly: 'tools-of-echo',
  groupOfBoth: 'everything',
  groupOfReaders: 'lookers',
  groupOfFininfo: 'finance',
};
const RENAMED: Words = {
  readers: 'Schauen:alle',
  executors: 'api.run',
  fininfo: 'x',
  toolsOnly: '*/*',
  groupOfBoth: '4c46ec66-0000-0000-0000-000000000000',
  groupOfReaders: '/org/lesen & sehen',
  groupOfFininfo: 'api',
};

const LOOK = ['initialize', 'notifications/initialized', 'ping', 'tools/list', 'resources/list'];

const scopesOf = (words: Words): JsonObject => ({
  group_mappings: {
    [words.groupOfReaders]: [words.readers],
    [words.groupOfFininfo]: [words.fininfo],
    [words.groupOfBoth]: [words.readers, words.executors],
  },
  [words.readers]: [{ server: '*', methods: LOOK, tools: [] }],
  [words.executors]: [{ server: '*', methods: [...LOOK, 'tools/call', 'resources/read', 'prompts/get'], tools: '*' }],
  [words.fininfo]: [{ server: 'fininfo', methods: [...LOOK, 'tools/call'], tools: ['get_time', 'add'] }],
  [words.toolsOnly]: [{ server: '/echo/', methods: ['tools/list', 'tools/call'], tools: ['echo'] }],
});

const RULES = {
  agents: {
    careful: { allow: { servers: ['*'] }, deny: { tools: { echo: ['delete_*'] } } },
    narrow: { allow: { servers: ['fininfo'] } },
  },
};

let server: StartedScripted;
beforeAll(async () => {
  server = await startScripted();
});
afterAll(() => server.close());

const toolsOf = (reply: Reply) => ((resultOf(reply).tools ?? []) as { name: string }[]).map(({ name }) => name).sort();
const ruleOf = (reply: Reply) => (errorOf(reply).data as JsonObject | undefined)?.rule;

describe.each([
  ['as in the examples', PLAIN],
  ['renamed throughout', RENAMED],
])('with names %s', (_, words) => {
  let gateway: GuardedGateway;
  const open: Client[] = [];
  beforeAll(async () => {
    gateway = await startGuarded({
      servers: { echo: { url: server.url }, fininfo: { url: server.url } },
      scopes: scopesOf(words),
    });
  }, 60_000);
  afterAll(async () => {
    for (const client of open) await client.close();
    await gateway.stop();
  });

  async function as(sub: string, claims: JsonObject, path = '/mcp'): Promise<Client> {
    const client = await gateway.open('modern', tokenOf(sub, claims), path);
    open.push(client);
    return client;
  }

  test('who may look sees no tool that it could not call, and calls none', async () => {
    const reader = await as('rita', { groups: [words.groupOfReaders] });
    expect(toolsOf(await reader.request('tools/list'))).toEqual([]);
    const atDoor = await as('rita', { groups: [words.groupOfReaders] }, '/echo/mcp');
    expect((await atDoor.request('tools/list')).status).toBe(200);
    const refused = await atDoor.call('echo', { text: 'x' });
    expect([refused.status, errorOf(refused).data]).toMatchObject([403, { code: 'DENIED_BY_POLICY' }]);
  });

  test('who may execute does both', async () => {
    const both = await as('bob', { groups: [words.groupOfBoth] });
    expect(toolsOf(await both.request('tools/list'))).toHaveLength(42);
    expect((await both.call('echo__echo', { text: 'x' })).answer).toHaveProperty('result');
  });

  test('of a restricted server the named tools are listed and callable, the others neither', async () => {
    const analyst = await as('ann', { groups: [words.groupOfFininfo] });
    expect(toolsOf(await analyst.request('tools/list'))).toEqual(['fininfo__add', 'fininfo__get_time']);
    expect((await analyst.call('fininfo__add', { a: 1, b: 2 })).answer).toHaveProperty('result');
    const other = await analyst.call('fininfo__delete_all');
    expect([other.status, ruleOf(other)]).toEqual([403, 'scopes: no grant']);
    expect((await analyst.request('resources/read', { uri: 'test://text' })).answer).not.toHaveProperty('result');
  });

  test('groups and the token’s own scopes add up; an unmapped group is nothing', async () => {
    const alone = await as('carl', { scope: words.toolsOnly });
    expect(toolsOf(await alone.request('tools/list'))).toEqual(['echo__echo']);
    const added = await as('carl', {
      scope: words.toolsOnly,
      groups: [words.groupOfFininfo, words.groupOfReaders, 'nobody-mapped-this'],
    });
    expect(toolsOf(await added.request('tools/list'))).toEqual(['echo__echo', 'fininfo__add', 'fininfo__get_time']);
    const unmapped = await as('eve', { groups: ['nobody-mapped-this', words.executors], scope: 'unheard-of' });
    expect(toolsOf(await unmapped.request('tools/list'))).toEqual([]);
    expect((await unmapped.call('echo__echo', { text: 'x' })).status).toBe(403);
  });

  test('at the door of a server that it may not use a caller is refused, and the book says which scopes it had', async () => {
    const client = await as('ann', { groups: [words.groupOfFininfo] }, '/echo/mcp');
    const before = (await gateway.book(1)).length;
    for (const [method, params] of [
      ['tools/list', {}],
      ['tools/call', { name: 'echo', arguments: { text: 'x' } }],
      ['resources/read', { uri: 'test://text' }],
    ] as const) {
      const reply = await client.request(method, params);
      expect([method, reply.status]).toEqual([method, 403]);
      expect(reply.headers['content-type']).toBe('application/json');
      expect(errorOf(reply)).toMatchObject({ code: -31000, data: { code: 'DENIED_BY_POLICY' } });
    }
    const lines = (await gateway.book(before + 3)).slice(-3);
    for (const line of lines) {
      expect(line).toMatchObject({
        decision: 'DENY',
        server: 'echo',
        rule: 'scopes: no grant',
        scopes: [words.fininfo],
      });
      expect(line.subject).toBe('https://idp.example.test|ann');
    }
  });

  test('a refusal asks for the one scope that would have been enough, at this endpoint', async () => {
    const reader = await as('rita', { groups: [words.groupOfReaders] });
    const reply = await reader.call('fininfo__add', { a: 1, b: 2 });
    const metadata = 'https://gw.example.test/.well-known/oauth-protected-resource';
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([
      403,
      `Bearer error="insufficient_scope", resource_metadata="${metadata}/mcp", scope="${words.fininfo}"`,
    ]);
    const atDoor = await (await as('rita', { groups: [words.groupOfReaders] }, '/echo/mcp')).call('echo', { text: '' });
    expect(atDoor.headers['www-authenticate']).toBe(
      `Bearer error="insufficient_scope", resource_metadata="${metadata}/echo/mcp", scope="${words.toolsOnly}"`,
    );
  });
});

describe('rules and scopes together', () => {
  let gateway: GuardedGateway;
  beforeAll(async () => {
    gateway = await startGuarded({
      servers: { echo: { url: server.url }, fininfo: { url: server.url } },
      scopes: scopesOf(PLAIN),
      rules: RULES,
    });
  }, 60_000);
  afterAll(() => gateway.stop());

  test.each([
    ['careful', PLAIN.groupOfBoth, 'echo__delete_one', 'agents.careful.deny.tools.echo[0]', 200, 'the rules deny'],
    ['careful', PLAIN.groupOfFininfo, 'echo__add', 'scopes: no grant', 403, 'the scopes do not grant'],
    ['narrow', PLAIN.groupOfBoth, 'echo__add', 'agents.narrow.allow.servers: no allow entry', 200, 'rules say no'],
    ['narrow', PLAIN.groupOfReaders, 'echo__add', 'agents.narrow.allow.servers: no allow entry', 200, 'neither'],
    ['careful', PLAIN.groupOfBoth, 'echo__add', null, 200, 'both allow'],
    ['narrow', PLAIN.groupOfFininfo, 'fininfo__add', null, 200, 'both allow'],
  ])('%s in %s for %s: %s', async (agent, group, tool, rule, status, because) => {
    const client = await gateway.open('legacy', tokenOf('al', { agent_id: agent, groups: [group] }));
    const listed = toolsOf(await client.request('tools/list'));
    const reply = await client.call(tool, { a: 1, b: 2 });
    expect([because, reply.status, ruleOf(reply) ?? null]).toEqual([because, status, rule]);
    expect(listed.includes(tool)).toBe(rule === null);
    // Only what a token could change is asked for.
    expect(reply.headers['www-authenticate'] !== undefined).toBe(status === 403);
    await client.close();
  });
});

describe('nothing shown', () => {
  let gateway: GuardedGateway;
  beforeAll(async () => {
    gateway = await startGuarded({
      servers: { echo: { url: server.url } },
      scopes: scopesOf(PLAIN),
      settings: { identity: { requiredScopes: ['mcp:tools.list'] } },
    });
  }, 60_000);
  afterAll(() => gateway.stop());

  const DOORS = ['/mcp', '/mcp/direct', '/mcp/agent', '/mcp/discovery', '/echo/mcp', '/nobody/mcp'];
  const REQUESTS = [
    ...DOORS.flatMap(path => (['GET', 'POST', 'DELETE'] as const).map(method => ({ method, path }))),
    { method: 'POST', path: '/' } as const,
    ...['', '/echo'].flatMap(base => [
      { method: 'GET', path: `${base}/sse` } as const,
      { method: 'POST', path: `${base}/messages?sessionId=x` } as const,
    ]),
  ];

  test.each(REQUESTS)('$method $path: 401, where to ask, and no word of an error', async ({ method, path }) => {
    const before = JSON.stringify(server.stats().calls);
    const reply = await exchange(gateway.origin + path, {
      method,
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      ...(method === 'POST'
        ? { body: JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'echo__echo' } }) }
        : {}),
    }).reply;
    const [plain = ''] = path.split('?');
    const resource = plain === '/' ? '' : plain.replace('/messages', '/sse');
    expect([reply.status, reply.headers['content-type'], reply.headers['www-authenticate']]).toEqual([
      401,
      'application/json',
      `Bearer resource_metadata="https://gw.example.test/.well-known/oauth-protected-resource${resource}", scope="mcp:tools.list"`,
    ]);
    expect(JSON.parse(reply.text ?? '')).toEqual({
      jsonrpc: '2.0',
      id: null,
      error: { code: -32600, message: 'Authentication required.', data: { code: 'UNAUTHENTICATED' } },
    });
    expect(JSON.stringify(server.stats().calls)).toBe(before);
  });

  test.each([
    ['garbage', 'no.such.token'],
    ['an expired one', tokenOf('old', { exp: Math.floor(Date.now() / 1000) - 3600 })],
    ['another audience’s', tokenOf('al', { aud: 'elsewhere' })],
    ['another issuer’s', tokenOf('al', { iss: 'https://evil.example' })],
    ['one with its signature cut', tokenOf('al').slice(0, -20)],
    ['an unsigned one', `${Buffer.from('{"alg":"none"}').toString('base64url')}.${tokenOf('al').split('.')[1]}.`],
  ])('%s is told that its token is not good, and no more', async (_, token) => {
    const reply = await exchange(`${gateway.origin}/mcp`, {
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: '*/*' },
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    }).reply;
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([
      401,
      'Bearer error="invalid_token", resource_metadata="https://gw.example.test/.well-known/oauth-protected-resource/mcp", scope="mcp:tools.list"',
    ]);
    expect(reply.text).not.toContain(token.slice(0, 12));
  });
});
