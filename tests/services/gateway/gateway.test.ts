import { describe, expect, test } from 'vitest';
import type { Door } from '../../../src/domain/call.ts';
import { failure } from '../../../src/domain/error.ts';
import { readPath } from '../../../src/domain/gateway-path.ts';
import { type Identity, LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { hashedName } from '../../../src/domain/names.ts';
import { answerOf, type Sent, tool } from '../../support/fake-downstreams.ts';
import { createFakeLine } from '../../support/fake-line.ts';
import { policyOf } from '../../support/policies.ts';
import { createStaircase, doorOf, EVERYTHING, INSTANCE, resultOf, settle } from '../../support/staircase.ts';

const SERVERS = {
  git: { lists: { tools: [tool('push'), tool('files/read')], prompts: [{ name: 'review' }] } },
  notes: {
    lists: {
      tools: [tool('push'), tool('only_here')],
      resources: [{ uri: 'note://1', name: 'one' }],
      templates: [{ uriTemplate: 'note://{id}', name: 'note' }],
    },
  },
};

describe('tools/call', () => {
  test.each([
    { name: 'git__push', reaches: ['git', 'push'], because: 'a public name names server and tool' },
    {
      name: hashedName('server', 'git', 'files/read'),
      reaches: ['git', 'files/read'],
      because: 'a hashed name leads to the own one',
    },
    {
      name: 'only_here',
      reaches: ['notes', 'only_here'],
      because: 'an MCP App calls a tool by its own name, when one server has it',
    },
  ])('$name: $because', async ({ name, reaches }) => {
    const house = await createStaircase(SERVERS);
    resultOf(await house.handle('tools/call', { name, arguments: { a: 1 }, _meta: { 'x/y': 1 } }));
    expect(house.downstreams.sent.map(({ server, params }) => [server, params])).toEqual([
      [reaches[0], { name: reaches[1], arguments: { a: 1 }, _meta: { 'x/y': 1 } }],
    ]);
  });

  test.each([
    {
      name: 'git__nope',
      data: { code: 'TOOL_NOT_FOUND', tool: 'nope', server: 'git' },
      because: 'the server has no such tool',
    },
    {
      name: 'push',
      data: { code: 'TOOL_NOT_FOUND', tool: 'push', server: null },
      because: 'two servers have it: nobody guesses',
    },
    {
      name: 'ghost__push',
      data: { code: 'TOOL_NOT_FOUND', tool: 'ghost__push', server: null },
      because: 'there is no such server',
    },
    {
      name: '__proto__',
      data: { code: 'TOOL_NOT_FOUND', tool: '__proto__', server: null },
      because: 'it is a name like any other',
    },
    {
      name: 'constructor',
      data: { code: 'TOOL_NOT_FOUND', tool: 'constructor', server: null },
      because: 'it is a name like any other',
    },
  ])('$name reaches no server: $because', async ({ name, data: { code, ...data } }) => {
    const house = await createStaircase(SERVERS);
    expect(await house.handle('tools/call', { name, arguments: {} })).toMatchObject({ kind: 'failure', code, data });
    expect(house.downstreams.sent).toEqual([]);
  });

  test.each([
    { params: {}, because: 'no name' },
    { params: { name: 7 }, because: 'a name that is no text' },
    { params: { name: 'git__push', arguments: [] }, because: 'arguments that are a list' },
    { params: { name: 'git__push', arguments: 'x' }, because: 'arguments that are text' },
    { params: { name: 'git__push', arguments: null }, because: 'arguments that are null' },
  ])('is refused with INVALID_PARAMS: $because', async ({ params }) => {
    const house = await createStaircase(SERVERS);
    expect(await house.handle('tools/call', params as JsonObject)).toMatchObject({
      kind: 'failure',
      code: 'INVALID_PARAMS',
    });
    expect(house.downstreams.sent).toEqual([]);
  });

  test('of a long unknown name does not repeat all of it', async () => {
    const house = await createStaircase(SERVERS);
    expect(JSON.stringify(await house.handle('tools/call', { name: 'x'.repeat(100_000) })).length).toBeLessThan(1_000);
  });

  test('passes a tool’s own failure on as the answer it is', async () => {
    const result = {
      content: [{ type: 'odd', x: 1 }],
      structuredContent: [1],
      isError: true,
      _meta: { a: 1 },
      extra: null,
    };
    const house = await createStaircase({ a: { ...SERVERS.git, answer: () => answerOf('legacy', result) } });
    const handled = await house.handle('tools/call', { name: 'a__push' });
    expect(handled).toEqual(answerOf('legacy', result));
    expect(house.records).toMatchObject([{ outcome: 'tool-error', code: null }]);
  });

  test('of a server that is away and known waits for nobody and says so', async () => {
    const down = () => failure('SERVER_UNAVAILABLE', { server: 'a', reason: 'It went away.' });
    const house = await createStaircase({ a: { ...SERVERS.git, answer: down } });
    house.downstreams.fail('a', 'It went away.');
    expect(await house.handle('tools/call', { name: 'a__push' })).toMatchObject({ code: 'SERVER_UNAVAILABLE' });
  });
});

describe('a name asked for before its server has shown its lists', () => {
  test.each([
    { prefix: 'server', name: 'git__push', because: 'its server can be told from it' },
    {
      prefix: 'server',
      name: hashedName('server', 'git', 'files/read'),
      because: 'the hash can be read only by the list',
    },
    { prefix: 'none', name: 'only', because: 'nothing of the server is in it' },
  ] as const)('is found when they come: $because', async ({ prefix, name }) => {
    const git = { lists: { tools: [tool('push'), tool('files/read'), tool('only')] } };
    const house = await createStaircase({ git }, { cold: true, prefix });
    const handled = house.handle('tools/call', { name });
    await settle();
    house.downstreams.connect('git');
    expect((await handled).kind).toBe('answer');
  });

  test('is found for prompts too', async () => {
    const house = await createStaircase(
      { a: { lists: { prompts: [{ name: 'plain' }] } } },
      { cold: true, prefix: 'none' },
    );
    const handled = house.handle('prompts/get', { name: 'plain' });
    await settle();
    house.downstreams.connect('a');
    expect((await handled).kind).toBe('answer');
  });

  test.each([EVERYTHING, doorOf('git')])(
    'is not called, for nobody knows yet whether it says what was approved: behind %j',
    async door => {
      const git = { lists: { tools: [tool('push')] }, answerList: () => new Promise<never>(() => {}) };
      const house = await createStaircase({ git }, { cold: true });
      house.downstreams.connect('git');
      const handled = house.handle('tools/call', { name: door.server === null ? 'git__push' : 'push' }, { door });
      await settle();
      house.clock.advance(1_000);
      const reason = 'Its list of tools is not read yet.';
      expect(await handled).toMatchObject({ code: 'SERVER_UNAVAILABLE', data: { server: 'git', reason } });
      expect(house.downstreams.sent).toEqual([]);
    },
  );

  test('is found where its server could not be started before, and can be now', async () => {
    const git = { lists: { tools: [tool('push')] } };
    const house = await createStaircase({ git }, { cold: true });
    house.downstreams.fail('git', 'Could not be started.');
    const call = () => house.handle('tools/call', { name: 'git__push' });
    const data = { server: 'git', reason: 'Could not be started.' };
    expect(await call()).toMatchObject({ code: 'SERVER_UNAVAILABLE', data });
    const { query } = house.downstreams;
    house.downstreams.query = (...asked) => {
      if (asked[1] === 'ping') house.downstreams.connect('git');
      return query(...asked);
    };
    expect((await call()).kind).toBe('answer');
  });

  test('is unknown when the wait is over', async () => {
    const house = await createStaircase({ a: {} }, { cold: true });
    const handled = house.handle('tools/call', { name: 'whatever' });
    await settle();
    house.clock.advance(1_000);
    expect(await handled).toMatchObject({ code: 'TOOL_NOT_FOUND' });
  });
});

describe('the door of one server', () => {
  const door = doorOf('git');

  test('takes the server’s own names and nothing else', async () => {
    const house = await createStaircase(SERVERS);
    resultOf(await house.handle('tools/call', { name: 'files/read' }, { door }));
    expect(house.downstreams.sent).toMatchObject([{ server: 'git', params: { name: 'files/read' } }]);
    for (const name of ['git__push', 'notes__push', 'only_here', 'list_servers']) {
      expect(await house.handle('tools/call', { name }, { door }), name).toMatchObject({ code: 'TOOL_NOT_FOUND' });
    }
  });

  test('shows the server’s own URIs in results, even those that have another name elsewhere', async () => {
    const resources = [{ uri: 'file:///x', name: 'x' }];
    const link = answerOf('legacy', { content: [{ type: 'resource_link', uri: 'file:///x' }] });
    const house = await createStaircase({
      a: { lists: { resources } },
      b: { lists: { resources, tools: [tool('t')] }, answer: () => link },
    });
    const at = async (name: string, more: object) => resultOf(await house.handle('tools/call', { name }, more)).content;
    expect(await at('t', { door: doorOf('b') })).toEqual([{ type: 'resource_link', uri: 'file:///x' }]);
    expect(await at('b__t', {})).toEqual([{ type: 'resource_link', uri: 'b+file:///x' }]);
  });
});

describe('lists', () => {
  test('come on one page, so no cursor was ever given out', async () => {
    const house = await createStaircase(SERVERS);
    expect(resultOf(await house.handle('tools/list')).nextCursor).toBeUndefined();
    expect(await house.handle('tools/list', { cursor: 'x' })).toMatchObject({ code: 'INVALID_PARAMS' });
  });

  test.each([
    ['tools/list', 'tools', 4],
    ['prompts/list', 'prompts', 1],
    ['resources/list', 'resources', 1],
    ['resources/templates/list', 'resourceTemplates', 1],
  ])('%s shows what all servers have', async (method, member, count) => {
    const house = await createStaircase(SERVERS);
    expect(resultOf(await house.handle(method))[member]).toHaveLength(count);
  });

  test('do not wait for the one server that hangs longer than they were told', async () => {
    const house = await createStaircase(SERVERS, { cold: true });
    house.downstreams.connect('git');
    const handled = house.handle('tools/list');
    await settle();
    house.clock.advance(1_000);
    expect(resultOf(await handled).tools).toHaveLength(2);
  });
});

describe('prompts/get', () => {
  test('reaches the server under its own name', async () => {
    const house = await createStaircase(SERVERS);
    await house.handle('prompts/get', { name: 'git__review', arguments: { a: 'b' } });
    expect(house.downstreams.sent).toMatchObject([
      { server: 'git', method: 'prompts/get', params: { name: 'review', arguments: { a: 'b' } } },
    ]);
  });

  test.each([{ name: 'nope' }, { name: 'ghost__x' }])('$name is no prompt', async params => {
    const house = await createStaircase(SERVERS);
    expect(await house.handle('prompts/get', params)).toMatchObject({ code: 'PROMPT_NOT_FOUND' });
  });

  test('needs a name', async () => {
    const house = await createStaircase(SERVERS);
    expect(await house.handle('prompts/get', {})).toMatchObject({ code: 'INVALID_PARAMS' });
  });
});

describe('resources/read', () => {
  test.each([
    { uri: 'note://1', because: 'it is listed' },
    { uri: 'note://77', because: 'a template covers it' },
    { uri: 'hidden://x', because: 'one server alone has resources, and may know it from a link' },
  ])('$uri reaches the server: $because', async ({ uri }) => {
    const house = await createStaircase(SERVERS);
    await house.handle('resources/read', { uri });
    expect(house.downstreams.sent).toMatchObject([{ server: 'notes', params: { uri } }]);
  });

  test('reaches the right one of two servers with the same URI, and names what comes back as the client knows it', async () => {
    const resources = [{ uri: 'file:///x', name: 'x' }];
    const answer = ({ params }: { params: JsonObject }) =>
      answerOf('legacy', { contents: [{ uri: params.uri ?? '', text: 'b' }] });
    const house = await createStaircase({ a: { lists: { resources } }, b: { lists: { resources }, answer } });
    const result = resultOf(await house.handle('resources/read', { uri: 'b+file:///x' }));
    expect(house.downstreams.sent).toMatchObject([{ server: 'b', params: { uri: 'file:///x' } }]);
    expect(result.contents).toEqual([{ uri: 'b+file:///x', text: 'b' }]);
  });

  test.each([
    { error: { code: -32002, message: 'No /home/me/x.txt on 10.0.0.7' }, because: 'the legacy word for it' },
    {
      error: { code: -32602, message: 'No /home/me/x.txt on 10.0.0.7', data: { uri: 'note://9' } },
      because: 'the modern word for it',
    },
  ])('that the server does not know is RESOURCE_NOT_FOUND, told without its paths: $because', async ({ error }) => {
    const house = await createStaircase({
      notes: { ...SERVERS.notes, answer: () => ({ kind: 'relayed', era: 'legacy', error }) },
    });
    const handled = await house.handle('resources/read', { uri: 'note://9' });
    expect(handled).toMatchObject({ kind: 'failure', code: 'RESOURCE_NOT_FOUND', data: { uri: 'note://9' } });
    expect(JSON.stringify(handled)).not.toMatch(/home|10\.0\.0/);
  });

  test.each(['note://1', 'note://77', 'hidden://x'])(
    'of %s by somebody who may not know of it is answered like a URI that nobody has, and denied in the book',
    async uri => {
      const policy = policyOf({ rules: { agents: { a: { allow: { servers: ['git'] } } } } });
      const who = { ...LOCAL_CALLER, agent: 'a', agentVerified: true };
      const [house, empty] = [await createStaircase(SERVERS), await createStaircase({})];
      for (const { policy: book } of [house, empty]) book.swap(policy);
      const nobodys = await empty.handle('resources/read', { uri }, { who });
      expect(await house.handle('resources/read', { uri }, { who })).toEqual(nobodys);
      expect(nobodys).toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
      expect(house.records).toMatchObject([
        { outcome: 'denied', code: 'DENIED_BY_POLICY', server: 'notes', target: uri },
      ]);
      expect(house.downstreams.sent).toEqual([]);
    },
  );

  test('of an unknown URI with two servers to choose from asks neither', async () => {
    const house = await createStaircase({ a: { lists: { resources: [] } }, b: { lists: { resources: [] } } });
    expect(await house.handle('resources/read', { uri: 'x://1' })).toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
    expect(house.downstreams.sent).toEqual([]);
  });
});

describe('completion/complete', () => {
  test.each([
    { ref: { type: 'ref/prompt', name: 'git__review' }, own: { type: 'ref/prompt', name: 'review' }, server: 'git' },
    {
      ref: { type: 'ref/resource', uri: 'note://{id}' },
      own: { type: 'ref/resource', uri: 'note://{id}' },
      server: 'notes',
    },
  ])('of $ref.type is asked of its server under its own name', async ({ ref, own, server }) => {
    const house = await createStaircase(SERVERS);
    await house.handle('completion/complete', { ref, argument: { name: 'a', value: 'b' } });
    expect(house.downstreams.sent).toMatchObject([
      { server, params: { ref: own, argument: { name: 'a', value: 'b' } } },
    ]);
  });

  test.each([
    { ref: 'x' },
    {},
    { ref: { type: 'ref/odd' } },
    { ref: { type: 'ref/prompt' } },
    { ref: { type: 'ref/prompt', name: 'nope' } },
  ])('%j is refused', async params => {
    const house = await createStaircase(SERVERS);
    expect(await house.handle('completion/complete', params as JsonObject)).toMatchObject({ code: 'INVALID_PARAMS' });
  });
});

describe('resources/subscribe', () => {
  test('watches at the server until the last subscriber unsubscribed', async () => {
    const house = await createStaircase(SERVERS);
    const line = createFakeLine({ subscriber: { who: LOCAL_CALLER } });
    expect(resultOf(await house.handle('resources/subscribe', { uri: 'note://1' }, { line }))).toEqual({});
    expect([...(house.downstreams.watched.get('notes') ?? [])]).toEqual(['note://1']);
    await house.handle('resources/unsubscribe', { uri: 'note://1' }, { line });
    expect([...(house.downstreams.watched.get('notes') ?? [])]).toEqual([]);
  });

  test('ends with its subscriber', async () => {
    const house = await createStaircase(SERVERS);
    const subscriber = { who: LOCAL_CALLER };
    await house.handle('resources/subscribe', { uri: 'note://1' }, { line: createFakeLine({ subscriber }) });
    house.gateway.endSubscriber(subscriber);
    expect([...(house.downstreams.watched.get('notes') ?? [])]).toEqual([]);
  });

  test('is not there for a caller that cannot be told', async () => {
    const house = await createStaircase(SERVERS);
    expect(await house.handle('resources/subscribe', { uri: 'note://1' })).toMatchObject({ code: 'METHOD_NOT_FOUND' });
  });
});

describe('tasks', () => {
  const modern = { era: 'modern' as const, lists: { tools: [tool('t')] } };
  const caller = (subject: string): Identity => ({ ...LOCAL_CALLER, subject });
  const started = async () => {
    const answer = ({ method }: Sent) =>
      answerOf('modern', { resultType: method === 'tools/call' ? 'task' : 'complete', taskId: '7', status: 'working' });
    const house = await createStaircase({ a: { ...modern, answer }, b: modern });
    const begun = await house.handle('tools/call', { name: 'a__t' }, { era: 'modern', who: caller('alice') });
    house.downstreams.sent.length = 0;
    return { house, taskId: String(resultOf(begun).taskId) };
  };

  test('lead back to their server under its own id, and keep the id their caller knows', async () => {
    const { house, taskId } = await started();
    const result = resultOf(await house.handle('tasks/get', { taskId }, { era: 'modern', who: caller('alice') }));
    expect(house.downstreams.sent).toMatchObject([{ server: 'a', params: { taskId: '7' } }]);
    expect(result.taskId).toBe(taskId);
  });

  test.each(['tasks/get', 'tasks/update', 'tasks/cancel'])(
    '%s answers another caller exactly as it answers a made-up id',
    async method => {
      const { house, taskId } = await started();
      const bob = { era: 'modern' as const, who: caller('bob') };
      const shown = await house.handle(method, { taskId }, bob);
      expect(shown).toEqual(await house.handle(method, { taskId: `gt.${'A'.repeat(taskId.length - 3)}` }, bob));
      expect(shown).toMatchObject({ kind: 'failure', code: 'TASK_NOT_FOUND' });
      expect(house.downstreams.sent).toEqual([]);
    },
  );

  test('of a server that is gone are unknown', async () => {
    const { house, taskId } = await started();
    const who = caller('alice');
    const gone = `gt.${house.seal.seal('task', who.subject, JSON.stringify(['ghost', '7']))}`;
    expect(await house.handle('tasks/get', { taskId: gone }, { era: 'modern', who })).toEqual(
      await house.handle('tasks/get', { taskId: `${taskId}x` }, { era: 'modern', who }),
    );
  });

  test.each(['7', 'gt.YQ.7', 'gt.', 5, null])('%j is no task of ours', async taskId => {
    const house = await createStaircase({ a: modern });
    expect(await house.handle('tasks/get', { taskId }, { era: 'modern' })).toMatchObject({ code: 'TASK_NOT_FOUND' });
    expect(house.downstreams.sent).toEqual([]);
  });
});

describe('connections', () => {
  const who = (subject: string) => ({ ...LOCAL_CALLER, subject, method: 'jwt' }) as const;
  const partitionOf = async (sharing: 'shared' | 'per-session' | 'per-principal', more: object) => {
    const house = await createStaircase({ a: { lists: { tools: [tool('t')] }, spec: { sharing } } });
    await house.handle('tools/call', { name: 'a__t' }, more);
    return house.downstreams.sent[0]?.route.partition;
  };
  const line = createFakeLine({ sessionId: 's1' });

  test.each([
    { sharing: 'shared', more: { line, who: who('alice') }, partition: 'main', because: 'one for all' },
    { sharing: 'per-session', more: { line }, partition: 'session s1', because: 'one per session' },
    {
      sharing: 'per-session',
      more: {},
      partition: 'main',
      because: 'a local caller without session is the gateway’s own principal',
    },
    {
      sharing: 'per-session',
      more: { who: who('alice') },
      partition: 'subject alice',
      because: 'without session the caller is what is left to tell by',
    },
    {
      sharing: 'per-principal',
      more: { line, who: who('alice') },
      partition: 'subject alice',
      because: 'one per caller',
    },
    {
      sharing: 'per-principal',
      more: { line },
      partition: 'main',
      because: 'the local caller is the gateway’s own principal',
    },
  ] as const)('$sharing: $because', async ({ sharing, more, partition }) =>
    expect(await partitionOf(sharing, more)).toBe(partition),
  );
});

describe('every exit is written in the book once', () => {
  test.each([
    {
      method: 'tools/call',
      params: { name: 'git__push' },
      record: { server: 'git', target: 'push', outcome: 'ok', rule: 'open', operation: 'tools/call' },
    },
    {
      method: 'tools/call',
      params: { name: 'git__nope' },
      record: { server: 'git', outcome: 'error', code: 'TOOL_NOT_FOUND' },
    },
    { method: 'tools/call', params: {}, record: { server: null, outcome: 'error', code: 'INVALID_PARAMS' } },
    {
      method: 'tools/call',
      params: { name: 'execute_tool', arguments: { server: 'git', tool: 'push', args: {}, agent_id: 'bob' } },
      record: { operation: 'execute_tool', server: 'git', target: 'push', agent: 'bob', outcome: 'ok' },
    },
    { method: 'tools/list', params: {}, record: { operation: 'tools/list', outcome: 'ok' } },
    { method: 'no/such', params: {}, record: { outcome: 'error', code: 'METHOD_NOT_FOUND' } },
  ])('$method $params', async ({ method, params, record }) => {
    const house = await createStaircase(SERVERS);
    await house.handle(method, params as JsonObject, { line: createFakeLine({ clientInfo: { name: 'tester' } }) });
    expect(house.records).toMatchObject([{ ...record, subject: 'local', clientName: 'tester' }]);
    expect(house.gateway.inFlight()).toBe(0);
  });

  test.each([
    { reply: failure('CANCELLED'), outcome: 'cancelled', code: 'CANCELLED' },
    { reply: failure('TIMEOUT'), outcome: 'error', code: 'TIMEOUT' },
    { reply: failure('OVERLOADED'), outcome: 'refused', code: 'OVERLOADED' },
    {
      reply: { kind: 'relayed' as const, era: 'legacy' as const, error: { code: -32050, message: 'x' } },
      outcome: 'error',
      code: '-32050',
    },
  ])('$code', async ({ reply, outcome, code }) => {
    const house = await createStaircase({ git: { ...SERVERS.git, answer: () => reply } });
    await house.handle('tools/call', { name: 'git__push' });
    expect(house.records).toMatchObject([{ outcome, code }]);
  });

  test('a crash is INTERNAL to the client, its cause goes to the book', async () => {
    const broken = () => {
      throw new Error('at /srv/secret.ts');
    };
    const house = await createStaircase({ git: { ...SERVERS.git, answer: broken } });
    const handled = await house.handle('tools/call', { name: 'git__push' });
    expect(handled).toMatchObject({ kind: 'failure', code: 'INTERNAL', say: null, data: {} });
    expect(house.records[0]?.detail).toContain('/srv/secret.ts');
    expect(house.gateway.inFlight()).toBe(0);
  });

  test('the duration is counted from arrival', async () => {
    const gate: { open: () => void } = { open: () => {} };
    const held = new Promise<void>(resolve => {
      gate.open = resolve;
    });
    const house = await createStaircase({
      git: { ...SERVERS.git, answer: () => held.then(() => answerOf('legacy', {})) },
    });
    const handled = house.handle('tools/call', { name: 'git__push' });
    await settle();
    house.clock.advance(750);
    gate.open();
    await handled;
    expect(house.records).toMatchObject([{ durationMs: 750 }]);
  });
});

test('more than maxInFlight at once is OVERLOADED at once, and the others still finish', async () => {
  const gate: { open: () => void } = { open: () => {} };
  const held = new Promise<void>(resolve => {
    gate.open = resolve;
  });
  const house = await createStaircase(
    { git: { ...SERVERS.git, answer: () => held.then(() => answerOf('legacy', {})) } },
    { maxInFlight: 2 },
  );
  const calls = [0, 1, 2].map(() => house.handle('tools/call', { name: 'git__push' }));
  expect(await calls[2]).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 1000 });
  gate.open();
  expect((await Promise.all(calls)).map(({ kind }) => kind)).toEqual(['answer', 'answer', 'failure']);
  expect((await house.handle('tools/list')).kind).toBe('answer');
});

