import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import { Secret } from '../../../src/domain/secret.ts';
import { listProcesses } from '../../support/children/observe.ts';
import { startScripted, stdioScripted } from '../../support/downstreams/start.ts';
import {
  http,
  inlineStdio,
  makeLine,
  openPool,
  QUICK,
  sleep,
  spec,
  stdio,
  type TestPool,
  textOf,
  until,
  untilStatus,
} from './pool-kit.ts';

const child = () => stdio(stdioScripted({ era: 'legacy' }));

async function pidOf({ call }: TestPool, server: string, partition = 'main'): Promise<number> {
  const reply = await call(server, 'whoami', {}, { partition });
  if (reply.kind !== 'answer') throw new Error(JSON.stringify(reply));
  return Number((reply.result.structuredContent as JsonObject).pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const watchdogs = () =>
  listProcesses().filter(
    ({ parent, state, commandLine }) =>
      parent === process.pid && state !== 'Z' && commandLine.includes('gatehouse-watchdog'),
  );

describe('starting', () => {
  test('connects eager servers and leaves lazy ones alone until they are needed', async () => {
    const { pool, call, events } = openPool([spec('eager', child(), { start: 'eager' }), spec('lazy', child())]);
    expect(pool.states().map(({ status }) => status)).toEqual(['idle', 'idle']);
    pool.start();
    await untilStatus(pool, 'eager', 'ready');
    expect(pool.state('lazy')?.status).toBe('idle');
    await call('lazy', 'echo');
    expect(pool.states().map(({ key, status }) => `${key} ${status}`)).toEqual(['eager ready', 'lazy ready']);
    expect(
      events
        .filter(({ kind }) => kind === 'state')
        .map(event => `${event.server} ${'status' in event ? event.status : ''}`),
    ).toEqual(['eager connecting', 'eager ready', 'lazy connecting', 'lazy ready']);
  });

  test('is done once, however many ask at the same time', async () => {
    const server = await startScripted({ era: 'legacy' });
    onTestFinished(() => server.close());
    const { pool, call } = openPool([spec('s', http(server.url), { era: 'legacy' })]);
    await Promise.all([...Array.from({ length: 20 }, () => call('s', 'echo')), pool.query('s', 'tools/list', {})]);
    expect((server.stats().requests as JsonObject).initialize).toBe(1);
  });

  test('of one that hangs ends at its own deadline and holds up nobody', async () => {
    const hanging = inlineStdio('on(() => {})');
    const { pool, call } = openPool([spec('hangs', hanging, { connectTimeoutMs: 600 }), spec('s', child())], {
      ...QUICK,
      probeTimeoutMs: 100,
    });
    const stuck = call('hangs', 'any');
    expect(textOf(await call('s', 'echo', { text: 'x' }))).toBe('x');
    expect(await stuck).toMatchObject({
      code: 'SERVER_UNAVAILABLE',
      data: { server: 'hangs', reason: 'it did not answer in time' },
    });
    expect(pool.state('hangs')?.status).toBe('down');
  });

  test('of a disabled server is refused, and an unknown one has a name only', async () => {
    const { pool, call } = openPool([spec('off', child(), { enabled: false, start: 'eager' })]);
    pool.start();
    expect(await call('off', 'echo')).toMatchObject({
      code: 'SERVER_UNAVAILABLE',
      data: { server: 'off', reason: 'it is disabled' },
    });
    expect(await pool.query('off', 'tools/list', {})).toMatchObject({ code: 'SERVER_UNAVAILABLE' });
    expect(pool.state('off')).toMatchObject({ status: 'disabled', connections: 0 });
    expect(await call('nope', 'echo')).toMatchObject({
      code: 'SERVER_UNAVAILABLE',
      data: { server: 'nope', reason: 'it is not configured' },
    });
    expect(pool.state('nope')).toBeNull();
  });

  test('of a server that is down is tried again until it is there', async () => {
    const server = await startScripted({ era: 'legacy' });
    const port = Number(new URL(server.url).port);
    await server.close();
    const { pool, call, events } = openPool([spec('s', http(server.url), { start: 'eager' })]);
    pool.start();
    await untilStatus(pool, 's', 'down');
    expect(pool.state('s')?.reason).toBe('it refuses connections');
    const again = await startScripted({ era: 'legacy', port });
    onTestFinished(() => again.close());
    await untilStatus(pool, 's', 'ready');
    expect(events.filter(({ kind }) => kind === 'connected')).toHaveLength(1);
    expect(textOf(await call('s', 'echo', { text: 'x' }))).toBe('x');
  });
});

describe('applying a new configuration', () => {
  test('keeps what is unchanged, process and all, and stops what is removed', async () => {
    const kit = openPool([spec('keep', child()), spec('drop', child()), spec('change', child())]);
    const [keep, drop, change] = [await pidOf(kit, 'keep'), await pidOf(kit, 'drop'), await pidOf(kit, 'change')];
    const diff = kit.pool.apply([
      spec('change', child(), { maxInFlight: 3 }),
      spec('new', child()),
      spec('keep', child()),
    ]);
    expect(diff).toEqual({ added: ['new'], removed: ['drop'], updated: ['change'], unchanged: ['keep'] });
    expect(kit.pool.states().map(({ key }) => key)).toEqual(['change', 'new', 'keep']);
    expect(await pidOf(kit, 'keep')).toBe(keep);
    expect(await pidOf(kit, 'change')).not.toBe(change);
    expect(await pidOf(kit, 'new')).toBeGreaterThan(0);
    expect(await kit.call('drop', 'echo')).toMatchObject({
      code: 'SERVER_UNAVAILABLE',
      data: { server: 'drop', reason: 'it is not configured' },
    });
    await until(() => !isAlive(drop) && !isAlive(change), 'the old processes have ended');
  });

  test('sees a changed secret and nothing in an equal one', async () => {
    const link = (value: string) =>
      ({ ...child(), env: new Map([['TOKEN', new Secret(value)]]) }) as ReturnType<typeof child>;
    const { pool } = openPool([spec('s', link('one'))]);
    expect(pool.apply([spec('s', link('one'))]).unchanged).toEqual(['s']);
    expect(pool.apply([spec('s', link('two'))]).updated).toEqual(['s']);
    expect(pool.apply([spec('s', link('two'), { description: 'now with words' })]).updated).toEqual(['s']);
  });

  test.each(['stdio', 'http'] as const)('lets a call under way on a removed server finish (%s)', async transport => {
    const server = transport === 'http' ? await startScripted({ era: 'legacy' }) : null;
    onTestFinished(() => server?.close());
    const { pool, call } = openPool([spec('s', server === null ? child() : http(server.url), { maxInFlight: 1 })]);
    await call('s', 'echo');
    const line = makeLine({ wantsProgress: true });
    const running = call('s', 'slow', { ms: 500 }, { line });
    const waiting = call('s', 'echo', { text: 'accepted before' });
    await until(() => pool.state('s')?.queued === 1, 'one runs and one waits');
    pool.apply([]);
    expect(await call('s', 'echo')).toMatchObject({ code: 'SERVER_UNAVAILABLE' });
    expect(textOf(await running)).toBe('slept 500 ms');
    expect(line.notices.length).toBeGreaterThan(0);
    expect(textOf(await waiting)).toBe('accepted before');
  });

  test('starts an eager newcomer, and nothing before the pool was started', async () => {
    const { pool } = openPool([]);
    pool.apply([spec('early', child(), { start: 'eager' })]);
    await sleep(50);
    expect(pool.state('early')?.status).toBe('idle');
    pool.start();
    await untilStatus(pool, 'early', 'ready');
    pool.apply([spec('early', child(), { start: 'eager' }), spec('late', child(), { start: 'eager' })]);
    await untilStatus(pool, 'late', 'ready');
  });

  test('begins many newcomers in turns, and none that was dropped before its turn', async () => {
    const server = await startScripted({ era: 'legacy' });
    onTestFinished(() => server.close());
    const { pool, events } = openPool([]);
    pool.start();
    const many = Array.from({ length: 120 }, (_, i) => spec(`s${i}`, http(server.url), { start: 'eager' }));
    pool.apply(many);
    const idle = () => pool.states().filter(({ status }) => status === 'idle').length;
    expect(idle()).toBe(70);
    pool.apply(many.slice(0, 110));
    await until(() => pool.states().every(({ status }) => status === 'ready'), 'all that stayed are there');
    const begun = new Set(events.filter(({ kind }) => kind === 'state').map(event => event.server));
    expect(begun.size).toBe(110);
  });

  test('again and again leaves no process behind', async () => {
    const kit = openPool([]);
    const pids: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      kit.pool.apply([spec('s', child(), { maxInFlight: 1 + round })]);
      pids.push(await pidOf(kit, 's'));
    }
    kit.pool.apply([]);
    await until(() => !pids.some(isAlive), 'every process has ended');
    expect(new Set(pids).size).toBe(4);
  });
});

describe('connection sets', () => {
  test('of two callers share nothing, and are dropped one by one', async () => {
    const kit = openPool([spec('s', child())]);
    const [a, b] = [await pidOf(kit, 's', 'a'), await pidOf(kit, 's', 'b')];
    expect(a).not.toBe(b);
    expect(textOf(await kit.call('s', 'counter', {}, { partition: 'a' }))).toBe('1');
    expect(textOf(await kit.call('s', 'counter', {}, { partition: 'a' }))).toBe('2');
    expect(textOf(await kit.call('s', 'counter', {}, { partition: 'b' }))).toBe('1');
    expect(kit.pool.state('s')?.connections).toBe(2);
    kit.pool.release('a');
    await until(() => !isAlive(a), 'its process has ended');
    expect(await pidOf(kit, 's', 'b')).toBe(b);
    expect(await pidOf(kit, 's', 'a')).not.toBe(a);
  });

  test('that nobody uses are closed after a while; the main one never is', async () => {
    const kit = openPool([spec('s', child())], { ...QUICK, idlePartitionMs: 300 });
    const [main, other] = [await pidOf(kit, 's'), await pidOf(kit, 's', 'other')];
    await until(() => !isAlive(other), 'the idle process has ended');
    expect(isAlive(main)).toBe(true);
    expect(await pidOf(kit, 's', 'other')).not.toBe(other);
  });

  test('of a version that is not active are all closed, and opened again when it is asked for', async () => {
    const version = spec('s@v2', child(), { versionOf: 's', version: 'v2', start: 'lazy' });
    const kit = openPool([version], { ...QUICK, idlePartitionMs: 300 });
    expect(kit.pool.state('s@v2')).toMatchObject({ status: 'idle', connections: 0 });
    const main = await pidOf(kit, 's@v2');
    await until(() => !isAlive(main), 'the idle process has ended');
    expect(kit.pool.state('s@v2')?.connections).toBe(0);
    expect(await pidOf(kit, 's@v2')).not.toBe(main);
  });

  test('are limited in number', async () => {
    const server = await startScripted({ era: 'modern' });
    onTestFinished(() => server.close());
    const { call } = openPool([spec('s', http(server.url))], { ...QUICK, maxPartitions: 3 });
    const replies = await Promise.all(
      Array.from({ length: 5 }, (_, i) => call('s', 'echo', { text: 'x' }, { partition: `p${i}` })),
    );
    expect(replies.map(textOf)).toEqual(['x', 'x', 'x', 'failure OVERLOADED', 'failure OVERLOADED']);
  });
});

describe('closing', () => {
  test('waits for calls under way, then ends every process', async () => {
    const kit = openPool([spec('s', child()), spec('lazy', child())]);
    const pid = await pidOf(kit, 's');
    const running = kit.call('s', 'slow', { ms: 300 });
    const closed = kit.pool.close(5000);
    expect(await kit.call('s', 'echo')).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(textOf(await running)).toBe('slept 300 ms');
    expect(watchdogs()).toHaveLength(1);
    await closed;
    expect([isAlive(pid), watchdogs()]).toEqual([false, []]);
  });

  test('answers what does not finish in time, and says what may have happened', async () => {
    const kit = openPool([spec('s', child(), { maxInFlight: 1 })]);
    const pid = await pidOf(kit, 's');
    const [running, waiting] = [kit.call('s', 'slow', { ms: 20_000 }), kit.call('s', 'echo')];
    await kit.pool.close(100);
    expect(await running).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(await waiting).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(isAlive(pid)).toBe(false);
  });

  test('in the middle of a handshake does not wait for it', async () => {
    const { pool, call } = openPool([
      spec('s', inlineStdio('on(() => {})')),
      spec('t', http('http://127.0.0.1:9/mcp')),
    ]);
    const stuck = call('s', 'any');
    await sleep(50);
    const began = performance.now();
    await pool.close(100);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(await stuck).toMatchObject({ code: 'SHUTTING_DOWN' });
  });

  test('ends the session at the server', async () => {
    const server = await startScripted({ era: 'legacy' });
    onTestFinished(() => server.close());
    const { pool, call } = openPool([spec('s', http(server.url))]);
    await call('s', 'echo');
    expect(server.stats().sessions).toBe(1);
    await pool.close(100);
    expect(server.stats().sessions).toBe(0);
    await until(() => server.stats().connections === 0, 'no socket is left');
  });

  test('twice is once', async () => {
    const { pool } = openPool([spec('s', child())]);
    await Promise.all([pool.close(100), pool.close(100)]);
    expect(pool.apply([spec('late', child())]).added).toEqual([]);
  });
});
