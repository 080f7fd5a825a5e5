import { describe, expect, test } from 'vitest';
import type { Reply } from '../../../src/domain/call.ts';
import { failure } from '../../../src/domain/error.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { answerRounds, needsInput } from '../../../src/services/gateway/input-rounds.ts';
import { answerOf } from '../../support/fake-downstreams.ts';
import { createFakeLine } from '../../support/fake-line.ts';

const PARAMS = { name: 't', arguments: { a: 1 } };
const DONE = answerOf('modern', { resultType: 'complete', content: [] });
const asks = (more: JsonObject): Reply => answerOf('modern', { resultType: 'input_required', ...more });
const question = { method: 'elicitation/create', params: { message: 'Who?' } };

function rounds(first: Reply, later: Reply[], answer?: Parameters<typeof createFakeLine>[0]) {
  const sent: JsonObject[] = [];
  const line = createFakeLine(answer);
  const left = [...later];
  const reply = answerRounds(first, PARAMS, line, async params => {
    sent.push(params);
    return left.shift() ?? DONE;
  });
  return { reply, sent, line };
}

const yes = { answer: () => ({ kind: 'result' as const, result: { action: 'accept' } }) };

test.each([
  { reply: asks({}), needs: true, because: 'the server says so' },
  { reply: DONE, needs: false, because: 'it is complete' },
  {
    reply: answerOf('legacy', { resultType: 'input_required' }),
    needs: false,
    because: 'a legacy server means nothing by it',
  },
  { reply: failure('TIMEOUT'), needs: false, because: 'a failure asks nothing' },
])('needs input: $needs, because $because', ({ reply, needs }) => expect(needsInput(reply)).toBe(needs));

describe('a modern server that asks', () => {
  test('gets the client’s answers with the parameters of the call and its own state, byte for byte', async () => {
    const state = '{"k": "v",  "n":1}=';
    const { reply, sent, line } = rounds(
      asks({ inputRequests: { q1: question, q2: { method: 'roots/list' } }, requestState: state }),
      [],
      yes,
    );
    expect(await reply).toBe(DONE);
    expect(line.asked).toEqual([question, { method: 'roots/list', params: {} }]);
    expect(sent).toEqual([
      { ...PARAMS, inputResponses: { q1: { action: 'accept' }, q2: { action: 'accept' } }, requestState: state },
    ]);
  });

  test('is given no state when it gave none, and no answers when it asked nothing', async () => {
    expect((await rounds(asks({ inputRequests: { q: question } }), [], yes).reply) === DONE).toBe(true);
    const { reply, sent } = rounds(asks({ requestState: 's' }), []);
    await reply;
    expect(sent).toEqual([{ ...PARAMS, requestState: 's' }]);
  });

  test('gets the answers of this round alone', async () => {
    const second = asks({ inputRequests: { b: question }, requestState: 's2' });
    const { reply, sent } = rounds(asks({ inputRequests: { a: question }, requestState: 's1' }), [second], yes);
    await reply;
    expect(sent[1]).toEqual({ ...PARAMS, inputResponses: { b: { action: 'accept' } }, requestState: 's2' });
  });

  test('of a URL: the client gets the id its era needs', async () => {
    const { reply, line } = rounds(
      asks({ inputRequests: { q: { method: 'elicitation/create', params: { mode: 'url', url: 'https://x.test' } } } }),
      [],
      yes,
    );
    await reply;
    expect(line.asked[0]?.params).toMatchObject({
      mode: 'url',
      url: 'https://x.test',
      elicitationId: expect.any(String),
    });
  });

  test('without end is stopped after eight rounds', async () => {
    const again = asks({ inputRequests: { q: question } });
    const { reply, sent } = rounds(again, Array<Reply>(20).fill(again), yes);
    expect(await reply).toMatchObject({ code: 'BAD_ANSWER' });
    expect(sent).toHaveLength(8);
  });

  test.each([{ q: 'text' }, { q: {} }, { q: { method: 5 } }])(
    'with %j instead of a question has broken the protocol',
    async inputRequests => {
      const { reply, sent } = rounds(asks({ inputRequests: inputRequests as JsonObject }), []);
      expect(await reply).toMatchObject({ code: 'BAD_ANSWER' });
      expect(sent).toEqual([]);
    },
  );
});

test('a client that cannot answer ends the call with its own error', async () => {
  const { reply, sent } = rounds(asks({ inputRequests: { q: question } }), []);
  expect(await reply).toMatchObject({ kind: 'relayed', era: 'legacy', error: { code: -32601 } });
  expect(sent).toEqual([]);
});

test('a call that is cancelled while a question is open ends, though the client never answers', async () => {
  const { reply, sent, line } = rounds(asks({ inputRequests: { q: question } }), [], {
    answer: () => new Promise(() => {}),
  });
  await Promise.resolve();
  line.cancel();
  expect(await Promise.race([reply, new Promise(resolve => setTimeout(resolve, 500, 'still waiting'))])).toMatchObject({
    code: 'CANCELLED',
  });
  expect(sent).toEqual([]);
});
