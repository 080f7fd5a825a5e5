/**
 * Five hundred requests in a random mix, by callers of every kind: what was answered and what the ledger says of it are the
 * same, line for line, by the id that the answer carries; nothing is missing, nothing is there twice, and the chain holds.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyAudit } from '../../src/cli/audit.ts';
import type { Host, Output } from '../../src/cli/host.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { type GuardedGateway, startGuarded, tokenOf } from '../support/guarded-gateway.ts';
import { type Client, errorOf, exchange, type Reply, resultOf } from '../support/mcp-client.ts';
import { randomSecret } from '../support/token-issuer.ts';

const REQUESTS = 500;
const SEED = 20_260_728;
const AT_ONCE = 8;
const KEY = randomSecret();

let servers: StartedScripted[];
let gateway: GuardedGateway;
const clients: Client[] = [];

beforeAll(async () => {
  servers = await Promise.all(['echo', 'web'].map(name => startScripted({ name })));
  const [echo, web] = servers.map(({ url }) => ({ url }));
  if (echo === undefined || web === undefined) throw new Error('two servers');
  gateway = await startGuarded({
    servers: { echo, web, gone: { url: 'http://127.0.0.1:1/mcp' } },
    rules: {
      agents: {
        broad: { allow: { servers: ['*'] }, deny: { tools: { '*': ['delete_*'] } } },
        narrow: { allow: { servers: ['echo', 'gone'], tools: { echo: ['add', 'echo', 'fail'] } } },
      },
    },
    settings: { identity: { keys: [{ name: 'night', key: KEY, agent: 'narrow' }] } },
  });
  const callers = [
    tokenOf('bo', { agent_id: 'broad' }),
    tokenOf('nell', { agent_id: 'narrow' }),
    tokenOf('ghost', { agent_id: 'nobody' }),
    KEY,
  ];
  for (const caller of callers) {
    clients.push(await gateway.open('legacy', caller, '/mcp/direct'));
    clients.push(await gateway.open('modern', caller, '/mcp/agent'));
    clients.push(await gateway.open('modern', caller, '/echo/mcp'));
  }
}, 60_000);

afterAll(async () => {
  for (const client of clients) await client.close();
  gateway.discard();
  for (const server of servers) await server.close();
});

/** mulberry32: the same mix each time. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Asked = [operation: string, method: string, params: JsonObject];
const tool = (name: string, args: JsonObject = {}, operation = 'tools/call'): Asked => [
  operation,
  'tools/call',
  { name, arguments: args },
];
const own = (name: string, args: JsonObject = {}): Asked => tool(name, args, name);
const plain = (method: string, params: JsonObject = {}): Asked => [method, method, params];

const ADD = { a: 1, b: 2 };
/** For any door: names that mean nothing there are a case as well. */
const MIX: readonly Asked[] = [
  ...['echo__add', 'add', 'web__add', 'echo__echo', 'web__echo'].map(name => tool(name, { ...ADD, text: 'x' })),
  ...['echo__delete_one', 'web__delete_all', 'delete_all', 'echo__fail', 'fail'].map(name => tool(name)),
  ...['echo__nope', 'nope', 'nil__add', 'gone__add', '__', ''].map(name => tool(name)),
  plain('tools/call', { name: 7 }),
  plain('tools/call', { name: 'echo__add', arguments: 'no object' }),
  ...['tools/list', 'resources/list', 'resources/templates/list', 'prompts/list', 'no/such'].map(name => plain(name)),
  plain('tools/list', { cursor: 'made up' }),
  ...['greet', 'echo__greet', 'web__greet', 'nil__greet'].map(name =>
    plain('prompts/get', { name, arguments: { name: 'a' } }),
  ),
  ...['test://text', 'web+test://text', 'test://none', 'no uri'].map(uri => plain('resources/read', { uri })),
  plain('completion/complete', {
    ref: { type: 'ref/prompt', name: 'echo__greet' },
    argument: { name: 'name', value: 'a' },
  }),
];
/** Where the gateway's own tools are listed. */
const OWN_MIX: readonly Asked[] = [
  own('list_servers'),
  own('list_servers', { agent_id: 'broad' }),
  own('list_servers', { agent_id: 'bad id' }),
  ...['echo', 'web', 'nil', 'gone'].map(server => own('get_server_tools', { server })),
  ...['add', 'delete_all', 'fail', 'nope'].map(name => own('execute_tool', { server: 'echo', tool: name, args: ADD })),
  own('execute_tool', { server: 'web', tool: 'add', args: ADD }),
  own('execute_tool', { server: 'nil', tool: 'add', args: ADD }),
  own('execute_tool', { server: 'echo' }),
  own('find_tools', { query: 'add two numbers' }),
  own('call_tool', { name: 'web__add', arguments: ADD }),
];

const decisionOf = (reply: Reply): string => {
  const { data } = errorOf(reply) as { data?: JsonObject };
  if (reply.answer !== null && 'result' in reply.answer) return 'ALLOW';
  return data?.code === 'DENIED_BY_POLICY' ? 'DENY' : 'ERROR';
};

const SUBJECTS = [
  'https://idp.example.test|bo',
  'https://idp.example.test|nell',
  'https://idp.example.test|ghost',
  'key:night',
];

