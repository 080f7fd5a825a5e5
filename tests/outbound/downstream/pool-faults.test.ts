import { createServer, type Server } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import type { ServerSpec } from '../../../src/domain/server.ts';
import type { Rule } from '../../support/downstreams/start.ts';
import { startScripted, stdioScripted } from '../../support/downstreams/start.ts';
import { http, inlineStdio, makeLine, openPool, QUICK, spec, stdio, textOf, until, untilStatus } from './pool-kit.ts';

type Kind = 'stdio' | 'http' | 'sse' | 'modern';

async function faulty(kind: Kind, script: readonly Rule[]): Promise<ServerSpec['link']> {
  if (kind === 'stdio') return stdio(stdioScripted({ era: 'legacy', script }));
  const server = await startScripted({
    transport: kind === 'sse' ? 'sse' : 'http',
    era: kind === 'modern' ? 'modern' : 'legacy',
    script,
  });
  onTestFinished(() => server.close());
  return http(server.url);
}

interface Case {
  rule: Rule;
  kinds: readonly Kind[];
  code?: string;
  timeoutMs?: number;
}

function withTitle(row: Case): Case & { title: string } {
  const { rule } = row;
  const words = [
    rule.do,
    rule.what,
    rule.status,
    rule.ran && 'after its effect',
    rule.then && `then ${rule.then}`,
    rule.as && `as ${rule.as}`,
  ];
  return { ...row, title: words.filter(Boolean).join(' ') };
}

/** Five processes, one after the other, on a machine that may be busy with something else. */
const CRASH_LOOP_MS = 75_000;
const LIMITS = { ...QUICK, maxFrameBytes: 1024 * 1024, headersTimeoutMs: 3000 };

