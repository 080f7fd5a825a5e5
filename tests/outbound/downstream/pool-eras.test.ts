import { createRequire } from 'node:module';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isJsonObject, type JsonObject } from '../../../src/domain/json.ts';
import type { ServerSpec } from '../../../src/domain/server.ts';
import { startFixtureHttp } from '../../support/downstreams/conformance-fixture.ts';
import type { ScriptedEra } from '../../support/downstreams/scripted/engine.ts';
import { startScripted, stdioScripted } from '../../support/downstreams/start.ts';
import { startEverything } from './pool-everything.ts';
import { http, inlineStdio, makeLine, openPool, spec, stdio, textOf, until } from './pool-kit.ts';

const EVERYTHING = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');

async function scripted(transport: 'stdio' | 'http' | 'sse', era: ScriptedEra): Promise<ServerSpec['link']> {
  if (transport === 'stdio') return stdio(stdioScripted({ era }));
  const server = await startScripted({ transport, era });
  onTestFinished(() => server.close());
  return http(server.url);
}

describe('every transport in every era', () => {
  test.each([
    { transport: 'stdio', era: 'legacy', speaks: 'legacy' },
    { transport: 'stdio', era: 'modern', speaks: 'modern' },
    { transport: 'stdio', era: 'dual', speaks: 'modern' },
    { transport: 'http', era: 'legacy', speaks: 'legacy' },
    { transport: 'http', era: 'modern', speaks: 'modern' },
    { transport: 'http', era: 'dual', speaks: 'modern' },
    { transport: 'sse', era: 'legacy', speaks: 'legacy' },
  ] as const)('lists and calls over $transport a $era server as $speaks', async ({ transport, era, speaks }) => {
    const { pool, call, events } = openPool([spec('s', await scripted(transport, era))]);

    const listed = await pool.query('s', 'tools/list', {});
    if (listed.kind !== 'answer') throw new Error(JSON.stringify(listed));
    expect(listed.era).toBe(speaks);
    expect((listed.result.tools as JsonObject[]).map(tool => tool.name)).toContain('echo');
    expect(textOf(await call('s', 'echo', { text: 'hé' }))).toBe('hé');
    expect(textOf(await call('s', 'add', { a: 1, b: 2 }))).toBe('3');

    const facts = pool.state('s')?.facts;
    expect(facts?.era).toBe(speaks);
    expect(facts?.revision).toBe(speaks === 'modern' ? '2026-07-28' : '2025-11-25');
    expect(facts?.instructions).toBe('This is scripted.');
    expect(facts?.serverInfo.name).toBe('scripted');
    expect(isJsonObject(facts?.capabilities.experimental)).toBe(true);
    expect(events.filter(event => event.kind === 'connected')).toHaveLength(1);
  });

  test.each([
    { era: 'legacy', method: 'ping', because: 'every legacy server answers it' },
    {
      era: 'modern',
      method: 'server/discover',
      because: 'there is no ping any more, and an error is a line in its log',
    },
    { era: 'dual', method: 'server/discover', because: 'it is spoken with as modern' },
  ] as const)('asks a $era server for a sign of life by $method: $because', async ({ era, method }) => {
    const server = await startScripted({ era });
    onTestFinished(() => server.close());
    const { pool } = openPool([spec('s', http(server.url))]);
    await pool.query('s', 'tools/list', {});
    const asked = () => {
      const { ping = 0, 'server/discover': discover = 0 } = server.stats().requests as Record<string, number>;
      return { ping, 'server/discover': discover };
    };
    const before = asked();
    expect(await pool.query('s', 'ping', {})).toMatchObject({ kind: 'answer', era: era === 'legacy' ? era : 'modern' });
    expect(asked()).toEqual({ ...before, [method]: before[method] + 1 });
  });

  test.each(['2024-11-05', '2025-03-26', '2025-06-18'] as const)(
    'accepts a server that answers with %s',
    async revision => {
      const server = await startScripted({ era: 'legacy', revision });
      onTestFinished(() => server.close());
      const { pool, call } = openPool([spec('s', http(server.url))]);
      expect(textOf(await call('s', 'echo', { text: 'old' }))).toBe('old');
      expect(pool.state('s')?.facts?.revision).toBe(revision);
      expect((server.stats().lastHeaders as JsonObject)['mcp-protocol-version']).toBe(revision);
    },
  );

  test.each(['legacy', 'modern', 'dual'] as const)('speaks with an SDK server (%s) over HTTP', async era => {
    const fixture = await startFixtureHttp(era);
    onTestFinished(() => fixture.close());
    const { pool, call } = openPool([spec('s', http(fixture.url))]);
    expect((await pool.query('s', 'tools/list', {})).kind).toBe('answer');
    expect(textOf(await call('s', 'test_simple_text'))).toBe('This is a simple text response for testing.');
    expect(pool.state('s')?.facts?.era).toBe(era === 'legacy' ? 'legacy' : 'modern');
  });

  test.each(['legacy', 'modern', 'dual'])('speaks with an SDK server (%s) over stdio', async era => {
    const file = new URL('../../support/downstreams/conformance-fixture.ts', import.meta.url).pathname;
    const link = stdio({ command: process.execPath, args: [file, '--transport', 'stdio', '--era', era] });
    const { pool, call } = openPool([spec('s', link)]);
    expect((await pool.query('s', 'tools/list', {})).kind).toBe('answer');
    expect(textOf(await call('s', 'test_simple_text'))).toBe('This is a simple text response for testing.');
    expect(pool.state('s')?.facts?.era).toBe(era === 'legacy' ? 'legacy' : 'modern');
  });
});

