/**
 * Servers that stand in an operator's file are in the registry like any other: seen, rated, switched. What they are is
 * changed in the file, and what the file drops is gone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { waitFor } from '../support/gateway-process.ts';
import { openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

let gateway: RegistryGateway;
let other: StartedScripted;
beforeAll(async () => {
  [gateway, other] = await Promise.all([openRegistryGateway(), startScripted()]);
});
afterAll(async () => {
  await gateway.remove();
  await other.close();
});

const read = (path: string) => gateway.read(`/api/servers${path}`, 'admin');
const ping = async (server: string) =>
  (await gateway.send('POST', `/${server}/mcp`, 'admin', { jsonrpc: '2.0', id: 1, method: 'ping' })).status;
const inFile = (more: JsonObject = {}) => ({ everyday: { url: gateway.ofFile.url, description: 'Echoes', ...more } });
async function rewrite(servers: JsonObject): Promise<void> {
  gateway.write({ servers });
  await gateway.reload();
}

test('a file’s server is shown with where it comes from, without the query of its address', async () => {
  await rewrite(inFile({ url: `${gateway.ofFile.url}?key=canary-in-a-query` }));
  expect((await read('/everyday')).body.description).toBe('Echoes');
  const { status, body } = await read('/everyday');
  expect([status, body.source, body.is_enabled]).toEqual([200, 'file', true]);
  expect(JSON.stringify(body)).not.toContain('canary-in-a-query');
});

test.each([
  { method: 'PATCH', path: '/api/servers/everyday', body: { description: 'mine' } },
  { method: 'POST', path: '/api/servers/remove', body: { path: '/everyday' } },
  { method: 'PATCH', path: '/api/servers/everyday/auth-credential', body: { auth_scheme: 'none' } },
  {
    method: 'POST',
    path: '/api/servers/register',
    body: { name: 'x', description: 'x', path: '/everyday', proxy_pass_url: 'https://a.example', overwrite: true },
  },
])('refuses $method $path with a word about the file', async ({ method, path, body }) => {
  const refused = await gateway.send(method, path, 'admin', body);
  expect([refused.status, refused.body.detail]).toEqual([409, expect.stringContaining('gateway.config.yaml')]);
  // The folders of the machine are nobody's business.
  expect(JSON.stringify(refused.body)).not.toContain('/cwd/');
});

test('what is switched off stays off over reloads and restarts, until somebody switches it on', async () => {
  const off = await gateway.post('/toggle/everyday', 'operator', new URLSearchParams());
  expect(off.body).toMatchObject({ new_enabled_state: false, status: 'disabled' });
  expect(await ping('everyday')).toBe(404);
  await rewrite(inFile({ description: 'Echoes again' }));
  expect((await read('/everyday')).body.description).toBe('Echoes again');
  expect(await ping('everyday')).toBe(404);
  await gateway.stop();
  await gateway.start();
  expect((await read('/everyday')).body.is_enabled).toBe(false);
  expect(await ping('everyday')).toBe(404);
  await gateway.post('/toggle/everyday', 'operator', new URLSearchParams({ enabled: 'on' }));
  expect(await ping('everyday')).not.toBe(404);
});

test('a file that says no is obeyed, and cannot be overruled here', async () => {
  await rewrite(inFile({ enabled: false }));
  expect((await read('/everyday')).body.is_enabled).toBe(false);
  const on = await gateway.post('/toggle/everyday', 'admin', new URLSearchParams({ enabled: 'on' }));
  expect([on.status, on.body.detail]).toEqual([409, expect.stringContaining('switched off in gateway.config.yaml')]);
  await rewrite(inFile());
  expect((await read('/everyday')).body.is_enabled).toBe(true);
});

test('a file that names what was registered wins while it does, and nothing registered is lost', async () => {
  const wish = { name: 'Clock', description: 'registered', path: '/clock', proxy_pass_url: other.url };
  expect((await gateway.post('/api/servers/register', 'admin', wish)).status).toBe(201);
  await rewrite({ ...inFile(), clock: { url: gateway.ofFile.url } });
  expect((await read('/clock')).body).toMatchObject({ source: 'file', description: '' });
  const calls = () => Number((gateway.ofFile.stats().calls as JsonObject).echo ?? 0);
  const before = calls();
  const client = await gateway.open('modern', 'admin', '/clock/mcp');
  await client.call('echo', { text: 'x' });
  await client.close();
  expect(calls()).toBe(before + 1);
  await rewrite(inFile());
  expect((await read('/clock')).body).toMatchObject({ source: 'live', description: 'registered' });
});

test('what the file drops is gone from the registry too', async () => {
  await rewrite({ another: { url: gateway.ofFile.url } });
  expect((await read('/another')).status).toBe(200);
  expect((await read('/everyday')).status).toBe(404);
});

/** As another process that writes for a long time. */
function holdRegistry(): () => void {
  const database = new Database(gateway.database);
  database.exec('begin immediate');
  return () => {
    database.exec('rollback');
    database.close();
  };
}

test('a server of a file is connected once the registry knows of it, and not before; what goes, goes at once', async () => {
  const release = holdRegistry();
  const reloaded = rewrite({ late: { url: gateway.ofFile.url } });
  // Long enough for files that are read and connections that are made.
  await sleep(400);
  expect([await ping('late'), await ping('another')]).toEqual([404, 404]);
  release();
  await reloaded;
  expect((await read('/late')).status).toBe(200);
  expect((await read('/another')).status).toBe(404);
  await waitFor(async () => ((await ping('late')) === 404 ? null : true), 'it is connected');
});

test('a registered server gives its name up to a file at once, however busy the registry is', async () => {
  const wish = { name: 'Clock', description: 'registered', path: '/given-up', proxy_pass_url: other.url };
  expect((await gateway.post('/api/servers/register', 'admin', wish)).status).toBe(201);
  await waitFor(async () => ((await ping('given-up')) === 404 ? null : true), 'it is connected');
  const release = holdRegistry();
  const reloaded = rewrite({ late: { url: gateway.ofFile.url }, 'given-up': { url: gateway.ofFile.url } });
  await waitFor(async () => ((await ping('given-up')) === 404 ? true : null), 'it is not offered');
  release();
  await reloaded;
  expect((await read('/given-up')).body.source).toBe('file');
});

test('a registry that stays busy keeps no reload from being in force, and is made up for', async () => {
  const release = holdRegistry();
  await rewrite({ busy: { url: gateway.ofFile.url } });
  // Nobody was to know what was approved of it.
  expect([await ping('late'), await ping('busy'), (await read('/busy')).status]).toEqual([404, 404, 404]);
  release();
  await waitFor(async () => ((await ping('busy')) === 404 ? null : true), 'it is connected');
  expect((await read('/busy')).status).toBe(200);
  expect((await read('/late')).status).toBe(404);
}, 40_000);
