/**
 * Whatever the gateway hands out to one caller is worth nothing to another: Bob shows each of Alice's handles and gets,
 * byte for byte, the answer to a made-up one, while hers goes on working. Real servers, real doors, bare clients.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TASKS_EXTENSION } from '../../src/domain/era.ts';
import { type Identity, LOCAL_CALLER } from '../../src/domain/identity.ts';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import type { ServerSpec } from '../../src/domain/server.ts';
import { type RunningFixture, startFixtureHttp } from '../support/downstreams/conformance-fixture.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { specOf } from '../support/fake-downstreams.ts';
import { waitFor } from '../support/gateway-process.ts';
import { ALL_CAPABILITIES, type Client, openLegacy, openModern, type Reply, resultOf } from '../support/mcp-client.ts';
import { startRealDoor } from '../support/real-door.ts';
import { scopedPolicy } from '../support/scoped-policy.ts';

const identity = (subject: string): Identity => ({
  ...LOCAL_CALLER,
  subject: `https://idp.example|${subject}`,
  method: 'jwt',
  scopes: new Set([subject]),
});
const callers = new Map([
  ['token-of-alice', identity('alice')],
  ['another-of-alice', identity('alice')],
  ['token-of-bob', identity('bob')],
]);
const shows = (token: string) => ({ authorization: `Bearer ${token}` });
const [ALICE, ALICE_AGAIN, BOB] = [shows('token-of-alice'), shows('another-of-alice'), shows('token-of-bob')];

const scripted: StartedScripted[] = [];
let tasks: RunningFixture;
let door: Awaited<ReturnType<typeof startRealDoor>>;

beforeAll(async () => {
  const spec = (key: string, url: string): ServerSpec =>
    specOf(key, {
      link: { kind: 'http', url, headers: new Map(), transport: 'auto' },
      sharing: 'per-principal',
      connectTimeoutMs: 20_000,
      listTimeoutMs: 20_000,
      callTimeoutMs: 20_000,
    });
  for (const era of ['legacy', 'modern'] as const) scripted.push(await startScripted({ era, name: era }));
  tasks = await startFixtureHttp('modern');
  const specs = scripted.map(({ url }, i) => spec(i === 0 ? 'legacy' : 'modern', url));
  door = await startRealDoor({ specs: [...specs, spec('tasks', tasks.url)], callers });
});

afterAll(async () => {
  await door.close();
  await tasks.close();
  for (const server of scripted) await server.close();
});

const post = (body: JsonObject, headers: Record<string, string>) =>
  fetch(`${door.origin}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
  });
/** What a caller can tell two answers apart by: not by when they were given, and under which id. */
async function told(answer: Response | Promise<Response>) {
  const { status, headers, ...rest } = await answer;
  void rest;
  const { date: _date, 'x-request-id': _id, ...shown } = Object.fromEntries(headers);
  return { status, headers: shown, body: await (await answer).text() };
}

describe('a session id', () => {
  const withSession = (id: string, who: Record<string, string>) => ({
    ...who,
    'mcp-session-id': id,
    'mcp-protocol-version': '2025-11-25',
  });
  const MADE_UP = '3b241101-e2bb-4255-8caf-4136c566a962';
  const ways: Record<string, (id: string, who: Record<string, string>) => Promise<Response>> = {
    call: (id, who) => post({ method: 'tools/call', params: { name: 'legacy__echo' } }, withSession(id, who)),
    ping: (id, who) => post({ method: 'ping' }, withSession(id, who)),
    stream: (id, who) =>
      fetch(`${door.origin}/mcp`, { headers: { accept: 'text/event-stream', ...withSession(id, who) } }),
    end: (id, who) => fetch(`${door.origin}/mcp`, { method: 'DELETE', headers: withSession(id, who) }),
  };

  test.each(Object.keys(ways))('is unknown to another caller: %s', async way => {
    const alice = await openLegacy(door.origin, { headers: ALICE });
    const use = ways[way];
    if (use === undefined) throw new Error(way);
    const shown = await told(use(String(alice.sessionId), BOB));
    expect(shown).toEqual(await told(use(MADE_UP, BOB)));
    expect(shown.status).toBe(404);
    expect((await alice.call('legacy__echo', { text: 'still hers' })).status).toBe(200);
    await alice.close();
  });

  test('is no credential: without one the session is not even looked for', async () => {
    const alice = await openLegacy(door.origin, { headers: ALICE });
    for (const use of Object.values(ways)) expect((await use(String(alice.sessionId), {})).status).toBe(401);
    await alice.close();
  });

  test('goes on with a new token of the same caller', async () => {
    const alice = await openLegacy(door.origin, { headers: ALICE });
    const answer = await post(
      { method: 'tools/call', params: { name: 'legacy__echo', arguments: { text: 'hello' } } },
      withSession(String(alice.sessionId), ALICE_AGAIN),
    );
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('hello')]);
    await alice.close();
  });

  test('that the client chose is not taken', async () => {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
    const answer = await post({ method: 'initialize', params }, { ...BOB, 'mcp-session-id': MADE_UP });
    expect(answer.headers.get('mcp-session-id')).not.toBe(MADE_UP);
    expect((await ways.ping?.(MADE_UP, BOB))?.status).toBe(404);
  });
});