describe('what a hostile server does to a call', () => {
  const on = { on: 'tools/call', name: 'echo' } as const;
  test.each(
    (
      [
        { rule: { ...on, do: 'hang' }, kinds: ['stdio', 'http', 'sse', 'modern'], code: 'TIMEOUT', timeoutMs: 300 },
        { rule: { ...on, do: 'drip', ms: 50 }, kinds: ['http', 'modern'], code: 'TIMEOUT', timeoutMs: 400 },
        { rule: { ...on, do: 'drip', ms: 50, as: 'sse' }, kinds: ['http', 'modern'], code: 'TIMEOUT', timeoutMs: 400 },
        { rule: { ...on, do: 'garbage' }, kinds: ['http', 'modern'], code: 'BAD_ANSWER' },
        { rule: { ...on, do: 'garbage' }, kinds: ['stdio', 'sse'], code: 'TIMEOUT', timeoutMs: 300 },
        { rule: { ...on, do: 'half' }, kinds: ['http', 'modern'], code: 'OUTCOME_UNKNOWN' },
        { rule: { ...on, do: 'half', as: 'sse' }, kinds: ['http', 'modern'], code: 'OUTCOME_UNKNOWN' },
        { rule: { ...on, do: 'wrong-id' }, kinds: ['http', 'modern'], code: 'BAD_ANSWER' },
        { rule: { ...on, do: 'wrong-id' }, kinds: ['stdio', 'sse'], code: 'TIMEOUT', timeoutMs: 300 },
        { rule: { ...on, do: 'wrong-type' }, kinds: ['http', 'modern', 'stdio'], code: 'BAD_ANSWER' },
        { rule: { ...on, do: 'die' }, kinds: ['stdio', 'http', 'sse', 'modern'], code: 'OUTCOME_UNKNOWN' },
        { rule: { ...on, do: 'die', ran: true }, kinds: ['stdio', 'http', 'sse', 'modern'], code: 'OUTCOME_UNKNOWN' },
        { rule: { ...on, do: 'close' }, kinds: ['http', 'sse', 'modern'], code: 'OUTCOME_UNKNOWN' },
        {
          rule: { ...on, do: 'flood', what: 'result', bytes: 3_000_000 },
          kinds: ['http', 'modern'],
          code: 'BAD_ANSWER',
        },
        { rule: { ...on, do: 'flood', what: 'line', endless: true }, kinds: ['http', 'modern'], code: 'BAD_ANSWER' },
        { rule: { ...on, do: 'flood', what: 'line', endless: true }, kinds: ['stdio'], code: 'OUTCOME_UNKNOWN' },
        {
          rule: { ...on, do: 'flood', endless: true },
          kinds: ['http', 'modern', 'stdio'],
          code: 'TIMEOUT',
          timeoutMs: 400,
        },
        { rule: { ...on, do: 'http-status', status: 500 }, kinds: ['http', 'modern'], code: 'SERVER_UNAVAILABLE' },
        { rule: { ...on, do: 'http-status', status: 502 }, kinds: ['http', 'modern'], code: 'OUTCOME_UNKNOWN' },
        { rule: { ...on, do: 'http-status', status: 401 }, kinds: ['http', 'modern'], code: 'SERVER_UNAVAILABLE' },
        {
          rule: { ...on, do: 'http-status', status: 503, headers: { 'retry-after': '7' } },
          kinds: ['http'],
          code: 'SERVER_UNAVAILABLE',
        },
      ] satisfies Case[]
    ).map(withTitle),
  )('$title over $kinds is $code', async ({ rule, kinds, code, timeoutMs }) => {
    for (const kind of kinds) {
      const { call } = openPool([spec('s', await faulty(kind, [rule]))], LIMITS);
      await call('s', 'add', { a: 1, b: 1 });
      const reply = await call('s', 'echo', { text: 'x' }, { timeoutMs: timeoutMs ?? null });
      expect(reply, `${kind}: ${JSON.stringify(reply)}`).toMatchObject({ kind: 'failure', code });
      if (code === 'TIMEOUT') expect(reply).toMatchObject({ data: { operation: 'tools/call', timeout_ms: timeoutMs } });
      else expect(reply).toMatchObject({ data: { server: 's' } });
    }
  });

  test.each(
    (
      [
        { rule: { ...on, do: 'duplicate' }, kinds: ['stdio', 'http', 'modern'] },
        { rule: { ...on, do: 'trailers' }, kinds: ['http', 'modern'] },
        // biome-ignore lint/suspicious/noThenProperty: a word of the script language; nobody awaits a rule.
        { rule: { ...on, do: 'garbage', then: 'answer' }, kinds: ['stdio', 'sse'] },
        { rule: { ...on, do: 'drip', ms: 0, bytes: 3 }, kinds: ['http', 'modern', 'stdio'] },
        { rule: { ...on, do: 'drip', ms: 0, bytes: 1, as: 'sse' }, kinds: ['http', 'modern'] },
        { rule: { ...on, do: 'flood', bytes: 200_000 }, kinds: ['http', 'modern', 'stdio'] },
      ] satisfies Case[]
    ).map(withTitle),
  )('$title over $kinds does no harm', async ({ rule, kinds }) => {
    for (const kind of kinds) {
      const { call } = openPool([spec('s', await faulty(kind, [rule]))], LIMITS);
      expect(textOf(await call('s', 'echo', { text: 'x' })), kind).toBe('x');
      expect(textOf(await call('s', 'add', { a: 1, b: 1 })), kind).toBe('2');
    }
  });

  test('a server error is the server’s own and no sign of ill health', async () => {
    const { pool, call } = openPool([
      spec('s', await faulty('http', [{ ...on, do: 'error', code: -32055, message: 'own', data: { a: [1] } }])),
    ]);
    for (let i = 0; i < 12; i += 1) {
      expect(await call('s', 'echo')).toEqual({
        kind: 'relayed',
        era: 'legacy',
        error: { code: -32055, message: 'own', data: { a: [1] } },
      });
    }
    expect(pool.state('s')?.breaker).toBe('closed');
  });
});

describe('bytes that no HTTP server would send', () => {
  test.each([
    { because: 'a head that is no HTTP', bytes: 'SSH-2.0-OpenSSH\r\n\r\n', code: 'BAD_ANSWER' },
    { because: 'a head without an end', bytes: `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(200_000)}`, code: 'BAD_ANSWER' },
    {
      because: 'a body shorter than promised',
      bytes: 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{}',
      code: 'OUTCOME_UNKNOWN',
    },
    {
      because: 'a promise beyond the limit',
      bytes: 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999999999\r\n\r\n{',
      code: 'BAD_ANSWER',
    },
    {
      because: 'an array of nothing',
      bytes: 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]',
      code: 'BAD_ANSWER',
    },
    {
      because: 'an accepted request without an answer',
      bytes: 'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n',
      code: 'BAD_ANSWER',
    },
    {
      because: 'a stream that ends at once',
      bytes: 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 0\r\n\r\n',
      code: 'OUTCOME_UNKNOWN',
    },
    { because: '100 Continue for ever', bytes: 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(50), code: 'OUTCOME_UNKNOWN' },
  ])('$because: $code', async ({ bytes, code }) => {
    const raw = await startRaw(() => bytes, code === 'OUTCOME_UNKNOWN');
    const { call } = openPool([spec('s', http(urlOf(raw), 'streamable-http'), { era: 'legacy' })], LIMITS);
    const reply = await call('s', 'any', {}, { timeoutMs: 5000 });
    expect(reply, JSON.stringify(reply)).toMatchObject({ code });
  });
});

