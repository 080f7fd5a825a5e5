import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { type Identity, LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { ServerHealth } from '../../../src/domain/server-health.ts';
import { createHealthEvents } from '../../../src/inbound/events/health-events.ts';
import { createWebSockets, type WebSocketDeps } from '../../../src/inbound/events/web-sockets.ts';
import { createTickets } from '../../../src/services/identity/tickets.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { type Running, startServer } from '../http/wire.ts';

const who = (subject: string): Identity => ({ ...LOCAL_CALLER, subject, method: 'jwt' });
const ALICE = who('alice');
const BOB = who('bob');
const PATH = '/ws/health_status';
const healthOf = (path: string, status: ServerHealth['status']): ServerHealth => ({
  ...{ path, status, checkedAtMs: 1_000, numTools: 2 },
});

let running: Running;
let sockets: ReturnType<typeof createWebSockets>;
const clients: WebSocket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  sockets.close();
  await running.stop(0);
});

async function start(more: Partial<WebSocketDeps> = {}) {
  const clock = createFrozenClock();
  const known = new Map([
    ['/a', healthOf('/a', 'healthy')],
    ['/secret', healthOf('/secret', 'healthy')],
  ]);
  let tell = (_health: ServerHealth) => {};
  const events = createHealthEvents({
    health: {
      snapshot: () => known,
      onChange: listener => {
        tell = listener;
      },
    },
    // Bob may know of one server only.
    mayList: ({ subject }, path) => subject === 'alice' || path === '/a',
    countTools: ({ subject }, path) => (subject === 'alice' ? (known.get(path)?.numTools ?? 0) : 1),
    clock,
  });
  const tickets = createTickets(clock);
  const refused: string[] = [];
  const held = { now: 0 };
  sockets = createWebSockets({
    streams: new Map([[PATH, events]]),
    identify: ({ authorization }) => {
      if (authorization === 'Bearer alice') return ALICE;
      if (authorization === 'Bearer bob') return BOB;
      return { kind: 'challenge', status: 401, wwwAuthenticate: 'Bearer', reason: 'missing' };
    },
    findSession: cookie => (cookie === 'session=alice' ? { who: ALICE } : null),
    tickets,
    stillValid: () => true,
    isShutOut: () => false,
    limiter: {
      hold() {
        held.now++;
        return { kind: 'allowed', slot: 1 };
      },
      release: () => void held.now--,
    },
    refused: (_req: IncomingMessage, _path, { reason }) => void refused.push(reason),
    clock,
    ...more,
  });
  running = await startServer({}, { sockets });
  const change = (path: string, status: ServerHealth['status']) => {
    known.set(path, healthOf(path, status));
    tell(healthOf(path, status));
    clock.advance(200);
  };
  return { clock, change, tickets, refused, held };
}

interface Heard {
  socket: WebSocket;
  messages: Record<string, { status: string }>[];
  closed: Promise<number>;
}

async function open(headers: Record<string, string> = {}, path = PATH, options: ClientOptions = {}): Promise<Heard> {
  const socket = new WebSocket(`ws://127.0.0.1:${running.port}${path}`, { headers, ...options });
  clients.push(socket);
  const messages: Heard['messages'] = [];
  socket.on('message', data => void messages.push(JSON.parse(String(data))));
  const closed = new Promise<number>(resolve => {
    socket.on('close', code => resolve(code));
  });
  socket.on('error', () => {});
  await Promise.race([once(socket, 'message'), closed, once(socket, 'unexpected-response')]);
  return { socket, messages, closed };
}
const bearer = (name: string) => ({ authorization: `Bearer ${name}` });
const heard = async ({ messages }: Heard, count: number) => {
  while (messages.length < count) await new Promise(resolve => setTimeout(resolve, 5));
  return messages;
};

test('all that the caller may know of comes first, then what changes, what changed together as one', async () => {
  const { change } = await start();
  const alice = await open(bearer('alice'));
  expect(alice.messages[0]).toEqual({
    '/a': { status: 'healthy', last_checked_iso: '1970-01-01T00:00:01.000Z', num_tools: 2 },
    '/secret': { status: 'healthy', last_checked_iso: '1970-01-01T00:00:01.000Z', num_tools: 2 },
  });
  change('/a', 'unhealthy: connection error');
  expect((await heard(alice, 2))[1]).toEqual({
    '/a': expect.objectContaining({ status: 'unhealthy: connection error' }),
  });
});

