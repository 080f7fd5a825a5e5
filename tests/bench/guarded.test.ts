/** What `--guarded` measures is a gateway that decides: the bench's caller comes through, nobody else does. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GatewayProcess, startGateway } from '../support/gateway-process.ts';
import { openClient } from '../support/mcp-client.ts';
import { createGuard } from './guarded.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'gatehouse-bench-guard-'));
const guard = createGuard(Date.now());
let gateway: GatewayProcess;
beforeAll(async () => {
  const fixture = [path.join(import.meta.dirname, 'fixture', 'stdio.ts'), 'legacy', '3'];
  const server = { command: process.execPath, args: fixture };
  const { GATEWAY_CONFIG = '', ...env } = guard.write(folder);
  gateway = await startGateway({
    settings: JSON.parse(fs.readFileSync(GATEWAY_CONFIG, 'utf8')),
    servers: { bench: server, another: server },
    env: { GATEWAY_EXPOSURE: 'direct', ...env },
  });
});
afterAll(async () => {
  await gateway.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

test('its caller sees and calls the bench servers and no other', async () => {
  const client = await openClient(gateway.origin, 'legacy', { headers: guard.headers });
  const { answer } = await client.request('tools/list');
  const { tools = [] } = (answer?.result ?? {}) as { tools?: { name: string }[] };
  const names = tools.map(({ name }) => name);
  expect(names.filter(name => name.startsWith('bench__'))).toHaveLength(3);
  expect(names.filter(name => name.startsWith('another__'))).toEqual([]);
  await client.close();
});

test.each([
  { headers: {}, because: 'no token, no way in' },
  { headers: createGuard(Date.now()).headers, because: 'the same claims signed by another key are nobody' },
])('$because', async ({ headers }) => {
  const response = await fetch(`${gateway.origin}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
  });
  expect(response.status).toBe(401);
});
