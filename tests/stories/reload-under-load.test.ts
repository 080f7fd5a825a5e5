/**
 * The servers file may be rewritten as often as one likes, well or badly, while clients call: nobody notices but those
 * it concerns.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, IS_FULL, isStillThere, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Client, errorOf, openClient, resultOf, textOf } from '../support/mcp-client.ts';

const RELOADS = IS_FULL ? 200 : 40;
const INVALID = [
  '{"mcpServers": {',
  '',
  '[]',
  '{"mcpServers": {"web": {"url": 7}}}',
  '{"mcpServers": {"both": {"url": "http://127.0.0.1:1/mcp", "command": "node"}}}',
  '{"mcpServers": {"nothing": {}}}',
];

let web: StartedScripted;
let modern: StartedScripted;
let base: Record<string, JsonObject>;
let gateway: GatewayProcess;
let agent: Client;

beforeAll(async () => {
  web = await startScripted({ era: 'legacy' });
  modern = await startScripted({ era: 'modern' });
  base = {
    web: { url: web.url },
    modern: { url: modern.url },
    child: stdioScripted({ era: 'legacy' }),
    other: stdioScripted({ era: 'modern' }),
  };
  gateway = await startGateway({ servers: base, env: { GATEWAY_DEBUG: 'true', GATEWAY_LOG_LEVEL: 'info' } });
  agent = await openClient(gateway.origin, 'legacy', { path: '/mcp/agent' });
});

afterAll(async () => {
  await agent.close();
  await gateway.stop();
  await web.close();
  await modern.close();
});

async function status(): Promise<JsonObject> {
  const { structuredContent } = resultOf(await agent.call('get_gateway_status'));
  return objectOrEmpty(objectOrEmpty(objectOrEmpty(structuredContent).reload_status).mcp_config);
}

/** Rewrites the file and asks for it to be read until it was: an earlier reading may have been under way. */
async function reloadWith(servers: Record<string, JsonObject> | string): Promise<JsonObject> {
  const isValid = typeof servers !== 'string';
  const before = Number((await status()).attempt_count);
  gateway.writeServers(servers, 'by rename');
  return waitFor(
    async () => {
      gateway.signal('SIGHUP');
      await sleep(2);
      const now = await status();
      return Number(now.attempt_count) > before && (now.last_error === null) === isValid ? now : null;
    },
    `it was read again, and is ${isValid ? 'valid' : 'invalid'}`,
  );
}

const listed = async (client: Client) =>
  ((resultOf(await client.request('tools/list')).tools ?? []) as JsonObject[]).map(({ name }) => String(name));

const pidOf = async (client: Client, server: string) =>
  objectOrEmpty(resultOf(await client.call(`${server}__whoami`)).structuredContent).pid;

test('reloads under load, half of them invalid, fail no request on servers that stay', {
  timeout: 600_000,
}, async () => {
  const clients = await Promise.all((['legacy', 'modern'] as const).map(era => openClient(gateway.origin, era)));
  const [first] = clients;
  if (first === undefined) throw new Error('no client');
  const pids = [await pidOf(first, 'child'), await pidOf(first, 'other')];
  let isOver = false;
  let answered = 0;
  const failed: string[] = [];
  const callers = clients.flatMap(client =>
    Object.keys(base).map(async server => {
      for (let i = 0; !isOver; i += 1) {
        const said = textOf(await client.call(`${server}__echo`, { text: String(i) })).trim();
        if (said === String(i)) answered += 1;
        else failed.push(`${server} ${said}`);
        if (i % 10 === 0) {
          const names = await listed(client);
          if (!names.includes(`${server}__echo`)) failed.push(`${server} is not listed`);
        }
      }
    }),
  );
  let invalid = 0;
  let valid = 0;
  for (let n = 0; n < RELOADS; n += 1) {
    if (n % 2 === 0) {
      const now = await reloadWith(INVALID[(n / 2) % INVALID.length] ?? '');
      expect(now.last_error, 'an invalid file is said to be').toEqual(expect.any(String));
      invalid += 1;
    } else {
      const extra: Record<string, JsonObject> = n % 4 === 1 ? { extra: { url: web.url } } : {};
      const now = await reloadWith({ ...base, ...extra });
      expect(now.last_error).toBeNull();
      valid += 1;
    }
  }
  isOver = true;
  await Promise.all(callers);
  expect(failed).toEqual([]);
  expect(answered).toBeGreaterThan(RELOADS);
  expect([await pidOf(first, 'child'), await pidOf(first, 'other')]).toEqual(pids);
  console.info(`${valid} valid and ${invalid} invalid reloads, ${answered} calls answered, ${failed.length} failed`);
  await Promise.all(clients.map(client => client.close()));
});

