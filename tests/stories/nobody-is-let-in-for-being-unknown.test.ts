/**
 * Which agent a caller acts as, at a running gateway: the whole chain of the rules from an agent nobody knows to the
 * default that stands in, and one agent in the name of another only by a grant. Whatever the chain ends in, an unknown
 * agent is shown nothing.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { type GuardedGateway, startGuarded, tokenOf } from '../support/guarded-gateway.ts';
import { type Client, errorOf, type Reply, resultOf } from '../support/mcp-client.ts';

let server: StartedScripted;
beforeAll(async () => {
  server = await startScripted();
});
afterAll(() => server.close());

let gateway: GuardedGateway | null = null;
afterEach(async () => {
  const running = gateway;
  gateway = null;
  await running?.stop();
});

const AGENTS = { developer: { allow: { servers: ['echo'] } }, admin: { allow: { servers: ['*'] } } };
const DEFAULT = { default: { allow: { servers: ['web'] } } };

async function start(more: {
  agents?: JsonObject;
  deny?: boolean;
  env?: Record<string, string>;
  issuer?: false;
  policy?: JsonObject;
}): Promise<GuardedGateway> {
  gateway = await startGuarded({
    servers: { echo: { url: server.url }, web: { url: server.url } },
    rules: { agents: more.agents ?? AGENTS, defaults: { deny_on_missing_agent: more.deny ?? true } },
    settings: more.policy === undefined ? {} : { policy: more.policy },
    ...(more.issuer === undefined ? {} : { issuer: more.issuer }),
    env: more.env ?? {},
  });
  return gateway;
}

const listServers = (client: Client, agent?: string) =>
  client.call('list_servers', agent === undefined ? {} : { agent_id: agent });
const serversIn = (reply: Reply) =>
  (resultOf(reply).structuredContent as { result: { name: string }[] }).result.map(({ name }) => name);
const codeOf = (reply: Reply) => {
  const { code, data } = errorOf(reply) as { code?: number; data?: { code?: string } };
  return [code, data?.code];
};

/** Everything an agent could be shown. */
async function shownTo(client: Client): Promise<JsonObject[]> {
  const shown: JsonObject[] = [];
  for (const [method, member] of [
    ['tools/list', 'tools'],
    ['resources/list', 'resources'],
    ['resources/templates/list', 'resourceTemplates'],
    ['prompts/list', 'prompts'],
  ] as const)
    shown.push(...((resultOf(await client.request(method))[member] as JsonObject[] | undefined) ?? []));
  return shown;
}

describe('without a credential, on loopback', () => {
  test.each([true, false])('an unknown agent is refused and shown nothing, deny_on_missing_agent %s', async deny => {
    const client = await (await start({ deny, issuer: false })).open('legacy', null);
    for (const ask of ['list_servers', 'get_server_tools', 'execute_tool', 'find_tools', 'call_tool']) {
      const args = { agent_id: 'ghost', server: 'echo', tool: 'add', args: {}, name: 'echo__add', query: 'add' };
      const reply = await client.call(ask, args);
      expect(codeOf(reply)).toEqual([-32003, 'INVALID_AGENT_ID']);
      expect(JSON.stringify(reply.answer)).not.toContain('web');
    }
    expect((await gateway?.book(5))?.map(({ decision }) => decision)).not.toContain('ALLOW');
    expect(await shownTo(client)).toEqual([]);
  });

  test('no agent id is refused where the rules are strict', async () => {
    const client = await (await start({ deny: true, issuer: false })).open('legacy', null);
    expect(codeOf(await listServers(client))).toEqual([-32003, 'INVALID_AGENT_ID']);
    expect(codeOf(await client.call('echo__add', { a: 1, b: 2 }))).toEqual([-32003, 'INVALID_AGENT_ID']);
  });

  test('strict rules do not look for a default, even where there is one', async () => {
    const env = { GATEWAY_DEFAULT_AGENT: 'developer' };
    const client = await (await start({ deny: true, issuer: false, env, agents: { ...AGENTS, ...DEFAULT } })).open(
      'legacy',
      null,
    );
    expect(codeOf(await listServers(client))).toEqual([-32003, 'INVALID_AGENT_ID']);
  });

  test('the configured default stands in for whoever is missing, and the book says so', async () => {
    const env = { GATEWAY_DEFAULT_AGENT: 'developer' };
    const client = await (await start({ deny: false, issuer: false, env, agents: { ...AGENTS, ...DEFAULT } })).open(
      'legacy',
      null,
    );
    expect(serversIn(await listServers(client))).toEqual(['echo']);
    expect((await client.call('echo__add', { a: 1, b: 2 })).answer).toHaveProperty('result');
    expect(await gateway?.book(2)).toMatchObject([
      { operation: 'list_servers', agent_id: 'developer', agent_verified: false, decision: 'ALLOW' },
      { operation: 'tools/call', agent_id: 'developer', agent_verified: false, decision: 'ALLOW' },
    ]);
  });

  test('a configured default that the rules do not know is an error, and nobody else stands in', async () => {
    const env = { GATEWAY_DEFAULT_AGENT: 'absent' };
    const client = await (await start({ deny: false, issuer: false, env, agents: { ...AGENTS, ...DEFAULT } })).open(
      'legacy',
      null,
    );
    expect(codeOf(await listServers(client))).toEqual([-32003, 'FALLBACK_AGENT_NOT_IN_RULES']);
    expect(await shownTo(client)).toEqual([]);
  });

  test('the agent called default stands in where none is configured', async () => {
    const agents = { ...AGENTS, ...DEFAULT };
    const client = await (await start({ deny: false, issuer: false, agents })).open('legacy', null);
    expect(serversIn(await listServers(client))).toEqual(['web']);
    expect(serversIn(await listServers(client, 'ghost'))).toEqual(['web']);
    expect(serversIn(await listServers(client, 'developer'))).toEqual(['echo']);
    expect((await gateway?.book(3))?.map(({ agent_id: agent }) => agent)).toEqual(['default', 'default', 'developer']);
  });

  test('with neither the chain ends in an error', async () => {
    const client = await (await start({ deny: false, issuer: false })).open('legacy', null);
    expect(codeOf(await listServers(client))).toEqual([-32003, 'NO_FALLBACK_CONFIGURED']);
  });
});

