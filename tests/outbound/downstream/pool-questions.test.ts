import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import type { ServerSpec } from '../../../src/domain/server.ts';
import { startScripted, stdioScripted } from '../../support/downstreams/start.ts';
import { http, inlineStdio, makeLine, openPool, sleep, spec, stdio, textOf, until } from './pool-kit.ts';

const ABLE: JsonObject = { sampling: { tools: {} }, elicitation: { form: {}, url: {} }, roots: {} };

async function legacy(transport: 'stdio' | 'http' | 'sse'): Promise<ServerSpec['link']> {
  if (transport === 'stdio') return stdio(stdioScripted({ era: 'legacy' }));
  const server = await startScripted({ transport, era: 'legacy' });
  onTestFinished(() => server.close());
  return http(server.url);
}

describe('a question of a server in the middle of a call', () => {
  test.each(['stdio', 'http', 'sse'] as const)('goes to the caller and its answer back (%s)', async transport => {
    const { call } = openPool([spec('s', await legacy(transport))]);
    const line = makeLine({
      capabilities: ABLE,
      answer: method => ({
        kind: 'result',
        result:
          method === 'roots/list' ? { roots: [{ uri: 'file:///w' }] } : { action: 'accept', content: { name: 'Ada' } },
      }),
    });
    expect(textOf(await call('s', 'ask', {}, { line }))).toContain('Ada');
    expect(textOf(await call('s', 'roots', {}, { line }))).toContain('file:///w');
    expect(line.asked.map(({ method }) => method)).toEqual(['elicitation/create', 'roots/list']);
    expect(line.asked[0]?.params.requestedSchema).toBeDefined();
  });

  test('belongs over HTTP to the call on whose stream it came, however many there are', async () => {
    const { call } = openPool([spec('s', await legacy('http'))]);
    const lines = Array.from({ length: 8 }, (_, i) =>
      makeLine({
        capabilities: ABLE,
        answer: () => ({ kind: 'result', result: { action: 'accept', content: { name: `caller ${i}` } } }),
      }),
    );
    const replies = await Promise.all(lines.map(line => call('s', 'ask', {}, { line })));
    expect(replies.map(textOf)).toEqual(
      lines.map((_, i) => JSON.stringify({ action: 'accept', content: { name: `caller ${i}` } })),
    );
    for (const line of lines) expect(line.asked).toHaveLength(1);
  });

  test.each(['stdio', 'sse'] as const)('over %s is put to nobody when two calls are under way', async transport => {
    const { pool, call } = openPool([spec('s', await legacy(transport))]);
    const other = makeLine({ capabilities: ABLE });
    const slow = call('s', 'slow', { ms: 20_000 }, { line: other });
    await until(() => pool.state('s')?.inFlight === 1, 'the other call is under way');
    const line = makeLine({ capabilities: ABLE, answer: () => ({ kind: 'result', result: { action: 'accept' } }) });
    const reply = await call('s', 'ask', {}, { line });
    expect(textOf(reply)).toContain('-32603');
    expect(textOf(reply)).toContain('No single caller');
    // No roots are a true answer for anybody.
    expect(textOf(await call('s', 'roots', {}, { line }))).toBe('{"roots":[]}');
    expect([...line.asked, ...other.asked]).toEqual([]);
    other.cancel();
    expect(await slow).toMatchObject({ code: 'CANCELLED' });
  });

  test.each<{ because: string; capabilities: JsonObject; tool: string; args: JsonObject; code: string }>([
    { because: 'a caller without elicitation is not asked', capabilities: {}, tool: 'ask', args: {}, code: '-32601' },
    {
      because: 'a caller of forms only is not sent to a URL',
      capabilities: { elicitation: {} },
      tool: 'ask',
      args: { mode: 'url' },
      code: '-32602',
    },
    {
      because: 'a caller of URLs only is not given a form',
      capabilities: { elicitation: { url: {} } },
      tool: 'ask',
      args: {},
      code: '-32602',
    },
    {
      because: 'a caller without sampling is not asked',
      capabilities: { elicitation: {} },
      tool: 'sample',
      args: {},
      code: '-32601',
    },
  ])('$because', async ({ capabilities, tool, args, code }) => {
    const { call } = openPool([spec('s', await legacy('http'))]);
    const line = makeLine({ capabilities, answer: () => ({ kind: 'result', result: {} }) });
    expect(textOf(await call('s', tool, args, { line }))).toContain(code);
    expect(line.asked).toEqual([]);
  });

  test.each<{ capabilities: JsonObject; args: JsonObject }>([
    { capabilities: { elicitation: {} }, args: {} },
    { capabilities: { elicitation: { form: {} } }, args: { mode: 'form' } },
    { capabilities: { elicitation: { url: {} } }, args: { mode: 'url' } },
  ])('reaches a caller who can: $capabilities $args', async ({ capabilities, args }) => {
    const { call } = openPool([spec('s', await legacy('http'))]);
    const line = makeLine({ capabilities, answer: () => ({ kind: 'result', result: { action: 'decline' } }) });
    expect(textOf(await call('s', 'ask', args, { line }))).toBe('{"action":"decline"}');
  });

  test('that the server withdraws gets no answer any more', async () => {
    const answer = Promise.withResolvers<{ kind: 'result'; result: JsonObject }>();
    const link = inlineStdio(`const seen = []; let call; on(m => {
      seen.push(m);
      if (m.method === 'initialize') return hello(m);
      if (m.method === 'tools/call' && m.params.name === 'seen') return say({ jsonrpc: '2.0', id: m.id, result: { content: [{ type: 'text', text: JSON.stringify(seen.filter(s => s.id === 'q')) }] } });
      if (m.method !== 'tools/call') return m.id && no(m);
      say({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: { message: 'hm', requestedSchema: {} } });
      setTimeout(() => {
        say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'q' } });
        say({ jsonrpc: '2.0', id: m.id, result: { content: [{ type: 'text', text: 'never mind' }] } });
      }, 30);
    })`);
    const { call } = openPool([spec('s', link)]);
    const line = makeLine({ capabilities: ABLE, answer: () => answer.promise });
    expect(textOf(await call('s', 'ask', {}, { line }))).toBe('never mind');
    answer.resolve({ kind: 'result', result: { action: 'accept' } });
    await sleep(20);
    expect(textOf(await call('s', 'seen'))).toBe('[]');
  });

  test('is answered even when every socket for calls is taken', async () => {
    const server = await startScripted({ era: 'legacy' });
    onTestFinished(() => server.close());
    const { call } = openPool([spec('s', http(server.url))], { maxConnections: 2 });
    const line = (): ReturnType<typeof makeLine> =>
      makeLine({ capabilities: ABLE, answer: () => ({ kind: 'result', result: { action: 'accept' } }) });
    const replies = await Promise.all(Array.from({ length: 6 }, () => call('s', 'ask', {}, { line: line() })));
    expect(replies.map(textOf)).toEqual(Array.from({ length: 6 }, () => '{"action":"accept"}'));
  });

  test('of a kind nobody declared is refused, a ping answered', async () => {
    const link = inlineStdio(`let call; const got = []; on(m => {
      if (m.method === 'initialize') return hello(m);
      if (m.method === 'tools/call') { call = m; say({ jsonrpc: '2.0', id: 1, method: 'ping' }); return say({ jsonrpc: '2.0', id: 2, method: 'tasks/list', params: {} }); }
      if (m.method) return m.id && no(m);
      got.push(m);
      if (got.length === 2) say({ jsonrpc: '2.0', id: call.id, result: { content: [{ type: 'text', text: JSON.stringify(got) }] } });
    })`);
    const { call } = openPool([spec('s', link)]);
    expect(JSON.parse(textOf(await call('s', 'any', {}, { line: makeLine({ capabilities: ABLE }) })))).toEqual([
      { jsonrpc: '2.0', id: 1, result: {} },
      { jsonrpc: '2.0', id: 2, error: { code: -32601, message: 'Method not found' } },
    ]);
  });
});

