import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createFrozenClock } from '../../../support/frozen-clock.ts';
import { sleep, until } from '../pool-kit.ts';
import { answerWith, ask, openSockets, post, Remembering, send, startRaw } from './raw-server.ts';

describe('a socket', () => {
  test('carries one request after the other', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)));
    const pool = openSockets(server.url);
    for (let i = 0; i < 50; i += 1) {
      const { told, body } = await ask(pool, `"${i}"`);
      expect(body).toBe(`"${i}"`);
      expect(told.filter(event => event !== 'waiting')).toEqual(['start', 'head', 'end']);
    }
    expect(server.sockets).toHaveLength(1);
    expect(pool.connections).toBe(1);
  });

  test('used last is used first', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)));
    const pool = openSockets(server.url);
    await Promise.all(Array.from({ length: 5 }, (_, i) => ask(pool, String(i))));
    expect(pool.connections).toBe(5);
    await ask(pool, 'a');
    const used = server.asked.at(-1)?.socketId;
    for (let i = 0; i < 5; i += 1) {
      await ask(pool, 'b');
      expect(server.asked.at(-1)?.socketId).toBe(used);
    }
  });

  test.each([
    { because: 'ASCII', body: '{"a":1}', text: '{"a":1}' },
    { because: 'text beyond latin1', body: '{"a":"é€😀"}', text: '{"a":"é€😀"}' },
    { because: 'pieces', body: [Buffer.from('{"a":'), Buffer.alloc(0), Buffer.from('"é"}')], text: '{"a":"é"}' },
    { because: 'a megabyte', body: `"${'x'.repeat(1 << 20)}"`, text: `"${'x'.repeat(1 << 20)}"` },
  ])('carries the head and the length in bytes of $because', async ({ body, text }) => {
    const server = await startRaw(({ socket }) => socket.write(answerWith('{}')));
    const pool = openSockets(server.url);
    const headers = ['accept', 'application/json', 'x-key', 'caf\xe9'];
    await ask(pool, body, { path: '/a?b=c', headers, extra: ['mcp-name', 'tool'] });
    expect(server.asked[0]?.head.split('\r\n')).toEqual([
      'POST /a?b=c HTTP/1.1',
      `host: ${server.url.host}`,
      'connection: keep-alive',
      'accept: application/json',
      'x-key: caf\xe9',
      'mcp-name: tool',
      `content-length: ${Buffer.byteLength(text)}`,
    ]);
    expect(server.asked[0]?.body).toBe(text);
  });

  test('carries large answers one after the other', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)));
    const pool = openSockets(server.url);
    const letters = ['a', 'b', 'c', 'd'];
    const kept: Buffer[][] = [];
    for (const [i, letter] of letters.entries()) {
      const handler = new Remembering();
      const chunks: Buffer[] = [];
      handler.onResponseData = (_controller, chunk) => chunks.push(Buffer.from(chunk));
      pool.send(post(letter.repeat(600_000 + (i % 2) * 900_000)), handler);
      await handler.over.promise;
      kept.push(chunks);
    }
    for (const [i, letter] of letters.entries()) {
      expect(Buffer.concat(kept[i] ?? []).equals(Buffer.alloc(600_000 + (i % 2) * 900_000, letter))).toBe(true);
    }
    expect(server.sockets).toHaveLength(1);
  });

  test.each([
    { because: 'the server says it closes', more: 'connection: close\r\n' },
    { because: 'the server waits no longer than our margin', more: 'keep-alive: timeout=1\r\n' },
  ])('is not used again when $because', async ({ more }) => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body, more)));
    const pool = openSockets(server.url);
    for (let i = 0; i < 3; i += 1) expect((await ask(pool, String(i))).body).toBe(String(i));
    expect(server.sockets).toHaveLength(3);
    await until(() => pool.connections === 0 && server.open === 0, 'all sockets are closed');
  });

  test('is not used again after bytes that nobody asked for, and the answer before them counts', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(`${answerWith(body)}HTTP/1.1 200 OK\r\n`));
    const pool = openSockets(server.url);
    expect((await ask(pool, '1')).body).toBe('1');
    expect((await ask(pool, '2')).body).toBe('2');
    expect(server.sockets).toHaveLength(2);
  });

  test('that is idle is given up when bytes come on it', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)));
    const pool = openSockets(server.url);
    await ask(pool, '1');
    server.sockets[0]?.write(answerWith('"poison"'));
    await until(() => pool.connections === 0, 'the socket is given up');
    expect((await ask(pool, '2')).body).toBe('2');
  });

  test('is given up when the answer comes before the request was read', async () => {
    const answered = createServer(socket => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.pause();
        socket.write(answerWith('"early"'));
      });
      onTestFinished(() => {
        socket.destroy();
      });
    });
    await new Promise<void>(resolve => answered.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      answered.close();
    });
    const { port } = answered.address() as { port: number };
    const pool = openSockets(new URL(`http://127.0.0.1:${port}/`));
    const handler = await ask(pool, [Buffer.alloc(32 * 1024 * 1024, 'x')]);
    expect(handler.body).toBe('"early"');
    expect(pool.connections).toBe(0);
  });

  test('is closed after resting for four seconds, or for a second less than the server said', async () => {
    const clock = createFrozenClock();
    const server = await startRaw(({ socket, body }) =>
      socket.write(answerWith(body, body === 'long' ? 'Keep-Alive: timeout=31, max=100\r\n' : '')),
    );
    const pool = openSockets(server.url, { clock });
    await ask(pool, 'short');
    clock.advance(3900);
    expect(pool.connections).toBe(1);
    clock.advance(700);
    expect(pool.connections).toBe(0);
    await ask(pool, 'long');
    clock.advance(29_900);
    expect(pool.connections).toBe(1);
    clock.advance(700);
    expect(pool.connections).toBe(0);
    clock.advance(10_000);
    expect(clock.pending(), 'nothing watches over nothing').toBe(0);
  });

  test('is not written to after its time, even before the sweep has come', async () => {
    let now = 0;
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)));
    const pool = openSockets(server.url, { clock: { ...createFrozenClock(), monotonicMs: () => now } });
    await ask(pool, '1');
    now = 4001;
    await ask(pool, '2');
    expect(server.asked.map(one => one.socketId)).toEqual([0, 1]);
  });
});

