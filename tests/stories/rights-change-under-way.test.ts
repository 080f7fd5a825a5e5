/**
 * Rights that change while clients are connected: the next call obeys the new ones, on the same session, and only those are
 * told whose lists are others now. A file that cannot be read changes nothing and says why.
 */
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { waitFor } from '../support/gateway-process.ts';
import { type GuardedGateway, startGuarded, tokenOf } from '../support/guarded-gateway.ts';
import { type Client, errorOf, type Listening, type Reply, resultOf } from '../support/mcp-client.ts';

const AGENTS = {
  bob: { allow: { servers: ['echo'] } },
  carol: { allow: { servers: ['echo'] } },
  ops: { allow: { servers: ['echo', 'later'] } },
};
const WITHOUT_BOB = { agents: { ...AGENTS, bob: { allow: { servers: ['web'] } } } };
const EVERYBODY = { agents: AGENTS };
const SCOPES = {
  group_mappings: { staff: ['all'] },
  all: [{ server: '*', methods: 'all', tools: '*' }],
};

let server: StartedScripted;
let gateway: GuardedGateway;
let ops: Client;
const clients = new Map<string, Client>();

beforeAll(async () => {
  server = await startScripted();
  gateway = await startGuarded({
    servers: { echo: { url: server.url }, web: { url: server.url } },
    rules: EVERYBODY,
    scopes: SCOPES,
    env: { GATEWAY_DEBUG: 'true' },
  });
  for (const name of ['bob', 'carol']) {
    for (const era of ['legacy', 'modern'] as const)
      clients.set(`${name} ${era}`, await gateway.open(era, tokenOf(name, { agent_id: name, groups: ['staff'] })));
  }
  ops = await gateway.open('legacy', tokenOf('ops', { agent_id: 'ops', groups: ['staff'] }), '/mcp/agent');
}, 60_000);

afterAll(async () => {
  for (const client of [...clients.values(), ops]) await client.close();
  await gateway.stop();
  await server.close();
});

function of(who: string): Client {
  const client = clients.get(who);
  if (client === undefined) throw new Error(who);
  return client;
}

const add = (who: string) => of(who).call('echo__add', { a: 1, b: 2 });
const isAllowed = (reply: Reply) => reply.answer !== null && 'result' in reply.answer;

interface Status {
  last_attempt: string | null;
  last_error: string | null;
  attempts: number;
  successes: number;
  warnings: string[];
}

async function status(): Promise<Status> {
  const { structuredContent } = resultOf(await ops.call('get_gateway_status'));
  const rules = objectOrEmpty(objectOrEmpty(objectOrEmpty(structuredContent).reload_status).gateway_rules);
  return {
    last_attempt: rules.last_attempt as string | null,
    last_error: rules.last_error as string | null,
    attempts: Number(rules.attempt_count),
    successes: Number(rules.success_count),
    warnings: rules.last_warnings as string[],
  };
}

test('the status names the servers that whoever asks may see, and no others', async () => {
  const guest = await gateway.open('legacy', tokenOf('guest', { agent_id: 'bob' }), '/mcp/agent');
  const seenBy = async (client: Client) => {
    const told = objectOrEmpty(resultOf(await client.call('get_gateway_status')).structuredContent);
    return [told.available_servers, (told.servers as { key: string }[]).map(({ key }) => key)];
  };
  expect(await seenBy(ops)).toEqual([['echo'], ['echo']]);
  expect(await seenBy(guest)).toEqual([[], []]);
  await guest.close();
});

/**
 * Until what is in `file` now is in force, or refused. By the watcher alone: nothing else asks for it to be read. An attempt
 * is counted when it begins and logged when it is over, so none is under way while there are as many of both.
 */
async function untilRead(file: string): Promise<Status> {
  const writtenMs = statSync(file).ctimeMs;
  const over = () => gateway.logged().filter(({ msg }) => String(msg).startsWith('[HOT RELOAD]')).length;
  return waitFor(async () => {
    const logged = over();
    const now = await status();
    return Date.parse(now.last_attempt ?? '') >= writtenMs && now.attempts === logged ? now : null;
  }, `${file} was read again`);
}

async function rulesAre(rules: JsonObject | string, how?: 'in place' | 'by rename') {
  const before = await status();
  gateway.writeRules(rules, how);
  return { before, after: await untilRead(gateway.rulesFile) };
}

