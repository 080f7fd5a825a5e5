/** What goes wrong is told in the words of the contract, with nothing in it that is nobody's business, and harms nobody else. */
import { request } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Json, type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, isStillThere, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Client, errorOf, exchange, openClient, resultOf, textOf } from '../support/mcp-client.ts';

const ERAS = ['legacy', 'modern'] as const;
const MiB = 1024 * 1024;
const CANARIES = {
  path: '/srv/app/internal/keys.pem',
  token: 'ghp_q8Zr4Tn1Xc7Vb2Ls9Wd5Kf3Hg6Jm0Pa',
  address: '10.20.30.40:5432',
  host: 'db-7.prod.internal',
};
const SPILLED = `ENOENT: cannot open ${CANARIES.path} with token=${CANARIES.token} at ${CANARIES.address} (${CANARIES.host})`;
const SPILLED_DATA: JsonObject = { hint: 1, cause: SPILLED, trace: [{ at: `x ${SPILLED}` }], deep: nest(SPILLED, 60) };

function nest(text: string, depth: number): Json {
  return depth === 0 ? text : [nest(text, depth - 1)];
}

/** A server whose tool `deep` answers with so many arrays in one another. */
const DEEP = `
  const say = m => process.stdout.write(typeof m === 'string' ? m + '\\n' : JSON.stringify(m) + '\\n');
  require('node:readline').createInterface({ input: process.stdin }).on('line', line => {
    const { id, method, params } = JSON.parse(line);
    const ok = result => say({ jsonrpc: '2.0', id, result });
    if (method === 'initialize') ok({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'd', version: '1' } });
    else if (method === 'tools/list') ok({ tools: [{ name: 'deep', inputSchema: { type: 'object' } }] });
    else if (method === 'tools/call') {
      const n = params.arguments.depth;
      say('{"jsonrpc":"2.0","id":' + id + ',"result":{"content":[],"x-deep":' + '['.repeat(n) + ']'.repeat(n) + '}}');
    } else if (id !== undefined) say({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } });
  }).on('close', () => process.exit(0));`;

let web: StartedScripted;
let gateway: GatewayProcess;
const clients = new Map<string, Client>();
const agents = new Map<string, Client>();

beforeAll(async () => {
  web = await startScripted({
    era: 'legacy',
    script: [{ on: 'tools/call', name: 'delete_one', do: 'error', code: -32050, message: SPILLED, data: SPILLED_DATA }],
  });
  gateway = await startGateway({
    servers: {
      web: { url: web.url },
      child: stdioScripted({ era: 'modern' }),
      mortal: stdioScripted({ era: 'legacy', script: [{ on: 'tools/call', name: 'touch', do: 'die' }] }),
      deep: { command: process.execPath, args: ['-e', DEEP] },
    },
    env: { GATEWAY_LOG_LEVEL: 'debug' },
  });
  for (const era of ERAS) {
    clients.set(era, await openClient(gateway.origin, era));
    agents.set(era, await openClient(gateway.origin, era, { path: '/mcp/agent' }));
  }
});

afterAll(async () => {
  for (const client of [...clients.values(), ...agents.values()]) await client.close();
  await gateway.stop();
  await web.close();
});

function one(of: ReadonlyMap<string, Client>, era: string): Client {
  const found = of.get(era);
  if (found === undefined) throw new Error(era);
  return found;
}

const execute = (era: string, args: JsonObject) => one(agents, era).call('execute_tool', args);