test('an event id resumes nothing in the session of another caller', async () => {
  const alice = await openLegacy(door.origin, { headers: ALICE });
  const bob = await openLegacy(door.origin, { headers: BOB });
  const hers = await alice.listen();
  const [first] = await waitFor(() => (hers.events.length > 0 ? hers.events : null), 'the stream begins');
  const id = String(first?.id);
  const resume = (lastId: string) =>
    fetch(`${door.origin}/mcp`, {
      headers: {
        accept: 'text/event-stream',
        'mcp-session-id': String(bob.sessionId),
        'last-event-id': lastId,
        ...BOB,
      },
    });
  const shown = await told(resume(id));
  expect(shown).toEqual(await told(resume('AAAAAAAAAAAA.1')));
  expect(shown.status).toBe(404);
  hers.drop();
  await (await alice.listen({}, id)).drop();
  await Promise.all([alice.close(), bob.close()]);
});

describe('a request state', () => {
  const modern = (who: Record<string, string>) => openModern(door.origin, { headers: who });
  const answers = { inputResponses: { ask: { action: 'accept', content: { name: 'x' } } } };
  const ask = async (client: Client, server: string) => {
    const first = resultOf(await client.request('tools/call', { name: `${server}__ask`, arguments: {} }));
    expect(first.resultType).toBe('input_required');
    const keys = Object.keys(objectOrEmpty(first.inputRequests));
    const given = Object.fromEntries(keys.map(key => [key, answers.inputResponses.ask]));
    const retry = (who: Client, requestState: unknown, name = `${server}__ask`) =>
      who.request('tools/call', { name, arguments: {}, inputResponses: given, requestState: requestState as string });
    return { state: String(first.requestState), retry };
  };
  const body = ({ status, text }: Reply) => ({ status, text: text?.replace(/"id":\d+/, '"id":0') });

  test.each(['legacy', 'modern'])(
    'of a %s server is worth nothing to another caller, and hers goes on',
    async server => {
      const [alice, bob] = [modern(ALICE), modern(BOB)];
      const { state, retry } = await ask(alice, server);
      const shown = body(await retry(bob, state));
      expect(shown).toEqual(body(await retry(bob, `${'A'.repeat(state.length)}`)));
      expect(shown.text).toContain('STATE_INVALID');
      for (const wrong of [state.slice(0, -1), `${state}A`, (state[0] === 'A' ? 'B' : 'A') + state.slice(1), '', 7])
        expect(body(await retry(alice, wrong)).text).toContain('STATE_INVALID');
      expect(body(await retry(alice, state, `${server}__sample`)).text).toContain('STATE_INVALID');
      expect(resultOf(await retry(modern(ALICE_AGAIN), state)).resultType).toBe('complete');
      // Used once at the server or here: the second time is refused by whoever holds the state.
      expect((await retry(alice, state)).answer).toHaveProperty('error');
    },
  );
});

