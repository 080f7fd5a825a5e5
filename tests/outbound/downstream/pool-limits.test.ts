import { describe, expect, onTestFinished, test } from 'vitest';
import type { Reply } from '../../../src/domain/call.ts';
import { type JsonObject, objectOrEmpty } from '../../../src/domain/json.ts';
import type { ServerSpec } from '../../../src/domain/server.ts';
import { startScripted, stdioScripted } from '../../support/downstreams/start.ts';
import { http, inlineStdio, makeLine, openPool, QUICK, spec, stdio, textOf, until, untilStatus } from './pool-kit.ts';

async function started(options: Parameters<typeof startScripted>[0] = {}) {
  const server = await startScripted({ era: 'legacy', ...options });
  onTestFinished(() => server.close());
  return server;
}

const count = (server: { stats(): JsonObject }, method: string): number =>
  Number((server.stats().requests as JsonObject)[method] ?? 0);

describe('how much may be under way', () => {
  test.each(['stdio', 'http'] as const)(
    'what is over waits in line, and what is over that is refused (%s)',
    async transport => {
      const link = transport === 'stdio' ? stdio(stdioScripted({ era: 'legacy' })) : http((await started()).url);
      const { pool, call } = openPool([spec('s', link, { maxInFlight: 2, maxQueued: 3 })]);
      await call('s', 'echo', { text: 'ready' });
      const calls = Array.from({ length: 8 }, () => call('s', 'slow', { ms: 300 }));
      expect(pool.state('s')).toMatchObject({ inFlight: 2, queued: 3 });
      const replies = await Promise.all(calls);
      expect(replies.map(textOf).sort()).toEqual([
        ...Array.from({ length: 3 }, () => 'failure OVERLOADED'),
        ...Array.from({ length: 5 }, () => 'slept 300 ms'),
      ]);
      const refused = replies.find(reply => reply.kind === 'failure');
      expect(refused).toMatchObject({ data: { server: 's' }, retryAfterMs: expect.any(Number) });
      expect(pool.state('s')).toMatchObject({ inFlight: 0, queued: 0 });
    },
  );

  test('one server’s queue does not hold up another’s', async () => {
    const server = await started();
    const { call } = openPool([
      spec('slow', http(server.url), { maxInFlight: 1, maxQueued: 100 }),
      spec('fast', http(server.url)),
    ]);
    await Promise.all([call('slow', 'echo'), call('fast', 'echo')]);
    const line = makeLine();
    const stuck = Array.from({ length: 50 }, () => call('slow', 'slow', { ms: 20_000 }, { line }));
    expect(textOf(await call('fast', 'echo', { text: 'x' }))).toBe('x');
    void stuck;
  });

  test('a hundred calls in a row use one socket', async () => {
    const server = await started();
    const { call } = openPool([spec('s', http(server.url))]);
    await call('s', 'echo', { text: 'x' });
    const opened = Number(server.stats().opened);
    for (let i = 0; i < 100; i += 1) expect(textOf(await call('s', 'echo', { text: `${i}` }))).toBe(`${i}`);
    expect(Number(server.stats().opened) - opened).toBeLessThanOrEqual(1);
  });

  test('sockets are limited, and calls beyond them wait', async () => {
    const server = await started();
    const { pool, call } = openPool([spec('s', http(server.url))], { ...QUICK, maxConnections: 4 });
    const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => call('s', 'echo', { text: `${i}` })));
    expect(replies.map(textOf)).toEqual(replies.map((_, i) => `${i}`));
    expect(Number(server.stats().opened)).toBeLessThanOrEqual(4 + 4);
    expect(pool.state('s')?.connections).toBeGreaterThan(0);
  });

  test('a call that waits can be cancelled and is never sent', async () => {
    const server = await started();
    const { pool, call } = openPool([spec('s', http(server.url), { maxInFlight: 1 })]);
    await call('s', 'echo');
    const [first, second] = [makeLine(), makeLine()];
    const running = call('s', 'slow', { ms: 20_000 }, { line: first });
    const waiting = call('s', 'effect', { key: 'never' }, { line: second });
    await until(() => pool.state('s')?.queued === 1, 'one waits');
    second.cancel();
    expect(await waiting).toMatchObject({ code: 'CANCELLED' });
    first.cancel();
    expect(await running).toMatchObject({ code: 'CANCELLED' });
    expect(textOf(await call('s', 'echo', { text: 'x' }))).toBe('x');
    expect((server.stats().effects as JsonObject)['effect never']).toBeUndefined();
  });

  test('the time in line counts', async () => {
    const server = await started();
    const { call } = openPool([spec('s', http(server.url), { maxInFlight: 1 })]);
    await call('s', 'echo');
    const line = makeLine();
    const running = call('s', 'slow', { ms: 20_000 }, { line });
    expect(await call('s', 'echo', {}, { timeoutMs: 100 })).toMatchObject({
      code: 'TIMEOUT',
      data: { operation: 'tools/call', timeout_ms: 100 },
    });
    line.cancel();
    await running;
  });
});

