/** Many clients at once are all served, with few connections behind; more than may be served are told so at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { objectOrEmpty } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, IS_FULL, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Client, errorOf, exchange, openClient, type Reply, resultOf, textOf } from '../support/mcp-client.ts';

const SESSIONS = 150;
const ERAS = ['legacy', 'modern'] as const;

async function serve(
  settings: Parameters<typeof startGateway>[0],
  ...behind: StartedScripted[]
): Promise<GatewayProcess> {
  const gateway = await startGateway(settings);
  onTestFinished(async () => {
    await gateway.stop();
    for (const server of behind) await server.close();
  });
  return gateway;
}

test(`${SESSIONS} sessions at once each list and call without an error, and leave no socket`, {
  timeout: 120_000,
}, async () => {
  const [old, young] = [await startScripted({ era: 'legacy' }), await startScripted({ era: 'modern' })];
  const servers = {
    old: { url: old.url },
    young: { url: young.url },
    child: stdioScripted({ era: 'legacy' }),
  };
  const gateway = await serve({ servers }, old, young);
  const keys = Object.keys(servers);
  const warm = await openClient(gateway.origin, 'modern');
  for (const key of keys) await warm.call(`${key}__echo`, { text: 'warm' });
  await warm.close();
  const connections = async () => (await gateway.samples()).get('gatehouse_http_connections') ?? 0;
  // This question has a connection of its own.
  await waitFor(async () => ((await connections()) === 1 ? true : null), 'nobody is connected');
  const before = gateway.descriptors();

  const clients: Client[] = [];
  const wrong: string[] = [];
  await Promise.all(
    Array.from({ length: SESSIONS }, async (_, n) => {
      const client = await openClient(gateway.origin, ERAS[n % 2] ?? 'legacy');
      clients.push(client);
      const { tools } = resultOf(await client.request('tools/list'));
      if (!Array.isArray(tools) || tools.length !== 63)
        wrong.push(`a list of ${Array.isArray(tools) ? tools.length : tools}`);
      for (const key of keys) {
        const said = textOf(await client.call(`${key}__echo`, { text: `${n}` }));
        if (said !== `${n}`) wrong.push(`${n} at ${key}: ${said}`);
      }
    }),
  );
  expect(wrong).toEqual([]);
  expect((await gateway.samples()).get('gatehouse_sessions')).toBe(SESSIONS / 2);
  await Promise.all(clients.map(client => client.close()));
  await waitFor(async () => ((await connections()) === 1 ? true : null), 'everybody is gone');
  expect((await gateway.samples()).get('gatehouse_sessions')).toBe(0);
  // Connections to servers stay for the next call, as many as are pooled at most.
  await waitFor(async () => {
    const samples = await gateway.samples();
    const pooled = Object.keys(servers).map(
      key => samples.get(`gatehouse_downstream_connections{server="${key}"}`) ?? 0,
    );
    const kept = pooled.reduce((sum, one) => sum + one, 0);
    return gateway.descriptors() - before <= 2 * Math.max(kept, 1) + 20 ? true : null;
  }, 'sockets are back, but for the pooled ones');
});

test('a hundred calls one after the other use one connection to the server, and its use can be seen', async () => {
  for (const era of ERAS) {
    const web = await startScripted({ era });
    const gateway = await serve({ servers: { web: { url: web.url } } }, web);
    const client = await openClient(gateway.origin, 'legacy');
    await client.call('web__echo', { text: 'warm' });
    const before = Number(web.stats().opened);
    for (let i = 0; i < 100; i += 1) await client.call('web__echo', { text: `${i}` });
    expect(Number(web.stats().opened) - before).toBeLessThanOrEqual(1);
    const samples = await gateway.samples();
    expect(samples.get('gatehouse_downstream_utilisation{server="web"}')).toBe(0);
    expect(samples.get('gatehouse_downstream_connections{server="web"}')).toBeGreaterThanOrEqual(1);
    await client.close();
  }
});

test('a burst waits in the queue of its server instead of failing', async () => {
  const web = await startScripted({ era: 'legacy' });
  const gateway = await serve({ settings: { servers: { web: { url: web.url, maxInFlight: 4 } } } }, web);
  const client = await openClient(gateway.origin, 'modern');
  const burst = Array.from({ length: 60 }, (_, i) => client.call('web__slow', { ms: 20 + i / 100 }));
  await waitFor(async () => {
    const samples = await gateway.samples();
    expect(samples.get('gatehouse_downstream_in_flight{server="web"}')).toBeLessThanOrEqual(4);
    return (samples.get('gatehouse_downstream_queued{server="web"}') ?? 0) > 0 ? true : null;
  }, 'some wait');
  for (const reply of await Promise.all(burst)) expect(textOf(reply)).toMatch(/^slept/);
  await client.close();
});

describe('overload', () => {
  const isRefusal = (reply: Reply) => {
    expect(reply.status).toBe(503);
    expect(Number(reply.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  };

  /** What was accepted goes on for as long as there is something to look at meanwhile. */
  const held = { on: 'tools/call', name: 'slow', do: 'hold' } as const;

  test('is answered at once with 503 and Retry-After; what was accepted finishes, and health still answers', async () => {
    const web = await startScripted({ era: 'legacy', script: [held] });
    const gateway = await serve({ settings: { servers: { web: { url: web.url } }, listen: { maxInFlight: 10 } } }, web);
    const clients = await Promise.all(ERAS.map(era => openClient(gateway.origin, era)));
    const accepted = clients.flatMap(client => Array.from({ length: 5 }, () => client.call('web__slow', { ms: 10 })));
    await waitFor(() => (Number(web.stats().inFlight) === 10 ? true : null), 'all places are taken');
    for (const client of clients) {
      const refused = await Promise.all(Array.from({ length: 40 }, () => client.call('web__echo', { text: 'x' })));
      for (const reply of refused) isRefusal(reply);
    }
    expect((await gateway.get('/health')).status).toBe(200);
    expect((await gateway.get('/ready')).status).toBe(200);
    expect(Number(web.stats().inFlight), 'nothing was given up for the refused').toBe(10);
    web.setScript([]);
    for (const reply of await Promise.all(accepted)) expect(textOf(reply)).toBe('slept 10 ms');
    expect(Number(objectOrEmpty(web.stats().calls).echo ?? 0)).toBe(0);
    for (const client of clients) {
      expect(textOf(await client.call('web__echo', { text: 'again' }))).toBe('again');
      await client.close();
    }
  });

  test.each(ERAS)('of one server is told to a %s client while the others serve it', async era => {
    const narrow = await startScripted({ era: 'legacy', script: [held] });
    const wide = await startScripted({ era: 'modern' });
    const servers = { narrow: { url: narrow.url, maxInFlight: 2, maxQueued: 3 }, wide: { url: wide.url } };
    const gateway = await serve({ settings: { servers } }, narrow, wide);
    const client = await openClient(gateway.origin, era);
    await client.call('narrow__echo', { text: 'warm' });
    const accepted = Array.from({ length: 5 }, () => client.call('narrow__slow', { ms: 10 }));
    await waitFor(
      async () => ((await gateway.samples()).get('gatehouse_downstream_queued{server="narrow"}') === 3 ? true : null),
      'the queue is full',
    );
    const refused = await client.call('narrow__echo', { text: 'x' });
    isRefusal(refused);
    expect(objectOrEmpty(errorOf(refused).data).code).toBe('OVERLOADED');
    expect(textOf(await client.call('wide__echo', { text: 'well' }))).toBe('well');
    narrow.setScript([]);
    for (const reply of await Promise.all(accepted)) expect(textOf(reply)).toBe('slept 10 ms');
    await client.close();
  });
});