describe.each(['in place', 'by rename'] as const)('rules rewritten %s', how => {
  test('are obeyed by the next call on every open session, both ways', async () => {
    for (const who of clients.keys()) expect([who, isAllowed(await add(who))]).toEqual([who, true]);
    const { before, after } = await rulesAre(WITHOUT_BOB, how);
    expect([after.successes - before.successes, after.last_error]).toEqual([after.attempts - before.attempts, null]);
    for (const who of ['bob legacy', 'bob modern']) {
      const reply = await add(who);
      expect([reply.status, objectOrEmpty(errorOf(reply).data)]).toMatchObject([
        200,
        { code: 'DENIED_BY_POLICY', rule: 'agents.bob.allow.servers: no allow entry' },
      ]);
      expect(JSON.stringify((await of(who).request('tools/list')).answer)).not.toContain('echo__add');
    }
    for (const who of ['carol legacy', 'carol modern']) expect(isAllowed(await add(who))).toBe(true);
    await rulesAre(EVERYBODY, how);
    for (const who of clients.keys()) expect([who, isAllowed(await add(who))]).toEqual([who, true]);
  });
});

/** Longer than list changes are gathered: what somebody is told of a change before is not heard any more. */
const untilQuiet = () => sleep(600);

test('whoever’s lists changed is told so, and nobody else', async () => {
  await untilQuiet();
  const streams = new Map<string, Listening>();
  for (const [who, client] of clients)
    streams.set(
      who,
      await client.listen({ toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true }),
    );
  const heard = (who: string) =>
    (streams.get(who)?.frames ?? [])
      .map(({ method }) => String(method))
      .filter(method => method.endsWith('list_changed'));
  try {
    await rulesAre(WITHOUT_BOB);
    for (const who of ['bob legacy', 'bob modern'])
      await waitFor(() => (heard(who).length >= 3 ? true : null), `${who} is told`);
    expect([...new Set(heard('bob legacy'))].sort()).toEqual([
      'notifications/prompts/list_changed',
      'notifications/resources/list_changed',
      'notifications/tools/list_changed',
    ]);
    await rulesAre(EVERYBODY);
    for (const who of ['bob legacy', 'bob modern'])
      await waitFor(() => (heard(who).length >= 6 ? true : null), `${who} is told again`);
    // What carol hears came through the same door after everything above.
    await of('carol legacy').call('echo__log');
    expect([heard('carol legacy'), heard('carol modern')]).toEqual([[], []]);
  } finally {
    for (const stream of streams.values()) stream.drop();
  }
});

test('whoever shows a token of other groups on its session is told that its lists are others', async () => {
  const [bob, carol] = [of('bob legacy'), of('carol legacy')];
  await untilQuiet();
  const streams = [await bob.listen(), await carol.listen()] as const;
  const heard = (stream: Listening) =>
    stream.frames.map(({ method }) => String(method)).filter(method => method.endsWith('list_changed'));
  const lesser = { authorization: `Bearer ${tokenOf('carol', { agent_id: 'carol', groups: [] })}` };
  try {
    const { tools } = resultOf(await carol.request('tools/list'));
    expect(tools).not.toEqual([]);
    expect(resultOf(await carol.request('tools/list', {}, { headers: lesser })).tools).toEqual([]);
    await waitFor(() => (heard(streams[1]).length >= 3 ? true : null), 'carol is told of having less');
    expect(resultOf(await carol.request('tools/list')).tools).toEqual(tools);
    await waitFor(() => (heard(streams[1]).length >= 6 ? true : null), 'carol is told of having more');
    await carol.request('tools/list');
    expect([heard(streams[1]).length, heard(streams[0])]).toEqual([6, []]);
  } finally {
    for (const stream of streams) stream.drop();
  }
});

/**
 * Two servers have a resource of this URI: it is the public one of whichever was listed first, and the other has one
 * made of it.
 */
async function watchedUri(client: Client): Promise<string> {
  const { resources } = resultOf(await client.request('resources/list'));
  const [uri, ...more] = (resources as JsonObject[])
    .map(each => String(each.uri))
    .filter(each => /watched$/.test(each));
  if (uri === undefined || more.length > 0) throw new Error(`${uri} and ${more.length} more`);
  return uri;
}

test('a subscription that is no longer permitted ends, on a session that stays open', async () => {
  const [bob, carol] = [of('bob legacy'), of('carol legacy')];
  const updates = (stream: Listening) =>
    stream.frames.filter(({ method }) => method === 'notifications/resources/updated').length;
  const streams = [await bob.listen(), await carol.listen()] as const;
  try {
    for (const client of [bob, carol])
      expect(isAllowed(await client.request('resources/subscribe', { uri: await watchedUri(client) }))).toBe(true);
    await carol.call('echo__touch');
    await waitFor(() => (updates(streams[1]) > 0 ? true : null), 'carol hears of it');
    await waitFor(() => (updates(streams[0]) > 0 ? true : null), 'bob hears of it');
    await rulesAre(WITHOUT_BOB);
    const [before, others] = [updates(streams[0]), updates(streams[1])];
    await carol.call('echo__touch');
    await waitFor(() => (updates(streams[1]) > others ? true : null), 'carol hears of it still');
    await sleep(50);
    expect(updates(streams[0])).toBe(before);
    expect(isAllowed(await bob.request('ping'))).toBe(true);
  } finally {
    for (const stream of streams) stream.drop();
    await rulesAre(EVERYBODY);
  }
});

