import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import type { ServerSpec } from '../../../src/domain/server.ts';
import type { DownstreamEvent } from '../../../src/ports/downstreams.ts';
import { startFixtureHttp } from '../../support/downstreams/conformance-fixture.ts';
import { startScripted, stdioScripted } from '../../support/downstreams/start.ts';
import { http, makeLine, openPool, QUICK, sleep, spec, stdio, textOf, until } from './pool-kit.ts';

const WATCHED = 'test://watched';
const WAYS = [
  { transport: 'stdio', era: 'legacy' },
  { transport: 'http', era: 'legacy' },
  { transport: 'sse', era: 'legacy' },
  { transport: 'stdio', era: 'modern' },
  { transport: 'http', era: 'modern' },
] as const;

async function linkTo({ transport, era }: (typeof WAYS)[number]): Promise<ServerSpec['link']> {
  if (transport === 'stdio') return stdio(stdioScripted({ era }));
  const server = await startScripted({ transport, era });
  onTestFinished(() => server.close());
  return http(server.url);
}

const changes = (events: readonly DownstreamEvent[]) => events.filter(event => event.kind === 'list-changed');
const updates = (events: readonly DownstreamEvent[]) => events.filter(event => event.kind === 'resource-updated');

describe('what a server says outside of calls', () => {
  test.each(WAYS)('a changed list is told once for many changes ($era, $transport)', async way => {
    const listChangedDelayMs = 200;
    const { pool, call, events } = openPool([spec('s', await linkTo(way))], { ...QUICK, listChangedDelayMs });
    await pool.query('s', 'tools/list', {});
    await until(async () => {
      await call('s', 'toggle');
      return changes(events).length > 0;
    }, 'a change is told');
    await sleep(2 * listChangedDelayMs);
    const [before, sinceMs] = [changes(events).length, performance.now()];
    await Promise.all(Array.from({ length: 6 }, () => call('s', 'toggle')));
    await until(() => changes(events).length > before, 'the changes are told');
    await sleep(listChangedDelayMs);
    // One per delay, however long it took, and one that may have waited from before.
    const most = 1 + Math.floor((performance.now() - sinceMs) / listChangedDelayMs);
    expect(changes(events).length - before).toBeLessThanOrEqual(most);
    expect(events).toContainEqual({ kind: 'list-changed', server: 's', what: 'tools' });
  });

  test.each(WAYS)('a watched resource is told of until it is watched no more ($era, $transport)', async way => {
    const { pool, call, events } = openPool([spec('s', await linkTo(way))]);
    await call('s', 'touch');
    expect(updates(events)).toEqual([]);
    await pool.watch('s', new Set([WATCHED, 'test://text']));
    await until(async () => {
      await call('s', 'touch');
      return updates(events).length > 0;
    }, 'the update is told');
    expect(updates(events)[0]).toEqual({
      kind: 'resource-updated',
      server: 's',
      uri: WATCHED,
      params: { uri: WATCHED },
    });
    await pool.watch('s', new Set(['test://text']));
    await until(async () => {
      const before = updates(events).length;
      await call('s', 'touch');
      await sleep(60);
      return updates(events).length === before;
    }, 'nothing more is told');
  });

  test.each(WAYS.filter(({ transport }) => transport === 'stdio'))(
    'is watched again after a restart ($era)',
    async way => {
      const { pool, call, events } = openPool([spec('s', await linkTo(way))]);
      await pool.watch('s', new Set([WATCHED]));
      const whoami = await call('s', 'whoami');
      process.kill(
        Number((whoami.kind === 'answer' ? (whoami.result.structuredContent as JsonObject) : {}).pid),
        'SIGKILL',
      );
      await until(() => events.filter(({ kind }) => kind === 'connected').length === 2, 'it is back');
      await until(async () => {
        await call('s', 'touch');
        return updates(events).length > 0;
      }, 'the update is told');
    },
  );

  test('a listen stream that breaks is opened again', async () => {
    const server = await startScripted({
      era: 'modern',
      script: [{ on: 'subscriptions/listen', nth: [1, 2], do: 'close' }],
    });
    onTestFinished(() => server.close());
    const { pool, call, events } = openPool([spec('s', http(server.url))]);
    await pool.query('s', 'tools/list', {});
    await until(() => server.stats().listens === 1, 'it listens');
    await call('s', 'toggle');
    await until(() => changes(events).length > 0, 'the change is told');
    expect(pool.state('s')?.breaker).toBe('closed');
  });

  test('a server without subscriptions is asked once and left in peace', async () => {
    const script = [{ on: 'subscriptions/listen', do: 'error', code: -32601 }] as const;
    const server = await startScripted({ era: 'modern', script });
    onTestFinished(() => server.close());
    const { pool, call } = openPool([spec('s', http(server.url))]);
    await pool.query('s', 'tools/list', {});
    await sleep(300);
    expect((server.stats().requests as JsonObject)['subscriptions/listen']).toBe(1);
    expect(textOf(await call('s', 'echo', { text: 'x' }))).toBe('x');
  });

  test('changing what is watched leaves one listen stream', async () => {
    const server = await startScripted({ era: 'modern' });
    onTestFinished(() => server.close());
    const { pool } = openPool([spec('s', http(server.url))]);
    await pool.query('s', 'tools/list', {});
    for (let i = 0; i < 10; i += 1) await pool.watch('s', new Set([`test://${i}`]));
    await until(() => server.stats().listens === 1, 'one stream is left');
    await sleep(50);
    expect(server.stats().listens).toBe(1);
    const { notifications } = (server.stats().lastParams as JsonObject)['subscriptions/listen'] as JsonObject;
    expect((notifications as JsonObject).resourceSubscriptions).toEqual(['test://9']);
  });

  test('a standing stream that breaks is opened again, and one that is refused is not', async () => {
    const server = await startScripted({ era: 'legacy', script: [{ on: 'GET', nth: [1, 2], do: 'close' }] });
    const without = await startScripted({ era: 'legacy', script: [{ on: 'GET', do: 'http-status', status: 405 }] });
    onTestFinished(() => Promise.all([server.close(), without.close()]).then(() => undefined));
    const { pool, call, events } = openPool([spec('s', http(server.url)), spec('none', http(without.url))]);
    await call('s', 'echo');
    await until(async () => {
      await call('s', 'toggle');
      return changes(events).length > 0;
    }, 'a change is told');
    expect(textOf(await call('none', 'echo', { text: 'x' }))).toBe('x');
    await sleep(200);
    expect(pool.state('none')).toMatchObject({ status: 'ready', breaker: 'closed' });
  });
});