describe('progress', () => {
  test.each(['stdio', 'http', 'sse'] as const)('reaches the caller without any token (%s)', async transport => {
    const { call } = openPool([spec('s', await legacy(transport))]);
    const line = makeLine({ wantsProgress: true });
    const silent = makeLine();
    await Promise.all([
      call('s', 'slow', { ms: 350 }, { line, meta: { progressToken: 'mine' } }),
      call('s', 'slow', { ms: 350 }, { line: silent }),
    ]);
    const progress = line.notices.filter(({ method }) => method === 'notifications/progress');
    expect(progress.length).toBeGreaterThanOrEqual(2);
    for (const { params } of progress) expect(Object.keys(params).sort()).toEqual(['progress', 'total']);
    expect(silent.notices).toEqual([]);
  });

  test('with equal tokens on two servers reaches each its own caller', async () => {
    const link = (name: string): ServerSpec['link'] =>
      inlineStdio(`on(m => {
      if (m.method === 'initialize') return hello(m);
      if (m.method !== 'tools/call') return m.id && no(m);
      say({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: m.params._meta.progressToken, progress: 1, message: '${name}' } });
      say({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 99999, progress: 1, message: 'nobody' } });
      say({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: '1', progress: 1, message: 'nobody' } });
      say({ jsonrpc: '2.0', id: m.id, result: { content: [{ type: 'text', text: String(m.params._meta.progressToken) }] } });
    })`);
    const { call } = openPool([
      spec('one', link('one'), { era: 'legacy' }),
      spec('two', link('two'), { era: 'legacy' }),
    ]);
    const lines = [makeLine({ wantsProgress: true }), makeLine({ wantsProgress: true })] as const;
    const [first, second] = await Promise.all([
      call('one', 'any', {}, { line: lines[0] }),
      call('two', 'any', {}, { line: lines[1] }),
    ]);
    expect(textOf(first)).toBe(textOf(second));
    expect(lines[0].notices).toEqual([{ method: 'notifications/progress', params: { progress: 1, message: 'one' } }]);
    expect(lines[1].notices).toEqual([{ method: 'notifications/progress', params: { progress: 1, message: 'two' } }]);
  });
});

