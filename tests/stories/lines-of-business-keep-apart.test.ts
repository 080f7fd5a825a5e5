/**
 * Three bots with tokens of a real authorization server: an administrator and two lines of business. Fourteen promises: six
 * of the MCP servers each may call, eight of the agents each may see and change.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type AuthorizationServer, startAuthorizationServer } from '../support/authorization-server.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { findFreePort } from '../support/free-port.ts';
import { type GuardedGateway, startGuarded } from '../support/guarded-gateway.ts';
import { openClient } from '../support/mcp-client.ts';
import { fetchHeld } from '../support/openapi-check.ts';

const SERVERS = ['currenttime', 'fininfo', 'mcpgw'] as const;
const METHODS = ['initialize', 'notifications/initialized', 'ping', 'tools/list', 'tools/call'];
const AGENTS = ['/code-reviewer', '/test-automation', '/data-analysis', '/security-analyzer'] as const;
const seeing = (...paths: string[]) => ({ list_agents: paths, get_agent: paths });
const SCOPES = {
  'UI-Scopes': {
    'mcp-registry-admin': {
      ...{
        list_agents: ['all'],
        get_agent: ['all'],
        publish_agent: ['all'],
        modify_agent: ['all'],
        delete_agent: ['all'],
      },
    },
    'registry-users-lob1': { ...seeing('/code-reviewer', '/test-automation'), publish_agent: ['/lob1-helper'] },
    'registry-users-lob2': seeing('/data-analysis', '/security-analyzer'),
  },
  group_mappings: {
    'mcp-registry-admin': ['mcp-registry-admin', 'unrestricted'],
    'registry-users-lob1': ['registry-users-lob1'],
    'registry-users-lob2': ['registry-users-lob2'],
  },
  unrestricted: [{ server: '*', methods: 'all', tools: '*' }],
  'registry-users-lob1': [
    { server: 'currenttime', methods: METHODS, tools: ['get_time'] },
    { server: 'mcpgw', methods: METHODS, tools: ['echo'] },
  ],
  'registry-users-lob2': [
    { server: 'fininfo', methods: METHODS, tools: ['add'] },
    { server: 'mcpgw', methods: METHODS, tools: ['echo'] },
  ],
};
const bot = (name: string, group: string) => ({ id: `${name}-bot`, secret: `secret-of-${name}`, groups: [group] });
const BOTS = {
  admin: bot('admin', 'mcp-registry-admin'),
  lob1: bot('lob1', 'registry-users-lob1'),
  lob2: bot('lob2', 'registry-users-lob2'),
};
type Bot = keyof typeof BOTS;

let authority: AuthorizationServer;
let servers: StartedScripted[];
let gateway: GuardedGateway;
const tokens = new Map<Bot, string>();

beforeAll(async () => {
  authority = await startAuthorizationServer({ clients: Object.values(BOTS), scopes: ['mcp'] });
  servers = await Promise.all(SERVERS.map(name => startScripted({ name })));
  const port = await findFreePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  gateway = await startGuarded({
    servers: Object.fromEntries(SERVERS.map((name, i) => [name, { url: servers[i]?.url ?? '' }])),
    scopes: SCOPES,
    issuer: false,
    settings: {
      exposure: { default: 'direct' },
      identity: { publicUrl, issuers: [{ issuer: authority.issuer, kind: 'oidc', audiences: [`${publicUrl}/mcp`] }] },
    },
    env: { GATEWAY_HTTP_PORT: String(port) },
  });
  for (const [name, client] of Object.entries(BOTS))
    tokens.set(name as Bot, await authority.token(client, `${publicUrl}/mcp`, 'mcp'));
  for (const path of AGENTS) {
    const registered = await api('admin', 'POST', '/api/agents/register', cardOf(path));
    if (registered.status !== 201) throw new Error(`${path}: ${registered.status} ${JSON.stringify(registered.body)}`);
  }
}, 60_000);

afterAll(async () => {
  await gateway?.stop();
  for (const server of servers ?? []) await server.close();
  await authority?.close();
});

const cardOf = (path: string): JsonObject => ({
  ...{ protocolVersion: '1.0', name: `Agent ${path.slice(1)}`, description: 'Does its work.', path },
  ...{ url: `https://agents.example.test${path}`, skills: [{ id: 'work', name: 'Work', description: 'Works.' }] },
});

async function api(who: Bot, method: string, path: string, body?: JsonObject) {
  const reply = await fetchHeld(gateway.origin + path, {
    method,
    headers: { authorization: `Bearer ${tokens.get(who)}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  return { status: reply.status, body: (text === '' ? {} : JSON.parse(text)) as JsonObject };
}

/** `allowed`, or the code of the refusal. */
async function call(who: Bot, server: string, tool: string): Promise<string> {
  const client = await openClient(gateway.origin, 'legacy', {
    headers: { authorization: `Bearer ${tokens.get(who)}` },
  });
  try {
    const args = tool === 'add' ? { a: 2, b: 3 } : tool === 'echo' ? { text: 'hello' } : {};
    const reply = await client.request('tools/call', { name: `${server}__${tool}`, arguments: args });
    const { error } = reply.answer as { error?: { data?: { code?: string } } };
    return error === undefined ? 'allowed' : (error.data?.code ?? 'error');
  } finally {
    await client.close();
  }
}