describe('cancelling', () => {
  test.each([
    { transport: 'stdio', era: 'legacy' },
    { transport: 'http', era: 'legacy' },
    { transport: 'sse', era: 'legacy' },
    { transport: 'stdio', era: 'modern' },
    { transport: 'http', era: 'modern' },
  ] as const)('reaches a $era server over $transport, by the caller or by the clock', async ({ transport, era }) => {
    const server = transport === 'stdio' ? null : await started({ transport, era });
    const { call } = openPool([spec('s', server === null ? stdio(stdioScripted({ era })) : http(server.url))]);
    const seen = async (): Promise<JsonObject> => {
      const reply = await call('s', '__stats');
      return reply.kind === 'answer' ? (reply.result.structuredContent as JsonObject) : {};
    };
    const cancelled = async () => Number((await seen()).cancelled ?? 0);
    const begun = async () => Number(objectOrEmpty((await seen()).calls).slow ?? 0);
    const before = await cancelled();
    const line = makeLine();
    const slow = call('s', 'slow', { ms: 20_000 }, { line });
    await until(async () => (await begun()) === 1, 'it has arrived');
    line.cancel();
    expect(await slow).toMatchObject({ code: 'CANCELLED' });
    await until(async () => (await cancelled()) === before + 1, 'the server was told');
    expect(await call('s', 'slow', { ms: 20_000 }, { timeoutMs: 1000 })).toMatchObject({ code: 'TIMEOUT' });
    await until(async () => (await cancelled()) === before + 2, 'the server was told again');
  });

  test('before it was sent sends nothing', async () => {
    const server = await started();
    const { call } = openPool([spec('s', http(server.url))]);
    const line = makeLine();
    line.cancelled = true;
    expect(await call('s', 'effect', { key: 'x' }, { line })).toMatchObject({ code: 'CANCELLED' });
    expect(server.stats().requests).toEqual({});
  });

  test('frees the place for the next, two hundred times', async () => {
    const server = await started();
    const { pool, call } = openPool([spec('s', http(server.url), { maxInFlight: 4 })]);
    await call('s', 'echo');
    for (let round = 0; round < 50; round += 1) {
      const lines = Array.from({ length: 4 }, () => makeLine());
      const calls = lines.map(line => call('s', 'slow', { ms: 20_000 }, { line }));
      for (const line of lines) line.cancel();
      for (const reply of await Promise.all(calls)) expect(reply).toMatchObject({ code: 'CANCELLED' });
    }
    expect(pool.state('s')).toMatchObject({ inFlight: 0, queued: 0 });
    expect(textOf(await call('s', 'echo', { text: 'x' }))).toBe('x');
    await until(() => server.stats().inFlight === 0, 'the server works on nothing');
  });
});

test('the shorter of the caller’s and the server’s time limit wins', async () => {
  const server = await started();
  const { call } = openPool([spec('s', http(server.url), { callTimeoutMs: 150 })]);
  expect(await call('s', 'slow', { ms: 20_000 }, { timeoutMs: 10_000 })).toMatchObject({
    code: 'TIMEOUT',
    data: { timeout_ms: 150 },
  });
  expect(await call('s', 'slow', { ms: 20_000 }, { timeoutMs: 60 })).toMatchObject({
    code: 'TIMEOUT',
    data: { timeout_ms: 60 },
  });
  expect(await call('s', 'slow', { ms: 20_000 })).toMatchObject({ code: 'TIMEOUT', data: { timeout_ms: 150 } });
});

