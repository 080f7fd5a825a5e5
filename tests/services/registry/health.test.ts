import { describe, expect, test } from 'vitest';
import { failure } from '../../../src/domain/error.ts';
import { CREDENTIALS_REFUSED } from '../../../src/domain/server.ts';
import type { ServerHealth } from '../../../src/domain/server-health.ts';
import type { HealthRepository } from '../../../src/ports/health-repository.ts';
import { createHealthWatch, type Watched } from '../../../src/services/registry/health.ts';
import { answerOf, createFakeDownstreams, type FakeServer } from '../../support/fake-downstreams.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { createKeptLog, settle } from '../../support/staircase.ts';

const SETTINGS = { intervalMs: 30_000, concurrency: 4, failuresToUnhealthy: 2 };
const watched = (key: string, more: Partial<Watched> = {}): Watched => ({
  ...{ path: `/${key}`, key, enabled: true, isLocal: false, hasAddress: true, numTools: 3 },
  ...more,
});

function createStore(kept: ServerHealth[] = []) {
  const rounds: ServerHealth[][] = [];
  const store: HealthRepository = {
    find: async path => kept.find(health => health.path === path) ?? null,
    list: async () => kept,
    put: async findings => void rounds.push([...findings]),
  };
  return { store, rounds };
}

async function start(
  servers: Record<string, FakeServer>,
  {
    list = Object.keys(servers).map(key => watched(key)),
    settings = SETTINGS,
    kept = [] as ServerHealth[],
    random = (): number => 0.5,
  } = {},
) {
  const clock = createFrozenClock();
  const downstreams = createFakeDownstreams(servers);
  const { store, rounds } = createStore(kept);
  const told: string[] = [];
  const pings = { underWay: 0, most: 0, answers: new Map<string, ReturnType<typeof failure>>(), hold: false };
  const waiting: (() => void)[] = [];
  const query: typeof downstreams.query = async (key, method) => {
    downstreams.queried.push({ server: key, method, params: {} });
    pings.underWay++;
    pings.most = Math.max(pings.most, pings.underWay);
    if (pings.hold) await new Promise<void>(resolve => waiting.push(resolve));
    pings.underWay--;
    return pings.answers.get(key) ?? answerOf('legacy', {});
  };
  const watch = createHealthWatch({
    servers: () => list,
    server: key => list.find(server => server.key === key) ?? null,
    downstreams: { condition: downstreams.condition, onEvent: downstreams.onEvent, query },
    ...{ store, settings, clock, log: createKeptLog(), random },
  });
  watch.onChange(({ path, status }) => void told.push(`${path} ${status}`));
  downstreams.start();
  await watch.start();
  /** A round and what it does. */
  const round = async () => {
    for (let step = 0; step < 60; step++) {
      clock.advance(settings.intervalMs / 60);
      await settle();
    }
  };
  const asked = () => downstreams.queried.filter(({ method }) => method === 'ping').map(({ server }) => server);
  return { clock, downstreams, watch, told, pings, rounds, round, asked, waiting, list };
}

test('every server is asked once in an interval, and the findings are one write', async () => {
  const { round, asked, watch, rounds } = await start({ a: {}, b: {}, c: {} });
  await round();
  expect(asked().sort()).toEqual(['a', 'b', 'c']);
  expect(watch.find('/a')).toMatchObject({ status: 'healthy', checkedAtMs: expect.any(Number), numTools: 3 });
  expect(rounds).toHaveLength(1);
});