test('an invalid file keeps the old servers and is said to be wrong until a valid one comes', async () => {
  const client = await openClient(gateway.origin, 'modern');
  await reloadWith({ ...base, kept: { url: web.url } });
  await waitFor(async () => ((await listed(client)).includes('kept__echo') ? true : null), 'it is listed');
  const wrong = await reloadWith('{"mcpServers": {"kept": {"url": "ftp://wrong"}}}');
  expect(wrong.last_error).toContain('url');
  expect(textOf(await client.call('kept__echo', { text: 'still here' }))).toBe('still here');
  const right = await reloadWith(base);
  expect(right).toMatchObject({
    last_error: null,
    attempt_count: expect.any(Number),
    success_count: expect.any(Number),
  });
  expect(await listed(client)).not.toContain('kept__echo');
  await client.close();
});

test.each(['in place', 'by rename'] as const)('a file written %s is noticed without being told', async how => {
  const client = await openClient(gateway.origin, 'modern');
  const key = `new-${how.replace(' ', '-')}`;
  gateway.writeServers({ ...base, [key]: stdioScripted({ era: 'legacy' }) }, how);
  await waitFor(async () => ((await listed(client)).includes(`${key}__echo`) ? true : null), 'it is listed');
  expect(textOf(await client.call(`${key}__echo`, { text: 'hi' }))).toBe('hi');
  const pid = await pidOf(client, key);
  const running = gateway.offspring().find(it => it.pid === pid);
  if (running === undefined) throw new Error('its process is not below the gateway');

  gateway.writeServers(base, how);
  await waitFor(async () => ((await listed(client)).includes(`${key}__echo`) ? null : true), 'it is gone');
  await waitFor(() => (isStillThere(running) ? null : true), 'its process has ended');
  await client.close();
});

test('a file that no event told of is noticed when tools are asked for', async () => {
  // Sooner than the watcher, which waits for a pause in the writing.
  gateway.writeServers({ ...base, looked: { url: modern.url } });
  const reply = await agent.call('get_server_tools', { server: 'looked' });
  expect(resultOf(reply).isError ?? false).toBe(false);
  expect(objectOrEmpty(resultOf(reply).structuredContent)).toMatchObject({ server: 'looked', total_available: 21 });
  await reloadWith(base);
});

test('a call under way on a server that is removed completes, and the next is refused', async () => {
  const client = await openClient(gateway.origin, 'legacy');
  await reloadWith({ ...base, leaving: stdioScripted({ era: 'legacy' }), web2: { url: web.url } });
  await waitFor(async () => ((await listed(client)).includes('leaving__slow') ? true : null), 'it is listed');
  await waitFor(async () => ((await listed(client)).includes('web2__slow') ? true : null), 'it is listed');
  const underWay = ['leaving', 'web2'].map(key => client.call(`${key}__slow`, { ms: 800 }));
  await waitFor(async () => {
    const samples = await gateway.samples();
    const under = ['leaving', 'web2'].map(key => samples.get(`gatehouse_downstream_in_flight{server="${key}"}`));
    return under.every(count => count === 1) ? true : null;
  }, 'both are under way');
  await reloadWith(base);
  for (const key of ['leaving', 'web2']) {
    const refused = await client.call(`${key}__slow`, { ms: 1 });
    expect(objectOrEmpty(errorOf(refused).data).code).toMatch(/SERVER_UNAVAILABLE|TOOL_NOT_FOUND/);
  }
  expect((await Promise.all(underWay)).map(textOf)).toEqual(['slept 800 ms', 'slept 800 ms']);
  await client.close();
});

test('clients hear that the list has changed', async () => {
  const [old, young] = [await openClient(gateway.origin, 'legacy'), await openClient(gateway.origin, 'modern')];
  const streams = [await old.listen(), await young.listen({ toolsListChanged: true })];
  await reloadWith({ ...base, news: { url: web.url } });
  for (const { frames } of streams) {
    await waitFor(
      () => frames.find(({ method }) => method === 'notifications/tools/list_changed') ?? null,
      'the change is told',
    );
  }
  await reloadWith(base);
  await Promise.all([old.close(), young.close()]);
});