describe('a request', () => {
  test('stands in line when all sockets are busy, and in order', async () => {
    const server = await startRaw(async ({ socket, body }) => {
      await sleep(5);
      socket.write(answerWith(body));
    });
    const pool = openSockets(server.url, { maxConnections: 2 });
    const all = Array.from({ length: 20 }, (_, i) => send(pool, String(i)));
    expect(pool.waiting).toBe(18);
    await Promise.all(all.map(one => one.over.promise));
    expect(all.map(one => one.body)).toEqual(all.map((_, i) => String(i)));
    expect(server.asked.slice(2).map(one => one.body)).toEqual(all.slice(2).map((_, i) => String(i + 2)));
    expect(server.sockets).toHaveLength(2);
    expect(pool.waiting).toBe(0);
  });

  test('that is no longer wanted while it stands in line leaves the line', async () => {
    const held: (() => void)[] = [];
    const server = await startRaw(({ socket, body }) => {
      if (body === 'first') held.push(() => socket.write(answerWith(body)));
      else socket.write(answerWith(body));
    });
    const pool = openSockets(server.url, { maxConnections: 1 });
    const first = send(pool, 'first');
    const [unwanted, last] = [send(pool, 'unwanted'), send(pool, 'last')];
    unwanted.controller?.abort(new Error('unwanted'));
    expect(pool.waiting).toBe(1);
    await until(() => held.length === 1, 'the first arrived');
    held[0]?.();
    await Promise.all([first.over.promise, last.over.promise]);
    expect(unwanted.isStarted).toBe(false);
    expect(server.asked.map(one => one.body)).toEqual(['first', 'last']);
  });

  test('that is no longer wanted while its socket connects is never sent', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)));
    const pool = openSockets(server.url, { maxConnections: 1 });
    const unwanted = send(pool, 'unwanted');
    const next = send(pool, 'next');
    unwanted.controller?.abort(new Error('unwanted'));
    await next.over.promise;
    expect(next.body).toBe('next');
    expect(unwanted.isStarted).toBe(false);
    expect(server.asked.map(one => one.body)).toEqual(['next']);
  });

  test('that is no longer wanted when its turn comes costs no socket', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)));
    const pool = openSockets(server.url);
    const sendUnwanted = (): void => {
      const unwanted = new Remembering();
      unwanted.isUnwanted = true;
      pool.send(post('unwanted'), unwanted);
    };
    sendUnwanted();
    await until(() => pool.connections === 1, 'the socket it was to have is open');
    await ask(pool, '1');
    sendUnwanted();
    await ask(pool, '2');
    expect(server.asked.map(one => `${one.socketId} ${one.body}`)).toEqual(['0 1', '0 2']);
  });

  test.each(['before the head', 'in the middle of the body'])('given up %s takes its socket with it', async when => {
    const server = await startRaw(({ socket, body }) => {
      if (body !== 'slow') socket.write(answerWith(body));
      else if (when !== 'before the head') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome');
    });
    const pool = openSockets(server.url, { maxConnections: 1 });
    const slow = send(pool, 'slow');
    const next = send(pool, 'next');
    await until(() => server.asked.length === 1, 'it arrived');
    if (when !== 'before the head') await slow.begun.promise;
    slow.controller?.abort(new Error('unwanted'));
    await next.over.promise;
    expect(next.body).toBe('next');
    expect(server.asked.map(one => one.socketId)).toEqual([0, 1]);
    expect(slow.told).not.toContain('end');
  });

  test('cannot be aborted after its end: the socket may be another request’s by then', async () => {
    const server = await startRaw(({ socket, body }) => setTimeout(() => socket.write(answerWith(body)), 10));
    const pool = openSockets(server.url);
    const first = await ask(pool, '1');
    const second = send(pool, '2');
    first.controller?.abort(new Error('late'));
    await second.over.promise;
    expect(second.body).toBe('2');
  });

  test('finds a new socket when the server has closed the old one', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)));
    const pool = openSockets(server.url);
    for (let i = 0; i < 5; i += 1) {
      expect((await ask(pool, String(i))).body).toBe(String(i));
      server.sockets.at(-1)?.end();
      await until(() => pool.connections === 0, 'the end was seen');
    }
    expect(server.sockets).toHaveLength(5);
  });

  test('is written at most once, and unsent only if it never arrived, while the server closes at random', async () => {
    const server = await startRaw(({ socket, body }, nth) => {
      if (nth % 7 === 3) socket.resetAndDestroy();
      else if (nth % 5 === 2) {
        socket.write(answerWith(body));
        socket.end();
      } else if (nth % 11 === 4)
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf', () => socket.destroy());
      else socket.write(answerWith(body));
    });
    const pool = openSockets(server.url, { maxConnections: 4 });
    const all = Array.from({ length: 400 }, (_, i) => send(pool, String(i)));
    await Promise.all(all.map(one => one.over.promise));
    const arrived = server.asked.map(one => one.body);
    expect(new Set(arrived).size).toBe(arrived.length);
    for (const [i, { told, isStarted, body, status }] of all.entries()) {
      expect(told.filter(event => event === 'end' || event === 'error')).toHaveLength(1);
      if (!isStarted) expect(arrived).not.toContain(String(i));
      if (told.includes('end')) expect(`${status} ${body}`).toBe(`200 ${i}`);
    }
    expect(all.filter(one => one.told.includes('end')).length).toBeGreaterThan(200);
  });

  test.each([
    { because: 'the answer is not HTTP', bytes: 'SSH-2.0-OpenSSH_9.2\r\n\r\n', code: 'HTTP1_INVALID' },
    {
      because: 'the answer breaks off',
      bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf',
      code: 'HTTP1_CLOSED',
    },
    { because: 'no answer comes before the end', bytes: '', code: 'HTTP1_CLOSED' },
  ])('that left is told when $because', async ({ bytes, code }) => {
    const server = await startRaw(({ socket }) => socket.end(bytes));
    const pool = openSockets(server.url);
    const { error, isStarted } = await ask(pool, '1');
    expect({ code: error?.code, isStarted }).toEqual({ code, isStarted: true });
    await until(() => server.open === 0 && pool.connections === 0, 'the socket is gone');
  });

  test('whose handler throws loses its own answer and no other', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)));
    const pool = openSockets(server.url, { maxConnections: 1 });
    for (const when of ['onResponseStart', 'onResponseData', 'onResponseEnd'] as const) {
      const broken = new Remembering();
      broken[when] = () => {
        throw new Error(`broken ${when}`);
      };
      pool.send(post('"broken"'), broken);
      const next = send(pool, '"next"');
      await Promise.all([broken.over.promise, next.over.promise]);
      expect(broken.error?.message).toBe(`broken ${when}`);
      expect(next.body).toBe('"next"');
    }
  });

  test('ends with the connection when the answer has no length', async () => {
    const server = await startRaw(({ socket, body }) => socket.end(`HTTP/1.1 200 OK\r\n\r\n${body}`));
    const pool = openSockets(server.url);
    expect(await ask(pool, 'all of it')).toMatchObject({ body: 'all of it', error: null });
    expect(pool.connections).toBe(0);
  });

  test('waits for the head as long as it says', async () => {
    const clock = createFrozenClock();
    const server = await startRaw(() => undefined);
    const pool = openSockets(server.url, { clock });
    const [patient, late] = [send(pool, '1'), send(pool, '2', { headersTimeoutMs: 3000 })];
    await until(() => server.asked.length === 2, 'both arrived');
    clock.advance(2900);
    expect(late.error).toBeNull();
    clock.advance(700);
    expect(late.error?.code).toBe('HTTP1_HEADERS_TIMEOUT');
    clock.advance(1_000_000);
    expect(patient.error).toBeNull();
  });

  test('is unsent when nobody listens', async () => {
    const server = createServer();
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await new Promise(resolve => server.close(resolve));
    const pool = openSockets(new URL(`http://127.0.0.1:${port}/`), { maxConnections: 1 });
    for (const one of [send(pool, '1'), send(pool, '2'), send(pool, '3')]) {
      await one.over.promise;
      expect({ code: one.error?.code, isStarted: one.isStarted }).toEqual({ code: 'ECONNREFUSED', isStarted: false });
    }
    expect([pool.connections, pool.waiting]).toEqual([0, 0]);
  });

  test.each([
    { because: 'a value with CR LF', extra: ['mcp-name', 's3cret\r\nx: y'] },
    { because: 'a value with NUL', extra: ['mcp-name', 's3cret\0'] },
    { because: 'a value beyond latin1', extra: ['mcp-name', 's3cret €'] },
    { because: 'a name that is none', extra: ['mcp name', 's3cret'] },
    { because: 'a length of its own', extra: ['Content-Length', 's3cret'] },
  ])('is not sent with $because, and the value is not told', async ({ extra }) => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)));
    const pool = openSockets(server.url);
    const inHeaders = await ask(pool, '1', { headers: extra });
    const inExtra = await ask(pool, '2', { extra });
    for (const { error, isStarted } of [inHeaders, inExtra]) {
      expect({ code: error?.code, isStarted }).toEqual({ code: 'HTTP1_REQUEST', isStarted: false });
      expect(error?.message).not.toContain('s3cret');
    }
    expect(server.sockets).toHaveLength(0);
  });

  test('is told once when all is closed, whether it left, waited or comes later', async () => {
    const server = await startRaw(() => undefined);
    const pool = openSockets(server.url, { maxConnections: 1 });
    const [left, waiting] = [send(pool, '1'), send(pool, '2')];
    await until(() => server.asked.length === 1, 'one arrived');
    pool.close();
    const later = send(pool, '3');
    for (const one of [left, waiting, later]) expect(one.told.filter(event => event === 'error')).toHaveLength(1);
    expect([left, waiting, later].map(one => one.isStarted)).toEqual([true, false, false]);
    await until(() => server.open === 0, 'the socket is closed');
    expect([pool.connections, pool.waiting]).toEqual([0, 0]);
  });
});
