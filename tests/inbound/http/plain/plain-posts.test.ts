/** Connections that carry plain posts, over real sockets: what a client can tell from node's own server is a fault. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { readBody } from '../../../../src/inbound/http/body.ts';
import type { HttpRequest, HttpResponse } from '../../../../src/inbound/http/http-message.ts';
import {
  type PlainPosts,
  type PlainPostsDeps,
  takePlainPosts,
} from '../../../../src/inbound/http/plain/plain-posts.ts';
import { createSystemClock } from '../../../../src/outbound/clock.ts';
import { type Answer, eventually, exchange, openSocket, parse, type Running, startServer } from '../wire.ts';

const running: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

type Handler = (req: HttpRequest, res: HttpResponse) => void;

/** Says how long the body was and what it began with. */
const echo: Handler = (req, res) =>
  readBody(req, 10_000_000, body => {
    const said = Buffer.isBuffer(body) ? `${body.length} ${body.toString('latin1', 0, 8)}` : `no ${body.code}`;
    res.writeHead(200, { 'content-type': 'text/plain', 'content-length': said.length });
    res.end(said);
  });

async function start(handler: Handler, maxBodyBytes = 4_194_304): Promise<Running> {
  const server = await startServer(
    { maxBodyBytes },
    {
      mcp(req, res, path) {
        if (path === '/mcp') handler(req, res);
        return path === '/mcp';
      },
    },
  );
  running.push(() => server.stop(0));
  return server;
}