describe('each is asked once in an interval, and never more at once than the settings say', () => {
  const settings = { intervalMs: 60_000, concurrency: 10, failuresToUnhealthy: 2 };
  const longest = { random: () => 1, because: 'the longest pauses end within the interval' };
  test.each([
    { servers: 1, random: Math.random, because: 'one server waits for no other' },
    { servers: 3, random: Math.random, because: 'they are fewer than may be asked at once' },
    { servers: 10, random: Math.random, because: 'they are as many' },
    { servers: 25, random: Math.random, because: 'they are more' },
    { servers: 11, ...longest },
    { servers: 1, ...longest },
  ])('$servers servers: $because', async ({ servers, random }) => {
    const keys = Array.from({ length: servers }, (_, i) => `s${i}`);
    const { round, asked, pings } = await start(Object.fromEntries(keys.map(key => [key, {}])), { settings, random });
    // The first round begins a moment after the start.
    for (let i = 0; i < 6; i++) await round();
    for (const key of keys) {
      const times = asked().filter(server => server === key).length;
      expect([5, 6]).toContain(times);
    }
    expect(pings.most).toBeLessThanOrEqual(settings.concurrency);
  });
});

describe('what an answer to a check says', () => {
  test.each([
    {
      reply: failure('SERVER_UNAVAILABLE', { reason: 'gone' }),
      status: 'unhealthy: connection error',
      because: 'nobody is there',
    },
    {
      reply: failure('BAD_ANSWER', {}),
      status: 'unhealthy: endpoint check failed',
      because: 'what answers is not MCP',
    },
    { reply: failure('OVERLOADED', {}), status: 'healthy', because: 'the queue is ours' },
    {
      reply: failure('SERVER_UNAVAILABLE', { reason: CREDENTIALS_REFUSED }),
      ...{ status: 'healthy-auth-expired', because: 'it is there, and wants another credential' },
    },
  ])('$status: $because', async ({ reply, status }) => {
    const { pings, watch } = await start({ a: {} });
    pings.answers.set('a', reply);
    expect(await watch.check('/a')).toMatchObject({ status });
  });
});

test('one late answer is no outage, the second in a row is; the first in time ends it', async () => {
  const { pings, watch, told, round } = await start({ a: {} });
  await watch.check('/a');
  pings.answers.set('a', failure('TIMEOUT', {}));
  await round();
  expect(watch.find('/a')).toMatchObject({ status: 'healthy' });
  await round();
  expect(watch.find('/a')).toMatchObject({ status: 'unhealthy: timeout' });
  pings.answers.clear();
  expect(await watch.check('/a')).toMatchObject({ status: 'healthy' });
  expect(told).toEqual(['/a healthy', '/a unhealthy: timeout', '/a healthy']);
});

test('whoever asks is told how it is found, the first time already', async () => {
  const { pings, watch, told } = await start({ a: {} });
  pings.answers.set('a', failure('TIMEOUT', {}));
  expect(await watch.check('/a')).toMatchObject({ status: 'unhealthy: timeout' });
  expect(told).toEqual(['/a healthy', '/a unhealthy: timeout']);
});

test('a server that is switched off while it is late, or was late before, is off', async () => {
  const { pings, watch, round, list, waiting } = await start({ a: {} });
  pings.answers.set('a', failure('TIMEOUT', {}));
  await round();
  list[0] = { ...watched('a'), enabled: false };
  watch.follow();
  expect(await watch.check('/a')).toMatchObject({ status: 'disabled' });
  list[0] = { ...watched('a'), enabled: true };
  watch.follow();
  pings.hold = true;
  const asked = watch.check('/a');
  await settle();
  list[0] = { ...watched('a'), enabled: false };
  watch.follow();
  for (const answer of waiting) answer();
  await asked;
  expect(watch.find('/a')).toMatchObject({ status: 'disabled' });
});

test('a connection that goes or comes is known at once, without a check', async () => {
  const { downstreams, watch, told, asked } = await start({ a: {} });
  downstreams.fail('a', 'it refuses connections');
  expect(watch.find('/a')?.status).toBe('unhealthy: connection error');
  downstreams.connect('a');
  expect(told).toEqual(['/a healthy', '/a unhealthy: connection error', '/a healthy']);
  expect(asked()).toEqual([]);
});

