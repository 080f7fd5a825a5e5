import { describe, expect, test } from 'vitest';
import type { ClientAnswer, Handled, Line, Reply } from '../../../src/domain/call.ts';
import { failure } from '../../../src/domain/error.ts';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { createParkedCalls } from '../../../src/services/gateway/parked-calls.ts';
import { answerOf } from '../../support/fake-downstreams.ts';
import { createFakeLine, type FakeLine } from '../../support/fake-line.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { settle } from '../../support/staircase.ts';

const ALL = { sampling: { tools: {} }, elicitation: { form: {}, url: {} }, roots: {} };
const BOB = { ...LOCAL_CALLER, subject: 'bob' };
const PARAMS = { name: 't', arguments: { a: 1, b: [2] } };
const ASK = { message: 'Who?', requestedSchema: { type: 'object' } };

interface Server {
  line: Line;
  params: JsonObject;
  stopped: string | null;
  finish(reply: Reply): void;
}

/** A legacy server whose one call is in the test's hands, and a modern client in front of it. */
function desk(ttlMs = 60_000) {
  const clock = createFrozenClock();
  const parked = createParkedCalls(clock, ttlMs);
  const calls: Server[] = [];
  const send = (params: JsonObject, line: Line) =>
    new Promise<Reply>(finish => {
      const call: Server = { line, params, stopped: null, finish };
      line.whenCancelled(reason => {
        call.stopped = reason;
        finish(failure('CANCELLED'));
      });
      calls.push(call);
    });
  const call = (
    params: JsonObject = PARAMS,
    more: { who?: typeof BOB; line?: FakeLine; method?: string; server?: string } = {},
  ) => {
    const line = more.line ?? createFakeLine({ era: 'modern', clientCapabilities: ALL });
    return parked.run(more.who ?? LOCAL_CALLER, more.server ?? 's', more.method ?? 'tools/call', params, line, send);
  };
  const server = (n = 0): Server => {
    const found = calls[n];
    if (found === undefined) throw new Error('the server was not called');
    return found;
  };
  /** Runs until everybody waits for the client. */
  const gathered = async () => {
    await settle();
    clock.advance(50);
    await settle();
  };
  return { clock, parked, calls, server, call, gathered };
}

type Desk = ReturnType<typeof desk>;

async function parkOne(on: Desk, params: JsonObject = PARAMS) {
  const first = on.call(params);
  const server = on.server(on.calls.length - 1);
  const answer = server.line.ask('elicitation/create', ASK);
  await on.gathered();
  const { result } = (await first) as { result: JsonObject };
  return { server, answer, state: result.requestState as string, inputRequests: result.inputRequests as JsonObject };
}

describe('a call that asks nothing', () => {
  test('is answered like any other, and its parameters reach the server without those of the rounds', async () => {
    const on = desk();
    const handled = on.call({ ...PARAMS, inputResponses: {} });
    expect(on.server().params).toEqual(PARAMS);
    on.server().finish(answerOf('legacy', { content: [] }));
    expect(await handled).toEqual(answerOf('legacy', { content: [] }));
    expect(on.parked.size()).toBe(0);
  });

  test('is cancelled by its closed stream', async () => {
    const on = desk();
    const line = createFakeLine({ era: 'modern' });
    const handled = on.call(PARAMS, { line });
    line.cancel('the client closed the stream');
    expect(await handled).toMatchObject({ code: 'CANCELLED' });
    expect(on.server().stopped).toBe('the client closed the stream');
  });

  test('passes notifications on', async () => {
    const on = desk();
    const line = createFakeLine({ era: 'modern' });
    void on.call(PARAMS, { line });
    on.server().line.notify('notifications/progress', { progress: 1 });
    expect(line.notified).toEqual([{ method: 'notifications/progress', params: { progress: 1 } }]);
  });
});