test('nobody hears of a server that they may not list', async () => {
  const { change } = await start();
  const bob = await open(bearer('bob'));
  expect(Object.keys(bob.messages[0] ?? {})).toEqual(['/a']);
  for (let n = 0; n < 50; n++) change('/secret', n % 2 === 0 ? 'unhealthy: timeout' : 'healthy');
  change('/a', 'disabled');
  const messages = await heard(bob, 2);
  expect(messages).toHaveLength(2);
  expect(Object.keys(messages[1] ?? {})).toEqual(['/a']);
});

describe('who gets in', () => {
  test.each([
    { show: {}, code: 1008, because: 'nothing is shown' },
    { show: bearer('mallory'), code: 1008, because: 'an unknown credential' },
    { show: { cookie: 'session=alice' }, code: 1008, because: 'any page makes a browser send a cookie' },
    { show: { cookie: 'session=mallory', origin: 'http://localhost:3000' }, code: 1008, because: 'no such session' },
  ])('closed with $code: $because', async ({ show, code }) => {
    const { refused } = await start();
    const client = await open(show);
    expect(await client.closed).toBe(code);
    expect(client.messages).toEqual([]);
    expect(refused).toEqual(['missing']);
  });

  test('a login session with an origin of ours', async () => {
    await start();
    const client = await open({ cookie: 'session=alice', origin: 'http://localhost:3000' });
    expect(client.messages).toHaveLength(1);
  });

  test('a ticket, once', async () => {
    const { tickets } = await start();
    const { ticket } = tickets.issue(BOB);
    expect(Object.keys((await open({}, `${PATH}?ticket=${ticket}`)).messages[0] ?? {})).toEqual(['/a']);
    expect(await (await open({}, `${PATH}?ticket=${ticket}`)).closed).toBe(1008);
  });

  test('not a ticket that is half a minute old', async () => {
    const { tickets, clock } = await start();
    const { ticket } = tickets.issue(BOB);
    clock.advance(30_000);
    expect(await (await open({}, `${PATH}?ticket=${ticket}`)).closed).toBe(1008);
  });

  test.each([
    { headers: { ...bearer('alice'), origin: 'http://evil.example' }, status: 403, because: 'a foreign page' },
    { headers: { ...bearer('alice'), host: 'evil.example' }, status: 403, because: 'a foreign name for us' },
  ])('refused with $status before anything is said: $because', async ({ headers, status }) => {
    await start();
    const socket = new WebSocket(`ws://127.0.0.1:${running.port}${PATH}`, { headers });
    clients.push(socket);
    socket.on('error', () => {});
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(status);
  });

  test('a path that speaks no WebSocket is not found', async () => {
    await start();
    const socket = new WebSocket(`ws://127.0.0.1:${running.port}/mcp`, { headers: bearer('alice') });
    clients.push(socket);
    socket.on('error', () => {});
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(404);
  });
});

test('too many open streams, quarantine and an ended credential send callers away', async () => {
  await start({ limiter: { hold: () => ({ kind: 'limited' }) as never, release: () => {} } });
  expect(await (await open(bearer('alice'))).closed).toBe(1013);
});

test('whose credential has ended is sent away at the next beat', async () => {
  let isValid = true;
  const { clock, held } = await start({ stillValid: () => isValid });
  const alice = await open(bearer('alice'));
  expect(held.now).toBe(1);
  isValid = false;
  clock.advance(26_000);
  expect(await alice.closed).toBe(1008);
  while (held.now > 0) await new Promise(resolve => setTimeout(resolve, 5));
});

test('whoever does not answer to a ping is cut', async () => {
  const { clock } = await start();
  const alice = await open(bearer('alice'), PATH, { autoPong: false });
  clock.advance(26_000);
  clock.advance(26_000);
  expect(await alice.closed).toBe(1006);
});

test('a frame over the limit ends its own socket and nothing else', async () => {
  const { change } = await start();
  const [alice, bob] = [await open(bearer('alice')), await open(bearer('bob'))];
  alice.socket.send('x'.repeat(65 * 1024));
  expect([1006, 1009]).toContain(await alice.closed);
  change('/a', 'disabled');
  expect(await heard(bob, 2)).toHaveLength(2);
});
