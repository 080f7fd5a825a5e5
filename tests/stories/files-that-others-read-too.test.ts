/**
 * A servers file that several gateways read. Whichever reads a change first tells the others through the registry, so what
 * it dropped is offered by none of them; what a file drops is forgotten, and named again it begins anew.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { openSqliteRegistry } from '../../src/outbound/sqlite/registry-storage.ts';
import type { RegistryStorage } from '../../src/ports/registry-storage.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { openClient } from '../support/mcp-client.ts';
import { draftServer } from '../support/registry-drafts.ts';

let folder: string;
let changing: StartedScripted;
let steady: StartedScripted;
let gateway: GatewayProcess | null = null;
let other: RegistryStorage | null = null;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-shared-file-'));
  [changing, steady] = await Promise.all([startScripted(), startScripted()]);
});
afterEach(async () => {
  gateway?.discard();
  await other?.close();
  await Promise.all([changing.close(), steady.close()]);
  rmSync(folder, { recursive: true, force: true });
});

/** The gateway, and the registry as another one has it open that reads the same file. */
async function start(servers: Record<string, StartedScripted>): Promise<[GatewayProcess, RegistryStorage]> {
  const path = join(folder, 'registry.db');
  gateway = await startGateway({
    ...{ servers: spell(servers), serversFile: join(folder, 'mcp.json') },
    settings: { storage: { path }, outbound: { allow: ['127.0.0.0/8'], allowHttp: true } },
  });
  other = openSqliteRegistry({ path, namespace: 'default' });
  return [gateway, other];
}
const spell = (servers: Record<string, StartedScripted>) =>
  Object.fromEntries(Object.entries(servers).map(([key, { url }]) => [key, { url }]));

/** Reads the file as naming these, and imports those among them that are new. */
const follow = (storage: RegistryStorage, file: string, named: readonly string[], isNew: readonly string[] = []) =>
  storage.follow(new Map([[file, new Set(named)]]), async ({ servers }) => {
    for (const name of isNew)
      await servers.add(draftServer(`/${name}`, { name, description: '', source: { kind: 'file', file } }));
  });

async function ask(of: GatewayProcess, method: string, params: JsonObject = {}): Promise<JsonObject> {
  const client = await openClient(of.origin, 'legacy');
  try {
    return (await client.request(method, params)).answer ?? {};
  } finally {
    await client.close();
  }
}
const codeOf = async (of: GatewayProcess, name: string) =>
  objectOrEmpty(objectOrEmpty((await ask(of, 'tools/call', { name, arguments: { text: 'x' } })).error).data).code ??
  'OK';
const toolsOf = async (of: GatewayProcess, server: string) =>
  (objectOrEmpty((await ask(of, 'tools/list')).result).tools as JsonObject[])
    .map(({ name }) => String(name))
    .filter(name => name.startsWith(`${server}__`));
const untilOffered = (of: GatewayProcess, server: string, offered: boolean) =>
  waitFor(async () => ((await toolsOf(of, server)).length > 0 === offered ? true : null), `${server}: ${offered}`);
const warnings = (of: GatewayProcess) =>
  of.logged().flatMap(({ msg, server }) => (String(msg).startsWith('another gateway found') ? [server] : []));

test('what another gateway found gone from the file is offered by none of them, with one word in the log', async () => {
  const [a, storage] = await start({ kept: steady, gone: changing });
  await untilOffered(a, 'gone', true);
  await follow(storage, a.serversFile, ['kept']);
  await untilOffered(a, 'gone', false);
  await waitFor(() => (warnings(a).length > 0 ? true : null), 'it says so');
  // Longer than two looks at what others did.
  await sleep(1_200);
  expect(warnings(a)).toEqual(['/gone']);
  expect((await toolsOf(a, 'kept')).length).toBeGreaterThan(0);
  await follow(storage, a.serversFile, ['kept', 'gone'], ['gone']);
  await untilOffered(a, 'gone', true);
  await a.stop();
});

test('a file that all of them read again is no reason for a warning', async () => {
  const [a, storage] = await start({ kept: steady, gone: changing });
  await untilOffered(a, 'gone', true);
  a.writeServers(spell({ kept: steady }));
  await follow(storage, a.serversFile, ['kept']);
  await untilOffered(a, 'gone', false);
  await sleep(1_200);
  expect(warnings(a)).toEqual([]);
  await a.stop();
});

test('what a file drops is forgotten: named again its tools are approved as they are first seen then', async () => {
  const [a] = await start({ kept: steady, gone: changing });
  await untilOffered(a, 'gone', true);
  a.writeServers(spell({ kept: steady }));
  await untilOffered(a, 'gone', false);
  changing.setScript([{ on: 'tools/list', do: 'flip' }]);
  a.writeServers(spell({ kept: steady, gone: changing }));
  await untilOffered(a, 'gone', true);
  expect([await codeOf(a, 'gone__echo'), JSON.parse((await a.get('/api/definitions/pending')).text).pending]).toEqual([
    'OK',
    [],
  ]);
  // And from then on a change is one.
  changing.setScript([]);
  await ask(a, 'tools/call', { name: 'gone__toggle', arguments: {} });
  await waitFor(async () => ((await codeOf(a, 'gone__echo')) === 'DENIED_BY_POLICY' ? true : null), 'it is held');
  await a.stop();
});

test('what is approved at another gateway is called at this one, too', async () => {
  const [a, storage] = await start({ changing });
  await untilOffered(a, 'changing', true);
  changing.setScript([{ on: 'tools/list', do: 'flip' }]);
  await ask(a, 'tools/call', { name: 'changing__toggle', arguments: {} });
  await waitFor(async () => ((await codeOf(a, 'changing__echo')) === 'DENIED_BY_POLICY' ? true : null), 'it is held');
  await follow(storage, a.serversFile, ['changing']);
  for (const { pending, ...kept } of await storage.definitions.listPending()) {
    if (pending === null) continue;
    const { definition: approved, hash } = pending;
    await storage.definitions.put([{ ...kept, approved, hash, approvedBy: 'elsewhere', pending: null }]);
  }
  await waitFor(async () => ((await codeOf(a, 'changing__echo')) === 'OK' ? true : null), 'it is called');
  await a.stop();
});

test('a server that nobody used yet is not started because it moves to another file', async () => {
  const lazy = stdioScripted();
  const a = await startGateway({
    ...{ servers: { lazy }, settings: { initStrategy: 'lazy', servers: { lazy } } },
  });
  gateway = a;
  const reloads = () => a.logged().filter(({ msg }) => msg === '[HOT RELOAD] done').length;
  a.writeServers({});
  await waitFor(() => (reloads() > 0 ? true : null), 'the other file counts');
  await sleep(500);
  expect(a.offspring()).toEqual([]);
  await untilOffered(a, 'lazy', true);
  expect(a.offspring().length).toBeGreaterThan(0);
  await a.stop();
});