describe('a POST whose stream the server ends early', () => {
  test('is taken up again by its last event id, and the answer reaches the caller (SDK server)', async () => {
    const fixture = await startFixtureHttp('legacy');
    onTestFinished(() => fixture.close());
    const { call } = openPool([spec('s', http(fixture.url))]);
    const reply = await call('s', 'test_reconnection', {}, { line: makeLine({ wantsProgress: true }) });
    expect(reply, JSON.stringify(reply)).toMatchObject({ kind: 'answer' });
  });

  test('is fetched as often as the server likes, at the pace it asks for, under the ids it gave', async () => {
    const gets: { id: string | undefined; afterMs: number }[] = [];
    let endedMs = 0;
    let callId = 0;
    const url = await serveHandshake((request, response, body) => {
      if (request.method === 'GET' && request.headers['last-event-id'] === undefined) {
        response.writeHead(405).end();
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (request.method === 'POST') {
        callId = Number(body.id);
        response.write('id: e-0\nretry: 120\ndata: \n\n');
      } else {
        gets.push({ id: String(request.headers['last-event-id']), afterMs: performance.now() - endedMs });
        const n = gets.length;
        if (n < 4) {
          const params = { progressToken: callId, progress: n };
          response.write(
            `id: e-${n}\ndata: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params })}\n\n`,
          );
        } else {
          const result = { content: [{ type: 'text', text: 'at last' }] };
          response.write(`id: e-${n}\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: callId, result })}\n\n`);
        }
      }
      response.end(() => {
        endedMs = performance.now();
      });
    });
    const { call } = openPool([spec('s', http(url, 'streamable-http'), { era: 'legacy' })]);
    const line = makeLine({ wantsProgress: true });
    expect(textOf(await call('s', 'any', {}, { line }))).toBe('at last');
    expect(line.notices.map(({ params }) => params.progress)).toEqual([1, 2, 3]);
    expect(gets.map(({ id }) => id)).toEqual(['e-0', 'e-1', 'e-2', 'e-3']);
    expect(gets[0]?.afterMs).toBeGreaterThan(100);
  });

  test('is given up when nothing new comes, and when the caller does', async () => {
    let gets = 0;
    const url = await serveHandshake((request, response) => {
      if (request.method === 'GET' && request.headers['last-event-id'] === undefined) {
        response.writeHead(405).end();
        return;
      }
      if (request.method === 'GET') gets += 1;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end('id: e\nretry: 1\ndata: \n\n');
    });
    const { call } = openPool([spec('s', http(url, 'streamable-http'), { era: 'legacy' })]);
    // Every reopened stream brings its priming event again, so this one ends by the clock.
    expect(await call('s', 'any', {}, { timeoutMs: 400 })).toMatchObject({ code: 'TIMEOUT' });
    await until(async () => {
      const before = gets;
      await sleep(200);
      return gets === before;
    }, 'nothing is fetched any more');
  });

  test('without an event id is of unknown outcome', async () => {
    const url = await serveHandshake((request, response) => {
      if (request.method === 'GET') response.writeHead(405).end();
      else response.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: \n\n');
    });
    const { call } = openPool([spec('s', http(url, 'streamable-http'), { era: 'legacy' })]);
    expect(await call('s', 'any')).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  });
});

test('an answered stream that the server keeps open gives its socket back', async () => {
  const open = new Set<ServerResponse>();
  const url = await serveHandshake((request, response, body) => {
    if (request.method === 'GET') {
      response.writeHead(405).end();
      return;
    }
    open.add(response);
    response.once('close', () => open.delete(response));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', id: body.id ?? null, result: { content: [] } })}\n\n`);
  });
  const { call } = openPool([spec('s', http(url, 'streamable-http'), { era: 'legacy' })], {
    ...QUICK,
    lingerMs: 100,
    maxConnections: 2,
  });
  for (let i = 0; i < 6; i += 1) expect(await call('s', 'any')).toMatchObject({ kind: 'answer' });
  await until(() => open.size === 0, 'every stream is cut');
});

test('an answer on the stream of another call is nobody’s', async () => {
  let first: { id: unknown; response: ServerResponse } | null = null;
  const url = await serveHandshake((request, response, body) => {
    if (request.method === 'GET') {
      response.writeHead(405).end();
      return;
    }
    const { id = null } = body;
    const answer = (of: unknown, text: string): string =>
      JSON.stringify({ jsonrpc: '2.0', id: of, result: { content: [{ type: 'text', text }] } });
    response.setHeader('content-type', 'application/json');
    if (first === null) first = { id, response };
    else {
      response.end(answer(first.id, 'for the other'));
      setTimeout(() => first?.response.end(answer(first.id, 'its own')), 50);
    }
  });
  const { call } = openPool([spec('s', http(url, 'streamable-http'), { era: 'legacy' })]);
  const one = call('s', 'any');
  await until(() => first !== null, 'the first call is there');
  expect(await call('s', 'any')).toMatchObject({ code: 'BAD_ANSWER' });
  expect(textOf(await one)).toBe('its own');
});

test('a session is found lost by its standing stream, before any call runs into it', async () => {
  const server = await startScripted({ era: 'legacy' });
  const port = Number(new URL(server.url).port);
  const { events, call } = openPool([spec('s', http(server.url))]);
  await call('s', 'echo');
  await sleep(1100);
  await server.close();
  const again = await startScripted({ era: 'legacy', port });
  onTestFinished(() => again.close());
  await until(() => events.filter(({ kind }) => kind === 'connected').length === 2, 'a new session is made');
  expect(textOf(await call('s', 'effect', { key: 'x' }))).toBe('done x');
});

type Answer = (request: IncomingMessage, response: ServerResponse, body: JsonObject) => void;

/** A legacy server by hand: the handshake is proper, the rest is the test's. */
async function serveHandshake(answer: Answer): Promise<string> {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const body = (text === '' ? {} : JSON.parse(text)) as JsonObject;
    if (body.method === 'initialize') {
      const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'hand', version: '1' } };
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id: body.id ?? null, result }));
    } else if (request.method === 'POST' && body.id === undefined) response.writeHead(202).end();
    else answer(request, response, body);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return `http://127.0.0.1:${address.port}/mcp`;
}
