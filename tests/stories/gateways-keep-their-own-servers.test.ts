/**
 * Two gateways of one home, each with a servers file of its own and one name in both. Whatever one of them is told of its
 * servers is so after the other has come and gone: the switch, the stars, and what its tools may say.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { openClient } from '../support/mcp-client.ts';
import { fetchHeld } from '../support/openapi-check.ts';

let home: string;
let changing: StartedScripted;
let steady: StartedScripted;
const running = new Set<GatewayProcess>();

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'gatehouse-home-'));
  [changing, steady] = await Promise.all([startScripted(), startScripted()]);
});
afterAll(async () => {
  for (const gateway of running) gateway.discard();
  await Promise.all([changing?.close(), steady?.close()]);
  rmSync(home, { recursive: true, force: true });
});

const SETTINGS = { outbound: { allow: ['127.0.0.0/8'], allowHttp: true } };

async function start(name: string, servers: Record<string, StartedScripted>): Promise<GatewayProcess> {
  const gateway = await startGateway({
    servers: Object.fromEntries(Object.entries(servers).map(([key, { url }]) => [key, { url }])),
    serversFile: join(home, `${name}.json`),
    ...{ settings: SETTINGS, env: { HOME: home } },
  });
  running.add(gateway);
  return gateway;
}
async function stop(gateway: GatewayProcess): Promise<void> {
  running.delete(gateway);
  await gateway.stop();
}

async function api(gateway: GatewayProcess, method: string, path: string, body?: JsonObject) {
  const reply = await fetchHeld(gateway.origin + path, {
    ...{ method, headers: { 'content-type': 'application/json' } },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: reply.status, body: (await reply.json()) as JsonObject };
}
async function ask(gateway: GatewayProcess, method: string, params: JsonObject = {}): Promise<JsonObject> {
  const client = await openClient(gateway.origin, 'legacy');
  try {
    return (await client.request(method, params)).answer ?? {};
  } finally {
    await client.close();
  }
}
const call = (gateway: GatewayProcess, name: string) =>
  ask(gateway, 'tools/call', { name, arguments: { text: 'hello' } });
const codeOf = (answer: JsonObject) => objectOrEmpty(objectOrEmpty(answer.error).data).code;
const pending = async (gateway: GatewayProcess) =>
  ((await api(gateway, 'GET', '/api/definitions/pending')).body.pending as JsonObject[]).map(
    ({ server, tool }) => `${server} ${tool}`,
  );
const shown = async (gateway: GatewayProcess) =>
  ((await api(gateway, 'GET', '/api/servers')).body.servers as JsonObject[]).map(({ path }) => path).sort();
const read = async (gateway: GatewayProcess, path: string) => (await api(gateway, 'GET', `/api/servers${path}`)).body;
const rate = async (gateway: GatewayProcess, path: string, rating: number) =>
  (await api(gateway, 'POST', `/api/servers${path}/rate`, { rating })).status;
const approve = async (gateway: GatewayProcess, server: string) =>
  (await api(gateway, 'POST', '/api/definitions/approve', { server })).status;

/** What was told to the first gateway, as it finds it. */
async function expectKept(a: GatewayProcess): Promise<void> {
  expect(await read(a, '/alpha')).toMatchObject({ is_enabled: false });
  expect(await read(a, '/dict')).toMatchObject({ is_enabled: true, num_stars: 5 });
  await waitFor(async () => ((await pending(a)).includes('dict echo') ? true : null), 'the change waits');
  expect(codeOf(await call(a, 'dict__echo'))).toBe('DENIED_BY_POLICY');
  const tools = objectOrEmpty((await ask(a, 'tools/list')).result).tools as JsonObject[];
  // Of a tool that changed nobody sees the new words.
  expect(tools.find(({ name }) => name === 'dict__echo')?.description).toBe('Answers with the given text');
  expect(tools.filter(({ name }) => String(name).startsWith('alpha__'))).toEqual([]);
}

test('what one gateway was told is kept while others with other files come and go', async () => {
  const a = await start('a', { alpha: steady, dict: changing });
  expect((await api(a, 'POST', '/api/servers/toggle', { path: '/alpha', new_state: false })).status).toBe(200);
  expect(await rate(a, '/dict', 5)).toBe(200);
  changing.setScript([{ on: 'tools/list', do: 'flip' }]);
  await call(a, 'dict__toggle');
  await expectKept(a);

  // Both at once, and each server of the other under a name of its own.
  const b = await start('b', { beta: steady, dict: steady });
  expect([await shown(a), await shown(b)]).toEqual([
    ['/alpha', '/dict'],
    ['/beta', '/dict'],
  ]);
  expect(await read(b, '/dict')).toMatchObject({ is_enabled: true, num_stars: 0 });
  expect([await pending(b), await approve(b, 'dict')]).toEqual([[], 404]);
  expect(codeOf(await call(b, 'dict__echo'))).toBeUndefined();
  expect(await rate(b, '/dict', 1)).toBe(200);
  expect((await api(b, 'POST', '/api/servers/toggle', { path: '/dict', new_state: false })).status).toBe(200);
  const wish = { name: 'Shared', description: 'Shared', path: '/shared', proxy_pass_url: steady.url };
  expect((await api(b, 'POST', '/api/servers/register', wish)).status).toBe(201);
  await waitFor(async () => ((await shown(a)).includes('/shared') ? true : null), 'what is registered is everybody’s');
  await expectKept(a);
  await stop(a);
  await stop(b);

  // Of both names one is gone from its file.
  const later = await start('b', { beta: steady });
  expect(await shown(later)).toEqual(['/beta', '/shared']);
  await stop(later);

  const again = await start('a', { alpha: steady, dict: changing });
  await expectKept(again);
  expect(await shown(again)).toEqual(['/alpha', '/dict', '/shared']);
  expect(await approve(again, 'dict')).toBe(200);
  await waitFor(
    async () => (codeOf(await call(again, 'dict__echo')) === undefined ? true : null),
    'it is called again',
  );
  await stop(again);
}, 120_000);