describe.each(ERAS)('to a %s client', era => {
  const number = (legacy: number) => (era === 'legacy' ? legacy : legacy + 1000);

  test('a call that takes longer than it may is TIMEOUT, and its server is told to stop', async () => {
    const before = Number(web.stats().cancelled ?? 0);
    const reply = await execute(era, { server: 'web', tool: 'slow', args: { ms: 5000 }, timeout_ms: 200 });
    expect(errorOf(reply)).toMatchObject({
      code: number(-32004),
      data: { code: 'TIMEOUT', operation: 'execute_tool', timeout_ms: 200 },
    });
    await waitFor(() => (Number(web.stats().cancelled ?? 0) === before + 1 ? true : null), 'it was cancelled');
  });

  test('a server that died is SERVER_UNAVAILABLE or an unknown outcome, without a word about its whereabouts', async () => {
    const answers: JsonObject[] = [];
    for (let i = 0; i < 5; i += 1) answers.push(errorOf(await execute(era, { server: 'mortal', tool: 'touch' })));
    const codes = answers.map(({ data }) => objectOrEmpty(data).code);
    expect(new Set(codes)).toEqual(new Set(['OUTCOME_UNKNOWN', 'SERVER_UNAVAILABLE']));
    const away = answers.find(({ data }) => objectOrEmpty(data).code === 'SERVER_UNAVAILABLE');
    expect(away).toMatchObject({ code: number(-32001), data: { server: 'mortal', reason: expect.any(String) } });
    expect(JSON.stringify(answers)).not.toMatch(/\/|\.ts|127\.0\.0\.1|node/);
    await waitFor(
      async () =>
        textOf(await execute(era, { server: 'mortal', tool: 'add', args: { a: 1, b: 1 } })) === '2' ? 1 : null,
      'it is back',
      60_000,
    );
  }, 90_000);

  test('an unknown tool is TOOL_NOT_FOUND with the tool and the server', async () => {
    const reply = await execute(era, { server: 'web', tool: 'no_such_tool' });
    expect(errorOf(reply)).toMatchObject({
      code: number(-32002),
      data: { code: 'TOOL_NOT_FOUND', tool: 'no_such_tool', server: 'web' },
    });
    const direct = await one(clients, era).call('web__no_such_tool');
    expect(errorOf(direct)).toMatchObject({ data: { code: 'TOOL_NOT_FOUND', tool: 'no_such_tool', server: 'web' } });
    expect(objectOrEmpty(errorOf(await one(clients, era).call('nobody')).data).code).toBe('TOOL_NOT_FOUND');
  });

  test.each([
    { args: {}, because: 'the server is missing' },
    { args: { server: 'web' }, because: 'the tool is missing' },
    { args: { server: 7, tool: 'echo' }, because: 'the server is a number' },
    { args: { server: 'web', tool: ['echo'] }, because: 'the tool is a list' },
    { args: { server: 'web', tool: 'echo', args: 'text' }, because: 'the arguments are text' },
    { args: { server: 'web', tool: 'echo', args: [] }, because: 'the arguments are a list' },
    { args: { server: 'web', tool: 'echo', timeout_ms: -1 }, because: 'the limit is negative' },
    { args: { server: 'web', tool: 'echo', timeout_ms: 1.5 }, because: 'the limit is no whole number' },
    { args: { server: 'web', tool: 'echo', timeout_ms: '200' }, because: 'the limit is text' },
    { args: { server: '', tool: 'echo' }, because: 'the server is empty' },
  ])('bad arguments are -32602 where $because', async ({ args }) => {
    expect(errorOf(await execute(era, args as JsonObject))).toMatchObject({
      code: -32602,
      data: { code: 'INVALID_PARAMS' },
    });
  });

  test('keys of every object are arguments like others', async () => {
    const args = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"x"}');
    const given = { server: 'child', tool: 'json', args: { result: { content: [], structuredContent: args } } };
    const { structuredContent } = resultOf(await execute(era, given));
    expect(JSON.stringify(structuredContent)).toBe(JSON.stringify(args));
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(objectOrEmpty(errorOf(await execute(era, { server: name, tool: name })).data).code).toBe(
        'SERVER_UNAVAILABLE',
      );
      expect(objectOrEmpty(errorOf(await one(clients, era).call(name)).data).code).toBe('TOOL_NOT_FOUND');
    }
  });

  test("a server's own error keeps its data and loses paths, tokens and addresses", async () => {
    const reply = await one(clients, era).call('web__delete_one');
    const error = errorOf(reply);
    expect(String(error.message)).toContain('ENOENT');
    expect(error.data).toMatchObject({ hint: 1, cause: expect.stringContaining('ENOENT') });
    expect(Object.keys(error).sort()).toEqual(['code', 'data', 'message']);
    for (const canary of Object.values(CANARIES)) {
      expect(JSON.stringify(reply.answer)).not.toContain(canary);
    }
    expect(gateway.stderr()).not.toContain(CANARIES.token);
  });

  test('what a tool itself reports as its failure passes untouched', async () => {
    for (const result of [
      { content: [{ type: 'text', text: SPILLED }], isError: true, _meta: { 'example.test/k': 1 } },
      { content: [{ type: 'image', data: 'iVBORw0KGgo=', mimeType: 'image/png' }], isError: true },
    ]) {
      const reply = resultOf(await one(clients, era).call('web__json', { result }));
      const { resultType: _type, ...same } = reply;
      expect(isDeepStrictEqual(same, result)).toBe(true);
    }
    expect(resultOf(await one(clients, era).call('web__fail'))).toMatchObject({
      content: [{ type: 'text', text: 'this tool always fails' }],
      isError: true,
    });
  });

  test.each([100, 5_000, 100_000, 1_000_000])('an answer of %i arrays in one another harms nobody', async depth => {
    const reply = await one(clients, era).call('deep__deep', { depth });
    expect(reply.status).toBe(200);
    if (reply.answer?.error === undefined) expect(resultOf(reply)).toHaveProperty('x-deep');
    else expect(objectOrEmpty(errorOf(reply).data).code).toBe('BAD_ANSWER');
    expect(textOf(await one(clients, era).call('child__echo', { text: 'well' }))).toBe('well');
  });
});