const listed = async (who: Bot) => {
  const { body } = await api(who, 'GET', '/api/agents');
  return (body.agents as { path: string }[]).map(({ path }) => path).sort();
};

describe('MCP servers', () => {
  test.each([
    { who: 'lob1', server: 'currenttime', tool: 'get_time', answer: 'allowed', because: '1: its own server' },
    { who: 'lob1', server: 'mcpgw', tool: 'echo', answer: 'allowed', because: '2: a server of both' },
    { who: 'lob1', server: 'fininfo', tool: 'add', answer: 'DENIED_BY_POLICY', because: '3: a server of the other' },
    { who: 'lob2', server: 'fininfo', tool: 'add', answer: 'allowed', because: '4: its own server' },
    { who: 'lob2', server: 'currenttime', tool: 'get_time', answer: 'DENIED_BY_POLICY', because: '5: not its own' },
    {
      who: 'admin',
      server: 'fininfo',
      tool: 'add',
      answer: 'allowed',
      because: '6: the administrator calls everything',
    },
  ] as const)('$because', async ({ who, server, tool, answer }) => {
    expect(await call(who, server, tool)).toBe(answer);
  });
});

describe('agents', () => {
  test('7: the first line of business lists its two agents and no other', async () => {
    expect(await listed('lob1')).toEqual(['/code-reviewer', '/test-automation']);
  });
  test('8: it reads a card of its own', async () => {
    const { status, body } = await api('lob1', 'GET', '/api/agents/code-reviewer');
    expect([status, body.path, body.protocolVersion]).toEqual([200, '/code-reviewer', '1.0']);
  });
  test('9: a card of the other is refused, and one that nobody has is not found', async () => {
    expect((await api('lob1', 'GET', '/api/agents/data-analysis')).status).toBe(403);
    expect((await api('lob1', 'GET', '/api/agents/nobody')).status).toBe(404);
  });
  test('10: the second lists its two agents and no other', async () => {
    expect(await listed('lob2')).toEqual(['/data-analysis', '/security-analyzer']);
  });
  test('11: it reads a card of its own', async () => {
    expect((await api('lob2', 'GET', '/api/agents/security-analyzer')).status).toBe(200);
  });
  test('12: it neither reads, publishes, changes nor removes what it was not granted', async () => {
    const answers = await Promise.all([
      api('lob2', 'GET', '/api/agents/code-reviewer'),
      api('lob2', 'POST', '/api/agents/register', cardOf('/lob2-helper')),
      api('lob2', 'PUT', '/api/agents/data-analysis', cardOf('/data-analysis')),
      api('lob2', 'POST', '/api/agents/data-analysis/toggle?enabled=false'),
      api('lob2', 'DELETE', '/api/agents/data-analysis'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403]);
  });
  test('13: the administrator lists all of them', async () => {
    expect(await listed('admin')).toEqual([...AGENTS].sort());
  });
  test('14: it reads, changes, switches off and removes any', async () => {
    expect((await api('admin', 'GET', '/api/agents/data-analysis')).status).toBe(200);
    const changed = { ...cardOf('/data-analysis'), description: 'Looks at figures.' };
    expect((await api('admin', 'PUT', '/api/agents/data-analysis', changed)).body.description).toBe(
      'Looks at figures.',
    );
    const off = await api('admin', 'POST', '/api/agents/data-analysis/toggle?enabled=false');
    expect(off.body).toMatchObject({ path: '/data-analysis', is_enabled: false });
    expect((await api('admin', 'DELETE', '/api/agents/data-analysis')).status).toBe(204);
    expect((await api('admin', 'GET', '/api/agents/data-analysis')).status).toBe(404);
  });
});