describe('the reference server "everything"', () => {
  test('gives the same answers over stdio, Streamable HTTP and SSE', async () => {
    const [web, old] = await Promise.all([startEverything('streamableHttp'), startEverything('sse')]);
    const { pool, call } = openPool([
      spec('local', stdio({ command: process.execPath, args: [EVERYTHING, 'stdio'] })),
      spec('web', http(web)),
      spec('old', http(old)),
    ]);
    for (const server of ['local', 'web', 'old']) {
      const line = makeLine({ wantsProgress: true });
      expect(textOf(await call(server, 'echo', { message: 'hello' }))).toBe('Echo: hello');
      const long = await call(server, 'trigger-long-running-operation', { duration: 0.2, steps: 2 }, { line });
      expect(textOf(long)).toContain('completed');
      expect(
        line.notices.filter(({ method }) => method === 'notifications/progress').map(({ params }) => params),
      ).toEqual([
        { progress: 1, total: 2 },
        { progress: 2, total: 2 },
      ]);
    }
    const lists = await Promise.all(['local', 'web', 'old'].map(key => pool.query(key, 'prompts/list', {})));
    const [first, ...others] = lists.map(reply => (reply.kind === 'answer' ? reply.result : reply));
    for (const other of others) expect(other).toEqual(first);
  });
});

describe('choosing the era', () => {
  test('asks once and remembers: a reconnect goes straight to the handshake', async () => {
    const server = await startScripted({ era: 'legacy' });
    onTestFinished(() => server.close());
    const { pool, call } = openPool([spec('s', http(server.url))]);
    await call('s', 'echo', { text: 'a' });
    expect((server.stats().requests as JsonObject)['server/discover']).toBeUndefined();
    const seen = server.stats().refused;
    await call('s', 'echo', { text: 'b' }, { partition: 'other' });
    expect(server.stats().refused).toBe(seen);
    expect((server.stats().requests as JsonObject).initialize).toBe(2);
    expect(pool.state('s')?.connections).toBeGreaterThan(0);
  });

  test('does not probe where the operator has said which era', async () => {
    const server = await startScripted({ era: 'dual' });
    onTestFinished(() => server.close());
    const { pool, call } = openPool([spec('s', http(server.url), { era: 'legacy' })]);
    expect(textOf(await call('s', 'echo', { text: 'x' }))).toBe('x');
    expect(pool.state('s')?.facts?.era).toBe('legacy');
    expect((server.stats().requests as JsonObject)['server/discover']).toBeUndefined();
  });

  test('restarts a stdio server that ends when anything comes before initialize', async () => {
    const link = inlineStdio(`on(m => {
      if (m.method === 'initialize') return hello(m);
      if (m.method === 'tools/call') return say({ jsonrpc: '2.0', id: m.id, result: { content: [{ type: 'text', text: 'alive' }] } });
      if (m.method === 'server/discover') process.exit(3);
    })`);
    const { pool, call } = openPool([spec('s', link)]);
    expect(textOf(await call('s', 'any'))).toBe('alive');
    expect(pool.state('s')?.facts?.era).toBe('legacy');
  });

  test('offers initialize to a stdio server that keeps silent about the modern question', async () => {
    const link = inlineStdio(`on(m => {
      if (m.method === 'initialize') return hello(m);
      if (m.method === 'tools/call') return say({ jsonrpc: '2.0', id: m.id, result: { content: [{ type: 'text', text: String(process.pid) }] } });
    })`);
    const { call, logged } = openPool([spec('s', link)], { probeTimeoutMs: 100 });
    const pid = Number(textOf(await call('s', 'any')));
    const connected = logged.find(({ message }) => message === 'connected to server');
    expect(connected?.fields.pid).toBe(pid);
  });

  test('finds a modern stdio server that was slow to start', async () => {
    const link = stdio(stdioScripted({ era: 'modern', script: [{ on: 'start', do: 'delay', ms: 1500 }] }));
    const { pool, call } = openPool([spec('s', link)], { probeTimeoutMs: 100 });
    expect(textOf(await call('s', 'echo', { text: 'late' }))).toBe('late');
    expect(pool.state('s')?.facts?.era).toBe('modern');
  });

  test('tells a server that speaks nothing we know from one that is not there', async () => {
    const link = inlineStdio(
      `on(m => m.method === 'initialize' ? hello(m, { protocolVersion: '1999-01-01' }) : no(m))`,
    );
    const { call } = openPool([spec('s', link), spec('gone', stdio({ command: '/nonexistent/server', args: [] }))]);
    expect(await call('s', 'any')).toMatchObject({
      code: 'SERVER_UNAVAILABLE',
      data: { server: 's', reason: 'it speaks no known protocol version' },
    });
    const gone = await call('gone', 'any');
    expect(gone).toMatchObject({ code: 'SERVER_UNAVAILABLE', data: { server: 'gone' } });
    expect(JSON.stringify(gone.kind === 'failure' ? gone.data : null)).not.toContain('nonexistent');
  });
});

