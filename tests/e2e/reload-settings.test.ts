/** What a reload changes in a running gateway, what it leaves for a restart, and that it says which is which. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type App, createApp } from '../../src/app.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { createDesk, type Desk } from '../config/desk.ts';

const KEY = 'kq7Zt1vXw9Lr4Ns8Pd2Hf6Jb3Mc5Ty0GuEoIa';
const OTHER = 'Zp3Wd8Rk1Qs6Lx0Vb5Nt9Jc4Mg7Yh2FuAeOiTr';

let desk: Desk;
let app: App | null;
beforeEach(() => {
  desk = createDesk();
  app = null;
});
afterEach(async () => {
  await app?.stop(0);
  desk.remove();
});

const write = (text: string) => desk.write('cwd/gateway.config.yaml', `log: {level: silent}\n${text}\n`);

async function create(): Promise<App> {
  const overrides = { transport: 'http' } as const;
  return createApp({
    config: await desk.config({}, overrides),
    serve: { http: true, stdio: false },
    version: '9.9.9',
    env: {},
    warnings: [],
    loadAgain: () => desk.load({}, overrides),
  });
}

async function start(): Promise<string> {
  app = await create();
  const { url } = await app.start();
  return (url ?? '').replace(/\/mcp$/, '');
}

const ask = (origin: string, method: string, params: JsonObject = {}, key?: string) =>
  fetch(`${origin}/`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(key && { Authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });

async function tellStatus(origin: string): Promise<JsonObject> {
  const params = { name: 'get_gateway_status', arguments: {} };
  const reply = (await (await ask(origin, 'tools/call', params)).json()) as {
    result: { structuredContent: { [name: string]: Json } };
  };
  return reply.result.structuredContent;
}

test('a key is in force, and an old one is not, as soon as the files are read again', async () => {
  write(`listen: {port: 0}\napiKey: ${KEY}`);
  const origin = await start();
  const statuses = async () =>
    Promise.all([undefined, KEY, OTHER].map(async key => (await ask(origin, 'tools/list', {}, key)).status));
  expect(await statuses()).toEqual([401, 200, 401]);
  write(`listen: {port: 0}\napiKey: ${OTHER}`);
  expect(await app?.reload()).toEqual({ ok: true, problems: [] });
  expect(await statuses()).toEqual([401, 401, 200]);
  write('listen: {port: 0}');
  expect(await app?.reload()).toEqual({ ok: true, problems: [] });
  expect(await statuses()).toEqual([200, 200, 200]);
});

test('a key cannot be taken away from an address that others reach, though the files name another one', async () => {
  write(`listen: {host: 0.0.0.0, port: 0}\napiKey: ${KEY}`);
  // Never started: what was to be bound is what counts, and no test opens a port to others.
  app = await create();
  write('listen: {host: 127.0.0.1, port: 0}');
  expect(await app.reload()).toEqual({ ok: false, problems: [expect.stringMatching(/^apiKey: 0\.0\.0\.0/)] });
  write(`listen: {host: 127.0.0.1, port: 0}\napiKey: ${OTHER}`);
  expect(await app.reload()).toEqual({ ok: true, problems: [] });
});

test('what changes with a restart is named, for as long as it differs from what is in force', async () => {
  write('debug: true\nlisten: {port: 0}');
  const origin = await start();
  const warned = async () => {
    expect(await app?.reload()).toMatchObject({ ok: true });
    const { reload_status: status } = await tellStatus(origin);
    return (status as { gateway_rules: { last_warnings: string[] } }).gateway_rules.last_warnings.filter(warning =>
      warning.endsWith('with a restart'),
    );
  };
  write('debug: true\nlisten: {port: 1}\nexposure: {prefix: none}');
  const both = ['listen.port changes with a restart', 'exposure.prefix changes with a restart'];
  expect(await warned()).toEqual(both);
  expect(await warned()).toEqual(both);
  write('debug: true\nlisten: {port: 0}');
  expect(await warned()).toEqual([]);
});

test('a servers file that appears in any of the places is taken up by itself', async () => {
  write('debug: true\nlisten: {port: 0}');
  const origin = await start();
  for (const [n, place] of ['cwd/config', 'home/.config/agent-mcp-gateway', 'cwd'].entries()) {
    desk.write(`${place}/.mcp.json`, { mcpServers: { [`late${n}`]: { command: process.execPath, disabled: true } } });
    await vi.waitFor(async () => expect((await tellStatus(origin)).available_servers).toEqual([`late${n}`]), {
      timeout: 10_000,
      interval: 100,
    });
  }
});

test('calls that name no agent are counted for the default one', async () => {
  write('listen: {port: 0}\ndefaultAgent: team.dev');
  const origin = await start();
  await ask(origin, 'tools/list');
  const { agents } = (await (await fetch(`${origin}/metrics`)).json()) as { agents: JsonObject };
  expect(agents).toMatchObject({ 'team.dev': { 'tools/list': { count: 1 } } });
});