test(`${REQUESTS} requests at random: each is one line, whether it reached an operation or not, and it says what was answered`, {
  timeout: 60_000,
}, async () => {
  const random = createRandom(SEED);
  const answered: string[] = [];
  let [isErrors, unreached] = [0, 0];
  let left = REQUESTS;
  const worker = async () => {
    while (left-- > 0) {
      const at = Math.floor(random() * clients.length);
      const client = clients[at];
      const mix = at % 3 === 1 ? [...MIX, ...OWN_MIX, ...OWN_MIX] : MIX;
      const asked = mix[Math.floor(random() * mix.length)];
      if (client === undefined || asked === undefined) throw new Error('out of range');
      const [operation, method, params] = asked;
      const reply = await client.request(method, params);
      if (resultOf(reply).isError === true) isErrors++;
      const { code, data } = errorOf(reply) as { code?: number; data?: JsonObject };
      // Its headers and body said different things: no operation was begun, and which one is what was sent.
      const isUnreached = reply.status === 400 && data?.code === 'HEADER_MISMATCH';
      if (isUnreached) unreached++;
      // What is a server's own has its number and no word of ours.
      const word = data?.code ?? (code === undefined ? null : String(code));
      const said = isUnreached ? method : operation;
      const id = reply.headers['x-request-id'];
      answered.push(JSON.stringify([id, SUBJECTS[Math.floor(at / 3)], said, decisionOf(reply), word]));
    }
  };
  // Between them, some who cannot say who they are: they reach no operation.
  const strangers = async () => {
    for (let n = 0; n < 5; n++) {
      const headers = { 'content-type': 'application/json', accept: '*/*', authorization: 'Bearer nobody' };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo__add' } });
      expect((await exchange(`${gateway.origin}/mcp`, { headers, body }).reply).status).toBe(401);
    }
  };
  await Promise.all([...Array.from({ length: AT_ONCE }, worker), strangers()]);

  // An orderly end: what was answered is written by then.
  gateway.signal('SIGTERM');
  expect(await gateway.ended).toBe(0);
  const lines = (await gateway.book(1)).filter(({ subject }) => subject !== null);
  // Of an address that is hidden from its caller the book says more than the caller was told; who may do nothing is told so.
  const isHidden = (line: JsonObject) =>
    line.operation === 'resources/read' && line.decision === 'DENY' && line.subject !== SUBJECTS[2];
  const toldOf = (line: JsonObject) =>
    isHidden(line) ? ['ERROR', 'RESOURCE_NOT_FOUND'] : [line.decision, line.error_code];
  const written = lines.map(line => JSON.stringify([line.request_id, line.subject, line.operation, ...toldOf(line)]));
  expect(lines.some(isHidden)).toBe(true);
  expect(written.sort()).toEqual(answered.sort());
  expect(lines).toHaveLength(REQUESTS);
  // Those that reached an operation are all but those that were turned away before.
  const isReached = (line: JsonObject) => line.error_code !== 'HEADER_MISMATCH';
  expect(lines.filter(isReached)).toHaveLength(REQUESTS - unreached);
  expect(unreached).toBeGreaterThan(0);
  const count = (decision: string) => lines.filter(line => line.decision === decision).length;
  for (const decision of ['ALLOW', 'DENY', 'ERROR']) expect(count(decision)).toBeGreaterThan(40);
  expect(isErrors).toBeGreaterThan(5);
  expect(lines.filter(({ outcome }) => outcome === 'tool-error')).toHaveLength(isErrors);
  // Every denial says by which rule.
  expect(lines.filter(({ decision, rule }) => decision === 'DENY' && rule === null)).toEqual([]);
  expect(new Set(lines.map(({ request_id: id }) => id)).size).toBe(REQUESTS);
  expect(new Set(lines.map(({ address }) => address))).toEqual(new Set(['127.0.0.1']));
  for (const { latency_ms: ms, timestamp } of lines)
    expect([typeof ms, Number.isNaN(Date.parse(String(timestamp)))]).toEqual(['number', false]);
});

async function verify(): Promise<{ status: number; said: string }> {
  const said: string[] = [];
  const same = (text: string) => text;
  const output: Output = {
    line: (text = '') => void said.push(text),
    stream: process.stdout,
    isTerminal: false,
    paint: { bold: same, dim: same, green: same, yellow: same, red: same },
  };
  const host: Host = {
    ...{ args: [], env: {}, cwd: gateway.folder, home: gateway.folder, execPath: process.execPath },
    ...{ stdin: process.stdin, stdout: output, stderr: output },
    onSignal: () => () => {},
    onCrash: () => () => {},
  };
  return { status: await verifyAudit(host, { file: gateway.auditFile }), said: said.join('\n') };
}

test('the chain of it all is intact, and one changed word is found', async () => {
  const intact = await verify();
  expect([intact.status, intact.said]).toEqual([0, expect.stringContaining('intact')]);
  const text = readFileSync(gateway.auditFile, 'utf8');
  const at = text.indexOf('"decision":"DENY"');
  const seq = text.slice(0, at).split('\n').length;
  writeFileSync(gateway.auditFile, `${text.slice(0, at)}"decision":"PASS"${text.slice(at + 17)}`);
  const broken = await verify();
  expect([broken.status, broken.said]).toEqual([1, expect.stringContaining(`line ${seq} is`)]);
  writeFileSync(gateway.auditFile, text);
  expect((await verify()).status).toBe(0);
});