describe('the modern hop', () => {
  test('carries the envelope of the gateway and what the caller declared, nothing of the hop before', async () => {
    const server = await startScripted({ era: 'modern' });
    onTestFinished(() => server.close());
    const { call } = openPool([spec('s', http(server.url))]);
    const extensions = { 'io.modelcontextprotocol/tasks': {}, 'example.test/other': { a: 1 } };
    const capabilities = { elicitation: { form: {} }, sampling: {}, extensions, experimental: { x: {} } };
    const line = makeLine({ era: 'modern', capabilities, logLevel: 'info', wantsProgress: true });
    await call(
      's',
      'echo',
      { text: 'x' },
      { line, meta: { traceparent: '00-1', progressToken: 'theirs', 'example.test/k': 1 } },
    );
    const { _meta: meta } = (server.stats().lastParams as JsonObject)['tools/call'] as JsonObject;
    expect(meta).toEqual({
      traceparent: '00-1',
      'example.test/k': 1,
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'gatehouse-test', version: '0' },
      'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} }, sampling: {}, extensions },
      'io.modelcontextprotocol/logLevel': 'info',
      progressToken: expect.any(Number),
    });
  });

  test('never offers tasks for a legacy caller, who could not take one', async () => {
    const server = await startScripted({ era: 'modern' });
    onTestFinished(() => server.close());
    const { call } = openPool([spec('s', http(server.url))]);
    const capabilities = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
    await call('s', 'echo', { text: 'x' }, { line: makeLine({ era: 'legacy', capabilities }) });
    const { _meta: meta } = (server.stats().lastParams as JsonObject)['tools/call'] as JsonObject;
    expect((meta as JsonObject)['io.modelcontextprotocol/clientCapabilities']).toEqual({});
  });

  test('writes names that are no plain header value as the sentinel form', async () => {
    const server = await startScripted({ era: 'modern' });
    onTestFinished(() => server.close());
    const { send } = openPool([spec('s', http(server.url))]);
    // The fixture compares the decoded header with the body and refuses a difference.
    for (const uri of ['test://é/ü', ' test://blank ', '=?base64?eA==?=', 'test://text']) {
      const reply = await send('s', 'resources/read', { uri });
      expect(
        reply.kind === 'answer' || (reply.kind === 'relayed' && reply.error.code === -32602),
        `${uri}: ${JSON.stringify(reply)}`,
      ).toBe(true);
    }
    expect(server.stats().refused ?? 0).toBe(0);
  });

  test('repeats arguments as Mcp-Param headers where the tool asks for it', async () => {
    const fixture = await startFixtureHttp('modern');
    onTestFinished(() => fixture.close());
    const { pool, call } = openPool([spec('s', http(fixture.url))]);
    const listed = await pool.query('s', 'tools/list', {});
    const tools = (listed.kind === 'answer' ? listed.result.tools : []) as JsonObject[];
    const tool = tools.find(({ name }) => name === 'test_x_mcp_header');
    const { properties } = (tool?.inputSchema ?? { properties: {} }) as { properties: Record<string, JsonObject> };
    const args = Object.fromEntries(
      Object.entries(properties).map(([name, { type }]) => [
        name,
        type === 'integer' ? 7 : type === 'boolean' ? true : ' ü ',
      ]),
    );
    const reply = await call('s', 'test_x_mcp_header', args);
    expect(reply, JSON.stringify(reply)).toMatchObject({ kind: 'answer' });
  });

  test('relays a lack of the caller and keeps a lack of the hop to itself', async () => {
    const server = await startScripted({ era: 'modern' });
    onTestFinished(() => server.close());
    const { call } = openPool([spec('s', http(server.url))]);
    expect(await call('s', 'ask', {})).toMatchObject({ kind: 'relayed', error: { code: -32021 } });
    const error = {
      on: 'tools/call',
      do: 'error',
      code: -32021,
      data: { requiredCapabilities: { sampling: {} } },
    } as const;
    server.setScript([error]);
    const able = makeLine({ capabilities: { sampling: {} } });
    expect(await call('s', 'echo', {}, { line: able })).toMatchObject({ code: 'SERVER_UNAVAILABLE' });
    server.setScript([{ on: 'tools/call', do: 'error', code: -32020 }]);
    expect(await call('s', 'echo')).toMatchObject({ code: 'SERVER_UNAVAILABLE' });
  });

  test('passes input_required and its retry through untouched', async () => {
    const server = await startScripted({ era: 'modern' });
    onTestFinished(() => server.close());
    const { send } = openPool([spec('s', http(server.url))]);
    const line = makeLine({ era: 'modern', capabilities: { elicitation: {} } });
    const first = await send('s', 'tools/call', { name: 'ask', arguments: {} }, { line });
    if (first.kind !== 'answer') throw new Error(JSON.stringify(first));
    expect(first.result.resultType).toBe('input_required');
    const { requestState = null } = first.result;
    const inputResponses = { question: { action: 'accept', content: { name: 'Ada' } } };
    const again = await send('s', 'tools/call', { name: 'ask', arguments: {}, inputResponses, requestState }, { line });
    expect(textOf(again)).toBe(JSON.stringify({ action: 'accept', content: { name: 'Ada' } }));
  });
});

