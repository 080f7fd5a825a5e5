/** Two gateways on one file: what one registers is called through the other, and what it takes away is gone there too. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { openClient } from '../support/mcp-client.ts';
import { fetchHeld } from '../support/openapi-check.ts';

let folder: string;
let server: StartedScripted;
let one: GatewayProcess;
let other: GatewayProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-shared-'));
  server = await startScripted();
  const settings = {
    storage: { path: join(folder, 'registry.db') },
    outbound: { allow: ['127.0.0.0/8'], allowHttp: true },
    servers: { always: { url: server.url } },
  };
  const book = (name: string) => ({ GATEWAY_AUDIT_LOG: join(folder, name, 'audit.jsonl') });
  one = await startGateway({ settings, env: book('one') });
  other = await startGateway({ settings, env: book('other') });
}, 60_000);
afterAll(async () => {
  await one?.stop();
  await other?.stop();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(path: string, body: JsonObject): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  return (await fetchHeld(one.origin + path, { method: 'POST', headers, body: JSON.stringify(body) })).status;
}
/** Whether a call through the other gateway is answered by the server. */
async function isCalled(tool: string): Promise<boolean> {
  const client = await openClient(other.origin, 'legacy');
  try {
    const { answer } = await client.call(tool, { text: 'hello' });
    return answer?.error === undefined;
  } finally {
    await client.close();
  }
}
const until = (tool: string, wanted: boolean) =>
  waitFor(
    async () => ((await isCalled(tool)) === wanted ? true : null),
    `${tool} is ${wanted ? '' : 'not '}called`,
    10_000,
  );
const register = (name: string) =>
  ask('/api/servers/register', { name, description: 'Shared', path: `/${name}`, proxy_pass_url: server.url });

test('a server that one registers, switches off and on, and removes, is so at the other', async () => {
  expect(await register('shared')).toBe(201);
  await until('shared__echo', true);
  expect(await ask('/api/servers/toggle', { path: '/shared', new_state: false })).toBe(200);
  await until('shared__echo', false);
  expect(await ask('/api/servers/toggle', { path: '/shared', new_state: true })).toBe(200);
  await until('shared__echo', true);
  expect(await ask('/api/servers/remove', { path: '/shared' })).toBe(200);
  await until('shared__echo', false);
  expect(await isCalled('always__echo')).toBe(true);
});