test('a task id is unknown to another caller, whatever it asks for', async () => {
  const capabilities = { ...ALL_CAPABILITIES, extensions: { [TASKS_EXTENSION]: {} } };
  const [alice, bob] = [ALICE, BOB].map(headers => openModern(door.origin, { headers, capabilities }));
  if (alice === undefined || bob === undefined) throw new Error('two clients');
  const begun = resultOf(
    await alice.request('tools/call', { name: 'tasks__slow_compute', arguments: { seconds: 30, label: 'hers' } }),
  );
  const taskId = String(begun.taskId);
  expect([begun.resultType, taskId]).toEqual(['task', expect.stringMatching(/^gt\.[A-Za-z0-9_-]{80,}$/)]);
  const ask = (client: Client, method: string, id: string) =>
    client.request(
      method,
      { taskId: id, ...(method === 'tasks/update' ? { inputResponses: {} } : {}) },
      {
        id: 5,
        headers: { 'mcp-name': id },
      },
    );
  const madeUp = `gt.${'A'.repeat(taskId.length - 3)}`;
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    const [shown, unknown] = [await ask(bob, method, taskId), await ask(bob, method, madeUp)];
    expect([shown.status, shown.text]).toEqual([unknown.status, unknown.text]);
    expect(shown.text).toContain('TASK_NOT_FOUND');
  }
  const seen = resultOf(await ask(alice, 'tasks/get', taskId));
  expect(seen).toMatchObject({ taskId, status: 'working' });
  expect((await ask(alice, 'tasks/cancel', taskId)).status).toBe(200);
});

test('a cursor is unknown to everybody: none is ever given out', async () => {
  const [alice, bob] = [openModern(door.origin, { headers: ALICE }), openModern(door.origin, { headers: BOB })];
  const listed = resultOf(await alice.request('tools/list'));
  expect(listed).not.toHaveProperty('nextCursor');
  const refused = await Promise.all([alice, bob].map(one => one.request('tools/list', { cursor: 'x' }, { id: 9 })));
  expect(new Set(refused.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
});

test('what one caller subscribed to is told to that caller alone, and ends with the right to it', async () => {
  const [alice, bob] = [
    await openLegacy(door.origin, { headers: ALICE }),
    await openLegacy(door.origin, { headers: BOB }),
  ];
  const { resources } = resultOf(await alice.request('resources/list'));
  const uris = (resources as JsonObject[]).map(({ uri }) => String(uri)).filter(uri => uri.includes('watched'));
  const streams = [await alice.listen(), await bob.listen()];
  for (const uri of uris) expect(resultOf(await alice.request('resources/subscribe', { uri }))).toEqual({});
  const updates = () =>
    streams.map(({ frames }) => frames.filter(({ method }) => method === 'notifications/resources/updated').length);
  await waitFor(async () => {
    await bob.call('legacy__touch');
    await sleep(30);
    return (updates()[0] ?? 0) > 0 ? true : null;
  }, 'her subscription tells');
  expect(updates()[1]).toBe(0);

  // Another caller's unsubscribing is not hers.
  for (const uri of uris) await bob.request('resources/unsubscribe', { uri });
  const before = updates()[0] ?? 0;
  await waitFor(async () => {
    await bob.call('legacy__touch');
    await sleep(30);
    return (updates()[0] ?? 0) > before ? true : null;
  }, 'it still tells');

  const open = door.policy.current();
  const changed = (client: 0 | 1) =>
    streams[client]?.frames.filter(({ method }) => method === 'notifications/tools/list_changed').length ?? 0;
  // What the start of the servers changed is told first: by a shorter timer of this very process, and before an answer.
  await sleep(500);
  await Promise.all([alice.request('ping'), bob.request('ping')]);
  const noticed = [changed(0), changed(1)];
  // Bob may use all of it as before; Alice only one tool of one server.
  door.policy.swap(
    scopedPolicy({ bob: { legacy: 'all', modern: 'all', tasks: 'all' }, alice: { modern: ['echo'] } }, 7),
  );
  door.rightsChanged.ofEverybody();
  try {
    await waitFor(() => (changed(0) > (noticed[0] ?? 0) ? true : null), 'she is told that her list changed');
    expect(changed(1)).toBe(noticed[1]);
    const last = updates()[0];
    for (let i = 0; i < 5; i++) await bob.call('legacy__touch');
    await sleep(100);
    expect(updates()[0]).toBe(last);
  } finally {
    door.policy.swap(open);
  }
  await Promise.all([alice.close(), bob.close()]);
});