test('progress that nobody asked for reaches nobody', async () => {
  const link = inlineStdio(`on(m => {
    if (m.method === 'initialize') return hello(m);
    if (m.method !== 'tools/call') return m.id && no(m);
    say({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: m.id, progress: 1 } });
    say({ jsonrpc: '2.0', id: m.id, result: { content: [] } });
  })`);
  const { call } = openPool([spec('s', link)]);
  const line = makeLine();
  await call('s', 'any', {}, { line });
  expect(line.notices).toEqual([]);
});

describe('log messages', () => {
  test('reach the caller from its level up', async () => {
    const { call } = openPool([spec('s', await legacy('http'))]);
    const line = makeLine({ logLevel: 'error' });
    await call('s', 'log', {}, { line });
    expect(line.notices.map(({ params }) => params.level)).toEqual(['error', 'critical', 'alert', 'emergency']);
    const silent = makeLine();
    await call('s', 'log', {}, { line: silent });
    expect(silent.notices).toEqual([]);
  });

  test('on a caller’s own stream are never told to the house', async () => {
    const { call, events } = openPool([spec('s', await legacy('http'))]);
    await call('s', 'log', {}, { line: makeLine() });
    expect(events.filter(({ kind }) => kind === 'notification')).toEqual([]);
  });

  test('that belong to no single call become events', async () => {
    const { pool, call, events } = openPool([spec('s', await legacy('stdio'))]);
    const slow = makeLine();
    void call('s', 'slow', { ms: 20_000 }, { line: slow });
    await until(() => pool.state('s')?.inFlight === 1, 'the other call is under way');
    await call('s', 'log', {}, { line: makeLine({ logLevel: 'debug' }) });
    expect(events.filter(({ kind }) => kind === 'notification').length).toBe(8);
    slow.cancel();
  });

  test('are asked of the server at the most verbose level anybody wants, and never less again', async () => {
    const server = await startScripted({ era: 'legacy' });
    onTestFinished(() => server.close());
    const { pool, call } = openPool([spec('s', http(server.url))]);
    pool.setLogLevel('warning');
    await call('s', 'echo', {});
    const level = () =>
      ((server.stats().lastParams as JsonObject)['logging/setLevel'] as JsonObject | undefined)?.level;
    await until(() => level() === 'warning', 'the level was set');
    await call('s', 'echo', {}, { line: makeLine({ logLevel: 'info' }) });
    await until(() => level() === 'info', 'the level was raised');
    await call('s', 'echo', {}, { line: makeLine({ logLevel: 'error' }) });
    pool.setLogLevel(null);
    await call('s', 'echo', {});
    expect((server.stats().requests as JsonObject)['logging/setLevel']).toBe(2);
  });
});

test('a server that a reload adds is asked for the level that is wanted already', async () => {
  const server = await startScripted({ era: 'legacy' });
  onTestFinished(() => server.close());
  const { pool, call } = openPool([]);
  pool.setLogLevel('warning');
  pool.apply([spec('late', http(server.url))]);
  await call('late', 'echo', {});
  const asked = () => (server.stats().lastParams as JsonObject)['logging/setLevel'];
  await until(() => asked() !== undefined, 'the level was set');
  expect(asked()).toMatchObject({ level: 'warning' });
});

test('tells the servers of a caller that its roots changed', async () => {
  const server = await startScripted({ era: 'legacy' });
  onTestFinished(() => server.close());
  const { pool, call } = openPool([spec('s', http(server.url))]);
  await call('s', 'echo', {}, { partition: 'a' });
  await call('s', 'echo', {}, { partition: 'b' });
  pool.rootsChanged('a');
  await until(
    () => (server.stats().notifications as JsonObject)['notifications/roots/list_changed'] === 1,
    'one was told',
  );
});
