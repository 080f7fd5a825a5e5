/** A caller that had its share waits, and what an operator shuts out is out at once, on a gateway that goes on running. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { QuarantineEntry } from '../../src/domain/quarantine.ts';
import { createSystemClock } from '../../src/outbound/clock.ts';
import { createQuarantineFile } from '../../src/outbound/limits/quarantine-file.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { openClient } from '../support/mcp-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'enough-'));
const quarantineFile = join(folder, 'quarantine.json');
let downstream: StartedScripted;
let gateway: GatewayProcess;

beforeAll(async () => {
  downstream = await startScripted({ era: 'legacy', name: 'one' });
  const servers = { one: { url: downstream.url }, two: { url: downstream.url }, calm: { url: downstream.url } };
  const limits = { rules: [{ servers: ['calm'], calls: 5, per: '10m' }], quarantineFile };
  gateway = await startGateway({ settings: { servers, limits, log: { level: 'warn' } } });
}, 60_000);

afterAll(async () => {
  await gateway.stop();
  await downstream.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(method: string, params: object, path = '/') {
  const response = await fetch(gateway.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
const call = (name: string) => ask('tools/call', { name, arguments: { text: 'x' } });

test('the sixth call in the time is answered 429 and when to come back; another server is not concerned', async () => {
  for (let i = 0; i < 5; i++) expect((await call('calm__echo')).status).toBe(200);
  const sixth = await call('calm__echo');
  expect(sixth.status).toBe(429);
  expect(Number(sixth.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(Number(sixth.headers.get('retry-after'))).toBeLessThanOrEqual(600);
  expect(sixth.headers.get('x-ratelimit-limit')).toBe('5');
  expect(sixth.headers.get('x-ratelimit-remaining')).toBe('0');
  expect(sixth.headers.get('x-ratelimit-reset')).toMatch(/^\d+$/);
  expect(JSON.parse(sixth.text).error.data).toMatchObject({ code: 'RATE_LIMITED', limit: 5 });
  expect((await call('one__echo')).status).toBe(200);
});

test.each([
  { kind: 'server', name: 'one', other: true, because: 'a server' },
  { kind: 'tool', name: 'one/echo', other: true, because: 'a tool' },
  { kind: 'caller', name: 'local', other: false, because: 'the caller' },
] as const)(
  '$because that is shut out is neither listed nor called, and who is connected told, until it is let in again',
  async ({ kind, name, other }) => {
    const store = createQuarantineFile({ path: quarantineFile, clock: createSystemClock() });
    const entry: QuarantineEntry = {
      kind,
      name,
      reason: 'not to be told',
      by: 'ops',
      sinceMs: Date.now(),
      untilMs: null,
    };
    const isCalled = async () => !(await call('one__echo')).text.includes('DENIED_BY_POLICY');
    const isListed = async () => (await ask('tools/list', {})).text.includes('"one__echo"');
    const connected = await openClient(gateway.origin, 'legacy');
    const stream = await connected.listen();
    const told = () => stream.frames.filter(({ method }) => method === 'notifications/tools/list_changed').length;
    expect([await isCalled(), await isListed()]).toEqual([true, true]);
    const before = told();

    await store.change(() => [entry]);
    await waitFor(async () => ((await isCalled()) ? null : true), 'calls are refused');
    expect(await isListed()).toBe(false);
    await waitFor(() => (told() > before ? true : null), 'the shorter list is told');
    const shut = told();
    expect((await call('one__echo')).text).not.toContain('not to be told');
    expect((await call('two__echo')).text.includes('DENIED_BY_POLICY')).toBe(!other);

    await store.change(() => []);
    await waitFor(async () => ((await isCalled()) ? true : null), 'calls get through again');
    expect(await isListed()).toBe(true);
    await waitFor(() => (told() > shut ? true : null), 'the longer list is told');
    stream.drop();
    await connected.close();
  },
);
