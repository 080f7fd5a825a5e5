/** What stands open when a credential ends: closed with the next tick, and only then; nothing is lost by it. */
import { afterEach, describe, expect, test } from 'vitest';
import { META } from '../../../src/domain/era.ts';
import { type Identity, LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { findToken } from '../../../src/services/identity/bearer.ts';
import { tool } from '../../support/fake-downstreams.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { type DoorOptions, MODERN, startDoor } from '../../support/mcp-door.ts';

const TICK_MS = 5_000;
const SERVERS = {
  a: { lists: { tools: [tool('echo')], resources: [{ uri: 'note://1', name: 'one' }] } },
};

const caller = (subject: string, ...groups: string[]): Identity => ({
  ...LOCAL_CALLER,
  subject,
  method: 'jwt',
  groups: new Set(groups),
});

let door: Awaited<ReturnType<typeof startDoor>>;
afterEach(() => door.close());

async function open(more: DoorOptions = {}) {
  const clock = createFrozenClock();
  const callers = new Map([
    ['one', caller('alice', 'staff')],
    ['two', caller('alice')],
    ['other', caller('bob')],
  ]);
  const revoked = new Set<Identity>();
  door = await startDoor(SERVERS, {
    clock,
    identify: shown =>
      callers.get(findToken(shown) ?? '') ?? {
        kind: 'challenge',
        status: 401,
        wwwAuthenticate: 'Bearer',
        reason: 'unknown',
      },
    stillValid: who => !revoked.has(who),
    ...more,
  });
  const revoke = (token: string) => {
    const who = callers.get(token);
    if (who !== undefined) revoked.add(who);
    callers.delete(token);
  };
  return { clock, revoke };
}

const shows = (token: string) => ({ authorization: `Bearer ${token}` });
const openStream = (headers: Record<string, string>) =>
  door.stream('/mcp', { headers: { accept: 'text/event-stream', ...headers } });
const listen = (token: string) =>
  door.stream('/mcp', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': MODERN,
      'mcp-method': 'subscriptions/listen',
      ...shows(token),
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 7,
      method: 'subscriptions/listen',
      params: {
        notifications: { toolsListChanged: true, resourceSubscriptions: ['note://1'] },
        _meta: { [META.protocolVersion]: MODERN, [META.clientCapabilities]: {} },
      },
    }),
  });

describe('a revoked credential', () => {
  test('closes its standing stream within one tick, another’s stays; nothing missed is lost', async () => {
    const { clock, revoke } = await open();
    const [alice, bob] = [
      await door.initialize({ headers: shows('one') }),
      await door.initialize({ headers: shows('other') }),
    ];
    const streams = [await openStream(alice), await openStream(bob)] as const;
    const { id } = await streams[0].nextRaw();
    revoke('one');
    clock.advance(TICK_MS);
    await streams[0].ended;
    door.news.publish({ kind: 'list-changed', what: 'tools' });
    expect((await streams[1].next()).message).toMatchObject({ method: 'notifications/tools/list_changed' });

    expect((await door.rpc('ping', {}, alice)).status).toBe(401);
    const renewed = { ...alice, ...shows('two') };
    const again = await openStream({ ...renewed, 'last-event-id': String(id) });
    expect((await again.next()).message).toMatchObject({ method: 'notifications/tools/list_changed' });
  });

  test('ends a listen stream with its result, and its subscriptions with it', async () => {
    const { clock, revoke } = await open();
    const stream = await listen('one');
    expect((await stream.next()).message).toMatchObject({ method: 'notifications/subscriptions/acknowledged' });
    expect([...(door.downstreams.watched.get('a') ?? [])]).toEqual(['note://1']);
    clock.advance(TICK_MS);
    door.news.publish({ kind: 'list-changed', what: 'tools' });
    expect((await stream.next()).message).toMatchObject({ method: 'notifications/tools/list_changed' });
    revoke('one');
    clock.advance(TICK_MS);
    expect((await stream.next()).message).toMatchObject({ id: 7, result: { resultType: 'complete' } });
    await stream.ended;
    expect([...(door.downstreams.watched.get('a') ?? [])]).toEqual([]);
    expect(door.keepAlive.size()).toBe(0);
  });

  test('ends an HTTP+SSE session, unless a newer credential of its caller was shown on it', async () => {
    const { clock, revoke } = await open();
    const [kept, lost] = [
      await door.stream('/sse', { headers: shows('one') }),
      await door.stream('/sse', { headers: shows('one') }),
    ];
    const endpoint = String((await kept.next()).data);
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
    const init = { method: 'POST', headers: { 'content-type': 'application/json', ...shows('two') }, body };
    expect((await door.send(endpoint, init)).status).toBe(202);
    // It has other groups, so that its lists are others.
    for (const what of ['tools', 'resources', 'prompts'])
      expect((await kept.next()).message).toMatchObject({ method: `notifications/${what}/list_changed` });
    expect((await kept.next()).message).toMatchObject({ id: 1, result: {} });
    revoke('one');
    clock.advance(TICK_MS);
    await lost.ended;
    door.news.publish({ kind: 'list-changed', what: 'tools' });
    expect((await kept.next()).message).toMatchObject({ method: 'notifications/tools/list_changed' });
    expect(door.sessions.size()).toBe(1);
  });
});

test('a call on a session is made with the rights of the credential it shows, not of the one that opened it', async () => {
  await open();
  const alice = await door.initialize({ headers: shows('one') });
  const groupsOfNext = async (token: string) => {
    await door.rpc('tools/call', { name: 'a__echo', arguments: {} }, { ...alice, ...shows(token) });
    return [...(door.downstreams.sent.at(-1)?.route.who?.groups ?? ['nobody'])];
  };
  expect(await groupsOfNext('one')).toEqual(['staff']);
  expect(await groupsOfNext('two')).toEqual([]);
  expect(await groupsOfNext('one')).toEqual(['staff']);
});