test('standing streams take no places away from calls', async () => {
  const web = await startScripted({ era: 'legacy' });
  const gateway = await serve({ settings: { servers: { web: { url: web.url } }, listen: { maxInFlight: 4 } } }, web);
  const clients = await Promise.all(
    Array.from({ length: 12 }, (_, n) => openClient(gateway.origin, ERAS[n % 2] ?? 'legacy')),
  );
  const streams = [];
  for (const client of clients) streams.push(await client.listen({ toolsListChanged: true }));
  for (const client of clients) expect(textOf(await client.call('web__echo', { text: 'well' }))).toBe('well');
  for (const stream of streams) stream.drop();
  await sleep(10);
  await Promise.all(clients.map(client => client.close()));
});

test.runIf(IS_FULL)(
  'a call that is silent for longer than any of our own timers is answered all the same',
  { timeout: 200_000 },
  async () => {
    const web = await startScripted({ era: 'legacy' });
    const gateway = await serve({ servers: { web: { url: web.url }, child: stdioScripted({ era: 'modern' }) } }, web);
    const calls = ['web', 'child'].flatMap(key => {
      const params = { name: `${key}__slow`, arguments: { ms: 90_000 } };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
      const headers = { 'content-type': 'application/json', accept: 'application/json' };
      return [exchange(`${gateway.origin}/`, { headers, body }).reply];
    });
    const watched = (async () => {
      const client = await openClient(gateway.origin, 'legacy');
      const reply = await client.call('web__slow', { ms: 90_000 }, { progressToken: 'p' });
      expect(textOf(reply)).toBe('slept 90000 ms');
      expect(reply.others.length).toBeGreaterThan(500);
      await client.close();
    })();
    for (const { frames } of await Promise.all(calls)) {
      expect(frames[0]).toMatchObject({ result: { content: [{ text: 'slept 90000 ms' }] } });
    }
    await watched;
  },
);