test('a call that is under way ends as it began', async () => {
  const slow = of('bob legacy').call('echo__slow', { ms: 2000 });
  await waitFor(() => (Number(server.stats().inFlight) > 0 ? true : null), 'it is under way');
  await rulesAre(WITHOUT_BOB);
  expect(isAllowed(await add('bob legacy'))).toBe(false);
  expect(isAllowed(await slow)).toBe(true);
  await rulesAre(EVERYBODY);
});

describe('a file that cannot be taken', () => {
  test.each([
    ['{"agents": {', 'JSON'],
    ['', ''],
    ['{"agents": {"bob": {"allow": {"servers": "echo"}}}}', 'agents.bob.allow.servers'],
    ['{"agents": {"bo b": {}}}', 'bo b'],
    ['{"agents": {}, "defaults": {"deny_on_missing_agent": "no"}}', 'deny_on_missing_agent'],
    ['{"agents": {"bob": {"allow": {"tools": {"echo": ["*a*"]}}}}}', 'agents.bob.allow.tools.echo[0]'],
    ['{"defaults": {}}', 'agents'],
  ])('%s changes nothing and is named', async (text, named) => {
    const { before, after } = await rulesAre(text);
    expect([after.successes, after.last_error]).toEqual([before.successes, expect.stringContaining(named)]);
    expect(after.last_error).toContain('rules.json');
    for (const who of clients.keys()) expect([who, isAllowed(await add(who))]).toEqual([who, true]);
    expect(isAllowed(await of('bob legacy').call('web__add', { a: 1, b: 2 }))).toBe(false);
    const logged = gateway.logged().filter(({ level }) => level === 'error' || level === 'warn');
    expect(JSON.stringify(logged)).toContain(JSON.stringify(named).slice(1, -1));
    const again = await rulesAre(EVERYBODY);
    expect([again.after.last_error, again.after.successes]).toEqual([null, before.successes + 1]);
  });

  test('of scopes is no other: the old ones stay in force, and good ones take their place', async () => {
    const scopes = async (next: JsonObject | string) => {
      gateway.writeScopes(next);
      return untilRead(gateway.scopesFile);
    };
    expect((await scopes('all: [{server: 7}]')).last_error).toContain('scopes.yml');
    expect(isAllowed(await add('bob legacy'))).toBe(true);
    await scopes({ ...SCOPES, all: [{ server: 'web', methods: 'all', tools: '*' }] });
    for (const who of clients.keys()) {
      const reply = await add(who);
      // No scope of the file would open it, so none is asked for.
      expect([reply.status, objectOrEmpty(errorOf(reply).data).rule]).toEqual([200, 'scopes: no grant']);
    }
    await scopes(SCOPES);
    for (const who of clients.keys()) expect([who, isAllowed(await add(who))]).toEqual([who, true]);
  });
});

test('a rule for a server that is not there warns, and is in force when the server comes', async () => {
  const warning = 'references undefined server "later"';
  const started = gateway.logged().filter(({ level }) => level === 'warn');
  expect(JSON.stringify(started)).toContain('Agent \\"ops\\" allow.servers references undefined server \\"later\\"');
  expect((await rulesAre(EVERYBODY)).after.warnings.join('\n')).toContain(warning);
  const client = await gateway.open('modern', tokenOf('ops', { agent_id: 'ops', groups: ['staff'] }));
  expect(isAllowed(await client.call('later__add', { a: 1, b: 2 }))).toBe(false);
  gateway.writeServers({ echo: { url: server.url }, web: { url: server.url }, later: { url: server.url } });
  expect((await untilRead(gateway.serversFile)).warnings.join('\n')).not.toContain(warning);
  const reply = await waitFor(async () => {
    const tried = await client.call('later__add', { a: 1, b: 2 });
    return isAllowed(tried) ? tried : null;
  }, 'the new server answers');
  expect(resultOf(reply).content).toEqual([{ type: 'text', text: '3' }]);
  expect(isAllowed(await of('bob legacy').call('later__add', { a: 1, b: 2 }))).toBe(false);
  await client.close();
});
