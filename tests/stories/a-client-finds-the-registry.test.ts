/**
 * The registry's own tools by every address that clients know them under: the official client, given one of these and
 * nothing else, gets from a 401 to a working call at a real authorization server, over both transports.
 */
import {
  Client as SdkClient,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type AuthorizationServer, startAuthorizationServer } from '../support/authorization-server.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { findFreePort } from '../support/free-port.ts';
import { type GuardedGateway, startGuarded } from '../support/guarded-gateway.ts';
import { createVisitor } from '../support/visitor.ts';

const FIRST = 'mcp:tools.list';
const METHODS = ['initialize', 'notifications/initialized', 'ping', 'tools/list', 'tools/call'];
const SCOPES = {
  'UI-Scopes': { readers: { list_service: ['all'] } },
  group_mappings: { readers: ['readers'] },
  readers: [{ server: '*', methods: METHODS, tools: '*' }],
};

let authority: AuthorizationServer;
let server: StartedScripted;
let gateway: GuardedGateway;

beforeAll(async () => {
  authority = await startAuthorizationServer({
    clients: [],
    scopes: [FIRST],
    people: new Map([['alice', ['readers']]]),
  });
  server = await startScripted();
  const port = await findFreePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  const issuer = { issuer: authority.issuer, kind: 'oidc', audiences: [`${publicUrl}/mcp`] };
  gateway = await startGuarded({
    servers: { everyday: { url: server.url } },
    scopes: SCOPES,
    issuer: false,
    settings: { identity: { publicUrl, requiredScopes: [FIRST], issuers: [issuer] } },
    env: { GATEWAY_HTTP_PORT: String(port) },
  });
}, 60_000);

afterAll(async () => {
  await gateway?.stop();
  await server?.close();
  await authority?.close();
});

const DOORS = ['/mcp/registry', '/mcpgw/mcp', '/airegistry-tools/mcp', '/mcpgw/sse', '/airegistry-tools/sse'];

test.each(DOORS)('a 401 at %s names the metadata of that very address', async path => {
  const refused = await fetch(gateway.origin + path, { method: path.endsWith('/sse') ? 'GET' : 'POST' });
  expect(refused.status).toBe(401);
  const metadata = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '')?.[1] ?? '';
  expect(metadata).toBe(`${gateway.origin}/.well-known/oauth-protected-resource${path}`);
  const document = await fetch(metadata);
  expect(document.status).toBe(200);
  expect(await document.json()).toMatchObject({
    ...{ resource: gateway.origin + path, authorization_servers: [authority.issuer], scopes_supported: [FIRST] },
  });
});

test('a name that is nobody’s has metadata like any other: which servers there are is not said without a credential', async () => {
  const document = await fetch(`${gateway.origin}/.well-known/oauth-protected-resource/nobody/mcp`);
  expect(document.status).toBe(200);
  expect(await document.json()).toMatchObject({ resource: expect.stringMatching(/\/nobody\/mcp$/) });
});

test.each(['/mcpgw/mcp', '/airegistry-tools/mcp', '/mcp/registry', '/mcpgw/sse'])(
  'the official client gets from a 401 to a working call at %s',
  async path => {
    const { authProvider, browser } = createVisitor();
    const begin = () => {
      const Transport = path.endsWith('/sse') ? SSEClientTransport : StreamableHTTPClientTransport;
      return {
        client: new SdkClient({ name: 'visitor', version: '1' }),
        transport: new Transport(new URL(gateway.origin + path), { authProvider }),
      };
    };
    const first = begin();
    await expect(first.client.connect(first.transport)).rejects.toThrow(UnauthorizedError);
    if (browser.url === null) throw new Error('no browser was opened');
    expect(browser.url.searchParams.get('resource')).toBe(gateway.origin + path);
    await first.transport.finishAuth((await authority.signIn(browser.url, 'alice')).searchParams);

    const { client, transport } = begin();
    await client.connect(transport);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('list_services');
    const answer = (await client.callTool({ name: 'list_services', arguments: {} })) as JsonObject;
    expect(answer.isError).not.toBe(true);
    expect(JSON.stringify(answer.content)).toContain('everyday');
    await client.close();
  },
);