describe('with a token that names the agent', () => {
  test('another agent is refused, by execute_tool too, and the book names the asker', async () => {
    const client = await (await start({})).open('legacy', tokenOf('alice', { agent_id: 'developer' }));
    for (const reply of [
      await listServers(client, 'admin'),
      await client.call('execute_tool', { agent_id: 'admin', server: 'web', tool: 'add', args: { a: 1, b: 2 } }),
    ]) {
      expect(errorOf(reply)).toMatchObject({
        code: -32000,
        data: { code: 'DENIED_BY_POLICY', agent_id: 'admin', rule: 'policy.actAs.developer: no allow entry' },
      });
    }
    expect(await gateway?.book(2)).toMatchObject([
      { subject: 'https://idp.example.test|alice', agent_id: 'developer', agent_verified: true, decision: 'DENY' },
      { subject: 'https://idp.example.test|alice', agent_id: 'developer', agent_verified: true, decision: 'DENY' },
    ]);
  });

  test('its own id may be repeated', async () => {
    const client = await (await start({})).open('legacy', tokenOf('alice', { agent_id: 'developer' }));
    expect(serversIn(await listServers(client, 'developer'))).toEqual(['echo']);
  });

  test('a grant lets it act as another, and as no third; the book has both', async () => {
    const policy = { actAs: { developer: ['admin'] } };
    const client = await (await start({ policy, agents: { ...AGENTS, ...DEFAULT } })).open(
      'legacy',
      tokenOf('alice', { agent_id: 'developer' }),
    );
    expect(serversIn(await listServers(client, 'admin'))).toEqual(['echo', 'web']);
    const args = { agent_id: 'admin', server: 'web', tool: 'add', args: { a: 1, b: 2 } };
    expect((await client.call('execute_tool', args)).answer).toHaveProperty('result');
    expect(codeOf(await listServers(client, 'default'))).toEqual([-32000, 'DENIED_BY_POLICY']);
    // A grant is for what names the agent: everything else is the caller's own.
    expect(codeOf(await client.call('web__add', { a: 1, b: 2 }))).toEqual([-32000, 'DENIED_BY_POLICY']);
    const alice = { subject: 'https://idp.example.test|alice' };
    expect(await gateway?.book(4)).toMatchObject([
      { ...alice, agent_id: 'admin', agent_verified: false, acting_for: 'developer', decision: 'ALLOW' },
      { ...alice, agent_id: 'admin', acting_for: 'developer', operation: 'execute_tool', server: 'web', tool: 'add' },
      { ...alice, agent_id: 'developer', decision: 'DENY' },
      { ...alice, agent_id: 'developer', decision: 'DENY', operation: 'tools/call' },
    ]);
    expect((await gateway?.book(4))?.[2]).not.toHaveProperty('acting_for');
  });

  test('an agent of the token that the rules do not know gets nothing, whatever else the caller says', async () => {
    const client = await (await start({ deny: false })).open('legacy', tokenOf('alice', { agent_id: 'ghost' }));
    expect(codeOf(await listServers(client))).toEqual([-32003, 'INVALID_AGENT_ID']);
    expect(codeOf(await listServers(client, 'admin'))).toEqual([-32000, 'DENIED_BY_POLICY']);
    expect(await shownTo(client)).toEqual([]);
  });

  test('an agent id that is none is refused as it stands', async () => {
    const client = await (await start({})).open('legacy', tokenOf('alice', { agent_id: 'developer' }));
    for (const id of ['', '../x', 'a b', 'x'.repeat(300), 'ädmin'])
      expect([id, ...codeOf(await listServers(client, id))]).toEqual([id, -32003, 'INVALID_AGENT_ID']);
  });
});