describe('a question of the server', () => {
  test('parks the call: the client gets the question and a handle, its retry brings the answer', async () => {
    const on = desk();
    const { server, answer, state, inputRequests } = await parkOne(on);
    expect(inputRequests).toEqual({ elicitation_1: { method: 'elicitation/create', params: ASK } });
    expect(on.parked.size()).toBe(1);
    const retry = on.call({
      ...PARAMS,
      requestState: state,
      inputResponses: { elicitation_1: { action: 'accept', content: { name: 'x' } } },
    });
    expect(await answer).toEqual({ kind: 'result', result: { action: 'accept', content: { name: 'x' } } });
    server.finish(answerOf('legacy', { content: [{ type: 'text', text: 'hi x' }] }));
    expect(await retry).toEqual(answerOf('legacy', { content: [{ type: 'text', text: 'hi x' }] }));
    expect(on.calls).toHaveLength(1);
    expect(on.parked.size()).toBe(0);
    expect(on.clock.pending()).toBe(0);
  });

  test('travels with the others of its burst, each under its own key', async () => {
    const on = desk();
    const first = on.call();
    const { line } = on.server();
    void line.ask('elicitation/create', ASK);
    void line.ask('sampling/createMessage', { messages: [] });
    void line.ask('elicitation/create', { ...ASK, message: 'And?' });
    await on.gathered();
    const { result } = (await first) as { result: JsonObject };
    expect(Object.keys(result.inputRequests as JsonObject)).toEqual(['elicitation_1', 'sampling_1', 'elicitation_2']);
  });

  test('that was not answered is put again under a new handle', async () => {
    const on = desk();
    const { state } = await parkOne(on);
    const retry = on.call({ ...PARAMS, requestState: state, inputResponses: { other: {} } });
    await on.gathered();
    const { result } = (await retry) as { result: JsonObject };
    expect(result.inputRequests).toEqual({ elicitation_1: { method: 'elicitation/create', params: ASK } });
    expect(result.requestState).not.toBe(state);
  });

  test('needs no round when its answer came ahead', async () => {
    const on = desk();
    void on.call({ ...PARAMS, inputResponses: { elicitation_1: { action: 'decline' } } });
    expect(await on.server().line.ask('elicitation/create', ASK)).toEqual({
      kind: 'result',
      result: { action: 'decline' },
    });
  });

  test('of a URL has no elicitationId in the modern era, and keeps the rest', async () => {
    const on = desk();
    const first = on.call();
    void on
      .server()
      .line.ask('elicitation/create', { mode: 'url', url: 'https://x.test', elicitationId: 'e1', message: 'Go' });
    await on.gathered();
    const { result } = (await first) as { result: JsonObject };
    expect(result.inputRequests).toEqual({
      elicitation_1: { method: 'elicitation/create', params: { mode: 'url', url: 'https://x.test', message: 'Go' } },
    });
  });

  test.each([
    { method: 'elicitation/create', params: ASK, declared: {}, needed: { elicitation: { form: {} } } },
    {
      method: 'elicitation/create',
      params: ASK,
      declared: { elicitation: { url: {} } },
      needed: { elicitation: { form: {} } },
    },
    {
      method: 'elicitation/create',
      params: { mode: 'url' },
      declared: { elicitation: {} },
      needed: { elicitation: { url: {} } },
    },
    { method: 'sampling/createMessage', params: {}, declared: {}, needed: { sampling: {} } },
    {
      method: 'sampling/createMessage',
      params: { tools: [] },
      declared: { sampling: {} },
      needed: { sampling: { tools: {} } },
    },
    { method: 'roots/list', params: {}, declared: {}, needed: { roots: {} } },
  ])(
    '$method is not put to a client that declared $declared: it learns what is missing',
    async ({ method, params, declared, needed }) => {
      const on = desk();
      const handled = on.call(PARAMS, {
        line: createFakeLine({ era: 'modern', clientCapabilities: declared as JsonObject }),
      });
      expect(await on.server().line.ask(method, params as JsonObject)).toMatchObject({ kind: 'error' });
      on.server().finish(answerOf('legacy', { content: [], isError: true }));
      expect(await handled).toMatchObject({ code: 'MISSING_CAPABILITY', data: { requiredCapabilities: needed } });
    },
  );

  test('that the client cannot take does not spoil an answer the server gives all the same', async () => {
    const on = desk();
    const handled = on.call(PARAMS, { line: createFakeLine({ era: 'modern' }) });
    await on.server().line.ask('roots/list', {});
    on.server().finish(answerOf('legacy', { content: [] }));
    expect(await handled).toEqual(answerOf('legacy', { content: [] }));
  });

  test.each(['elicitation/create', 'ping', 'something/odd'])(
    '%s of an unknown kind is answered, never left open',
    async method => {
      const on = desk();
      void on.call(PARAMS, { line: createFakeLine({ era: 'modern' }) });
      expect((await on.server().line.ask(method, {})).kind).toBe('error');
    },
  );

  test.each(['__proto__', 'constructor', 'toString'])('under the key %s is a question like any other', async key => {
    const on = desk();
    const first = on.call();
    const answer = on.server().line.ask('elicitation/create', { ...ASK, _meta: { 'mcp-gatehouse/input-key': key } });
    let answered: ClientAnswer | null = null;
    void answer.then(given => {
      answered = given;
    });
    await on.gathered();
    expect(answered).toBeNull();
    const { result } = (await first) as { result: JsonObject };
    expect(Object.keys(result.inputRequests as JsonObject)).toHaveLength(1);
  });

  test('comes to nothing when the client closes the stream before it could be put', async () => {
    const on = desk();
    const line = createFakeLine({ era: 'modern', clientCapabilities: ALL });
    const handled = on.call(PARAMS, { line });
    const answer = on.server().line.ask('elicitation/create', ASK);
    line.cancel('closed');
    expect((await answer).kind).toBe('error');
    await on.gathered();
    expect(await handled).toMatchObject({ code: 'CANCELLED' });
    expect(on.parked.size()).toBe(0);
  });

  test('after the call was cancelled is answered at once', async () => {
    const on = desk();
    const line = createFakeLine({ era: 'modern', clientCapabilities: ALL });
    void on.call(PARAMS, { line });
    line.cancel('closed');
    expect((await on.server().line.ask('elicitation/create', ASK)).kind).toBe('error');
  });
});

