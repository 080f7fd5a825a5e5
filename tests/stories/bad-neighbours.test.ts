/** Twenty servers, five of them broken, each in its own way: the fifteen others do not notice, and everybody can see which five. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isJsonObject, type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { type Rule, type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, IS_FULL, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Client, openClient, resultOf, textOf } from '../support/mcp-client.ts';

const CALLS_PER_SERVER = IS_FULL ? 1000 : 120;
const MiB = 1024 * 1024;

/** Everything but the handshake goes wrong, from the first list on. */
const BAD: Readonly<Record<string, readonly Rule[]>> = {
  hangs: [{ on: 'start', do: 'hang' }],
  drips: [{ on: '*', do: 'drip', bytes: 1, ms: 500 }],
  floods: [
    { on: 'tools/list', do: 'flood', endless: true },
    { on: 'tools/call', do: 'flood', what: 'line', bytes: 64 * MiB, endless: true },
  ],
  lies: [
    { on: 'tools/list', do: 'garbage' },
    { on: 'tools/call', do: 'wrong-id' },
  ],
  dies: [{ on: '*', do: 'die' }],
};

const good: { key: string; server: StartedScripted | null }[] = [];
let gateway: GatewayProcess;
let clients: Client[];

beforeAll(async () => {
  const servers: Record<string, JsonObject> = {};
  for (let n = 0; n < 15; n += 1) {
    const key = `good-${n}`;
    const era = n % 2 === 0 ? 'legacy' : 'modern';
    // Three processes stand for all: the machine has other work.
    const server = n % 5 === 0 ? null : await startScripted({ era, name: key });
    servers[key] = server === null ? stdioScripted({ era, name: key }) : { url: server.url };
    good.push({ key, server });
  }
  const drip = await startScripted({ era: 'legacy', script: BAD.drips ?? [] });
  good.push({ key: '', server: drip });
  for (const [key, script] of Object.entries(BAD)) {
    const reached = key === 'drips' ? { url: drip.url } : stdioScripted({ era: 'legacy', script, name: key });
    servers[key] = { ...reached, connectTimeout: '2s', listTimeout: '2s', callTimeout: '2s' };
  }
  gateway = await startGateway({ settings: { servers, debug: true, firstListWait: '3s', log: { level: 'warn' } } });
  clients = await Promise.all((['legacy', 'modern'] as const).map(era => openClient(gateway.origin, era)));
}, 60_000);

afterAll(async () => {
  await Promise.all(clients.map(client => client.close()));
  await gateway.stop();
  for (const { server } of good) await server?.close();
});

const keysOf = (tools: unknown) =>
  new Set((Array.isArray(tools) ? tools : []).filter(isJsonObject).map(({ name }) => String(name).split('__')[0]));

test('lists show every good server while five are broken', async () => {
  for (const client of clients) {
    const keys = keysOf(resultOf(await client.request('tools/list')).tools);
    for (const { key } of good) if (key !== '') expect(keys).toContain(key);
  }
});

test('at least 999 of 1000 calls to good servers are answered meanwhile', { timeout: 300_000 }, async () => {
  let isOver = false;
  let refused = 0;
  let peakBytes = 0;
  const pester = Object.keys(BAD).map(async key => {
    const client = await openClient(gateway.origin, 'modern');
    while (!isOver) {
      const reply = await client.request('tools/call', { name: `${key}__echo`, arguments: { text: 'x' } });
      expect(reply.answer?.error ?? objectOrEmpty(reply.answer?.result).isError).toBeTruthy();
      refused += 1;
      await sleep(20);
    }
    await client.close();
  });
  const watch = (async () => {
    while (!isOver) {
      peakBytes = Math.max(peakBytes, gateway.residentBytes());
      for (const client of clients) {
        const list = client.request('tools/list');
        const hello =
          client.era === 'legacy' ? openClient(gateway.origin, 'legacy') : client.request('server/discover');
        expect(keysOf(resultOf(await list).tools).size).toBeGreaterThanOrEqual(15);
        const opened = await hello;
        if ('close' in opened) await opened.close();
        else expect(resultOf(opened).supportedVersions).toEqual(['2026-07-28']);
      }
      await sleep(100);
    }
  })();

  let answered = 0;
  const wrong: string[] = [];
  const callers = good
    .filter(({ key }) => key !== '')
    .flatMap(({ key }) => clients.map(client => ({ key, client })))
    .map(async ({ key, client }) => {
      for (let i = 0; i < CALLS_PER_SERVER; i += 1) {
        const text = `${client.era} ${i}`;
        const said = textOf(await client.call(`${key}__echo`, { text }));
        if (said === text) answered += 1;
        else wrong.push(`${key}: ${said}`);
        // Long enough for the time limits of the broken ones to pass.
        await sleep(20);
      }
    });
  await Promise.all(callers);
  isOver = true;
  await Promise.all([...pester, watch]);
  const offered = 15 * clients.length * CALLS_PER_SERVER;
  expect(answered / offered, wrong.slice(0, 5).join('\n')).toBeGreaterThanOrEqual(0.999);
  expect(refused).toBeGreaterThan(0);
  // Five servers that may each fill a frame, and the process itself.
  expect(peakBytes).toBeLessThan(700 * MiB);
  console.info(
    `answered ${answered} of ${offered}; ${refused} refusals of bad ones; peak ${Math.round(peakBytes / MiB)} MiB`,
  );
});

test('each of the five has a reason to be seen', async () => {
  const agent = await openClient(gateway.origin, 'modern', { path: '/mcp/agent' });
  const read = async () => {
    const status = objectOrEmpty(resultOf(await agent.call('get_gateway_status')).structuredContent);
    return new Map((status.servers as JsonObject[]).map(server => [String(server.key), server]));
  };
  for (const key of Object.keys(BAD)) {
    const { reason } = await waitFor(async () => {
      const server = (await read()).get(key);
      return server !== undefined && typeof server.reason === 'string' ? server : null;
    }, `${key} has a reason`);
    expect(String(reason).length, key).toBeGreaterThan(5);
    expect(String(reason)).not.toMatch(/\/|127\.0\.0\.1|node/);
  }
  const status = await read();
  for (const { key } of good) if (key !== '') expect(status.get(key)).toMatchObject({ status: 'ready', reason: null });
  await agent.close();
});
