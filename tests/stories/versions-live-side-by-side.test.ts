/**
 * One path, several versions of its server: a header pins a caller to one, a session stays with the version it began
 * with, and another default is for those who come after. Nothing that guards the active version is lost on the way.
 */

import { tmpdir } from 'node:os';
import { Client as SdkClient } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Era } from '../../src/domain/era.ts';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { runGatehouse } from '../e2e/gatehouse-process.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { waitFor } from '../support/gateway-process.ts';
import { type Client, exchange, openClient, type Reply, resultOf, textOf } from '../support/mcp-client.ts';
import { CALLERS, type Caller, openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

const PATH = '/team/notes';
const DOOR = `${PATH}/mcp`;
const HEADER = 'x-mcp-server-version';

let gateway: RegistryGateway;
/** By version: each answers alike, so where a call went is read from what its server has counted. */
const servers: Record<string, StartedScripted> = {};

beforeAll(async () => {
  gateway = await openRegistryGateway();
  for (const version of ['v1', 'v2', 'v3']) servers[version] = await startScripted({ name: version });
});
afterAll(async () => {
  await gateway.remove();
  for (const server of Object.values(servers)) await server.close();
});

const statsOf = (version: string) => servers[version]?.stats() ?? {};
const callsOf = (version: string) => Number(objectOrEmpty(statsOf(version).calls).echo ?? 0);

async function register(version: string, more: JsonObject = {}, path = PATH): Promise<number> {
  const body = {
    name: 'Notes',
    description: 'Keeps notes',
    path,
    version,
    proxy_pass_url: servers[version]?.url ?? '',
  };
  return (await gateway.post('/api/servers/register', 'admin', { ...body, ...more })).status;
}

function open(era: Era, version: string | null, caller: Caller = 'user', path = DOOR): Promise<Client> {
  const pin: Record<string, string> = version === null ? {} : { [HEADER]: version };
  return openClient(gateway.origin(), era, { path, headers: { authorization: `Bearer ${CALLERS[caller]}`, ...pin } });
}

/** Which version answers one call. */
async function answers(client: Client, more: Record<string, string> = {}): Promise<string> {
  const before = Object.keys(servers).map(version => [version, callsOf(version)] as const);
  const reply = await client.call('echo', { text: 'hi' }, { headers: more });
  if (textOf(reply) !== 'hi') return `${reply.status} ${reply.text}`;
  return before.flatMap(([version, count]) => (callsOf(version) > count ? [version] : [])).join();
}

async function once(era: Era, version: string | null, caller: Caller = 'user'): Promise<string> {
  const client = await open(era, version, caller);
  try {
    return await answers(client);
  } finally {
    await client.close();
  }
}

/** A session whose first request alone has the header. */
async function beginPinned(
  version: string | null,
): Promise<(message: JsonObject, more?: Record<string, string>) => Promise<Reply>> {
  const base = {
    authorization: `Bearer ${CALLERS.user}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const send = (message: JsonObject, headers: Record<string, string>) =>
    exchange(gateway.origin() + DOOR, {
      headers: { ...base, ...headers },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
    }).reply;
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'story', version: '1' } };
  const hello = await send({ method: 'initialize', params }, version === null ? {} : { [HEADER]: version });
  const session = { 'mcp-session-id': String(hello.headers['mcp-session-id']) };
  return async (message, more = {}) => {
    const reply = await send(message, { ...session, ...more });
    return { ...reply, answer: reply.frames[0] ?? null, others: [] };
  };
}
const ECHO = { method: 'tools/call', params: { name: 'echo', arguments: { text: 'hi' } } };

const activate = (version: string) => gateway.send('PUT', `/api/servers${PATH}/versions/default`, 'admin', { version });

describe('a version that is not active', () => {
  test('is not connected before somebody asks for it', async () => {
    expect(await register('v1')).toBe(201);
    expect(await once('legacy', null)).toBe('v1');
    expect(await register('v2')).toBe(201);
    const everything = await open('modern', null, 'user', '/mcp');
    const names = JSON.stringify(resultOf(await everything.request('tools/list')));
    await everything.close();
    expect(names).toContain('team_notes__echo');
    expect(names).not.toContain('v2');
    expect(statsOf('v2').requests).toEqual({});
  });

  test.each(['legacy', 'modern'] as const)('answers a %s client that names it, and no other', async era => {
    expect(await once(era, 'v2')).toBe('v2');
    expect(await once(era, 'v1')).toBe('v1');
    expect(await once(era, null)).toBe('v1');
  });

  test('is listed for itself, at its own door alone', async () => {
    servers.v3?.setScript([{ on: 'tools/list', do: 'flip' }]);
    expect(await register('v3')).toBe(201);
    const pinned = await open('modern', 'v3');
    const own = JSON.stringify(resultOf(await pinned.request('tools/list')).tools);
    await pinned.close();
    const active = await open('modern', null);
    const shown = JSON.stringify(resultOf(await active.request('tools/list')).tools);
    await active.close();
    expect(own).not.toBe(shown);
    expect(shown).toContain('Answers with the given text');
  });

  test('stays with a session that named it once, over HTTP and over SSE', async () => {
    const say = await beginPinned('v2');
    const before = callsOf('v2');
    expect(textOf(await say(ECHO))).toBe('hi');
    expect(callsOf('v2')).toBe(before + 1);
    const other = await say({ ...ECHO, id: 'other' }, { [HEADER]: 'v1' });
    expect([other.status, other.answer?.id]).toEqual([400, 'other']);
    expect(other.text).toContain('X-MCP-Server-Version differs');

    const sdk = new SdkClient({ name: 'story', version: '1' });
    const authorization = `Bearer ${CALLERS.user}`;
    const url = new URL(`${gateway.origin()}${PATH}/sse`);
    // The transport sends `requestInit` with what it posts; the stream alone names the version.
    const stream: typeof fetch = (input, init) =>
      fetch(input, { ...init, headers: { accept: 'text/event-stream', authorization, [HEADER]: 'v2' } });
    await sdk.connect(
      new SSEClientTransport(url, { eventSourceInit: { fetch: stream }, requestInit: { headers: { authorization } } }),
    );
    const reply = await sdk.callTool({ name: 'echo', arguments: { text: 'over SSE' } });
    await sdk.close();
    expect(JSON.stringify(reply)).toContain('over SSE');
    expect(callsOf('v2')).toBe(before + 2);
  });
});

describe('a version that is not there', () => {
  test.each([
    { version: 'v9', because: 'nobody registered it' },
    { version: 'v1, v2', because: 'two are none' },
    { version: '', because: 'an empty name is a name' },
  ])('is a clear 404: $because', async ({ version }) => {
    const client = await open('modern', version);
    const reply = await client.call('echo', { text: 'hi' });
    await client.close();
    expect(reply.status).toBe(404);
    expect(reply.text).toContain('X-MCP-Server-Version');
    expect(reply.text).not.toMatch(/v[123]/);
  });

  test('is refused to the request that named it, by its id, and is in the book under its method', async () => {
    const modern = await open('modern', 'v9');
    expect((await modern.request('tools/list', {}, { id: 'mine-7' })).answer).toMatchObject({ id: 'mine-7' });
    await modern.close();
    const begun = await open('legacy', null);
    const pinned = await begun.request('prompts/list', {}, { id: 'mine-8', headers: { [HEADER]: 'v9' } });
    await begun.close();
    expect(pinned).toMatchObject({ status: 404, answer: { id: 'mine-8', error: { data: { code: 'NOT_FOUND' } } } });
    const { body } = await gateway.read('/api/audit/events?operation=prompts/list&limit=1', 'admin');
    expect(body.events).toMatchObject([{ operation: 'prompts/list', error_code: 'NOT_FOUND' }]);
  });

  test.each([
    { headers: { 'content-type': 'text/plain' }, because: 'the media type' },
    { headers: { 'mcp-session-id': 'nobodys' }, because: 'the session' },
    { headers: { 'mcp-protocol-version': '1999-01-01' }, because: 'the revision' },
  ])('is said before whatever else is wrong: $because', async ({ headers }) => {
    const { reply } = exchange(gateway.origin() + DOOR, {
      headers: {
        ...{ authorization: `Bearer ${CALLERS.user}`, 'content-type': 'application/json', accept: 'application/json' },
        ...{ [HEADER]: 'v9', ...headers },
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...ECHO }),
    });
    const { status, frames } = await reply;
    expect([status, frames[0]]).toMatchObject([404, { error: { data: { code: 'NOT_FOUND' } } }]);
  });

  test('is like one that is hidden', async () => {
    const hidden = { visibility: 'private' };
    servers.v4 = await startScripted({ name: 'v4' });
    expect(await register('v4', hidden)).toBe(201);
    const texts = await Promise.all(
      ['v4', 'v9'].map(async version => {
        const client = await open('modern', version, 'user');
        const reply = await client.call('echo', { text: 'hi' });
        await client.close();
        return `${reply.status} ${reply.text}`;
      }),
    );
    expect(texts[0]).toBe(texts[1]);
    const { body } = await gateway.read(`/api/servers${PATH}/versions`, 'user');
    expect(JSON.stringify(body)).not.toContain('v4');
    expect(await once('modern', 'v4', 'admin')).toBe('v4');
  });

  test('says nothing of itself to whoever may not use the server at all', async () => {
    const texts = await Promise.all(
      ['v2', 'v9', null].map(async version => {
        const client = await open('modern', version, 'lob');
        const reply = await client.call('echo', { text: 'hi' });
        await client.close();
        return `${reply.status} ${JSON.stringify(reply.answer?.error)}`;
      }),
    );
    expect(new Set(texts).size).toBe(1);
  });
});

describe('another default', () => {
  test('is for sessions that begin after it, and leaves the others where they were', async () => {
    const before = await open('legacy', null);
    const pinned = await open('legacy', 'v2');
    expect(await answers(before)).toBe('v1');
    expect((await activate('v2')).status).toBe(200);
    expect(await answers(before)).toBe('v1');
    expect(await answers(pinned)).toBe('v2');
    expect(await once('legacy', null)).toBe('v2');
    expect(await once('modern', null)).toBe('v2');
    expect(await once('modern', 'v1')).toBe('v1');
    await before.close();
    await pinned.close();
  });

  test('is written down with every call', async () => {
    const client = await open('modern', 'v1');
    const requestId = String((await client.call('echo', { text: 'hi' })).headers['x-request-id']);
    await client.close();
    const event = await waitFor(async () => {
      const { body } = await gateway.read('/api/audit/events?operation=tools/call&limit=20', 'admin');
      return (body.events as JsonObject[]).find(({ request_id }) => request_id === requestId) ?? null;
    }, 'the call is in the book');
    expect(event).toMatchObject({ server: 'team/notes', tool: 'echo', metadata: { version: 'v1' } });
  });

  test('ends, for its sessions, with the version they are on', async () => {
    const say = await beginPinned('v1');
    expect(textOf(await say(ECHO))).toBe('hi');
    expect((await gateway.send('DELETE', `/api/servers${PATH}/versions/v1`, 'admin')).status).toBe(200);
    expect((await say(ECHO)).status).toBe(404);
    expect((await once('modern', 'v1')).slice(0, 3)).toBe('404');
    await waitFor(async () => (Number(statsOf('v1').sessions) === 0 ? true : null), 'its connections are closed');
    expect(await register('v1')).toBe(201);
  });
});

describe('what guards the active version', () => {
  test('guards every other: quarantine', async () => {
    const begun = await open('legacy', 'v1');
    const body = { kind: 'server', name: 'team/notes', reason: 'story' };
    expect((await gateway.post('/api/quarantine', 'admin', body)).status).toBeLessThan(300);
    const client = await open('modern', 'v1');
    const reply = await client.call('echo', { text: 'hi' });
    await client.close();
    expect(JSON.stringify(reply.answer)).toContain('DENIED_BY_POLICY');
    expect(JSON.stringify((await begun.call('echo', { text: 'hi' })).answer)).toContain('DENIED_BY_POLICY');
    expect((await gateway.send('DELETE', '/api/quarantine/server/team/notes', 'admin')).status).toBeLessThan(300);
    expect(await answers(begun)).toBe('v1');
    await begun.close();
    expect(await once('modern', 'v1')).toBe('v1');
  });

  test('holds the changed tools of one version, and of no other', async () => {
    const sees = async (version: string) =>
      (await once('modern', version)).includes('DENIED_BY_POLICY') ? 'held' : 'called';
    expect(await sees('v1')).toBe('called');
    servers.v1?.setScript([{ on: 'tools/list', do: 'flip' }]);
    const toggling = await open('modern', 'v1');
    await toggling.call('toggle');
    await toggling.close();
    await waitFor(async () => ((await sees('v1')) === 'held' ? true : null), 'the change is noticed');
    expect(await sees('v2')).toBe('called');
    const { body } = await gateway.read('/api/definitions/pending', 'admin');
    const waiting = new Set((body.pending as JsonObject[]).map(({ server }) => server));
    expect([...waiting]).toEqual(['team/notes@v1']);
    // Whatever else comes and goes.
    const wish = { name: 'Else', description: 'else', path: '/else', proxy_pass_url: servers.v2?.url ?? '' };
    expect((await gateway.post('/api/servers/register', 'admin', wish)).status).toBe(201);
    expect(await sees('v1')).toBe('held');
    expect((await gateway.post('/api/servers/remove', 'admin', { path: '/else' })).status).toBe(200);
    expect(await sees('v1')).toBe('held');
    const diff = (name: string) =>
      runGatehouse({
        ...{ args: ['tools', 'diff', name, '--url', gateway.origin()], cwd: tmpdir() },
        env: { GATEWAY_TOKEN: CALLERS.admin },
      });
    // On the command line a name without a version is all of them: nothing that waits is passed over.
    for (const [name, code] of [
      ['team/notes', 1],
      ['team/notes@v1', 1],
      ['team/notes@v2', 0],
      ['team', 0],
    ] as const)
      expect([name, (await diff(name)).code]).toEqual([name, code]);
    // The server alone is its active version, of which nothing waits.
    const approve = (server: string) => gateway.post('/api/definitions/approve', 'admin', { server });
    expect((await approve('team/notes')).status).toBe(404);
    const { status, body: done } = await approve('team/notes@v1');
    expect([status, (done.definitions as JsonObject[])[0]]).toMatchObject([200, { server: 'team/notes@v1' }]);
    await waitFor(async () => ((await sees('v1')) === 'called' ? true : null), 'it is called again');
  });

  test('sends each its own credential', async () => {
    const secret = { auth_scheme: 'bearer', auth_credential: 'of-the-fifth' };
    servers.v5 = await startScripted({ name: 'v5' });
    expect(await register('v5', secret)).toBe(201);
    expect(await once('modern', 'v5')).toBe('v5');
    expect(objectOrEmpty(statsOf('v5').lastHeaders).authorization).toBe('Bearer of-the-fifth');
    expect(await once('modern', 'v2')).toBe('v2');
    expect(objectOrEmpty(statsOf('v2').lastHeaders).authorization).toBeUndefined();
  });

  test('switched off is off in all versions', async () => {
    const toggle = (on: boolean) => gateway.post('/api/servers/toggle', 'admin', { path: PATH, new_state: on });
    await toggle(false);
    for (const version of ['v1', 'v2', null]) expect((await once('modern', version)).slice(0, 3)).toBe('404');
    await toggle(true);
    expect(await once('modern', 'v1')).toBe('v1');
    expect(await once('modern', null)).toBe('v2');
  });

  test('outlives a restart', async () => {
    await gateway.stop();
    await gateway.start();
    expect(await once('modern', 'v1')).toBe('v1');
    expect(await once('modern', null)).toBe('v2');
  });
});
