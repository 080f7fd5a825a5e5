/**
 * Changed lists, changed resources and log messages reach those who asked for them, and nobody else, in all four
 * pairings of eras.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LOG_LEVELS } from '../../src/domain/era.ts';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Client, type Listening, openClient, type Reply, resultOf } from '../support/mcp-client.ts';

const SERVERS = ['legacy-http', 'legacy-sse', 'legacy-stdio', 'modern-http', 'modern-stdio'] as const;
const ERAS = ['legacy', 'modern'] as const;
const PAIRS = SERVERS.flatMap(server => ERAS.map(era => ({ server, era })));

const started = new Map<string, StartedScripted>();
let gateway: GatewayProcess;

beforeAll(async () => {
  const remote = async (key: string, era: 'legacy' | 'modern', transport: 'http' | 'sse' = 'http') => {
    const server = await startScripted({ era, transport, name: key });
    started.set(key, server);
    return { url: server.url, ...(transport === 'sse' ? { type: 'sse' } : {}) };
  };
  gateway = await startGateway({
    servers: {
      'legacy-http': await remote('legacy-http', 'legacy'),
      'legacy-sse': await remote('legacy-sse', 'legacy', 'sse'),
      'modern-http': await remote('modern-http', 'modern'),
      'legacy-stdio': stdioScripted({ era: 'legacy', name: 'legacy-stdio' }),
      'modern-stdio': stdioScripted({ era: 'modern', name: 'modern-stdio' }),
    },
  });
});

afterAll(async () => {
  await gateway.stop();
  for (const server of started.values()) await server.close();
});

/** The resource that `touch` changes, as clients know it: five servers have one of the same name. */
async function watchedUri(client: Client, server: string): Promise<string> {
  const door = await openClient(gateway.origin, client.era);
  const { resources } = resultOf(await door.request('resources/list'));
  await door.close();
  const uris = (resources as JsonObject[]).map(({ uri }) => String(uri)).filter(uri => uri.includes('watched'));
  for (const uri of uris) {
    const before = JSON.stringify(resultOf(await client.request('resources/read', { uri })));
    await client.call(`${server}__touch`);
    if (JSON.stringify(resultOf(await client.request('resources/read', { uri }))) !== before) return uri;
  }
  throw new Error(`no resource of ${server} among ${uris.join(', ')}`);
}

const told = ({ frames }: Listening, method: string) => frames.filter(frame => frame.method === method);
const UPDATED = 'notifications/resources/updated';
const CHANGED = 'notifications/tools/list_changed';

async function subscribe(client: Client, uris: readonly string[]): Promise<Listening> {
  if (client.era === 'modern') {
    const stream = await client.listen({ resourceSubscriptions: [...uris] });
    await waitFor(
      () => told(stream, 'notifications/subscriptions/acknowledged')[0] ?? null,
      'the subscription is acknowledged',
    );
    return stream;
  }
  const stream = await client.listen();
  for (const uri of uris) expect(resultOf(await client.request('resources/subscribe', { uri }))).toEqual({});
  return stream;
}

