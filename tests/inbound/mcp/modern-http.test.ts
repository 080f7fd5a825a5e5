import { afterEach, describe, expect, test } from 'vitest';
import { META } from '../../../src/domain/era.ts';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { answerOf, type FakeServer, type Sent, tool } from '../../support/fake-downstreams.ts';
import { BOTH, type DoorKit, type DoorOptions, MODERN, startDoor } from '../../support/mcp-door.ts';
import { policyOf } from '../../support/policies.ts';

const TASKS = 'io.modelcontextprotocol/tasks';
const mirrored = { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } };
const SERVERS: Record<string, FakeServer> = {
  old: {
    lists: {
      tools: [tool('echo', { execution: { taskSupport: 'optional' } }), tool('here', { inputSchema: mirrored })],
      resources: [{ uri: 'r://1', name: 'r' }],
    },
  },
  new: { era: 'modern', lists: { tools: [tool('echo')], resources: [{ uri: 'n://1', name: 'n' }] } },
};

let door: DoorKit;
afterEach(() => door.close());
const open = async (options: DoorOptions = {}, servers = SERVERS) => {
  door = await startDoor(servers, options);
  return door;
};
const b64 = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`;

describe('server/discover', () => {
  test('is answered from memory while every server is down', async () => {
    await open({ cold: true });
    const { status, json } = await door.modern('server/discover');
    expect(status).toBe(200);
    expect(json.result).toMatchObject({
      resultType: 'complete',
      supportedVersions: [MODERN],
      capabilities: { tools: { listChanged: true } },
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { [META.serverInfo]: { name: 'mcp-gatehouse' } },
    });
    expect(door.downstreams.queried).toEqual([]);
  });
});

describe('a modern request', () => {
  test.each([
    {
      more: { headers: { 'mcp-protocol-version': '2025-11-25' } },
      status: 400,
      code: -32020,
      because: 'header and envelope name different versions',
    },
    {
      more: { headers: { 'mcp-method': 'tools/list' } },
      status: 400,
      code: -32020,
      because: 'a proxy would have let another method pass',
    },
    { more: { headers: { 'mcp-method': 'TOOLS/CALL' } }, status: 400, code: -32020, because: 'case counts' },
    {
      more: { headers: { 'mcp-name': 'safe_tool' } },
      status: 400,
      code: -32020,
      because: 'a proxy would have let another tool pass',
    },
    {
      more: { headers: { 'mcp-name': '=?base64?%%?=' } },
      status: 400,
      code: -32020,
      because: 'the encoding is broken',
    },
    {
      more: { headers: { 'mcp-protocol-version': '2031-01-01' }, meta: { [META.protocolVersion]: '2031-01-01' } },
      status: 400,
      code: -32022,
      because: 'nobody knows that version',
    },
    {
      more: { meta: { [META.clientCapabilities]: 'none' } },
      status: 400,
      code: -32602,
      because: 'the envelope has no capabilities',
    },
    {
      more: { headers: { 'mcp-name': b64('old__echo') } },
      status: 200,
      code: undefined,
      because: 'an encoded name counts decoded',
    },
  ])('is $status, $code: $because', async ({ more, status, code }) => {
    await open();
    const res = await door.modern('tools/call', { name: 'old__echo', arguments: {} }, more as never);
    expect([res.status, (res.json.error as JsonObject | undefined)?.code]).toEqual([status, code]);
    expect(door.downstreams.sent).toHaveLength(status === 200 ? 1 : 0);
  });

  test('without an envelope, but with the header of one, learns what is missing', async () => {
    await open();
    const res = await door.rpc('tools/list', {}, { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/list' });
    expect([res.status, res.json.error]).toMatchObject([400, { code: -32602 }]);
  });

  test.each(['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'tasks/list', 'no/such'])(
    'of %s is 404: this revision has no such method',
    async method => {
      await open();
      const { status, json } = await door.modern(method, method === 'resources/subscribe' ? {} : {});
      expect([status, (json.error as JsonObject).code]).toEqual([404, -32601]);
    },
  );

  test('needs no session, opens none and is bound to none', async () => {
    await open();
    const res = await door.modern('tools/list', {}, { headers: { 'mcp-session-id': 'whatever' } });
    expect([res.status, door.sessions.size()]).toEqual([200, 0]);
  });

  test('of a list is complete, private and announces no legacy tasks', async () => {
    await open();
    const { json } = await door.modern('tools/list');
    expect(json.result).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' });
    expect(JSON.stringify(json)).not.toContain('taskSupport');
  });

  test('with an unknown tool is an in-band error with the modern number', async () => {
    await open();
    const { status, json } = await door.modern('tools/call', { name: 'old__nope' });
    expect([status, json.error]).toMatchObject([
      200,
      { code: -31002, data: { code: 'TOOL_NOT_FOUND', server: 'old' } },
    ]);
  });

  test('reaches the server without the envelope of this hop', async () => {
    await open();
    await door.modern(
      'tools/call',
      { name: 'new__echo', arguments: { a: 1 } },
      { meta: { progressToken: 'p', traceparent: '00-1' } },
    );
    expect(door.downstreams.sent[0]?.params).toEqual({
      name: 'echo',
      arguments: { a: 1 },
      _meta: { traceparent: '00-1' },
    });
  });

  test('is cancelled when its client closes the response', async () => {
    const stopped: string[] = [];
    const hanging = ({ line }: Sent) =>
      new Promise<ReturnType<typeof answerOf>>(resolve => {
        line.notify('notifications/message', { level: 'info' });
        line.whenCancelled(reason => {
          stopped.push(reason);
          resolve(answerOf('legacy', {}));
        });
      });
    await open({}, { old: { ...SERVERS.old, answer: hanging } });
    const _meta = { [META.protocolVersion]: MODERN, [META.clientCapabilities]: {} };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'old__echo', _meta } });
    const headers = {
      'content-type': 'application/json',
      accept: BOTH,
      'mcp-protocol-version': MODERN,
      'mcp-method': 'tools/call',
      'mcp-name': 'old__echo',
    };
    const call = await door.stream('/mcp', { method: 'POST', body, headers });
    await call.next();
    call.close();
    await waitFor(() => stopped.length === 1);
    await waitFor(() => door.gateway.inFlight() === 0);
    expect(stopped).toEqual(['the client closed the stream']);
  });

  test.each([
    { headers: { 'mcp-param-region': 'eu' }, region: 'eu', status: 200, because: 'header and argument agree' },
    {
      headers: { 'mcp-param-region': b64('Köln') },
      region: 'Köln',
      status: 200,
      because: 'an encoded header counts decoded',
    },
    {
      headers: { 'mcp-param-region': 'us' },
      region: 'eu',
      status: 400,
      because: 'a router would have sent it elsewhere',
    },
    { headers: {}, region: 'eu', status: 400, because: 'the header is missing' },
    { headers: { 'mcp-param-region': 'eu' }, region: undefined, status: 400, because: 'the argument is missing' },
    { headers: {}, region: undefined, status: 200, because: 'neither is there' },
  ])('with a mirrored argument is $status: $because', async ({ headers, region, status }) => {
    await open();
    const params = { name: 'old__here', arguments: region === undefined ? {} : { region } };
    expect((await door.modern('tools/call', params, { headers: headers as Record<string, string> })).status).toBe(
      status,
    );
  });

  test('with a mirrored argument is refused for what it is where the caller may not use the tool', async () => {
    const who = { ...LOCAL_CALLER, agent: 'a', agentVerified: true };
    await open({ identify: () => who });
    door.policy.swap(policyOf({ rules: { agents: { a: { allow: { servers: ['new'] } } } } }));
    const call = async (name: string) => {
      const { status, json } = await door.modern('tools/call', { name, arguments: { region: 'eu' } });
      return [
        status,
        JSON.stringify(json.error)
          .replaceAll(name, 'NAME')
          .replaceAll(/"request_id":"[^"]*"/g, ''),
      ];
    };
    expect(await call('old__here')).toEqual(await call('old__none'));
  });

  test('about tasks from a client that does not speak of them learns the capability it lacks', async () => {
    await open();
    const { status, json } = await door.modern('tasks/get', { taskId: 'gt.bmV3.1' });
    expect([status, json.error]).toMatchObject([
      400,
      { code: -32021, data: { requiredCapabilities: { extensions: { [TASKS]: {} } } } },
    ]);
    const able = await door.modern(
      'tasks/get',
      { taskId: `gt.${door.seal.seal('task', 'local', JSON.stringify(['new', '1']))}` },
      { capabilities: { extensions: { [TASKS]: {} } } },
    );
    expect([able.status, door.downstreams.sent.length]).toEqual([200, 1]);
  });

  test('that is a notification is accepted: nothing is to be told over HTTP', async () => {
    await open();
    const res = await door.notify(
      'notifications/cancelled',
      { requestId: 1, _meta: { [META.protocolVersion]: MODERN } },
      { 'mcp-protocol-version': MODERN },
    );
    expect([res.status, res.text]).toEqual([202, '']);
  });
});

describe('a question of a legacy server', () => {
  const asking: FakeServer = {
    ...SERVERS.old,
    answer: async ({ line }) => {
      const answer = await line.ask('elicitation/create', { message: 'Who?' });
      return answerOf('legacy', { content: [], said: answer.kind === 'result' ? answer.result : {} });
    },
  };
  const able = { capabilities: { elicitation: {} } };
  const big = 'x'.repeat(20_000);

  test.each([
    { args: { a: 1 }, other: { a: 2 }, because: 'small arguments' },
    { args: { a: 1, big }, other: { a: 2, big }, because: 'arguments that are kept as bytes' },
  ])(
    'comes back as input_required, and the retry with its handle gets the answer: $because',
    async ({ args, other }) => {
      await open({}, { old: asking });
      const params = { name: 'old__echo', arguments: args };
      const { json } = await door.modern('tools/call', params, able);
      expect(json.result).toMatchObject({
        resultType: 'input_required',
        inputRequests: { elicitation_1: { method: 'elicitation/create', params: { message: 'Who?' } } },
      });
      const requestState = (json.result as JsonObject).requestState ?? null;
      const answers = { requestState, inputResponses: { elicitation_1: { action: 'accept', content: { name: 'x' } } } };
      const wrong = await door.modern('tools/call', { ...params, arguments: other, ...answers }, able);
      expect(wrong.json.error).toMatchObject({ code: -32602, data: { code: 'STATE_INVALID' } });
      const right = await door.modern('tools/call', { ...params, ...answers }, { ...able, id: 2 });
      expect(right.json).toMatchObject({
        id: 2,
        result: { resultType: 'complete', said: { action: 'accept', content: { name: 'x' } } },
      });
      expect(door.downstreams.sent).toHaveLength(1);
    },
  );

  test('through execute_tool too', async () => {
    await open({ exposure: 'agent' }, { old: asking });
    const params = { name: 'execute_tool', arguments: { server: 'old', tool: 'echo', args: {} } };
    const { json } = await door.modern('tools/call', params, able);
    const { requestState } = json.result as JsonObject;
    const answers = { requestState: requestState ?? null, inputResponses: { elicitation_1: { action: 'decline' } } };
    const { json: done } = await door.modern('tools/call', { ...params, ...answers }, able);
    expect(done.result).toMatchObject({ said: { action: 'decline' } });
  });

  test('is not put to a client that did not say it takes it', async () => {
    await open(
      {},
      {
        old: {
          ...asking,
          answer: async ({ line }) => {
            await line.ask('elicitation/create', { message: '?' });
            return answerOf('legacy', { isError: true });
          },
        },
      },
    );
    const { status, json } = await door.modern('tools/call', { name: 'old__echo' });
    expect([status, json.error]).toMatchObject([
      400,
      { code: -32021, data: { requiredCapabilities: { elicitation: { form: {} } } } },
    ]);
  });
});

describe('subscriptions/listen', () => {
  async function listen(notifications: JsonObject, id: string | number = 'L') {
    const _meta = { [META.protocolVersion]: MODERN, [META.clientCapabilities]: {} };
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id,
      method: 'subscriptions/listen',
      params: { notifications, _meta },
    });
    const headers = {
      'content-type': 'application/json',
      accept: BOTH,
      'mcp-protocol-version': MODERN,
      'mcp-method': 'subscriptions/listen',
    };
    return door.stream('/mcp', { method: 'POST', body, headers });
  }
  const tag = (id: string | number) => ({ _meta: { [META.subscriptionId]: id } });

  test('says first what it honours, then brings exactly that, under the id of its request', async () => {
    await open();
    const stream = await listen(
      { toolsListChanged: true, promptsListChanged: 'yes', resourceSubscriptions: ['r://1', 'ghost://1', 7] },
      42,
    );
    expect((await stream.next()).message).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { toolsListChanged: true, resourceSubscriptions: ['r://1'] }, ...tag(42) },
    });
    door.news.publish({ kind: 'list-changed', what: 'prompts' });
    door.downstreams.emit({
      kind: 'notification',
      server: 'old',
      partition: 'main',
      method: 'notifications/message',
      params: { level: 'error' },
    });
    door.downstreams.emit({
      kind: 'resource-updated',
      server: 'old',
      uri: 'r://1',
      params: { uri: 'r://1', _meta: { a: 1 } },
    });
    door.news.publish({ kind: 'list-changed', what: 'tools' });
    expect([(await stream.next()).message, (await stream.next()).message]).toEqual([
      {
        jsonrpc: '2.0',
        method: 'notifications/resources/updated',
        params: { uri: 'r://1', _meta: { a: 1, ...tag(42)._meta } },
      },
      { jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: tag(42) },
    ]);
  });

  test('lets go of what it watched when its client goes', async () => {
    await open();
    const stream = await listen({ resourceSubscriptions: ['r://1'] });
    await stream.next();
    expect([...(door.downstreams.watched.get('old') ?? [])]).toEqual(['r://1']);
    stream.close();
    await waitFor(() => door.downstreams.watched.get('old')?.size === 0);
    await waitFor(() => door.keepAlive.size() === 0);
  });

  test('ends with its empty result when the gateway stops', async () => {
    await open();
    const stream = await listen({ toolsListChanged: true }, 5);
    await stream.next();
    door.doors.finish();
    expect((await stream.next()).message).toEqual({
      jsonrpc: '2.0',
      id: 5,
      result: { resultType: 'complete', ...tag(5) },
    });
    await stream.ended;
  });

  test('needs a client that accepts streams', async () => {
    await open();
    const res = await door.modern('subscriptions/listen', {}, { headers: { accept: 'application/json' } });
    expect(res.status).toBe(406);
  });

  test.each([undefined, 'x', [], { resourceSubscriptions: 'r://1' }])('of %j honours nothing', async notifications => {
    await open();
    const stream = await listen(notifications as never);
    expect((await stream.next()).message?.params).toEqual({ notifications: {}, ...tag('L') });
  });
});

describe('large arguments', () => {
  const big = `"\\ü\u2028${'x'.repeat(20_000)}`;
  const calls = [
    { era: 'modern', call: (params: JsonObject) => door.modern('tools/call', params) },
    { era: 'legacy', call: async (params: JsonObject) => door.rpc('tools/call', params, await door.initialize()) },
  ];
  const argumentsOf = ({ params, options }: Sent) =>
    options.argumentBytes === null ? params.arguments : JSON.parse(Buffer.from(options.argumentBytes).toString());

  test.each(calls)('arrive as they were sent, in the $era era', async ({ call }) => {
    await open();
    const args = { big, list: [1, null, { big }], __proto__x: {} };
    await call({ name: 'old__echo', arguments: args });
    expect(door.downstreams.sent.map(argumentsOf)).toEqual([args]);
  });

  test.each(calls)('arrive through execute_tool too, in the $era era', async ({ call }) => {
    await open({ exposure: 'agent' });
    await call({ name: 'execute_tool', arguments: { server: 'old', tool: 'echo', args: { big } } });
    expect(door.downstreams.sent.map(argumentsOf)).toEqual([{ big }]);
  });

  test.each(calls)('that are no object are refused like small ones, in the $era era', async ({ call }) => {
    await open();
    for (const args of [big, [big]])
      expect((await call({ name: 'old__echo', arguments: args })).json.error).toMatchObject({ code: -32602 });
    expect(door.downstreams.sent).toEqual([]);
  });

  test('must agree with their mirrored headers like small ones', async () => {
    await open();
    const params = { name: 'old__here', arguments: { region: 'eu', big } };
    expect((await door.modern('tools/call', params, { headers: { 'mcp-param-region': 'us' } })).status).toBe(400);
    expect((await door.modern('tools/call', params, { headers: { 'mcp-param-region': 'eu' } })).status).toBe(200);
  });
});

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5));
}