describe('a handle', () => {
  const answers = { inputResponses: { elicitation_1: { action: 'accept' } } };
  const REFUSED = { kind: 'failure', code: 'STATE_INVALID' };

  test.each([
    { with: { params: { ...PARAMS, arguments: { a: 2, b: [2] } } }, because: 'other parameters' },
    { with: { who: BOB }, because: 'another caller' },
    { with: { method: 'prompts/get' }, because: 'another method' },
    { with: { server: 'other' }, because: 'a tool of that name of another server' },
    { with: { flip: true }, because: 'tampered with' },
  ])(
    'opens nothing for $because, and its owner is not disturbed',
    async ({ with: { params = PARAMS, flip, ...more } }) => {
      const on = desk();
      const { server, state } = await parkOne(on);
      const shown = flip === true ? `${state.slice(0, -1)}${state.endsWith('A') ? 'B' : 'A'}` : state;
      expect(await on.call({ ...params, ...answers, requestState: shown }, more)).toMatchObject(REFUSED);
      const mine = on.call({ ...PARAMS, ...answers, requestState: state });
      server.finish(answerOf('legacy', {}));
      expect((await mine).kind).toBe('answer');
    },
  );

  test.each([null, 7, {}, '', 'gatehouse.parked.x', '__proto__'])('%j is none', async requestState => {
    const on = desk();
    expect(await on.call({ ...PARAMS, requestState })).toMatchObject(REFUSED);
    expect(on.calls).toEqual([]);
  });

  test('is good for the same parameters in another order and with another _meta', async () => {
    const on = desk();
    const { server, state } = await parkOne(on);
    const mine = on.call({
      arguments: { b: [2], a: 1 },
      name: 't',
      _meta: { trace: 1 },
      ...answers,
      requestState: state,
    });
    server.finish(answerOf('legacy', {}));
    expect((await mine).kind).toBe('answer');
  });

  test('works once', async () => {
    const on = desk();
    const { server, state } = await parkOne(on);
    const mine = on.call({ ...PARAMS, ...answers, requestState: state });
    expect(await on.call({ ...PARAMS, ...answers, requestState: state })).toMatchObject(REFUSED);
    server.finish(answerOf('legacy', {}));
    expect((await mine).kind).toBe('answer');
  });

  test('cannot be guessed: 256 random bits, never the same', async () => {
    const on = desk();
    const states = new Set<string>();
    for (let n = 0; n < 20; n++) states.add((await parkOne(on)).state);
    expect(states.size).toBe(20);
    for (const state of states) expect(state).toMatch(/^gatehouse\.parked\.[\w-]{43}$/);
  });

  test('expires, and the server’s call is cancelled then', async () => {
    const on = desk(10_000);
    const { server, answer, state } = await parkOne(on);
    on.clock.advance(10_000);
    expect(server.stopped).toBe('parked for too long');
    expect((await answer).kind).toBe('error');
    expect(on.parked.size()).toBe(0);
    expect(await on.call({ ...PARAMS, ...answers, requestState: state })).toMatchObject(REFUSED);
  });

  test('is not tied to the stream it was given on: a parked call has none', async () => {
    const on = desk();
    const line = createFakeLine({ era: 'modern', clientCapabilities: ALL });
    const first = on.call(PARAMS, { line });
    void on.server().line.ask('elicitation/create', ASK);
    await on.gathered();
    await first;
    line.cancel('the response is over');
    expect(on.server().stopped).toBeNull();
    expect(on.parked.size()).toBe(1);
  });

  test('gives the call a new stream: its end cancels, and it is told what happens', async () => {
    const on = desk();
    const { server, state } = await parkOne(on);
    const line = createFakeLine({ era: 'modern', clientCapabilities: ALL });
    const retry = on.call({ ...PARAMS, ...answers, requestState: state }, { line });
    server.line.notify('notifications/message', { level: 'info' });
    expect(line.notified).toHaveLength(1);
    line.cancel('closed');
    expect(await retry).toMatchObject({ code: 'CANCELLED' });
    expect(server.stopped).toBe('closed');
  });
});

test('inputResponses that are no map of objects are refused before anything is sent', async () => {
  const on = desk();
  for (const inputResponses of ['x', [], { a: 1 }, { a: null }]) {
    expect(await on.call({ ...PARAMS, inputResponses: inputResponses as never })).toMatchObject({
      code: 'INVALID_PARAMS',
    });
  }
  expect(on.calls).toEqual([]);
});

test('beyond 1,000 parked calls the next is OVERLOADED and its server’s call cancelled', async () => {
  const on = desk();
  const handled: Promise<Handled>[] = [];
  for (let n = 0; n < 1_001; n++) {
    handled.push(on.call());
    void on.server(n).line.ask('elicitation/create', ASK);
  }
  await on.gathered();
  expect(await handled[1_000]).toMatchObject({ code: 'OVERLOADED' });
  expect(on.server(1_000).stopped).toBe('too many parked calls');
  expect(on.parked.size()).toBe(1_000);
});
