import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { doorSays } from '../../../src/inbound/http/door-words.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { ask, eventually, exchange, openSocket, parse, type Running, startServer } from './wire.ts';

const running: Running[] = [];
async function start(...how: Parameters<typeof startServer>): Promise<Running> {
  const server = await startServer(...how);
  running.push(server);
  return server;
}
afterEach(async () => {
  await Promise.all(running.splice(0).map(server => server.stop(0)));
});

/** An MCP door that answers when the test says so. */
function createGatedDoor() {
  const waiting: ServerResponse[] = [];
  return {
    waiting,
    release: () => {
      for (const res of waiting.splice(0)) res.writeHead(200, { 'content-length': '2' }).end('ok');
    },
    mcp: (_req: unknown, res: ServerResponse, path: string) => {
      if (path !== '/mcp') return false;
      waiting.push(res);
      return true;
    },
  };
}

describe('what HTTP forbids', () => {
  let server: Running;
  let seen = 0;
  beforeAll(async () => {
    server = await startServer(
      {},
      {
        mcp: (req, res, path) => {
          if (path !== '/mcp') return false;
          seen += 1;
          req.resume();
          req.on('end', () => res.writeHead(200, { 'content-length': '2' }).end('{}'));
          return true;
        },
      },
    );
  });
  afterAll(() => server.stop(0));

  const post = 'POST /mcp HTTP/1.1\r\nHost: localhost\r\n';
  const followUp = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n';
  test.each([
    {
      bytes: `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      because: 'two ways of framing',
    },
    { bytes: `${post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, because: 'two lengths' },
    { bytes: `${post}Content-Length: 5, 5\r\n\r\nhello`, because: 'a list of lengths' },
    { bytes: `${post}Content-Length: +5\r\n\r\nhello`, because: 'a signed length' },
    { bytes: `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, because: 'an unknown coding' },
    { bytes: `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, because: 'chunked not last' },
    { bytes: 'GET /health HTTP/1.1\nHost: localhost\n\n', because: 'bare line feeds' },
    { bytes: `${post}X-A: b\r\n folded\r\n\r\n`, because: 'a folded header' },
    { bytes: `${post}Content-Length : 5\r\n\r\nhello`, because: 'a space before the colon' },
    {
      bytes: `${post}Transfer-Encoding: chunked\r\n\r\n5;${'a'.repeat(1_000_000)}\r\nhello\r\n0\r\n\r\n`,
      because: 'a megabyte of chunk extension',
    },
    { bytes: `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, because: 'a chunk size that is no number' },
    { bytes: 'GET /hea\0lth HTTP/1.1\r\nHost: localhost\r\n\r\n', because: 'a NUL in the target' },
    { bytes: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', because: 'TLS on the plain port' },
  ])('answers 400, closes and serves nothing after: $because', async ({ bytes }) => {
    const before = seen;
    const answer = await exchange(server.port, bytes + followUp);
    expect(answer.status).toBe(400);
    expect(answer.raw.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    expect(JSON.parse(answer.body)).toEqual(doorSays('invalid_request'));
    // A body that turns bad half way has met its handler, which then never sees the end of it.
    expect(seen - before).toBeLessThanOrEqual(1);
    expect((await ask(server.port)).status).toBe(200);
  });

  test('answers 431 to headers over 16 KB and closes', async () => {
    const answer = await exchange(
      server.port,
      `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
    );
    expect(answer.status).toBe(431);
  });

  test('a method override header changes nothing', async () => {
    const answer = await ask(
      server.port,
      { 'x-http-method-override': 'GET', 'content-length': '0' },
      'POST /health HTTP/1.1',
    );
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
  });
});

describe('CORS', () => {
  const preflight = (server: Running, origin: string, headers = {}) =>
    ask(server.port, { origin, 'access-control-request-method': 'POST', ...headers }, 'OPTIONS /mcp HTTP/1.1');

  test('a preflight from a listed origin is answered 204 with that origin and the headers of MCP', async () => {
    const server = await start({ corsOrigins: ['https://app.example'] }, { addedMethods: ['PATCH', 'GET'] });
    const answer = await preflight(server, 'https://app.example');
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(answer.headers.get('access-control-allow-methods')).toBe('GET, HEAD, OPTIONS, PATCH, POST');
    const allowed = answer.headers.get('access-control-allow-headers')?.split(', ');
    expect(allowed).toEqual([
      'authorization',
      'x-authorization',
      'content-type',
      'accept',
      'mcp-protocol-version',
      'mcp-session-id',
      'last-event-id',
      'mcp-method',
      'mcp-name',
      'x-mcp-server-version',
    ]);
    expect(answer.headers.get('access-control-expose-headers')?.split(', ')).toEqual(
      expect.arrayContaining(['mcp-session-id', 'mcp-protocol-version', 'www-authenticate']),
    );
    expect(answer.headers.get('vary')).toContain('origin');
    expect(answer.headers.get('access-control-max-age')).toMatch(/^\d+$/);
    expect(answer.headers.has('access-control-allow-credentials')).toBe(false);
  });

  test('of the headers a page asks for, only mcp-param-* are added', async () => {
    const server = await start({ corsOrigins: ['https://app.example'] });
    const asked = 'Mcp-Param-Owner, x-evil, mcp-param-, mcp-param-a b, MCP-PARAM-Repo';
    const answer = await preflight(server, 'https://app.example', { 'access-control-request-headers': asked });
    const allowed = answer.headers.get('access-control-allow-headers') ?? '';
    expect(allowed.endsWith('x-mcp-server-version, mcp-param-owner, mcp-param-repo')).toBe(true);
  });

  test('a preflight from another origin is refused without any allow header', async () => {
    const server = await start({ corsOrigins: ['https://app.example'] });
    const answer = await preflight(server, 'https://evil.example');
    expect(answer.status).toBe(403);
    expect([...answer.headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([]);
  });

  test('the answer of an MCP door, of a route and of a refusal for overload can be read by the page', async () => {
    const door = createGatedDoor();
    const server = await start({ maxInFlight: 1 }, { mcp: door.mcp });
    const origin = 'http://localhost:3000';
    const first = ask(server.port, { origin, 'content-length': '0' }, 'POST /mcp HTTP/1.1');
    await eventually(() => door.waiting.length === 1, 'the call is under way');
    const refused = await ask(server.port, { origin, 'content-length': '0' }, 'POST /mcp HTTP/1.1');
    const health = await ask(server.port, { origin });
    door.release();
    for (const [answer, status] of [
      [await first, 200],
      [refused, 503],
      [health, 200],
    ] as const) {
      expect(answer.status).toBe(status);
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
    }
  });

  test('without Origin there are no CORS headers', async () => {
    const server = await start();
    const answer = await ask(server.port);
    expect([...answer.headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('limits', () => {
  test('beyond maxInFlight a request gets 503 with Retry-After at once; the accepted ones finish', async () => {
    const door = createGatedDoor();
    const server = await start({ maxInFlight: 3 }, { mcp: door.mcp });
    const post = () => ask(server.port, { 'content-length': '0' }, 'POST /mcp HTTP/1.1');
    const accepted = [post(), post(), post()];
    await eventually(() => door.waiting.length === 3, 'three calls are under way');
    const refused = await Promise.all([post(), post()]);
    for (const answer of refused) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(JSON.parse(answer.body)).toEqual(doorSays('overloaded'));
    }
    expect((await ask(server.port)).status).toBe(200);
    expect((await ask(server.port, {}, 'GET /ready HTTP/1.1')).status).toBe(200);
    door.release();
    for (const answer of await Promise.all(accepted)) expect(answer.status).toBe(200);
    await eventually(() => server.inFlight() === 0, 'every place is free again');
    const again = post();
    await eventually(() => door.waiting.length === 1, 'a new call gets a place');
    door.release();
    expect((await again).status).toBe(200);
  });

  test('a client that goes away gives its place back', async () => {
    const door = createGatedDoor();
    const server = await start({ maxInFlight: 1 }, { mcp: door.mcp });
    const socket = await openSocket(server.port);
    socket.write('POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
    await eventually(() => door.waiting.length === 1, 'the call is under way');
    socket.destroy();
    await eventually(() => server.inFlight() === 0 && server.connections() === 0, 'the place is free');
  });

  test('a standing stream that is held open takes no place, and is still counted', async () => {
    const door = createGatedDoor();
    const server = await start({ maxInFlight: 1 }, { mcp: door.mcp });
    const socket = await openSocket(server.port);
    socket.write('GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await eventually(() => door.waiting.length === 1, 'the stream is open');
    const [stream] = door.waiting.splice(0);
    if (stream === undefined) throw new Error('no stream');
    server.holdOpen(stream);
    server.holdOpen(stream);
    const call = ask(server.port, { 'content-length': '0' }, 'POST /mcp HTTP/1.1');
    await eventually(() => door.waiting.length === 1, 'a call gets the place');
    expect(server.inFlight()).toBe(2);
    expect((await ask(server.port, { 'content-length': '0' }, 'POST /mcp HTTP/1.1')).status).toBe(503);
    door.release();
    expect((await call).status).toBe(200);
    socket.destroy();
  });

  test('a client that asks before it uploads too much is told so instead of 100', async () => {
    const server = await start({ maxBodyBytes: 100 });
    const head = 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n';
    const refused = await exchange(server.port, `${head}Content-Length: 101\r\n\r\n`);
    expect(refused.status).toBe(413);
    const accepted = await exchange(server.port, `${head}Content-Length: 2\r\n\r\n{}`);
    expect(accepted.raw.startsWith('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK')).toBe(true);
  });

  test('a refused upload keeps the connection when it is small and closes it when it is not', async () => {
    const server = await start({ maxInFlight: 0 });
    const head = 'POST /mcp HTTP/1.1\r\nHost: localhost\r\n';
    const small = `${head}Content-Length: 5\r\n\r\nhello`;
    const twice = await exchange(server.port, small + small, raw => (raw.match(/overloaded/g) ?? []).length === 2);
    expect(twice.status).toBe(503);
    const endless = await exchange(server.port, `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
    expect(endless.status).toBe(503);
    expect(endless.headers.get('connection')).toBe('close');
  });
});

describe('a handler that breaks', () => {
  test('is answered 500 without a word of why, and the next request is served', async () => {
    const server = await start(
      {},
      {
        mcp: () => {
          throw new Error('/etc/secret');
        },
      },
    );
    const answer = await ask(server.port, { 'content-length': '0' }, 'POST /mcp HTTP/1.1');
    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.body)).toEqual(doorSays('internal_error'));
    expect((await ask(server.port)).status).toBe(200);
  });
});

test('a refused upgrade ends its connection, also where its client goes on sending and never leaves', async () => {
  const server = await start();
  const upgrade = `GET /nothing HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
  for (const later of ['abcdef', '']) {
    const socket = await openSocket(server.port);
    socket.on('error', () => {});
    socket.write(upgrade);
    setTimeout(() => socket.write(later), 5);
    await eventually(() => server.connections() === 1, 'it is connected');
    await eventually(() => server.connections() === 0, 'it is gone');
    socket.destroy();
  }
});

describe('stopping', () => {
  test('refuses new requests, says 503 at /ready, finishes what is under way, then is gone', async () => {
    const door = createGatedDoor();
    const server = await start({}, { mcp: door.mcp });
    const accepted = ask(server.port, { 'content-length': '0' }, 'POST /mcp HTTP/1.1');
    await eventually(() => door.waiting.length === 1, 'the call is under way');
    const stopped = server.stop(60_000);

    const ready = await ask(server.port, {}, 'GET /ready HTTP/1.1');
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.body)).toEqual({ status: 'not_ready', reason: 'shutting down' });
    const refused = await ask(server.port, { 'content-length': '0' }, 'POST /mcp HTTP/1.1');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('connection')).toBe('close');

    door.release();
    expect((await accepted).status).toBe(200);
    await stopped;
    expect(server.connections()).toBe(0);
    await expect(ask(server.port)).rejects.toThrow();
  });

  test('closes idle keep-alive connections while calls finish', async () => {
    const door = createGatedDoor();
    const server = await start({}, { mcp: door.mcp });
    const idle = await openSocket(server.port);
    idle.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await new Promise(resolve => idle.once('data', resolve));
    const closed = new Promise<void>(resolve => idle.once('close', () => resolve()));
    const accepted = ask(server.port, { 'content-length': '0' }, 'POST /mcp HTTP/1.1');
    await eventually(() => door.waiting.length === 1, 'the call is under way');
    const stopped = server.stop(60_000);
    await closed;
    door.release();
    expect((await accepted).status).toBe(200);
    await stopped;
  });

  test('cuts what is still under way when the grace is over', async () => {
    const door = createGatedDoor();
    const clock = createFrozenClock();
    const server = await start({}, { mcp: door.mcp, clock });
    const cut = ask(server.port, { 'content-length': '0' }, 'POST /mcp HTTP/1.1');
    await eventually(() => door.waiting.length === 1, 'the call is under way');
    const stopped = server.stop(5_000);
    await eventually(() => clock.pending() > 0, 'the grace is running');
    clock.advance(4_999);
    expect(server.inFlight()).toBe(1);
    clock.advance(1);
    await expect(cut).rejects.toThrow('closed without an answer');
    await stopped;
  });

  test('a second stop without grace cuts at once', async () => {
    const door = createGatedDoor();
    const server = await start({}, { mcp: door.mcp });
    const cut = ask(server.port, { 'content-length': '0' }, 'POST /mcp HTTP/1.1');
    await eventually(() => door.waiting.length === 1, 'the call is under way');
    const gentle = server.stop(600_000);
    await Promise.all([expect(cut).rejects.toThrow(), server.stop(0), gentle]);
  });

  test('a keep-alive client is told to close with its last answer', async () => {
    const door = createGatedDoor();
    const server = await start({}, { mcp: door.mcp });
    const socket = await openSocket(server.port);
    let raw = '';
    socket.on('data', chunk => {
      raw += chunk;
    });
    const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
    socket.write('POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
    await eventually(() => door.waiting.length === 1, 'the call is under way');
    const stopped = server.stop(60_000);
    door.release();
    await Promise.all([closed, stopped]);
    expect(parse(raw).status).toBe(200);
  });
});

test('500 idle connections and 50 half-sent requests do not disturb a healthy client', async () => {
  const server = await start();
  const idle = await Promise.all(Array.from({ length: 500 }, () => openSocket(server.port)));
  for (const socket of idle.slice(0, 50)) socket.write('POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Le');
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask(server.port)));
  expect(answers.every(answer => answer.status === 200)).toBe(true);
  for (const socket of idle) socket.destroy();
  await eventually(() => server.connections() === 0, 'every connection is forgotten');
});

test('an address in use is an error of start, with its code', async () => {
  const first = await start();
  await expect(startServer({ port: first.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
