/**
 * A server's question reaches the client whose call caused it, in the client's own era, and the answer finds its way
 * back; a call that waits for its client can be taken up by nobody else and does not wait for ever.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Answer, type Client, errorOf, openClient, type Reply, resultOf, textOf } from '../support/mcp-client.ts';

const SERVERS = ['legacy-http', 'legacy-sse', 'legacy-stdio', 'modern-http', 'modern-stdio'] as const;
const ERAS = ['legacy', 'modern'] as const;
const PAIRS = SERVERS.flatMap(server => ERAS.map(era => ({ server, era })));
const PARKED_MS = 4000;

const started: StartedScripted[] = [];
let gateway: GatewayProcess;
const asked: { method: string; params: JsonObject }[] = [];

const ANSWERS: Readonly<Record<string, JsonObject>> = {
  'elicitation/create': { action: 'accept', content: { name: 'Ada Lovelace', é: ['\u2028'] } },
  'sampling/createMessage': {
    role: 'assistant',
    content: { type: 'text', text: 'Hello!' },
    model: 'm',
    'x-unknown': 1,
  },
  'roots/list': { roots: [{ uri: 'file:///home/ada', name: 'home', 'x-unknown': true }] },
};
const answer: Answer = (method, params) => {
  asked.push({ method, params });
  return ANSWERS[method] ?? null;
};

beforeAll(async () => {
  const remote = async (era: 'legacy' | 'modern', transport: 'http' | 'sse' = 'http') => {
    const server = await startScripted({ era, transport });
    started.push(server);
    return { url: server.url, ...(transport === 'sse' ? { transport: 'sse' } : {}) };
  };
  gateway = await startGateway({
    settings: {
      parkedTtl: `${PARKED_MS}ms`,
      servers: {
        'legacy-http': await remote('legacy'),
        'legacy-sse': await remote('legacy', 'sse'),
        'modern-http': await remote('modern'),
        'legacy-stdio': stdioScripted({ era: 'legacy' }),
        'modern-stdio': stdioScripted({ era: 'modern' }),
      },
    },
  });
});

afterAll(async () => {
  await gateway.stop();
  for (const server of started) await server.close();
});

describe.each(PAIRS)('between a $era client and $server', ({ era, server }) => {
  test.each([
    { tool: 'ask', args: {}, method: 'elicitation/create' },
    { tool: 'ask', args: { mode: 'url' }, method: 'elicitation/create' },
    { tool: 'sample', args: { prompt: 'Say hello to é' }, method: 'sampling/createMessage' },
    { tool: 'roots', args: {}, method: 'roots/list' },
  ])('$method goes out and its answer comes back whole ($tool $args.mode)', async ({ tool, args, method }) => {
    asked.length = 0;
    const client = await openClient(gateway.origin, era, { answer });
    const reply = await client.call(`${server}__${tool}`, args as JsonObject);
    expect(JSON.parse(textOf(reply))).toEqual(ANSWERS[method]);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.method).toBe(method);
    if (tool === 'sample')
      expect(asked[0]?.params).toMatchObject({
        messages: [{ role: 'user', content: { type: 'text', text: 'Say hello to é' } }],
        maxTokens: 50,
      });
    if (tool === 'ask' && args.mode === undefined)
      expect(asked[0]?.params).toMatchObject({ requestedSchema: { required: ['name'] } });
    if (args.mode === 'url') {
      expect(asked[0]?.params).toMatchObject({ mode: 'url', url: 'https://example.test/form' });
      expect(typeof asked[0]?.params.elicitationId).toBe(era === 'legacy' ? 'string' : 'undefined');
    }
    await client.close();
  });

  test('a client that declined is told to the tool', async () => {
    const client = await openClient(gateway.origin, era, { answer: () => ({ action: 'decline' }) });
    expect(JSON.parse(textOf(await client.call(`${server}__ask`)))).toEqual({ action: 'decline' });
    await client.close();
  });

  test('a client that cannot be asked is not asked', async () => {
    asked.length = 0;
    const client = await openClient(gateway.origin, era, { answer, capabilities: {} });
    const reply = await client.call(`${server}__ask`);
    expect(reply.answer?.error !== undefined || resultOf(reply).isError === true).toBe(true);
    if (era === 'modern') expect(objectOrEmpty(errorOf(reply).data).requiredCapabilities).toBeTruthy();
    expect(asked).toEqual([]);
    await client.close();
  });
});

/** A call of a modern client to a legacy server, at the point where the client is asked. */
async function park(client: Client, server: string, tool = 'ask', args: JsonObject = {}) {
  const params: JsonObject = { name: `${server}__${tool}`, arguments: args };
  const reply = await client.request('tools/call', params);
  const { resultType, requestState, inputRequests } = resultOf(reply);
  expect(resultType).toBe('input_required');
  const [key = ''] = Object.keys(objectOrEmpty(inputRequests));
  const inputResponses: JsonObject = { [key]: ANSWERS['elicitation/create'] ?? {} };
  return { params, state: String(requestState), inputResponses };
}

const isInvalidState = (reply: Reply) => {
  expect(errorOf(reply)).toMatchObject({ code: -32602, data: { code: 'STATE_INVALID' } });
};

/** Cancellations that the first server was told of. */
const toldToStop = () => Number(objectOrEmpty(started[0]?.stats().notifications)['notifications/cancelled'] ?? 0);