test.each([
  { after: 'xyz\r\n', because: 'a chunk of no size' },
  { after: '1\r\nab', because: 'a chunk longer than its size' },
  { after: '0\r\na: b\n', because: 'a trailer that ends in LF' },
])(
  'an answer that was whole on its stream counts, whatever spoils the same read after it: $because',
  async ({ after }) => {
    const raw = await startRaw(id => {
      const result = { content: [{ type: 'text', text: 'whole' }] };
      const event = `data: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`;
      const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
      return `${head}${event.length.toString(16)}\r\n${event}\r\n${after}`;
    }, false);
    const { call } = openPool([spec('s', http(urlOf(raw), 'streamable-http'), { era: 'legacy' })], LIMITS);
    // Twice: the spoilt connection is not used again.
    for (let i = 0; i < 2; i += 1) expect(textOf(await call('s', 'any', {}, { timeoutMs: 5000 }))).toBe('whole');
  },
);

describe('a child that dies', () => {
  test('answers every call under way exactly once, and comes back', async () => {
    const { pool, call } = openPool([spec('s', stdio(stdioScripted({ era: 'legacy' })))]);
    await call('s', 'echo', { text: 'x' });
    const pid = (pool.state('s')?.connections ?? 0) > 0 ? await pidOf(call) : 0;
    const calls = Array.from({ length: 20 }, (_, i) => call('s', 'slow', { ms: 20_000 + i }));
    await until(() => pool.state('s')?.inFlight === 20, '20 calls under way');
    process.kill(pid, 'SIGKILL');
    for (const reply of await Promise.all(calls))
      expect(reply).toMatchObject({ code: 'OUTCOME_UNKNOWN', data: { server: 's' } });
    await untilStatus(pool, 's', 'ready');
    expect(textOf(await call('s', 'echo', { text: 'back' }))).toBe('back');
    expect(await pidOf(call)).not.toBe(pid);
    expect(pool.state('s')).toMatchObject({ restarts: 1, inFlight: 0, queued: 0, connections: 1 });
  });

  test('is refused at once while it is away, with a reason that tells nothing of the machine', async () => {
    const { pool, call } = openPool([spec('s', stdio(stdioScripted({ era: 'legacy' })))], {
      ...QUICK,
      backoffBaseMs: 5000,
      backoffMaxMs: 5000,
    });
    process.kill(await pidOf(call), 'SIGKILL');
    await untilStatus(pool, 's', 'down');
    const reply = await call('s', 'echo', { text: 'x' });
    expect(reply).toMatchObject({
      code: 'SERVER_UNAVAILABLE',
      data: { server: 's', reason: 'its process was ended by SIGKILL' },
    });
    expect(reply.kind === 'failure' && reply.retryAfterMs).toBeGreaterThan(1000);
  });

  test('over and over is given up as failed, not spawned for ever', async () => {
    const { pool, call } = openPool(
      [spec('s', stdio(stdioScripted({ era: 'legacy', script: [{ on: 'start', do: 'die' }] })))],
      {
        ...QUICK,
        backoffBaseMs: 10,
        backoffMaxMs: 20,
      },
    );
    expect(await call('s', 'echo')).toMatchObject({ code: 'SERVER_UNAVAILABLE' });
    await untilStatus(pool, 's', 'failed', CRASH_LOOP_MS);
    expect(await call('s', 'echo')).toMatchObject({ code: 'SERVER_UNAVAILABLE' });
  }, 90_000);

  test('right after its handshake counts as a crash loop too', async () => {
    const link = inlineStdio(
      `on(m => { if (m.method === 'initialize') { hello(m); setTimeout(() => process.exit(1), 30); } })`,
    );
    const { pool } = openPool([spec('s', link, { era: 'legacy', start: 'eager' })], {
      ...QUICK,
      backoffBaseMs: 10,
      backoffMaxMs: 20,
    });
    pool.start();
    await untilStatus(pool, 's', 'failed', CRASH_LOOP_MS);
    expect(pool.state('s')?.restarts).toBe(4);
  }, 90_000);
});