describe.each(PAIRS)('between a $era client and $server', ({ era, server }) => {
  test('a changed resource is told to those who watch it, under the URI they know', async () => {
    const clients = [era, era, era].map(each => openClient(gateway.origin, each));
    const [watching, other, staying] = (await Promise.all(clients)) as [Client, Client, Client];
    const uri = await watchedUri(watching, server);
    const stream = await subscribe(watching, [uri]);
    const deaf = await subscribe(other, []);
    // A subscription that travels on is in force a moment after it was acknowledged.
    const update = await waitFor(async () => {
      await watching.call(`${server}__touch`);
      await sleep(40);
      return told(stream, UPDATED)[0] ?? null;
    }, 'the update is told');
    expect(objectOrEmpty(update.params).uri).toBe(uri);
    if (era === 'modern')
      expect(objectOrEmpty(objectOrEmpty(update.params)._meta)).toHaveProperty([
        'io.modelcontextprotocol/subscriptionId',
      ]);
    expect(told(deaf, UPDATED)).toEqual([]);

    if (era === 'legacy') {
      const stays = await subscribe(staying, [uri]);
      await watching.request('resources/unsubscribe', { uri });
      // What was told until then was on its way before the answer.
      await watching.request('ping');
      const [before, heard] = [told(stream, UPDATED).length, told(stays, UPDATED).length];
      await waitFor(async () => {
        await watching.call(`${server}__touch`);
        return told(stays, UPDATED).length > heard ? true : null;
      }, 'who watches on is told');
      await watching.request('ping');
      expect(told(stream, UPDATED)).toHaveLength(before);
      stays.drop();
    }
    stream.drop();
    await Promise.all([watching, other, staying].map(client => client.close()));
  });

  test('a changed list is told, and is a different list', async () => {
    const client = await openClient(gateway.origin, era);
    const stream = await client.listen({ toolsListChanged: true });
    const listed = async () =>
      ((resultOf(await client.request('tools/list')).tools ?? []) as JsonObject[]).map(({ name }) => name);
    for (const isThere of [true, false]) {
      const before = told(stream, CHANGED).length;
      await client.call(`${server}__toggle`);
      await waitFor(() => (told(stream, CHANGED).length > before ? true : null), 'the change is told');
      await waitFor(
        async () => ((await listed()).includes(`${server}__extra`) === isThere ? true : null),
        'it is listed',
      );
    }
    stream.drop();
    await client.close();
  });

  test('log messages come at the level that was asked for', async () => {
    const client = await openClient(gateway.origin, era);
    const levels = (reply: Reply, more: readonly JsonObject[] = []) =>
      [...reply.others, ...more]
        .filter(({ method }) => method === 'notifications/message')
        .map(({ params }) => String(objectOrEmpty(params).level))
        .sort();
    const enough = (level: string) =>
      LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(level as 'debug') + 1) as readonly string[];
    /** A legacy server is told of a level beside the first call that wants it. */
    const untilToldOf = async (level: string) => {
      if (server.startsWith('modern')) return;
      await client.call(`${server}__echo`, {}, { logLevel: level });
      await waitFor(async () => {
        const { lastParams } = resultOf(await client.call(`${server}____stats`)).structuredContent as JsonObject;
        const { level: of } = objectOrEmpty(objectOrEmpty(lastParams)['logging/setLevel']);
        return enough(level).includes(String(of)) ? true : null;
      }, `${server} is told of ${level}`);
    };
    for (const level of ['warning', 'debug', 'emergency'] as const) {
      if (era === 'legacy') await client.request('logging/setLevel', { level });
      await untilToldOf(level);
      const reply = await client.call(`${server}__log`, {}, { logLevel: level });
      expect(levels(reply)).toEqual(LOG_LEVELS.slice(LOG_LEVELS.indexOf(level)).toSorted());
    }
    if (era === 'modern') expect(levels(await client.call(`${server}__log`))).toEqual([]);
    await client.close();
  });
});

test('one server is asked once, however many watch, and no longer when nobody does', async () => {
  const clients = await Promise.all(
    Array.from({ length: 6 }, (_, n) => openClient(gateway.origin, ERAS[n % 2] ?? 'legacy')),
  );
  const [first] = clients;
  if (first === undefined) throw new Error('no client');
  const uri = await watchedUri(first, 'legacy-http');
  const subscribed = () =>
    Number(objectOrEmpty(started.get('legacy-http')?.stats().requests)['resources/subscribe'] ?? 0);
  const unsubscribed = () =>
    Number(objectOrEmpty(started.get('legacy-http')?.stats().requests)['resources/unsubscribe'] ?? 0);
  const [before, gone] = [subscribed(), unsubscribed()];
  const streams = await Promise.all(clients.map(client => subscribe(client, [uri])));
  await waitFor(() => (subscribed() === before + 1 ? true : null), 'it was asked');
  await first.call('legacy-http__touch');
  for (const stream of streams) await waitFor(() => told(stream, UPDATED)[0] ?? null, 'the update is told');
  expect(subscribed()).toBe(before + 1);
  for (const stream of streams) stream.drop();
  await Promise.all(clients.map(client => client.close()));
  await waitFor(() => (unsubscribed() === gone + 1 ? true : null), 'it was told that nobody watches');
});

test('subscriptions outlive a crash of their server', async () => {
  const web = await startScripted({ era: 'legacy' });
  const { port } = new URL(web.url);
  const alone = await startGateway({ servers: { web: { url: web.url } } });
  const clients = await Promise.all(ERAS.map(era => openClient(alone.origin, era)));
  const streams = await Promise.all(clients.map(client => subscribe(client, ['test://watched'])));
  web.crash();
  await web.close();
  await sleep(200);
  const back = await startScripted({ era: 'legacy', port: Number(port) });
  await waitFor(
    async () => {
      await clients[0]?.call('web__touch');
      return streams.every(stream => told(stream, UPDATED).length > 0) ? true : null;
    },
    'updates are told again',
    60_000,
  );
  for (const stream of streams) stream.drop();
  await Promise.all(clients.map(client => client.close()));
  await alone.stop();
  await back.close();
}, 90_000);