describe('a call that waits for its client', () => {
  test.each([
    { abuse: 'a changed handle', change: (state: string) => `${state.slice(0, -1)}${state.endsWith('A') ? 'B' : 'A'}` },
    { abuse: 'a cut handle', change: (state: string) => state.slice(0, -1) },
    { abuse: 'a longer handle', change: (state: string) => `${state}A` },
    { abuse: 'no handle of ours', change: () => 'gatehouse.parked.' },
    { abuse: 'a handle that is an object', change: (state: string) => ({ state }) },
    { abuse: '__proto__', change: () => '__proto__' },
  ])('is not reached by $abuse', async ({ change }) => {
    const client = await openClient(gateway.origin, 'modern');
    const { params, state, inputResponses } = await park(client, 'legacy-http');
    isInvalidState(await client.request('tools/call', { ...params, inputResponses, requestState: change(state) }));
    // And still by its own.
    const reply = await client.request('tools/call', { ...params, inputResponses, requestState: state });
    expect(JSON.parse(textOf(reply))).toEqual(ANSWERS['elicitation/create']);
    await client.close();
  });

  test('is good for its own parameters, method and tool alone', async () => {
    const client = await openClient(gateway.origin, 'modern');
    const { params, state, inputResponses } = await park(client, 'legacy-http', 'ask', { mode: 'form' });
    const with_ = (more: JsonObject) => ({ ...params, inputResponses, requestState: state, ...more });
    isInvalidState(await client.request('tools/call', with_({ arguments: { mode: 'url' } })));
    isInvalidState(await client.request('tools/call', with_({ arguments: {} })));
    isInvalidState(await client.request('tools/call', with_({ name: 'legacy-http__sample' })));
    isInvalidState(await client.request('tools/call', with_({ name: 'legacy-sse__ask' })));
    isInvalidState(await client.request('prompts/get', with_({ name: 'legacy-http__greet' })));
    expect(JSON.parse(textOf(await client.request('tools/call', with_({}))))).toEqual(ANSWERS['elicitation/create']);
    await client.close();
  });

  test('is taken up once', async () => {
    const client = await openClient(gateway.origin, 'modern');
    const { params, state, inputResponses } = await park(client, 'legacy-stdio');
    const retry = { ...params, inputResponses, requestState: state };
    const replies = await Promise.all([
      client.request('tools/call', retry),
      client.request('tools/call', retry),
      client.request('tools/call', retry),
    ]);
    expect(replies.filter(reply => reply.answer?.error === undefined)).toHaveLength(1);
    isInvalidState(await client.request('tools/call', retry));
    await client.close();
  });

  test('is asked again for what was left out, under a new handle', async () => {
    const client = await openClient(gateway.origin, 'modern');
    const { params, state, inputResponses } = await park(client, 'legacy-http');
    const again = resultOf(await client.request('tools/call', { ...params, inputResponses: {}, requestState: state }));
    expect(again.resultType).toBe('input_required');
    expect(again.requestState).not.toBe(state);
    isInvalidState(await client.request('tools/call', { ...params, inputResponses, requestState: state }));
    const last = { ...params, inputResponses, requestState: again.requestState ?? null };
    expect(JSON.parse(textOf(await client.request('tools/call', last)))).toEqual(ANSWERS['elicitation/create']);
    await client.close();
  });

  test('ends when its time is over: the handle opens nothing, and the server is told to stop', async () => {
    const client = await openClient(gateway.origin, 'modern');
    const before = toldToStop();
    const { params, state, inputResponses } = await park(client, 'legacy-http');
    expect((await gateway.samples()).get('gatehouse_parked_calls')).toBe(1);
    await waitFor(() => (toldToStop() === before + 1 ? true : null), 'it was cancelled');
    isInvalidState(await client.request('tools/call', { ...params, inputResponses, requestState: state }));
    expect((await gateway.samples()).get('gatehouse_parked_calls')).toBe(0);
    expect((await gateway.samples()).get('gatehouse_downstream_in_flight{server="legacy-http"}')).toBe(0);
    await client.close();
  });

  test('may be taken up on another connection: it belongs to the caller, not to the socket', async () => {
    const [first, second] = [await openClient(gateway.origin, 'modern'), await openClient(gateway.origin, 'modern')];
    const { params, state, inputResponses } = await park(first, 'legacy-http');
    await first.close();
    await sleep(50);
    const reply = await second.request('tools/call', { ...params, inputResponses, requestState: state });
    expect(JSON.parse(textOf(reply))).toEqual(ANSWERS['elicitation/create']);
    await second.close();
  });

  test('is refused wrong forms of answers without being lost', async () => {
    const client = await openClient(gateway.origin, 'modern');
    const { params, state, inputResponses } = await park(client, 'legacy-http');
    for (const wrong of ['text', 7, [], { key: 'text' }, { key: null }]) {
      const reply = await client.request('tools/call', { ...params, inputResponses: wrong, requestState: state });
      expect(errorOf(reply).code).toBe(-32602);
    }
    const reply = await client.request('tools/call', { ...params, inputResponses, requestState: state });
    expect(JSON.parse(textOf(reply))).toEqual(ANSWERS['elicitation/create']);
    await client.close();
  });

  test('a legacy client that leaves a question open is told that it is withdrawn when the call is cancelled', async () => {
    const client = await openClient(gateway.origin, 'legacy', { answer: () => null });
    for (const server of ['legacy-http', 'modern-http']) {
      const call = client.begin('tools/call', { name: `${server}__ask`, arguments: {} });
      const question = await waitFor(
        () => call.frames.find(({ method }) => method === 'elicitation/create') ?? null,
        'it is asked',
      );
      await client.tell('notifications/cancelled', { requestId: call.id });
      const { others } = await call.reply;
      expect(others).toContainEqual(
        expect.objectContaining({
          method: 'notifications/cancelled',
          params: expect.objectContaining({ requestId: question.id }),
        }),
      );
    }
    await client.close();
  });
});