test('nobody starts a server that waits to be used, and who runs elsewhere or is switched off is not asked', async () => {
  const list = [
    watched('lazy'),
    watched('off', { enabled: false }),
    watched('laptop', { isLocal: true }),
    watched('nowhere', { hasAddress: false }),
    watched('coming'),
  ];
  const { round, asked, watch } = await start({ lazy: { spec: { start: 'lazy' } }, off: {}, laptop: {} }, { list });
  await round();
  expect(asked()).toEqual([]);
  expect([...watch.snapshot().values()].map(({ path, status }) => [path, status])).toEqual([
    ['/lazy', 'unknown'],
    ['/off', 'disabled'],
    ['/laptop', 'local'],
    ['/nowhere', 'unhealthy: missing proxy URL'],
    ['/coming', 'checking'],
  ]);
});

test('no more checks are under way than allowed, however many servers there are', async () => {
  const servers = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`s${n}`, {}]));
  const { pings, round, waiting, asked } = await start(servers);
  pings.hold = true;
  await round();
  expect(pings.most).toBe(4);
  pings.hold = false;
  for (const go of waiting) go();
  await round();
  await round();
  expect(new Set(asked()).size).toBe(100);
});

test('two who ask at once get one answer', async () => {
  const { watch, asked, pings, waiting } = await start({ a: {} });
  pings.hold = true;
  const both = Promise.all([watch.check('/a'), watch.check('/a')]);
  await settle();
  for (const go of waiting) go();
  const [one, other] = await both;
  expect(one).toBe(other);
  expect(asked()).toEqual(['a']);
});

test('after a restart it is known when a server was last asked, and not how it is', async () => {
  const kept: ServerHealth[] = [{ path: '/lazy', status: 'healthy', checkedAtMs: 42, numTools: 3 }];
  const { watch } = await start({ lazy: { spec: { start: 'lazy' } } }, { kept });
  expect(watch.find('/lazy')).toEqual({ path: '/lazy', status: 'unknown', checkedAtMs: 42, numTools: 3 });
});

test('a server that is switched off and on, or removed, is followed', async () => {
  const { watch, list, told } = await start({ a: {}, b: {} });
  list[0] = watched('a', { enabled: false });
  watch.follow();
  expect(watch.find('/a')?.status).toBe('disabled');
  list[0] = watched('a', { numTools: 4 });
  list.pop();
  watch.follow();
  expect([watch.find('/a')?.status, watch.find('/a')?.numTools, watch.find('/b')]).toEqual(['healthy', 4, null]);
  expect(told.filter(line => line.startsWith('/a'))).toEqual(['/a healthy', '/a disabled', '/a healthy']);
});

describe('a server that is switched off or removed', () => {
  test.each([
    { at: 'while its turn in a round is near', isHeld: false },
    { at: 'while it is being asked', isHeld: true },
  ])('$at is told as what it is, and not asked or told of again', async ({ isHeld }) => {
    const { clock, watch, list, told, pings, waiting, asked } = await start({ off: {}, gone: {}, stays: {} });
    await settle();
    pings.hold = isHeld;
    // The round has begun, and nobody's turn has come; or everybody's has.
    for (let step = 0; step < (isHeld ? 60 : 8); step++) {
      clock.advance(SETTINGS.intervalMs / 60);
      await settle();
    }
    expect(asked().length).toBe(isHeld ? 3 : 0);
    told.length = 0;
    list.splice(0, 2, watched('off', { enabled: false }));
    watch.follow();
    for (const answer of waiting.splice(0)) answer();
    pings.hold = false;
    for (let step = 0; step < 30; step++) {
      clock.advance(SETTINGS.intervalMs / 60);
      await settle();
    }
    expect(told.filter(each => !each.startsWith('/stays'))).toEqual(['/off disabled']);
    expect([watch.find('/off')?.status, watch.find('/gone')]).toEqual(['disabled', null]);
    expect(watch.find('/stays')?.status).toBe('healthy');
  });
});
