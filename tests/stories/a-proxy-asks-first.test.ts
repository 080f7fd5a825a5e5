/**
 * A proxy that carries MCP itself asks before each hop whether this caller may send this message there. It gets the answer
 * that the gateway's own doors would give, and who the caller is, in headers that hold nothing but facts.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { fetchHeld } from '../support/openapi-check.ts';
import { type Answer, issuerToken, KEYS, openVendingGateway, type VendingGateway } from '../support/vending-gateway.ts';

const call = (name: string, args: JsonObject = { text: 'a' }) => ({
  ...{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } },
});
const of = (method: string) => ({ jsonrpc: '2.0', id: 1, method });

let gateway: VendingGateway;
beforeAll(async () => {
  const forbidden = { ...{ id: 'no-x', server: 'alpha', tool: 'echo' }, when: 'args.text == "x"', effect: 'deny' };
  gateway = await openVendingGateway({ policy: { conditions: [forbidden] } });
  gateway.writeScopes({
    'UI-Scopes': { admins: { modify_service: ['all'] } },
    group_mappings: { lob1: ['alpha-echo'], team: ['echo-only', 'api-tokens'], 'b, c': ['alpha-echo'] },
    'alpha-echo': [{ server: 'alpha', methods: ['initialize', 'tools/list', 'tools/call'], tools: ['echo'] }],
    'echo-only': [
      { server: '*', methods: ['initialize', 'tools/list', 'tools/call'], tools: ['echo'] },
      { server: 'api', methods: ['GET'], tools: [] },
    ],
    'api-tokens': [{ server: 'api', methods: ['tokens'], tools: [] }],
    everywhere: [{ server: '*', methods: ['initialize', 'tools/list', 'tools/call'], tools: '*' }],
  });
  await gateway.reload();
  // The door to everything knows names of tools only once they are listed.
  const client = await gateway.open('modern', KEYS.lob);
  await client.request('tools/list', {});
  await client.close();
});
afterAll(() => gateway.remove());

const lob1 = () => issuerToken('li', { groups: ['lob1'], azp: 'desk', name: 'Li' });

const ask = (token: string | null, url: string | null, body: unknown, more: Record<string, string> = {}) =>
  gateway.post('/validate', token, body, { ...(url === null ? {} : { 'x-original-url': url }), ...more });

const facts = ({ status, body }: Answer) => (status === 200 ? 'yes' : [status, body.detail]);

test('a yes says who calls, in the body and in headers', async () => {
  const { status, body, headers } = await ask(lob1(), 'https://gw.example.test/alpha/mcp', call('echo', { text: 'a' }));
  expect([status, body]).toEqual([
    200,
    {
      ...{ valid: true, username: expect.any(String), client_id: expect.any(String), method: 'jwt' },
      ...{ scopes: ['alpha-echo'], groups: ['lob1'], server_name: 'alpha', tool_name: 'echo' },
    },
  ]);
  expect(Object.fromEntries(headers)).toMatchObject({
    ...{ 'x-user': 'https://idp.example.test|li', 'x-username': body.username, 'x-client-id': body.client_id },
    ...{ 'x-scopes': 'alpha-echo', 'x-groups': 'lob1', 'x-auth-method': 'jwt' },
    ...{ 'x-server-name': 'alpha', 'x-tool-name': 'echo' },
  });
});

test('a name can break no header, and no group can look like two', async () => {
  const odd = issuerToken('li ü\u2028X-Scopes: admins', { groups: ['b, c', 'ü'] });
  const { status, headers } = await ask(odd, '/alpha/mcp', of('initialize'));
  expect(status).toBe(200);
  expect(headers.get('x-user')).toBe('https://idp.example.test|li%20%C3%BC%E2%80%A8X-Scopes:%20admins');
  expect(headers.get('x-scopes')).toBe('alpha-echo');
  expect(headers.get('x-groups')).toBe('b%2C%20c,%C3%BC');
});

describe('the answer is that of the doors', () => {
  test.each([
    { url: '/alpha/mcp', body: call('echo'), says: 'yes', because: 'the scope names the tool' },
    { url: '/alpha/sse', body: of('tools/list'), says: 'yes', because: 'the scope names the method' },
    { url: '/alpha/', body: {}, says: 'yes', because: 'without a message the question is the server' },
    { url: '/alpha/mcp?x=1', body: call('echo'), says: 'yes', because: 'a query is no other place' },
    { url: '/mcp', body: call('alpha__echo'), says: 'yes', because: 'a public name says the server' },
    { url: '/mcp', body: of('tools/list'), says: 'yes', because: 'lists show what may be used' },
    { url: null, body: {}, says: 'yes', because: 'nobody asked about more than the caller' },
    {
      url: '/alpha/mcp',
      body: call('add'),
      says: [403, 'Access denied to alpha.tools/call'],
      because: 'no such grant',
    },
    { url: '/beta/mcp', body: of('initialize'), says: [403, 'Access denied to beta.initialize'], because: 'no grant' },
    { url: '/beta/', body: {}, says: [403, 'Access denied to beta.initialize'], because: 'nothing there is granted' },
    {
      url: '/none/mcp',
      body: of('ping'),
      says: [403, 'Access denied to none.ping'],
      because: 'absent is denied alike',
    },
    { url: '/mcp', body: call('beta__echo'), says: [403, 'Access denied to beta.tools/call'], because: 'no grant' },
    { url: '/mcp', body: call('nobody'), says: [403, 'Access denied to mcp.tools/call'], because: 'it names nothing' },
    {
      ...{ url: '/alpha/mcp', body: of('resources/read'), says: [403, 'Access denied to alpha.resources/read'] },
      because: 'the scope does not name the method',
    },
    {
      ...{ url: '/alpha/mcp', body: call('echo', { text: 'x' }), says: [403, 'Access denied to alpha.tools/call'] },
      because: 'a condition on arguments says no',
    },
    {
      ...{ url: '/alpha/mcp', body: [call('echo'), call('add')], says: [403, 'Access denied to alpha.tools/call'] },
      because: 'each of a batch must be allowed',
    },
    {
      ...{ url: '/api/servers', body: {}, says: [403, 'Access denied to api.GET'] },
      because: 'the scope grants nothing of the API',
    },
  ])('$url $says, because $because', async ({ url, body, says }) => {
    expect(facts(await ask(lob1(), url, body))).toEqual(says);
  });

  test('a verb of the REST API is asked for by its name', async () => {
    expect(facts(await ask(KEYS.lob, '/api/servers', {}))).toBe('yes');
    const put = await ask(KEYS.lob, '/api/servers', {}, { 'x-original-method': 'put' });
    expect(facts(put)).toEqual([403, 'Access denied to api.PUT']);
  });

  test('a token for one server is good for that one', async () => {
    const bound = await gateway.vend(KEYS.ci, { resource: { type: 'server', id: 'alpha' } });
    expect(facts(await ask(bound.token, '/alpha/mcp', call('echo')))).toBe('yes');
    expect(facts(await ask(bound.token, '/beta/mcp', call('echo')))).toEqual([403, 'Access denied to beta.tools/call']);
    expect(facts(await ask(bound.token, '/api/servers', {}))).toEqual([403, 'Access denied to api.GET']);
  });
});

test.each([
  '/alpha/../beta/mcp',
  '/alpha/%2e%2e/beta/mcp',
  '/alpha%2fmcp',
  '//beta/mcp',
  '/alpha//mcp',
  '/alpha/mcp/extra',
  'alpha/mcp',
  'ftp://gw.example.test/alpha/mcp',
  'https://gw.example.test\\alpha/mcp',
  '/alpha/mcp, /beta/mcp',
  '/alpha/mcp#/beta/mcp',
])('an address that a proxy may read otherwise is refused: %s', async url => {
  const { status } = await ask(lob1(), url, call('echo'));
  expect(status).toBe(403);
});

test.each([
  { body: '{"method":"tools/list","method":"tools/call","params":{"name":"add"}}', because: 'a member occurs twice' },
  { body: '{"method":"tools/list","Method":"tools/call"}', because: 'readers that fold case see another method' },
  { body: '"tools/list"', because: 'it is no message' },
  { body: '[]', because: 'it holds nothing to judge' },
  { body: '{"id":1}', because: 'it asks for nothing and answers nothing' },
  { body: '{', because: 'it is no JSON' },
])('a message is refused where $because', async ({ body }) => {
  const { status } = await ask(lob1(), '/alpha/mcp', body);
  expect([400, 403]).toContain(status);
});

test('whoever shows nothing, or what is over, is asked for another credential', async () => {
  const over = issuerToken('li', {
    exp: Math.floor(Date.now() / 1000) - 3600,
    iat: Math.floor(Date.now() / 1000) - 7200,
  });
  for (const token of [null, over, 'no-token-at-all']) {
    const { status, body, headers } = await ask(token, '/alpha/mcp', call('echo'));
    expect([status, body]).toEqual([401, { detail: 'Authentication required.' }]);
    expect(headers.get('www-authenticate')).toMatch(/^Bearer .*resource_metadata="https:\/\/gw\.example\.test/);
    expect(headers.get('content-type')).toMatch(/^application\/json(?:;\s?charset=utf-8)?$/i);
  }
});

describe('the door of a server refuses whom the answer refuses', () => {
  const initialize = {
    ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
  };
  const accept = { accept: 'application/json, text/event-stream' };

  test.each(['/beta/mcp', '/none/mcp'])('before a session is opened: %s', async path => {
    const { status, body, headers } = await gateway.post(path, lob1(), initialize, accept);
    expect([status, headers.get('content-type')]).toEqual([403, 'application/json']);
    expect(body).toMatchObject({ id: 1, error: { message: 'Denied by policy.', data: { code: 'DENIED_BY_POLICY' } } });
    expect(headers.has('mcp-session-id')).toBe(false);
    expect(headers.get('www-authenticate')).toMatch(/error="insufficient_scope"/);
  });

  test('before a stream is opened', async () => {
    const headers = { authorization: `Bearer ${lob1()}`, accept: 'text/event-stream' };
    const reply = await fetch(`${gateway.origin()}/beta/sse`, { headers });
    expect([reply.status, await reply.json()]).toMatchObject([403, { error: { data: { code: 'DENIED_BY_POLICY' } } }]);
  });

  test('and lets in whom it allows', async () => {
    expect((await gateway.post('/alpha/mcp', lob1(), initialize, accept)).status).toBe(200);
  });
});

test('GET asks too, as proxies do that keep the body', async () => {
  const reply = await fetchHeld(`${gateway.origin()}/validate`, {
    headers: { 'x-authorization': `Bearer ${lob1()}`, 'x-original-url': '/alpha/mcp' },
  });
  expect([reply.status, await reply.json()]).toEqual([200, expect.objectContaining({ server_name: 'alpha' })]);
});

test('a question is in the book, with the scopes it was weighed by', async () => {
  await ask(lob1(), '/beta/mcp', call('echo'));
  await gateway.stop();
  const refused = gateway.book().find(({ operation, server }) => operation === 'initialize' && server === 'beta');
  expect(refused).toMatchObject({ decision: 'DENY', rule: 'scopes: no grant', scopes: ['alpha-echo'] });
  const asked = gateway.book().filter(({ operation }) => operation === 'validate');
  expect(asked.find(({ server, decision }) => server === 'beta' && decision === 'DENY')).toMatchObject({
    ...{ subject: 'https://idp.example.test|li', error_code: 'DENIED_BY_POLICY', scopes: ['alpha-echo'] },
  });
  await gateway.start();
});