describe('the breaker', () => {
  const failing = { on: 'tools/call', do: 'http-status', status: 500 } as const;

  test('opens after five failures in a row; while it is open nothing reaches the server but its probe', async () => {
    const server = await started({ script: [failing, { on: 'ping', do: 'http-status', status: 500 }] });
    const { pool, call } = openPool([spec('s', http(server.url))], { ...QUICK, backoffBaseMs: 200, backoffMaxMs: 400 });
    for (let i = 0; i < 5; i += 1) await call('s', 'echo');
    expect(pool.state('s')).toMatchObject({ breaker: 'open', status: 'down' });
    const before = count(server, 'tools/call');
    const refused: Reply[] = [];
    for (let i = 0; i < 50; i += 1) refused.push(await call('s', 'echo'));
    for (const reply of refused)
      expect(reply).toMatchObject({
        code: 'SERVER_UNAVAILABLE',
        data: { server: 's' },
        retryAfterMs: expect.any(Number),
      });
    await until(() => count(server, 'ping') >= 3, 'it is probed');
    expect(count(server, 'tools/call')).toBe(before);
    server.setScript([]);
    await untilStatus(pool, 's', 'ready');
    expect(pool.state('s')?.breaker).toBe('closed');
    expect(textOf(await call('s', 'echo', { text: 'x' }))).toBe('x');
  });

  test('that was closed by its probe opens again at the first failure', async () => {
    const server = await started({ script: [failing] });
    const { pool, call } = openPool([spec('s', http(server.url))]);
    for (let i = 0; i < 5; i += 1) await call('s', 'echo');
    await untilStatus(pool, 's', 'ready');
    await call('s', 'echo');
    expect(pool.state('s')?.breaker).toBe('open');
  });

  test('does not count tool errors, JSON-RPC errors or refusals of the caller', async () => {
    const server = await started({
      script: [
        { on: 'tools/call', name: 'echo', do: 'error' },
        { on: 'tools/call', name: 'add', do: 'http-status', status: 403 },
      ],
    });
    const { pool, call } = openPool([spec('s', http(server.url))]);
    for (let i = 0; i < 10; i += 1) {
      await call('s', 'fail');
      await call('s', 'echo');
      await call('s', 'add');
    }
    expect(pool.state('s')).toMatchObject({ breaker: 'closed', status: 'ready' });
  });

  test('cannot be opened by one impatient caller', async () => {
    const server = await started();
    const { pool, call } = openPool([spec('s', http(server.url))]);
    for (let i = 0; i < 10; i += 1)
      expect(await call('s', 'slow', { ms: 20_000 }, { timeoutMs: 20 })).toMatchObject({ code: 'TIMEOUT' });
    expect(pool.state('s')?.breaker).toBe('closed');
  });

  test('opens for a server that hears and never answers, and a hanging process is replaced', async () => {
    const link = stdio(
      stdioScripted({
        era: 'legacy',
        script: [
          { on: 'tools/call', name: 'echo', do: 'hang' },
          { on: 'ping', do: 'hang' },
        ],
      }),
    );
    const { pool, call } = openPool([spec('s', link, { callTimeoutMs: 60 })], { ...QUICK, probeAnswerMs: 300 });
    await pool.query('s', 'tools/list', {});
    await until(async () => {
      await call('s', 'echo');
      return pool.state('s')?.breaker === 'open';
    }, 'the breaker opens');
    await until(() => pool.state('s')?.restarts === 1, 'the process was replaced');
    await untilStatus(pool, 's', 'ready');
    expect(pool.state('s')?.breaker).toBe('closed');
  });

  test('waits as long as the server asks, within reason', async () => {
    const script = [
      { on: 'tools/call', do: 'http-status', status: 429, headers: { 'retry-after': '999999' } },
    ] as const;
    const server = await started({ script });
    const { call } = openPool([spec('s', http(server.url))]);
    for (let i = 0; i < 5; i += 1) await call('s', 'echo');
    const reply = await call('s', 'echo');
    const waitMs = reply.kind === 'failure' ? (reply.retryAfterMs ?? 0) : 0;
    expect(waitMs).toBeGreaterThan(50_000);
    expect(waitMs).toBeLessThanOrEqual(60_000);
  });

  test('of one connection set is not another’s', async () => {
    const link = (): ServerSpec['link'] =>
      inlineStdio(`on(m => {
      if (m.method === 'initialize') return hello(m);
      if (m.method === 'tools/call' && m.params.name === 'good') return say({ jsonrpc: '2.0', id: m.id, result: { content: [{ type: 'text', text: 'ok' }] } });
      if (m.method === 'server/discover') return no(m);
    })`);
    const { pool, call } = openPool([spec('s', link(), { callTimeoutMs: 80 })], {
      ...QUICK,
      backoffBaseMs: 10_000,
      backoffMaxMs: 10_000,
    });
    await until(async () => {
      await call('s', 'bad', {}, { partition: 'a' });
      return pool.state('s')?.breaker === 'open';
    }, 'the breaker of one opens');
    expect(await call('s', 'good', {}, { partition: 'a' })).toMatchObject({ code: 'SERVER_UNAVAILABLE' });
    await until(async () => textOf(await call('s', 'good', {}, { partition: 'b' })) === 'ok', 'the other answers');
    expect(pool.state('s')?.breaker).toBe('open');
  });
});