describe('a downstream tool that is called like one of the gateway’s own', () => {
  const servers = { thief: { lists: { tools: [tool('execute_tool'), tool('list_servers')] } } };
  test.each([
    { exposure: 'agent', reached: false, because: 'the list showed the gateway’s, so the gateway’s is called' },
    { exposure: 'direct', reached: true, because: 'the list showed the downstream’s' },
  ] as const)('with $exposure: $because', async ({ exposure, reached }) => {
    const house = await createStaircase(servers, { prefix: 'none', exposure });
    await house.handle('tools/call', { name: 'list_servers', arguments: {} });
    expect(house.downstreams.sent.length > 0).toBe(reached);
  });
});

describe('the gateways behind a door', () => {
  const [B, C] = ['6f1d7a52-9d0b-4a0e-8c55-0c6f3a1b7e90', '0d6a3d0c-7f0e-4a39-b9f9-6d1f2f8b1c22'];
  const servers = {
    b: { lists: { tools: [tool('one')] }, answerList: listOf('one', B) },
    c: { lists: { tools: [tool('two')] }, answerList: listOf('two', C) },
  };
  function listOf(name: string, id: string) {
    return () => answerOf('legacy', { tools: [tool(name)], _meta: { 'mcp-gatehouse/path': [id] } });
  }
  const gatehouse = { name: 'mcp-gatehouse', version: '1' };

  test.each(['legacy', 'modern'] as const)(
    'are shown to another Gatehouse with the list of tools alone (%s)',
    async era => {
      const house = await createStaircase(servers);
      const line = createFakeLine({ era, clientInfo: gatehouse });
      const first = resultOf(await house.handle('tools/list', {}, { line }));
      expect(readPath(first)).toEqual([INSTANCE, B, C]);
      const { _meta, ...rest } = first;
      expect(resultOf(await house.handle('tools/list', {}, { line: createFakeLine({ era }) }))).toEqual(rest);
      expect(resultOf(await house.handle('prompts/list', {}, { line }))).not.toHaveProperty('_meta');
    },
  );

  test.each([
    { clientInfo: null, because: 'it does not say what it is' },
    { clientInfo: { name: 'inspector' }, because: 'it is something else' },
    { clientInfo: { name: ['mcp-gatehouse'] }, because: 'a name is a text' },
  ])('are not shown to a client: $because', async ({ clientInfo }) => {
    const house = await createStaircase(servers);
    const line = createFakeLine({ clientInfo });
    expect(resultOf(await house.handle('tools/list', {}, { line }))).not.toHaveProperty('_meta');
    const told = { instructions: '' };
    expect(house.gateway.showPath(told, LOCAL_CALLER, EVERYTHING, clientInfo)).toBe(told);
  });

  test('are those of the servers that the caller may know of, behind that door', async () => {
    const house = await createStaircase(servers);
    const pathOf = (who: Identity, door: Door) => readPath(house.gateway.showPath({}, who, door, gatehouse));
    expect(pathOf(LOCAL_CALLER, doorOf('c'))).toEqual([INSTANCE, C]);
    const scopes = { some: [{ server: 'c', methods: ['tools/list', 'tools/call'], tools: '*' }] };
    house.policy.swap({ ...policyOf({ scopes }), version: 2 });
    const caller: Identity = { ...LOCAL_CALLER, method: 'jwt', scopes: new Set(['some']) };
    expect(pathOf(caller, EVERYTHING)).toEqual([INSTANCE, C]);
    expect(pathOf(caller, doorOf('b'))).toEqual([INSTANCE]);
  });
});