describe('a session that the server forgets', () => {
  test('is made anew once for all, and the calls are repeated', async () => {
    const server = await startScripted({ era: 'legacy' });
    onTestFinished(() => server.close());
    const { call } = openPool([spec('s', http(server.url))], { ...QUICK });
    await call('s', 'echo', { text: 'x' });
    await new Promise(resolve => setTimeout(resolve, 1100));
    await forgetSessions(server.url, server.stats());
    const replies = await Promise.all(Array.from({ length: 10 }, (_, i) => call('s', 'effect', { key: `k${i}` })));
    expect(replies.map(textOf)).toEqual(Array.from({ length: 10 }, (_, i) => `done k${i}`));
    const { requests, effects } = server.stats() as { requests: JsonObject; effects: JsonObject };
    expect(requests.initialize).toBe(2);
    expect(Object.values(effects)).toEqual(Array.from({ length: 10 }, () => 1));
  });

  test('again and again ends in an error, not in a loop', async () => {
    const server = await startScripted({
      era: 'legacy',
      script: [{ on: 'tools/call', do: 'http-status', status: 404 }],
    });
    onTestFinished(() => server.close());
    const { call } = openPool([spec('s', http(server.url))]);
    expect(await call('s', 'echo')).toMatchObject({
      code: 'SERVER_UNAVAILABLE',
      data: { reason: 'it forgot the session' },
    });
    expect((server.stats().requests as JsonObject)['tools/call']).toBe(2);
  });
});

test('a stray or repeated answer never reaches a caller', async () => {
  const link = inlineStdio(`on(m => {
    if (m.method === 'initialize') return hello(m);
    if (m.method !== 'tools/call') return m.id && no(m);
    const text = t => ({ content: [{ type: 'text', text: t }] });
    say({ jsonrpc: '2.0', id: m.id + 1, result: text('for the next one') });
    say({ jsonrpc: '2.0', id: String(m.id), result: text('id as a string') });
    say({ jsonrpc: '2.0', id: null, error: { code: -32700, message: 'parse error' } });
    say({ jsonrpc: '2.0', id: m.id, result: text('right') });
    say({ jsonrpc: '2.0', id: m.id, result: text('again') });
  })`);
  const { call } = openPool([spec('s', link)]);
  for (let i = 0; i < 5; i += 1) expect(textOf(await call('s', 'any'))).toBe('right');
});

test('a late answer to a cancelled call is dropped', async () => {
  const link = inlineStdio(`let held = null; on(m => {
    if (m.method === 'initialize') return hello(m);
    if (m.method === 'notifications/cancelled') return say({ jsonrpc: '2.0', id: m.params.requestId, result: { content: [{ type: 'text', text: 'late' }] } });
    if (m.method === 'tools/call' && m.params.name === 'quick') return say({ jsonrpc: '2.0', id: m.id, result: { content: [{ type: 'text', text: 'quick' }] } });
    if (m.id && m.method !== 'tools/call') no(m);
  })`);
  const { call } = openPool([spec('s', link)]);
  const line = makeLine();
  const slow = call('s', 'slow', {}, { line });
  expect(textOf(await call('s', 'quick'))).toBe('quick');
  line.cancel();
  expect(await slow).toMatchObject({ code: 'CANCELLED' });
  expect(textOf(await call('s', 'quick'))).toBe('quick');
});

/** A proper session first, then whatever bytes as the answer to a call. */
async function startRaw(answer: (id: number) => string, isEnded: boolean): Promise<Server> {
  const raw = createServer(socket => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', chunk => {
      text += chunk.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (head < 0 || text.length < head + 4 + length) return;
      const body = text.slice(head + 4, head + 4 + length);
      text = '';
      if (body.includes('"tools/call"')) {
        socket.write(answer(Number(JSON.parse(body).id)));
        if (isEnded) socket.end();
        return;
      }
      if (!body.includes('"id"')) {
        socket.write(`HTTP/1.1 ${body === '' ? '405 No' : '202 Accepted'}\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'raw', version: '1' } };
      const hello = JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(body).id, result });
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${hello.length}\r\n\r\n${hello}`,
      );
    });
  });
  await new Promise<void>(resolve => raw.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void raw.close());
  return raw;
}

async function pidOf(call: ReturnType<typeof openPool>['call']): Promise<number> {
  const reply = await call('s', 'whoami');
  return Number((reply.kind === 'answer' ? (reply.result.structuredContent as JsonObject) : {}).pid);
}

async function forgetSessions(url: string, stats: JsonObject): Promise<void> {
  const id = String((stats.lastHeaders as JsonObject)['mcp-session-id']);
  await fetch(url, { method: 'DELETE', headers: { 'mcp-session-id': id } });
}

function urlOf(server: Pick<Server, 'address'>): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return `http://127.0.0.1:${address.port}/mcp`;
}
