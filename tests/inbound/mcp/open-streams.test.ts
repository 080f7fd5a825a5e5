import { afterEach, describe, expect, test } from 'vitest';
import { META } from '../../../src/domain/era.ts';
import { type Identity, LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { type LimitRules, UNLIMITED } from '../../../src/domain/limits.ts';
import { createMemoryLimits } from '../../../src/outbound/limits/memory-limits.ts';
import { findToken } from '../../../src/services/identity/bearer.ts';
import type { Identify } from '../../../src/services/identity/identify.ts';
import { createLimiter } from '../../../src/services/limits/limiter.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { BOTH, type DoorKit, type EventReader, MODERN, startDoor } from '../../support/mcp-door.ts';

const SERVERS = { a: { lists: { tools: [] } } };

let door: DoorKit;
afterEach(() => door.close());

/** Callers are who their token says; without one they are the machine itself. */
async function open(rules: Partial<LimitRules>): Promise<void> {
  const limiter = createLimiter({
    store: createMemoryLimits(createFrozenClock()),
    rules: { ...UNLIMITED, ...rules },
  });
  const callers = new Map<string, Identity>();
  const identify: Identify = shown => {
    const token = findToken(shown);
    if (typeof token !== 'string') return LOCAL_CALLER;
    const known: Identity = callers.get(token) ?? { ...LOCAL_CALLER, method: 'api-key', subject: token };
    callers.set(token, known);
    return known;
  };
  door = await startDoor(SERVERS, { limiter, identify });
}

type Open = (who: Record<string, string>) => Promise<EventReader>;

const KINDS: { kind: string; start: Open }[] = [
  {
    kind: 'the standalone stream of a session',
    async start(who) {
      const session = await door.initialize({ headers: who });
      return door.stream('/mcp', { headers: { accept: 'text/event-stream', ...session } });
    },
  },
  {
    kind: 'a listen stream',
    start: who =>
      door.stream('/mcp', {
        method: 'POST',
        headers: {
          ...{ 'content-type': 'application/json', accept: BOTH, ...who },
          ...{ 'mcp-protocol-version': MODERN, 'mcp-method': 'subscriptions/listen' },
        },
        body: JSON.stringify({
          ...{ jsonrpc: '2.0', id: 7, method: 'subscriptions/listen' },
          params: {
            notifications: { toolsListChanged: true },
            _meta: { [META.protocolVersion]: MODERN, [META.clientCapabilities]: {} },
          },
        }),
      }),
  },
  {
    kind: 'a stream of HTTP+SSE',
    start: who => door.stream('/sse', { headers: { accept: 'text/event-stream', ...who } }),
  },
];

const ana = { authorization: 'Bearer ana' };
const ben = { authorization: 'Bearer ben' };

describe.each(KINDS)('$kind', ({ start }) => {
  test('is refused with 429 and how the limit stands beyond the caller’s share; others are not concerned', async () => {
    await open({ streamsPerCaller: 2 });
    expect([(await start(ana)).status, (await start(ana)).status]).toEqual([200, 200]);
    const third = await start(ana);
    expect(third.status).toBe(429);
    expect(third.headers.get('x-ratelimit-limit')).toBe('2');
    expect(third.headers.get('x-ratelimit-remaining')).toBe('0');
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await start(ben)).status).toBe(200);
  });

  test('is refused with 503 and when to come back beyond what all may have, the machine’s own callers too', async () => {
    await open({ streamsPerCaller: 2, streams: 3 });
    for (const who of [ana, ben, {}]) expect((await start(who)).status).toBe(200);
    for (const who of [ana, {}]) {
      const refused = await start(who);
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    }
  });

  test('gives its place back when the client closes it, however often', async () => {
    await open({ streamsPerCaller: 1, streams: 1 });
    for (let round = 0; round < 5; round++) {
      const stream = await untilOpen(() => start(ana));
      expect((await start(ana)).status).toBe(429);
      stream.close();
      await stream.ended;
    }
  });
});

test('a place is one among all kinds of streams, and a refused one opens no session', async () => {
  await open({ streamsPerCaller: 1 });
  const [standalone, listen, sse] = KINDS.map(({ start }) => start);
  expect((await standalone?.(ana))?.status).toBe(200);
  expect((await listen?.(ana))?.status).toBe(429);
  const before = door.sessions.size();
  expect((await sse?.(ana))?.status).toBe(429);
  expect(door.sessions.size()).toBe(before);
});

test('the refusal of a listen stream carries its id and the word for it', async () => {
  await open({ streams: 1 });
  await KINDS[1]?.start(ana);
  const refused = await door.modern('subscriptions/listen', {}, { id: 'l-2', headers: ben });
  expect(refused.status).toBe(503);
  expect(refused.json).toMatchObject({ id: 'l-2', error: { data: { code: 'OVERLOADED' } } });
});

/** The server learns of a closed connection a moment after the client. */
async function untilOpen(start: () => Promise<EventReader>): Promise<EventReader> {
  for (;;) {
    const stream = await start();
    if (stream.status === 200) return stream;
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