const post = (body: string, ...lines: string[]) =>
  [`POST /mcp HTTP/1.1`, 'Host: 127.0.0.1', ...lines, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join(
    '\r\n',
  );
/** Makes node read it, and changes nothing else. */
const BY_NODE = 'X-Twice: 1\r\nX-Twice: 2';

const count = (raw: string) => raw.match(/HTTP\/1\.1 \d{3}/g)?.length ?? 0;
const ends = (said: string) => (raw: string) => raw.endsWith(said) || raw.endsWith(`${said}\r\n0\r\n\r\n`);

/** But for how its end is told, which is node's choice. */
function shown({ status, headers, body }: Answer) {
  const isChunked = headers.get('transfer-encoding') === 'chunked';
  const whole = isChunked ? body.replace(/[0-9a-f]+\r\n(.*?)\r\n(?=[0-9a-f]+\r\n)|0\r\n\r\n$/gs, '$1') : body;
  const own = ['date', 'x-request-id', 'transfer-encoding', 'content-length'];
  return {
    status,
    headers: Object.fromEntries([...headers].filter(([name]) => !own.includes(name)).sort()),
    body: whole,
  };
}

describe('a client gets the same answer as from node', () => {
  const stream: Handler = (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.flushHeaders();
    for (const piece of ['data: 1\n\n', '', 'data: é\n\n']) res.write(piece);
    res.write(Buffer.from('data: 3\n\n'));
    res.end();
  };
  const inPieces: Handler = (_req, res) => {
    res.writeHead(200, { 'content-length': 9 });
    res.cork();
    res.write('é');
    res.write(Buffer.from('12345'));
    res.end('67');
    res.uncork();
  };
  const cases: { because: string; handler: Handler; complete: (raw: string) => boolean }[] = [
    { because: 'text with a length', handler: echo, complete: ends('2 {}') },
    {
      because: 'letters beyond ASCII',
      handler: (_req, res) => void res.writeHead(200, { 'content-length': 3 }).end('é!'),
      complete: ends('!'),
    },
    { because: 'nothing', handler: (_req, res) => void res.writeHead(202).end(), complete: ends('\r\n\r\n') },
    {
      because: 'a length nobody gave',
      handler: (_req, res) => void res.writeHead(200).end('abc'),
      complete: ends('abc'),
    },
    {
      because: 'bytes',
      handler: (_req, res) => void res.writeHead(200).end(Buffer.from('abc')),
      complete: ends('abc'),
    },
    { because: 'a stream', handler: stream, complete: ends('0\r\n\r\n') },
    { because: 'a length and pieces', handler: inPieces, complete: ends('67') },
    {
      because: 'headers that were set before',
      handler(_req, res) {
        res.setHeader('vary', 'origin');
        res.writeHead(200, { 'content-length': 2, 'x-b': 'c' }).end('ok');
      },
      complete: ends('ok'),
    },
    {
      because: 'the last of its connection',
      handler: (_req, res) => void res.writeHead(400, { connection: 'close', 'content-length': 2 }).end('no'),
      complete: () => false,
    },
    {
      because: 'an error in the handler',
      handler: () => {
        throw new Error('on purpose');
      },
      complete: ends('}'),
    },
  ];
  test.each(cases)('$because', async ({ handler, complete }) => {
    const { port } = await start(handler);
    const plain = await exchange(port, post('{}'), complete);
    const nodes = await exchange(port, post('{}', BY_NODE), complete);
    expect(plain.status).toBeGreaterThan(0);
    expect(shown(plain)).toEqual(shown(nodes));
  });

  test('a header value with a line end is an error of the handler, and never on the wire', async () => {
    const { port } = await start((_req, res) => void res.writeHead(200, { 'x-a': 'b\r\nx-strange: d' }).end());
    for (const bytes of [post('{}'), post('{}', BY_NODE)]) {
      const { status, raw } = await exchange(port, bytes, ends('}'));
      expect(status).toBe(500);
      expect(raw).not.toContain('x-strange');
    }
  });
});

describe('requests over one connection', () => {
  test('come one after the other, each with what it said itself', async () => {
    const seen: (string | undefined)[] = [];
    const { port } = await start((req, res) => {
      seen.push(req.headers.authorization);
      echo(req, res);
    });
    const socket = await openSocket(port);
    let raw = '';
    socket.on('data', chunk => {
      raw += chunk;
    });
    const shownKeys = ['a', 'b', 'a', undefined, 'b'];
    for (const [n, key] of shownKeys.entries()) {
      socket.write(post('x'.repeat(n * 7), ...(key === undefined ? [] : [`Authorization: Bearer ${key}`])));
      await eventually(() => count(raw) === n + 1, 'answered');
      expect(raw.split('\r\n\r\n').at(-1)).toBe(`${n * 7} ${'x'.repeat(Math.min(8, n * 7))}`);
    }
    expect(seen).toEqual(['Bearer a', 'Bearer b', 'Bearer a', undefined, 'Bearer b']);
    socket.destroy();
  });

  test('may be sent ahead: answers keep their order, whoever reads them', async () => {
    const { port } = await start((req, res) => setTimeout(() => echo(req, res), Math.random() * 5));
    const bodies = Array.from({ length: 40 }, (_, n) => `${n}`.padEnd(2 + n));
    const ahead = bodies.map((body, n) => post(body, ...(n === 20 ? [BY_NODE] : [])));
    const { raw } = await exchange(port, ahead.join(''), ends('41 39      '));
    expect(raw.match(/^\d+ .*?(?=HTTP|$)/gms)?.map(answer => Number(answer.split(' ')[0]))).toEqual(
      bodies.map(body => body.length),
    );
  });

  test('thousands sent ahead of an answer at once do not end the stack', async () => {
    const { port } = await start((_req, res) => void res.writeHead(202).end());
    const { raw } = await exchange(port, post('{}').repeat(5_000), all => count(all) === 5_000);
    expect(count(raw)).toBe(5_000);
  });

  test('sent ahead beyond a bound stay with the sender until those before them are answered', async () => {
    const waiting: (() => void)[] = [];
    const { port } = await start((req, res) => void waiting.push(() => echo(req, res)));
    const socket = await openSocket(port);
    let raw = '';
    socket.on('data', chunk => {
      raw += chunk;
    });
    const bytes = post('a'.repeat(1_000_000)).repeat(30);
    socket.write(bytes);
    await eventually(() => waiting.length === 1, 'the first has come');
    await new Promise(resolve => setTimeout(resolve, 300));
    // What the two systems between us hold is less.
    expect(socket.writableLength).toBeGreaterThan(10_000_000);
    expect(waiting).toHaveLength(1);
    for (let n = 1; n <= 30; n += 1) {
      await eventually(() => waiting.length === n, `request ${n} has come`);
      waiting[n - 1]?.();
    }
    await eventually(() => count(raw) === 30, 'all are answered');
    socket.destroy();
  });

  test('a route that is no door is served on it, and a door after that', async () => {
    const { port } = await start(echo);
    const get = 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
    const { raw } = await exchange(port, post('a') + get + post('abc'), ends('3 abc'));
    expect(raw.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 200']);
    expect(raw).toContain('"healthy"');
  });

  test('what is no HTTP is refused after an answer as before one', async () => {
    const { port } = await start(echo);
    const { raw } = await exchange(port, `${post('a')}POST /mcp HTTP/1.1\r\nHost : a\r\n\r\n`);
    expect(raw.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
  });
});

describe('a body', () => {
  test.each([1, 3, 7, 50])('that comes in pieces of %d bytes is read whole', async size => {
    const { port } = await start(echo);
    const socket = await openSocket(port);
    socket.setNoDelay();
    let raw = '';
    socket.on('data', chunk => {
      raw += chunk;
    });
    const bodies = ['0123456789'.repeat(9), 'abcdefghij'.repeat(9), 'c'];
    for (const [n, body] of bodies.entries()) {
      const bytes = post(body);
      const bodyAt = bytes.length - body.length;
      socket.write(bytes.slice(0, bodyAt));
      for (let at = bodyAt; at < bytes.length; at += size) {
        await new Promise(resolve => setTimeout(resolve, 2));
        socket.write(bytes.slice(at, at + size));
      }
      await eventually(() => raw.endsWith(`${body.length} ${body.slice(0, 8)}`), 'answered');
      expect(count(raw)).toBe(n + 1);
    }
    socket.destroy();
  });

  test('of 3 MB is read whole, also where nobody reads for a while', async () => {
    const { port } = await start((req, res) => setTimeout(() => echo(req, res), 50));
    const { body } = await exchange(port, post('a'.repeat(3_000_000)), ends('3000000 aaaaaaaa'));
    expect(body).toBe('3000000 aaaaaaaa');
  });

  test('larger than the limit is refused by its length', async () => {
    const { port } = await start(
      (req, res) =>
        readBody(req, 100, body => {
          const status = Buffer.isBuffer(body) ? 200 : 413;
          res.writeHead(status, { connection: 'close', 'content-length': 0 }).end();
        }),
      1_000,
    );
    expect((await exchange(port, post('a'.repeat(101)))).status).toBe(413);
    expect((await exchange(port, post('a'.repeat(1_001)))).status).toBe(413);
  });

  test('that nobody reads is swallowed after the answer, and the next request is served', async () => {
    let requests = 0;
    const { port } = await start((req, res) => {
      requests += 1;
      if (requests === 1) res.writeHead(403, { 'content-length': 2 }).end('no');
      else echo(req, res);
    });
    const socket = await openSocket(port);
    let raw = '';
    socket.on('data', chunk => {
      raw += chunk;
    });
    const first = post('a'.repeat(2_000_000));
    socket.write(first.slice(0, 1_000));
    await eventually(() => raw.endsWith('no'), 'refused early');
    socket.write(first.slice(1_000) + post('abc'));
    await eventually(() => raw.endsWith('3 abc'), 'the next is answered');
    expect(requests).toBe(2);
    socket.destroy();
  });

  test('whose sender goes away is told to the handler as a cancellation, once', async () => {
    const outcomes: string[] = [];
    const { port, inFlight } = await start((req, _res) =>
      readBody(req, 1_000, body => outcomes.push(Buffer.isBuffer(body) ? 'whole' : body.code)),
    );
    for (const leave of [(socket: Socket) => socket.destroy(), (socket: Socket) => socket.end()]) {
      const socket = await openSocket(port);
      socket.write(post('a'.repeat(100)).slice(0, -50));
      await eventually(() => inFlight() === 1, 'it has begun');
      leave(socket);
      await eventually(() => inFlight() === 0, 'it is over');
      socket.destroy();
    }
    expect(outcomes).toEqual(['CANCELLED', 'CANCELLED']);
  });
});

test('an answer whose client has gone is closed, and writing to it does no harm', async () => {
  const closed: string[] = [];
  const { port, inFlight } = await start((_req, res) => {
    res.once('close', () => {
      closed.push('closed');
      expect(res.destroyed).toBe(true);
      res.writeHead(200, { 'content-length': 2 }).end('ok');
    });
  });
  const socket = await openSocket(port);
  socket.write(post('{}'));
  await eventually(() => inFlight() === 1, 'it has begun');
  socket.destroy();
  await eventually(() => inFlight() === 0, 'it is over');
  expect(closed).toEqual(['closed']);
  expect((await exchange(port, 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', ends('}'))).status).toBe(200);
});

test('a stop closes an idle connection at once, while a call on another is finished', async () => {
  const waiting: (() => void)[] = [];
  const server = await start((req, res) => {
    if (req.headers['x-wait'] === undefined) echo(req, res);
    else waiting.push(() => echo(req, res));
  });
  const idle = await openSocket(server.port);
  let isClosed = false;
  let said = '';
  idle.on('data', chunk => {
    said += chunk;
  });
  idle.on('close', () => {
    isClosed = true;
  });
  idle.write(post('a'));
  await eventually(() => said.endsWith('1 a'), 'it was served');
  const called = exchange(server.port, post('abc', 'X-Wait: 1'), ends('3 abc'));
  await eventually(() => waiting.length === 1, 'the call is under way');
  const stopped = server.stop(20_000);
  await eventually(() => isClosed, 'the idle one is closed');
  expect(server.inFlight()).toBe(1);
  waiting[0]?.();
  expect((await called).body).toBe('3 abc');
  await stopped;
});

describe('time', () => {
  let posts: PlainPosts;

  /** A server of its own, with times that a test can wait for. */
  async function startQuick(handler: Handler, times: Partial<PlainPostsDeps>): Promise<number> {
    const server: Server = createServer((_req, res) => res.end());
    posts = takePlainPosts(server, 'connection', {
      isFor: () => true,
      maxBodyBytes: 1_000_000,
      clock: createSystemClock(),
      onRequest: handler,
      onLate: socket => socket.end('HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'),
      ...{ stalledMs: 60_000, keepAliveMs: 60_000, firstRequestMs: 60_000, requestMs: 60_000, checkMs: 20 },
      ...times,
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    running.push(async () => {
      server.closeAllConnections();
      posts.closeAll();
      await new Promise(resolve => server.close(resolve));
    });
    return (server.address() as AddressInfo).port;
  }

  const whenClosed = (socket: Socket) =>
    new Promise<string>(resolve => {
      let raw = '';
      socket.on('data', chunk => {
        raw += chunk;
      });
      socket.on('close', () => resolve(raw));
    });

  test('a connection that never asks is closed', async () => {
    const port = await startQuick(echo, { firstRequestMs: 60 });
    expect(await whenClosed(await openSocket(port))).toBe('');
  });

  test('an idle one is closed after the time it was told', async () => {
    const port = await startQuick(echo, { keepAliveMs: 60 });
    const socket = await openSocket(port);
    socket.write(post('abc'));
    expect(parse(await whenClosed(socket)).body).toBe('3 abc');
  });

  test('one over which a call is under way is not', async () => {
    const port = await startQuick((req, res) => setTimeout(() => echo(req, res), 300), {
      ...{ firstRequestMs: 20, keepAliveMs: 20, requestMs: 20 },
    });
    expect((await exchange(port, post('abc'), ends('3 abc'))).body).toBe('3 abc');
  });

  test('a body that does not come is answered 408', async () => {
    const port = await startQuick(echo, { requestMs: 60 });
    expect((await exchange(port, post('abc').slice(0, -1))).status).toBe(408);
  });

  test('a reader that takes nothing of many small answers is cut off', async () => {
    const answer = Buffer.alloc(8_000, 'a');
    let answers = 0;
    const port = await startQuick(
      (_req, res) => {
        answers += 1;
        res.writeHead(200, { 'content-length': answer.length }).end(answer);
      },
      { stalledMs: 200 },
    );
    const socket = await openSocket(port);
    socket.pause();
    let isClosed = false;
    socket.on('close', () => {
      isClosed = true;
    });
    socket.on('error', () => {});
    socket.write(post('{}').repeat(4_000));
    await eventually(() => answers > 100, 'answers are being made');
    let before = 0;
    await eventually(() => {
      const stands = answers === before;
      before = answers;
      return stands;
    }, 'no more of them are made');
    expect(answers).toBeLessThan(4_000);
    await new Promise(resolve => setTimeout(resolve, 1_000));
    socket.resume();
    await eventually(() => isClosed, 'it was cut off');
    expect(answers).toBeLessThan(4_000);
  });

  test('a reader that takes nothing is cut off, one that takes a little at a time is not', async () => {
    const large = Buffer.alloc(8_000_000, 'a');
    const port = await startQuick(
      (_req, res) => void res.writeHead(200, { 'content-length': large.length }).end(large),
      {
        stalledMs: 400,
      },
    );
    const lazy = await openSocket(port);
    lazy.pause();
    lazy.write(post('a'));
    const slow = await openSocket(port);
    let taken = 0;
    slow.on('data', chunk => {
      taken += chunk.length;
      slow.pause();
      setTimeout(() => slow.resume(), 10);
    });
    slow.write(post('a'));
    await eventually(() => taken > large.length, 'the slow one has everything');
    expect(taken).toBeGreaterThan(large.length);
    const whole = whenClosed(lazy);
    lazy.resume();
    expect((await whole).length).toBeLessThan(large.length);
    slow.destroy();
  }, 30_000);
});
