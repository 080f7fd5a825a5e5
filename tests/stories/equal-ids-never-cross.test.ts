/**
 * Clients count their requests from the same number and name their progress alike; servers do the same with their
 * questions. Nothing of one caller may reach another: neither answers nor progress, logs or questions.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LOG_LEVELS } from '../../src/domain/era.ts';
import { objectOrEmpty } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, IS_FULL, startGateway } from '../support/gateway-process.ts';
import { type Client, openClient, type Reply, resultOf, textOf } from '../support/mcp-client.ts';

const CLIENTS = 50;
const CALLS = IS_FULL ? 200 : 24;
const OVER_HTTP = ['legacy-http', 'modern-http'] as const;
const ALL = [...OVER_HTTP, 'legacy-stdio', 'modern-stdio'] as const;

const started: StartedScripted[] = [];
let gateway: GatewayProcess;
let clients: { client: Client; mark: string; answers: { now: string } }[];

beforeAll(async () => {
  for (const era of ['legacy', 'modern'] as const) started.push(await startScripted({ era, name: `${era}-http` }));
  gateway = await startGateway({
    servers: {
      'legacy-http': { url: started[0]?.url ?? '' },
      'modern-http': { url: started[1]?.url ?? '' },
      'legacy-stdio': stdioScripted({ era: 'legacy' }),
      'modern-stdio': stdioScripted({ era: 'modern' }),
    },
  });
  clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, n) => {
      const answers = { now: '' };
      const client = await openClient(gateway.origin, n % 2 === 0 ? 'legacy' : 'modern', {
        answer: () => ({ action: 'accept', content: { name: answers.now } }),
      });
      return { client, mark: `client-${n}`, answers };
    }),
  );
});

afterAll(async () => {
  await Promise.all(clients.map(({ client }) => client.close()));
  await gateway.stop();
  for (const server of started) await server.close();
});

const progressOf = (reply: Reply) =>
  reply.others.filter(({ method }) => method === 'notifications/progress').map(({ params }) => objectOrEmpty(params));

test('fifty clients with equal ids each get their own answers', { timeout: 300_000 }, async () => {
  let own = 0;
  await Promise.all(
    clients.map(async ({ client, mark }) => {
      for (let id = 0; id < CALLS; id += 1) {
        const text = `${mark} ${id}`;
        const reply = await client.call(`${ALL[id % ALL.length]}__echo`, { text }, { id, progressToken: id });
        expect(textOf(reply)).toBe(text);
        expect(reply.others).toEqual([]);
        own += 1;
      }
    }),
  );
  expect(own).toBe(CLIENTS * CALLS);
});

test('ids given all at once by everybody come back to who gave them', { timeout: 300_000 }, async () => {
  await Promise.all(
    clients.map(async ({ client, mark }) => {
      const replies = await Promise.all(
        Array.from({ length: 24 }, (_, id) =>
          client.call(`${ALL[id % ALL.length]}__echo`, { text: `${mark}/${id}` }, { id }),
        ),
      );
      expect(replies.map(textOf)).toEqual(replies.map((_, id) => `${mark}/${id}`));
    }),
  );
});

test('one id given again and again before it was answered mixes nothing up', { timeout: 300_000 }, async () => {
  const [first, second] = clients;
  for (const { client } of [first, second].filter(it => it !== undefined)) {
    const replies = await Promise.all(
      Array.from({ length: IS_FULL ? 1000 : 300 }, (_, n) =>
        client.call(`${ALL[n % ALL.length]}__echo`, { text: `same ${n}` }, { id: 'same' }),
      ),
    );
    expect(replies.map(textOf)).toEqual(replies.map((_, n) => `same ${n}`));
  }
});

test('progress under one token reaches only the call it is about', { timeout: 300_000 }, async () => {
  await Promise.all(
    clients.map(async ({ client }, n) => {
      // The total tells whose it is.
      const ms = 110 + n;
      for (const server of ALL) {
        const reply = await client.call(`${server}__slow`, { ms }, { id: 7, progressToken: 'same' });
        expect(textOf(reply)).toBe(`slept ${ms} ms`);
        const told = progressOf(reply);
        expect(told.length).toBeGreaterThan(0);
        expect(told.every(({ progressToken, total }) => progressToken === 'same' && total === ms)).toBe(true);
      }
    }),
  );
});

test('each client gets the log of its own calls at its own level', { timeout: 300_000 }, async () => {
  await Promise.all(
    clients
      .filter(({ client }) => client.era === 'legacy')
      .map(({ client }, n) => client.request('logging/setLevel', { level: LOG_LEVELS[n % LOG_LEVELS.length] ?? '' })),
  );
  const nth = { legacy: 0, modern: 0 };
  await Promise.all(
    clients.map(async ({ client }) => {
      const level = LOG_LEVELS[nth[client.era]++ % LOG_LEVELS.length] ?? 'debug';
      for (const server of OVER_HTTP) {
        const reply = await client.call(`${server}__log`, {}, { id: 1, logLevel: level });
        const told = reply.others.filter(({ method }) => method === 'notifications/message');
        expect(told.map(({ params }) => objectOrEmpty(params).level)).toEqual(
          LOG_LEVELS.slice(LOG_LEVELS.indexOf(level)),
        );
        expect(told.every(({ params }) => objectOrEmpty(params).logger === server)).toBe(true);
      }
    }),
  );
});

test('two servers that ask under one id are each answered by their own caller', { timeout: 300_000 }, async () => {
  const rounds = IS_FULL ? 20 : 2;
  await Promise.all(
    clients.map(async ({ client, mark, answers }) => {
      for (let round = 0; round < rounds; round += 1) {
        for (const server of OVER_HTTP) {
          answers.now = `${mark} at ${server} ${round}`;
          const reply = await client.call(`${server}__ask`, {}, { id: 3 });
          expect(textOf(reply)).toContain(JSON.stringify(answers.now));
        }
      }
    }),
  );
});

test('counters of a server that keeps sessions apart never meet', { timeout: 120_000 }, async () => {
  const stateful = await startGateway({
    settings: { servers: { state: { ...stdioScripted({ era: 'legacy' }), sharing: 'per-session' } } },
  });
  try {
    const sessions = await Promise.all(
      Array.from({ length: IS_FULL ? 50 : 10 }, () => openClient(stateful.origin, 'legacy')),
    );
    const counts = await Promise.all(
      sessions.map(async session => {
        const seen: string[] = [];
        for (let i = 0; i < 5; i += 1) seen.push(textOf(await session.call('state__counter')));
        return seen;
      }),
    );
    for (const seen of counts) expect(seen).toEqual(['1', '2', '3', '4', '5']);
    await Promise.all(sessions.map(session => session.close()));
    const gone = await stateful.samples();
    expect(gone.get('gatehouse_sessions')).toBe(0);
  } finally {
    await stateful.stop();
  }
});

test('a list is the same for everybody, byte for byte', async () => {
  const [first, ...others] = await Promise.all(
    clients.slice(0, 10).map(async ({ client }) => [client.era, resultOf(await client.request('tools/list'))] as const),
  );
  for (const [era, list] of others) if (era === first?.[0]) expect(JSON.stringify(list)).toBe(JSON.stringify(first[1]));
});