describe('a body', () => {
  const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
    exchange(`${gateway.origin}/mcp`, {
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': one(clients, 'legacy').sessionId ?? '',
        ...headers,
      },
      body,
    }).reply;
  const call = (args: string) =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"web__echo","arguments":${args}}}`;

  test('over the cap is 413, fifty of them at once too, and memory stays where it was', async () => {
    const before = gateway.residentBytes();
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, gateway.residentBytes());
    }, 20);
    const body = Buffer.from(call(`{"text":"${'x'.repeat(10 * MiB)}"}`));
    const statuses = await Promise.all(
      Array.from({ length: 50 }, () =>
        post(body).then(
          ({ status }) => status,
          (error: Error) => error.message,
        ),
      ),
    );
    clearInterval(watch);
    expect(new Set(statuses)).toEqual(new Set([413]));
    // Kept, they were 500.
    expect(peak - before).toBeLessThan(300 * MiB);
    // On a busy machine the last of it is given back a little later.
    await waitFor(() => (gateway.residentBytes() - before < 150 * MiB ? true : null), 'memory is where it was');
  });

  test('of endless chunks is 413 as soon as the cap is passed', async () => {
    const { port } = new URL(gateway.origin);
    const status = await new Promise<number>((resolve, reject) => {
      const sending = request(
        { port, path: '/mcp', method: 'POST', headers: { 'content-type': 'application/json' } },
        response => {
          response.resume();
          clearInterval(timer);
          resolve(response.statusCode ?? 0);
          sending.destroy();
        },
      );
      const chunk = Buffer.alloc(256 * 1024, 0x20);
      const timer = setInterval(() => sending.write(chunk), 2);
      sending.on('error', error => {
        clearInterval(timer);
        reject(error);
      });
    });
    expect(status).toBe(413);
  });

  test.each([200, 10_000, 1_000_000])('that nests %i deep is refused', async depth => {
    const reply = await post(call(`{"text":${'['.repeat(depth)}${']'.repeat(depth)}}`));
    expect(reply.status).toBe(400);
    expect(reply.frames[0]).toMatchObject({ error: { code: expect.any(Number) } });
  });

  test.each([
    { body: '{', because: 'it is half' },
    { body: '', because: 'it is empty' },
    { body: '{"jsonrpc":"2.0","id":1,"method":', because: 'it is cut' },
    { body: '\u0000\u0001\u0002', because: 'it is no text' },
    { body: '[]', because: 'it is an empty batch' },
    { body: '"text"', because: 'it is a text' },
    { body: 'null', because: 'it is null' },
    { body: '{"jsonrpc":"1.0","id":1,"method":"ping"}', because: 'it is another version' },
    { body: '{"jsonrpc":"2.0","id":{},"method":"ping"}', because: 'its id is an object' },
    { body: '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', because: 'its id is no whole number' },
    { body: '{"jsonrpc":"2.0","id":null,"method":"ping"}', because: 'its id is null' },
    { body: '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', because: 'its params are a list' },
  ])('is refused with 400 where $because', async ({ body }) => {
    const reply = await post(body);
    expect(reply.status).toBe(400);
    expect(reply.frames[0]).toMatchObject({ jsonrpc: '2.0', error: { code: expect.any(Number) } });
  });

  test('with a million keys, or one number of a million digits, is answered', async () => {
    const keys = Array.from({ length: 150_000 }, (_, i) => `"k${i}":${i}`).join(',');
    for (const args of [`{"text":"keys",${keys}}`, `{"text":"digits","n":${'9'.repeat(1_000_000)}}`]) {
      const reply = await post(call(args));
      expect(reply.status).toBe(200);
      expect(reply.frames.at(-1)).toHaveProperty('result.content.0.text');
    }
  });

  test.each(['2^53 - 1', 'a text of 64 KB', 'odd characters'] as const)('may have %s for its id', async what => {
    const id = { '2^53 - 1': 2 ** 53 - 1, 'a text of 64 KB': 'i'.repeat(65_536), 'odd characters': '\u2028"\\\u0000é' }[
      what
    ];
    const reply = await post(JSON.stringify({ jsonrpc: '2.0', id, method: 'ping' }));
    if (reply.status === 200) expect(reply.frames[0]?.id === id).toBe(true);
    else expect(reply.status).toBe(400);
  });
});

test('after all this the gateway is healthy, and the same process', async () => {
  expect((await gateway.get('/health')).status).toBe(200);
  for (const era of ERAS) expect(textOf(await one(clients, era).call('web__echo', { text: 'well' }))).toBe('well');
  const child = gateway.offspring().find(it => it.commandLine.includes('scripted.ts'));
  expect(child !== undefined && isStillThere(child)).toBe(true);
  expect(gateway.stderr()).not.toMatch(/"level":"?(fatal|error)/);
});
