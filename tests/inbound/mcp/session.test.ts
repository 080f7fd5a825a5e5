import { describe, expect, test } from 'vitest';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { Outlet } from '../../../src/inbound/mcp/outlet.ts';
import { RequestLine } from '../../../src/inbound/mcp/request-line.ts';
import { Session } from '../../../src/inbound/mcp/session.ts';
import { EVERYTHING } from '../../support/staircase.ts';

const make = () => new Session({ id: 's', who: LOCAL_CALLER, door: EVERYTHING, revision: '2025-11-25', nowMs: 0 });

function outlet(open = true): Outlet & { texts: { id?: string; method: string; params: object }[] } {
  const texts: { id?: string; method: string; params: object }[] = [];
  return { texts, message: text => open && texts.push(JSON.parse(text)) > 0, answer: () => {} };
}

describe('a question to the client', () => {
  test('is answered under an id of our own, by that client alone', async () => {
    const [session, other, out] = [make(), make(), outlet()];
    const line = new RequestLine(1, session, out, null);
    const answer = line.ask('roots/list', {});
    const id = out.texts[0]?.id ?? '';
    expect(line.isAsked).toBe(true);
    expect(other.answered(id, { kind: 'result', result: {} })).toBe(false);
    expect(session.answered('gatehouse-99', { kind: 'result', result: {} })).toBe(false);
    expect(session.answered(id, { kind: 'result', result: { roots: [] } })).toBe(true);
    expect(session.answered(id, { kind: 'result', result: { roots: ['late'] } })).toBe(false);
    expect(await answer).toEqual({ kind: 'result', result: { roots: [] } });
    await Promise.resolve();
    expect(line.isAsked).toBe(false);
  });

  test('without a stream to put it on is answered with an error, not left open', async () => {
    const line = new RequestLine(1, make(), outlet(false), null);
    expect((await line.ask('roots/list', {})).kind).toBe('error');
  });

  test('goes to the standing stream when the request has none', async () => {
    const session = make();
    const standing: string[] = [];
    session.standalone = text => standing.push(text) > 0;
    void new RequestLine(1, session, outlet(false), null).ask('roots/list', {});
    expect(standing).toHaveLength(1);
  });

  test('beyond a hundred open ones is not put', async () => {
    const session = make();
    const out = outlet();
    const line = new RequestLine(1, session, out, null);
    for (let n = 0; n < 100; n++) void line.ask('roots/list', {});
    expect((await line.ask('roots/list', {})).kind).toBe('error');
    expect(out.texts).toHaveLength(100);
  });

  test('is taken back when its call is cancelled: it does not count among the open ones for ever', async () => {
    const session = make();
    for (let n = 0; n < 250; n++) {
      const out = outlet();
      const line = new RequestLine(1, session, out, null);
      const answer = line.ask('roots/list', {});
      line.cancel('changed my mind');
      expect((await answer).kind).toBe('error');
      expect(out.texts).toMatchObject([
        { method: 'roots/list' },
        { method: 'notifications/cancelled', params: { requestId: out.texts[0]?.id } },
      ]);
    }
  });

  test('is answered with an error when the session ends', async () => {
    const session = make();
    const answer = new RequestLine(1, session, outlet(), null).ask('roots/list', {});
    session.end('gone');
    expect((await answer).kind).toBe('error');
  });
});

describe('cancelling', () => {
  test('reaches the call with that id, once', () => {
    const session = make();
    const [one, two] = [new RequestLine(1, session, outlet(), null), new RequestLine('1', session, outlet(), null)];
    session.begin(one);
    session.begin(two);
    const stopped: string[] = [];
    one.whenCancelled(reason => void stopped.push(reason));
    session.cancel(1, 'enough');
    session.cancel(1, 'again');
    expect([stopped, one.cancelled, two.cancelled]).toEqual([['enough'], true, false]);
  });

  test.each([undefined, null, {}, 2, 'x'])('%j cancels nothing', id => {
    const session = make();
    const line = new RequestLine(1, session, outlet(), null);
    session.begin(line);
    session.cancel(id, 'x');
    expect(line.cancelled).toBe(false);
  });

  test('a call that is over does not cancel the next with the same id', () => {
    const session = make();
    const [old, young] = [new RequestLine(1, session, outlet(), null), new RequestLine(1, session, outlet(), null)];
    session.begin(old);
    session.begin(young);
    session.finish(old);
    session.cancel(1, 'x');
    expect([old.cancelled, young.cancelled, session.uses]).toEqual([false, true, 1]);
  });

  test('twice under an id that two calls have reaches both', () => {
    const session = make();
    const [old, young] = [new RequestLine(1, session, outlet(), null), new RequestLine(1, session, outlet(), null)];
    session.begin(old);
    session.begin(young);
    session.cancel(1, 'x');
    expect([old.cancelled, young.cancelled]).toEqual([false, true]);
    session.cancel(1, 'x');
    expect(old.cancelled).toBe(true);
  });

  test('before the work registered stops it at once', () => {
    const line = new RequestLine(1, make(), outlet(), null);
    line.cancel('early');
    let stopped = false;
    line.whenCancelled(() => {
      stopped = true;
    });
    expect(stopped).toBe(true);
  });

  test('the end of a session cancels all that is under way', () => {
    const session = make();
    const line = new RequestLine(1, session, outlet(), null);
    session.begin(line);
    session.end('gone');
    expect([line.cancelled, session.ended]).toEqual([true, true]);
  });
});

describe('notifications of a call', () => {
  test('about progress carry the client’s own token, and are not sent without one', () => {
    const [withToken, without] = [outlet(), outlet()];
    new RequestLine(1, make(), withToken, 'p').notify('notifications/progress', {
      progress: 1,
      progressToken: 'theirs',
    });
    new RequestLine(1, make(), without, null).notify('notifications/progress', { progress: 1 });
    expect([withToken.texts, without.texts]).toMatchObject([[{ params: { progress: 1, progressToken: 'p' } }], []]);
  });

  test('of other kinds go through as they are', () => {
    const out = outlet();
    new RequestLine(1, make(), out, null).notify('notifications/message', { level: 'info', data: { a: 1 } });
    expect(out.texts).toMatchObject([{ method: 'notifications/message', params: { level: 'info', data: { a: 1 } } }]);
  });
});

test('a modern caller cannot be asked', async () => {
  const line = new RequestLine(
    1,
    { revision: '2026-07-28', clientCapabilities: {}, clientInfo: null, logLevel: null },
    outlet(),
    null,
  );
  expect([line.era, line.sessionId, line.subscriber]).toEqual(['modern', null, null]);
  expect((await line.ask('roots/list', {})).kind).toBe('error');
});
