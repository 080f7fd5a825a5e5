/** A modern client in front of a modern server: what the server gave the one caller is good for that request alone. */
import { describe, expect, test } from 'vitest';
import { type Identity, LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { answerOf, type Sent, tool } from '../../support/fake-downstreams.ts';
import { createFakeLine } from '../../support/fake-line.ts';
import { createStaircase, resultOf } from '../../support/staircase.ts';

const OWN = 'the server’s own "state"\ud800\0';
const caller = (subject: string): Identity => ({ ...LOCAL_CALLER, subject });
const alice = caller('alice');

async function asked(params: JsonObject = { name: 'a__t', arguments: { x: 1, y: [1, { a: 1, b: 2 }] } }) {
  const answer = ({ params: sent }: Sent) =>
    answerOf(
      'modern',
      sent.requestState === undefined
        ? { resultType: 'input_required', inputRequests: {}, requestState: OWN }
        : { resultType: 'complete', content: [] },
    );
  const lists = { tools: [tool('t'), tool('u')], prompts: [{ name: 't' }] };
  const server = { era: 'modern' as const, lists, answer };
  const house = await createStaircase({ a: server, b: server }, { parkedTtlMs: 60_000 });
  const first = resultOf(await house.handle('tools/call', params, { era: 'modern', who: alice }));
  house.downstreams.sent.length = 0;
  const retry = (state: unknown, more: { who?: Identity; method?: string; params?: JsonObject } = {}) =>
    house.handle(
      more.method ?? 'tools/call',
      { ...(more.params ?? params), inputResponses: {}, requestState: state as string },
      { era: 'modern', who: more.who ?? alice },
    );
  return { house, state: String(first.requestState), retry };
}

test('a client never sees the state a server gave; the server gets back what it gave', async () => {
  const { house, state, retry } = await asked();
  expect(state).toMatch(/^[A-Za-z0-9_-]+$/);
  // The whole phrase: three letters stand in random bytes once in some hundred thousand runs.
  expect(Buffer.from(state, 'base64url').includes('the server’s own')).toBe(false);
  expect(resultOf(await retry(state)).resultType).toBe('complete');
  expect(house.downstreams.sent).toMatchObject([{ server: 'a', params: { requestState: OWN, inputResponses: {} } }]);
});

test('the same request may be spelled otherwise: order of members and `_meta` do not count', async () => {
  const { state, retry } = await asked();
  const params = { _meta: { trace: 'x' }, arguments: { y: [1, { b: 2, a: 1 }], x: 1 }, name: 'a__t' };
  expect(resultOf(await retry(state, { params })).resultType).toBe('complete');
});

describe('is refused alike and never reaches a server:', () => {
  const flipped = (state: string) => `${state.slice(0, 20)}${state[20] === 'A' ? 'B' : 'A'}${state.slice(21)}`;
  test.each([
    { because: 'another caller shows it', more: { who: caller('bob') } },
    { because: 'another tool', more: { params: { name: 'a__u', arguments: { x: 1, y: [1, { a: 1, b: 2 }] } } } },
    { because: 'another server', more: { params: { name: 'b__t', arguments: { x: 1, y: [1, { a: 1, b: 2 }] } } } },
    { because: 'other arguments', more: { params: { name: 'a__t', arguments: { x: 2, y: [1, { a: 1, b: 2 }] } } } },
    { because: 'no arguments', more: { params: { name: 'a__t' } } },
    { because: 'another method', more: { method: 'prompts/get', params: { name: 'a__t' } } },
    { because: 'a changed bit', change: flipped },
    { because: 'the server’s own', change: () => OWN },
    { because: 'nothing in it', change: () => '' },
    { because: 'no text', change: () => 7 },
    { because: 'a null', change: () => null },
  ])('$because', async ({ more, change }) => {
    const { house, state, retry } = await asked();
    const no = await retry(change === undefined ? state : change(state), more);
    expect(no).toMatchObject({ kind: 'failure', code: 'STATE_INVALID', say: null, detail: null });
    expect(house.downstreams.sent).toEqual([]);
  });

  test('after its time', async () => {
    const { house, state, retry } = await asked();
    house.clock.advance(59_999);
    expect(resultOf(await retry(state)).resultType).toBe('complete');
    house.clock.advance(1);
    expect(await retry(state)).toMatchObject({ code: 'STATE_INVALID' });
  });
});

test('large arguments that stayed bytes are bound like any others', async () => {
  const { house, state, retry } = await asked();
  const bytes = (value: JsonObject) => new TextEncoder().encode(JSON.stringify(value));
  const call = (argumentBytes: Uint8Array) =>
    house.gateway.handle(
      alice,
      {
        id: 'c',
        method: 'tools/call',
        params: { name: 'a__t', inputResponses: {}, requestState: state },
        argumentBytes,
        door: { server: null, exposure: null },
        era: 'modern',
        receivedAtMs: 0,
      },
      createFakeLine({ era: 'modern' }),
    );
  expect(resultOf(await call(bytes({ x: 1, y: [1, { a: 1, b: 2 }] })))).toMatchObject({ resultType: 'complete' });
  expect(await call(bytes({ x: 1 }))).toMatchObject({ code: 'STATE_INVALID' });
  expect(resultOf(await retry(state))).toMatchObject({ resultType: 'complete' });
});