test('sends the configured headers on every request of a server, and only there', async () => {
  const server = await startScripted({ era: 'legacy' });
  onTestFinished(() => server.close());
  const { pool, call } = openPool([spec('s', http(server.url, 'auto', { 'x-api-key': 'k-1' }))]);
  await pool.query('s', 'tools/list', {});
  expect((server.stats().lastHeaders as JsonObject)['x-api-key']).toBe('k-1');
  const seen = await call('s', 'whoami');
  const { headers } = (seen.kind === 'answer' ? seen.result.structuredContent : {}) as { headers: JsonObject };
  expect(headers['x-api-key']).toBe('k-1');
  expect(headers.authorization).toBeUndefined();
});

test('does not follow a redirect', async () => {
  const target = await startScripted({ era: 'legacy' });
  const server = await startScripted({
    era: 'legacy',
    script: [{ on: '*', do: 'http-status', status: 307, headers: { location: target.url } }],
  });
  onTestFinished(() => Promise.all([server.close(), target.close()]).then(() => undefined));
  const { call } = openPool([spec('s', http(server.url, 'streamable-http', { authorization: 'Bearer secret' }))]);
  expect(await call('s', 'echo')).toMatchObject({
    code: 'SERVER_UNAVAILABLE',
    data: { reason: 'it redirects elsewhere' },
  });
  expect(target.stats().opened ?? 0).toBe(0);
});

test('over SSE, does not post to an address of another origin', async () => {
  const { createServer } = await import('node:http');
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: endpoint\ndata: http://127.0.0.2:9/steal\n\n');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const { pool, call } = openPool([spec('s', http(`http://127.0.0.1:${port}/sse`, 'sse'))]);
  expect(await call('s', 'echo')).toMatchObject({
    code: 'SERVER_UNAVAILABLE',
    data: { reason: 'it named an address of another origin' },
  });
  await until(() => pool.state('s')?.connections === 0, 'the stream is closed');
});
