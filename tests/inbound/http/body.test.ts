import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ERRORS, type Failure } from '../../../src/domain/error.ts';
import { type BodyBudget, endLingering, readBody } from '../../../src/inbound/http/body.ts';
import { eventually, exchange, openSocket } from './wire.ts';

const CAP = 100_000;
const HEAD = 'POST / HTTP/1.1\r\nHost: localhost\r\n';
let server: Server;
let port: number;
let outcomes: (Buffer | Failure)[];
let budget: BodyBudget;

function respond(req: IncomingMessage, res: ServerResponse): void {
  readBody(
    req,
    CAP,
    body => {
      outcomes.push(body);
      if (Buffer.isBuffer(body)) {
        res.end(`${body.length}`);
        return;
      }
      const payload = body.code;
      res.writeHead(ERRORS[body.code].http, { connection: 'close', 'content-length': payload.length });
      endLingering(req, res, payload);
    },
    budget,
  );
}

beforeEach(async () => {
  outcomes = [];
  budget = { limitBytes: 10 * CAP, usedBytes: 0 };
  server = createServer(respond);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
  expect(budget.usedBytes).toBe(0);
});

const post = (body: Buffer | string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers });

describe('what is read', () => {
  test.each([0, 1, 1_000, 65_537, CAP])('a body of %i bytes arrives whole', async size => {
    const body = Buffer.alloc(size, 'abcdefgh');
    expect(await (await post(body)).text()).toBe(String(size));
    expect(outcomes).toHaveLength(1);
    expect(body.equals(outcomes[0] as Buffer)).toBe(true);
  });

  test('a chunked body in single bytes arrives whole', async () => {
    const chunks = [...'hello world'].map(letter => `1\r\n${letter}\r\n`);
    const socket = await openSocket(port);
    socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    for (const chunk of chunks) {
      socket.write(chunk);
      await new Promise(resolve => setImmediate(resolve));
    }
    socket.write('0\r\n\r\n');
    await eventually(() => outcomes.length === 1, 'the body is read');
    expect(String(outcomes[0])).toBe('hello world');
    socket.destroy();
  });

  test('identity is not an encoding', async () => {
    expect((await post('{}', { 'content-encoding': 'Identity' })).status).toBe(200);
  });
});

describe('what is refused', () => {
  test('one declared byte over the cap is refused before a byte is read', async () => {
    const answer = await exchange(port, `${HEAD}Content-Length: ${CAP + 1}\r\n\r\n`);
    expect(answer.status).toBe(413);
    expect(outcomes).toMatchObject([{ kind: 'failure', code: 'TOO_LARGE', data: { limit_bytes: CAP } }]);
  });

  test('one byte over the cap without a declared length is refused, and the answer arrives', async () => {
    const answer = await exchange(
      port,
      `${HEAD}Transfer-Encoding: chunked\r\n\r\n${(CAP + 1).toString(16)}\r\n${'x'.repeat(CAP + 1)}\r\n0\r\n\r\n`,
    );
    expect(answer.status).toBe(413);
    expect(answer.body).toBe('TOO_LARGE');
  });

  test('an endless chunked body is cut at the cap: the answer arrives, the connection closes, nothing is kept', async () => {
    const socket = await openSocket(port);
    socket.on('error', () => {});
    let raw = '';
    socket.on('data', chunk => {
      raw += chunk;
    });
    const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    const pump = (): void => {
      if (!socket.destroyed) socket.write(chunk, pump);
    };
    pump();
    await closed;
    expect(raw).toContain('HTTP/1.1 413');
    expect(outcomes).toHaveLength(1);
  });

  test('50 endless bodies at once hold no more than the budget; the surplus is told to come back', async () => {
    budget = { limitBytes: 3 * CAP, usedBytes: 0 };
    const part = `c350\r\n${'x'.repeat(50_000)}\r\n`;
    const sockets = await Promise.all(Array.from({ length: 50 }, () => openSocket(port)));
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${part}`);
    }
    await eventually(() => outcomes.length >= 44, 'all but what fits is answered');
    expect(budget.usedBytes).toBeLessThanOrEqual(budget.limitBytes);
    expect(outcomes.every(outcome => !Buffer.isBuffer(outcome) && outcome.code === 'OVERLOADED')).toBe(true);
    for (const socket of sockets) socket.destroy();
    await eventually(() => outcomes.length === 50, 'every body is settled');
  });

  test.each(['gzip', 'br', 'deflate, gzip', 'x-unknown'])('the encoding %s is refused with 415', async encoding => {
    const answer = await post(gzipSync('{}'), { 'content-encoding': encoding });
    expect(answer.status).toBe(415);
    expect(await answer.text()).toBe('UNSUPPORTED_MEDIA');
    expect(outcomes).toHaveLength(1);
  });
});

describe('who goes away', () => {
  test.each([
    { sent: `${HEAD}Content-Length: 50\r\n\r\nhalf`, because: 'in the middle of a declared body' },
    { sent: `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`, because: 'in the middle of a chunk' },
  ])('$because is CANCELLED, once', async ({ sent }) => {
    const socket = await openSocket(port);
    socket.write(sent);
    await eventually(() => budget.usedBytes > 0, 'the first bytes are read');
    socket.destroy();
    await eventually(() => outcomes.length > 0, 'the body is settled');
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(outcomes).toMatchObject([{ kind: 'failure', code: 'CANCELLED' }]);
  });

  test('before reading began is CANCELLED too', async () => {
    const held = new Promise<IncomingMessage>(resolve => {
      server.removeAllListeners('request');
      server.on('request', resolve);
    });
    const socket = await openSocket(port);
    socket.write(`${HEAD}Content-Length: 50\r\n\r\n`);
    const req = await held;
    socket.destroy();
    await eventually(() => req.destroyed, 'the request is gone');
    readBody(req, CAP, body => outcomes.push(body), budget);
    expect(outcomes).toMatchObject([{ code: 'CANCELLED' }]);
  });
});
