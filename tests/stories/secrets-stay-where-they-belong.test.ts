/**
 * Twelve secrets, each shown to a running gateway in the way such secrets are, with calls that work, are denied, fail and
 * make no sense. None of them is in its log at the most talkative level, in the ledger or any file beside it, in the
 * metrics, or in an error; each reached the one place it was meant for, so that it was really there to be found.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type RecordedServer, startRecorded } from '../support/downstreams/recorded.ts';
import { stdioScripted } from '../support/downstreams/start.ts';
import { type GuardedGateway, startGuarded, tokenOf } from '../support/guarded-gateway.ts';
import { errorOf, exchange, openClient, textOf } from '../support/mcp-client.ts';
import { randomSecret } from '../support/token-issuer.ts';

/** A word as people choose them: nothing about it looks like a secret. */
const plainWord = (name: string) =>
  `${name}-${randomSecret()
    .replace(/[^a-z]/g, '')
    .slice(0, 10)}-canary`;

/** As a file names a variable. */
const reference = (variable: string) => `\${${variable}}`;

const BEARER = tokenOf('alice', { agent_id: 'dev' });
const SECOND = tokenOf('bob', { agent_id: 'dev' });
const SECRETS = {
  'a bearer token': BEARER.split('.')[2] ?? '',
  'a token in X-Authorization': SECOND.split('.')[2] ?? '',
  'a static key with a name': randomSecret(),
  'a header value of a server': plainWord('header'),
  'a query value in a server’s address': plainWord('query'),
  'a value in a child’s environment': plainWord('child'),
  'a variable nobody refers to': plainWord('unused'),
  'a wrong key that somebody tries': randomSecret(),
  'a cookie': plainWord('cookie'),
  'a token in a request’s address': plainWord('address'),
  'an argument called password': plainWord('password'),
  'what a server answers': plainWord('answer'),
};
type Name = keyof typeof SECRETS;
const of = (name: Name): string => SECRETS[name];

let server: RecordedServer;
let gateway: GuardedGateway;
const errors: string[] = [];

beforeAll(async () => {
  server = await startRecorded({ transport: 'http', era: 'legacy' });
  gateway = await startGuarded({
    servers: {
      web: {
        url: `${server.url}?key=${reference('QUERY_VALUE')}`,
        headers: { 'x-api-key': reference('HEADER_VALUE') },
      },
      child: { ...stdioScripted({}), env: { CHILD_SECRET: reference('CHILD_VALUE') } },
    },
    rules: { agents: { dev: { allow: { servers: ['*'] }, deny: { tools: { '*': ['delete_*'] } } } } },
    settings: {
      identity: { keys: [{ name: 'night', key: of('a static key with a name'), agent: 'dev' }] },
      log: { level: 'debug' },
    },
    env: {
      QUERY_VALUE: of('a query value in a server’s address'),
      HEADER_VALUE: of('a header value of a server'),
      CHILD_VALUE: of('a value in a child’s environment'),
      UNUSED_VALUE: of('a variable nobody refers to'),
      GATEWAY_DEBUG: 'true',
    },
  });
}, 60_000);

afterAll(async () => {
  gateway.discard();
  await server.close();
});

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

async function use(headers: Record<string, string>): Promise<void> {
  const password = of('an argument called password');
  const args = { password, text: password, a: 1, b: 2 };
  for (const era of ['legacy', 'modern'] as const) {
    const client = await openClient(gateway.origin, era, {
      headers: { ...headers, cookie: `session=${of('a cookie')}` },
    });
    for (const [name, given] of [
      ...['web__add', 'web__fail', 'web__delete_one', 'child__fail', 'child__nope', 'nil__add'].map(
        name => [name, args] as const,
      ),
      ['execute_tool', { server: 'web', tool: 'delete_all', args }],
      ['execute_tool', { server: 'web', tool: 'slow', args: { ms: 5_000, ...args }, timeout_ms: 50 }],
      ['execute_tool', { server: 'child', tool: 'nope', args }],
      ['execute_tool', { server: 'nil', tool: 'x', args }],
      ['execute_tool', { server: 7, tool: 'x', args }],
      ['list_servers', { include_metadata: true, agent_id: 'nobody' }],
    ] as const) {
      const reply = await client.call(name, given as JsonObject);
      errors.push(JSON.stringify([errorOf(reply), reply.headers]));
    }
    // Secrets in the texts of others: a server that shows its own, in an answer and in an error.
    const shown = of('what a server answers');
    const answer = { content: [{ type: 'text', text: `token=${shown}` }], isError: true };
    expect(textOf(await client.call('web__json', { result: answer }))).toContain(shown);
    const reply = await client.request('resources/read', { uri: `test://none?access_token=${of('a cookie')}` });
    expect(reply.answer).toHaveProperty('error');
    // A list with addresses and commands in it, and everything the status knows.
    for (const ask of ['list_servers', 'get_gateway_status'])
      errors.push(JSON.stringify((await client.call(ask, { include_metadata: true })).answer));
    await client.close();
  }
}

test('callers of every kind work, and each secret reaches the place that it is for', async () => {
  await use({ authorization: `Bearer ${BEARER}` });
  await use({ 'x-authorization': `Bearer ${SECOND}` });
  await use({ authorization: `Bearer ${of('a static key with a name')}` });
  for (const [path, headers] of [
    ['/mcp', { authorization: `Bearer ${of('a wrong key that somebody tries')}` }],
    [
      '/mcp',
      { authorization: `Basic ${Buffer.from(`x:${of('a wrong key that somebody tries')}`).toString('base64')}` },
    ],
    ['/mcp', { authorization: `Bearer ${BEARER}x` }],
    [`/mcp?access_token=${of('a token in a request’s address')}`, {}],
    [`/web/mcp?token=${of('a token in a request’s address')}`, { authorization: `Bearer ${BEARER.slice(0, -3)}` }],
    [`/nowhere?token=${of('a token in a request’s address')}`, {}],
    ['/mcp', { authorization: `Bearer ${BEARER}`, 'content-type': 'text/plain' }],
  ] as const) {
    const reply = await exchange(gateway.origin + path, {
      headers: { ...JSON_HEADERS, ...headers },
      body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"password":"${of('an argument called password')}"}`,
    }).reply;
    expect(reply.status).toBeGreaterThanOrEqual(400);
    errors.push(JSON.stringify([reply.headers, reply.text]));
  }
  const [call] = server.of('tools/call');
  expect(call?.whole).toContain(of('a header value of a server'));
  expect(server.seen.some(({ whole }) => whole.includes(of('an argument called password')))).toBe(true);
  expect(server.seen.some(({ whole }) => whole.includes(of('what a server answers')))).toBe(true);
});

/** All that is in a folder, as one text; SQLite files are bytes like others. */
function contentsOf(folder: string): string {
  return readdirSync(folder)
    .map(name => join(folder, name))
    .map(path => (statSync(path).isDirectory() ? contentsOf(path) : readFileSync(path, 'latin1')))
    .join('\n');
}

test('nobody who reads the log, the ledger, the metrics or an error learns any of them', async () => {
  const metrics: string[] = [];
  const key = { authorization: `Bearer ${of('a static key with a name')}` };
  for (const accept of ['application/json', 'text/plain']) {
    const reply = await exchange(`${gateway.origin}/metrics`, { method: 'GET', headers: { ...key, accept } }).reply;
    expect(reply.status).toBe(200);
    metrics.push(reply.text ?? '');
  }
  await gateway.book(50);
  gateway.signal('SIGTERM');
  expect(await gateway.ended).toBe(0);
  const places = {
    log: gateway.stderr(),
    ledger: contentsOf(join(gateway.folder, 'audit')),
    metrics: metrics.join('\n'),
    errors: errors.join('\n'),
  };
  for (const text of Object.values(places)) expect(text.length).toBeGreaterThan(1000);
  const found = Object.entries(SECRETS).flatMap(([name, secret]) => {
    expect(secret.length).toBeGreaterThan(15);
    const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').replace(/=+$/, '')];
    return Object.entries(places)
      .filter(([, text]) => forms.some(form => text.includes(form)))
      .map(([place]) => `${name} is in the ${place}`);
  });
  expect(found).toEqual([]);
});
