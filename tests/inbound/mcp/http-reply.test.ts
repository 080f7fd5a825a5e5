import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Era } from '../../../src/domain/era.ts';
import { failure } from '../../../src/domain/error.ts';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { EventLog } from '../../../src/inbound/mcp/event-log.ts';
import type { Exchange } from '../../../src/inbound/mcp/exchange.ts';
import { bytesFrame, resultFrame } from '../../../src/inbound/mcp/frames.ts';
import {
  refuseChallenged,
  refuseMediaType,
  refuseMethod,
  refuseSession,
  refuseWith,
} from '../../../src/inbound/mcp/http-refusals.ts';
import { HttpReply } from '../../../src/inbound/mcp/http-reply.ts';
import { createKeepAlive, type KeepAlive } from '../../../src/inbound/mcp/keep-alive.ts';
import { refuseWhenRead } from '../../../src/inbound/mcp/refuse-when-read.ts';
import { toFrame } from '../../../src/inbound/mcp/respond.ts';
import { SessionStreams } from '../../../src/inbound/mcp/session-streams.ts';
import { answerOf } from '../../support/fake-downstreams.ts';
import { createFrozenClock, type FrozenClock } from '../../support/frozen-clock.ts';

let server: Server;
let clock: FrozenClock;
let keepAlive: KeepAlive;
let handle: (req: IncomingMessage, res: ServerResponse) => void;
let url = '';

beforeEach(async () => {
  clock = createFrozenClock();
  keepAlive = createKeepAlive(clock);
  server = createServer((req, res) => handle(req, res));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
});

const OK = answerOf('legacy', {});
type Options = Partial<ConstructorParameters<typeof HttpReply>[1]>;

/** Sends one request and hands its reply to the test. */
async function replyOf(options: Options, use: (reply: HttpReply) => void, init: RequestInit = {}) {
  handle = (_req, res) =>
    use(
      new HttpReply(res, {
        requestId: 'r-1',
        era: 'legacy',
        acceptsStream: true,
        streams: null,
        keepAlive,
        nowMs: clock.monotonicMs(),
        canReturn: true,
        stepUp: null,
        batch: null,
        ...options,
      }),
    );
  const res = await fetch(url, init);
  return { res, type: res.headers.get('content-type'), text: await res.text() };
}

describe('a reply', () => {
  test('is plain JSON with its length while nothing came before the answer', async () => {
    const { res, type, text } = await replyOf({}, reply => reply.answer(resultFrame(1, { a: 'ü' }), OK));
    expect([type, text, res.headers.get('content-length')]).toEqual([
      'application/json',
      '{"jsonrpc":"2.0","id":1,"result":{"a":"ü"}}',
      String(Buffer.byteLength(text)),
    ]);
    expect(keepAlive.size()).toBe(0);
  });

  test('writes kept bytes as they are', async () => {
    const { text } = await replyOf({}, reply => reply.answer(bytesFrame('x', '', Buffer.from('{ "a" : 1e0 }')), OK));
    expect(text).toBe('{"jsonrpc":"2.0","id":"x","result":{ "a" : 1e0 }}');
  });

  test('answers once, however often it is told to', async () => {
    const { text } = await replyOf({}, reply => {
      reply.answer(resultFrame(1, {}), OK);
      reply.answer(resultFrame(1, { again: true }), OK);
    });
    expect(text).not.toContain('again');
  });

  test('carries the status and Retry-After of an overload', async () => {
    const no = failure('OVERLOADED', {}, { retryAfterMs: 2_100 });
    const { res } = await replyOf({}, reply => reply.answer(toFrame('legacy', 1, 'x', no), no));
    expect([res.status, res.headers.get('retry-after')]).toEqual([503, '3']);
  });

  test('becomes a stream with the first message', async () => {
    const { type, text } = await replyOf({}, reply => {
      expect(reply.message('{"n":1}')).toBe(true);
      reply.answer(resultFrame(1, {}), OK);
    });
    expect([type, text]).toEqual([
      'text/event-stream',
      'data: {"n":1}\n\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n',
    ]);
  });

  test('stays JSON for a client that takes no stream, who is told nothing before', async () => {
    const { type } = await replyOf({ acceptsStream: false }, reply => {
      expect(reply.message('{"n":1}')).toBe(false);
      reply.answer(resultFrame(1, {}), OK);
    });
    expect(type).toBe('application/json');
  });

  test('becomes a stream when the answer takes five seconds, so that silence is not taken for death', async () => {
    const { type, text } = await replyOf({}, reply => {
      clock.advance(20_000);
      reply.answer(resultFrame(1, {}), OK);
    });
    expect(type).toBe('text/event-stream');
    expect(text).toMatch(/^(?:: keep-alive\n\n)+data: .*"result":\{\}/);
    expect(keepAlive.size()).toBe(0);
  });

  test('never becomes a stream by waiting where none is accepted', async () => {
    const { type } = await replyOf({ acceptsStream: false }, reply => {
      clock.advance(60_000);
      reply.answer(resultFrame(1, {}), OK);
    });
    expect(type).toBe('application/json');
  });

  test('in a session keeps what it sends for the client’s return, and begins with an event to come back to', async () => {
    const streams = new SessionStreams(new EventLog(100, 10_000), true);
    const { text } = await replyOf({ streams: () => streams }, reply => {
      reply.message('{"n":1}');
      expect(streams.live.size).toBe(1);
      reply.answer(resultFrame(1, {}), OK);
    });
    const ids = [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id ?? '');
    expect(text).toContain('retry: 1000');
    expect(streams.log.since(ids[0] ?? '')?.events.map(({ data }) => data)).toEqual([
      '{"n":1}',
      '{"jsonrpc":"2.0","id":1,"result":{}}',
    ]);
    expect(streams.live.size).toBe(0);
  });

  test('opens no log for a plain answer', async () => {
    let opened = false;
    const streams = () => {
      opened = true;
      return new SessionStreams(new EventLog(1, 1), true);
    };
    await replyOf({ streams }, reply => reply.answer(resultFrame(1, {}), OK));
    expect(opened).toBe(false);
  });
});

describe('a reply to a batch', () => {
  test('waits for the last answer and is a list', async () => {
    const { text } = await replyOf({ batch: 2 }, reply => {
      reply.answer(resultFrame(2, {}), OK);
      reply.answer(bytesFrame(1, '', Buffer.from('{\n}')), OK);
    });
    expect((JSON.parse(text) as { id: number }[]).map(({ id }) => id)).toEqual([2, 1]);
  });

  test('that turns into a stream brings the answers already there first', async () => {
    const { text } = await replyOf({ batch: 2 }, reply => {
      reply.answer(resultFrame(2, {}), OK);
      reply.message('{"n":1}');
      reply.answer(resultFrame(1, {}), OK);
    });
    expect(text.split('\n\n').map(event => /"id":(\d)|"n"/.exec(event)?.[1])).toEqual(['2', undefined, '1', undefined]);
  });
});

describe('a client that goes', () => {
  const dropped = (era: 'legacy' | 'modern', canReturn = era === 'legacy') =>
    new Promise<{ closed: number; reply: HttpReply }>(resolve => {
      const state = { closed: 0, reply: null as unknown as HttpReply };
      handle = (_req, res) => {
        const reply = new HttpReply(res, {
          requestId: 'r-1',
          era,
          acceptsStream: true,
          streams: null,
          keepAlive,
          nowMs: clock.monotonicMs(),
          canReturn,
          stepUp: null,
          batch: null,
        });
        reply.onGone = () => state.closed++;
        state.reply = reply;
        res.once('close', () => setImmediate(() => resolve(state)));
        gone.abort();
      };
      const gone = new AbortController();
      void fetch(url, { signal: gone.signal }).catch(() => {});
    });

  test('has cancelled in the modern era', async () => {
    const { closed, reply } = await dropped('modern');
    expect([closed, keepAlive.size()]).toEqual([1, 0]);
    reply.answer(resultFrame(1, {}), OK);
  });

  test('has not cancelled in the legacy era: it may come back', async () => {
    const { closed, reply } = await dropped('legacy');
    expect(closed).toBe(0);
    clock.advance(20_000);
    reply.answer(resultFrame(1, {}), OK);
    expect(keepAlive.size()).toBe(0);
  });

  test('is not waited for without end in the legacy era', async () => {
    const state = await dropped('legacy');
    clock.advance(100_000);
    expect(state.closed).toBe(0);
    clock.advance(60_000);
    expect([state.closed, keepAlive.size()]).toEqual([1, 0]);
  });

  test('and has no session to come back with is not waited for at all', async () => {
    const state = await dropped('legacy', false);
    clock.advance(11_000);
    expect([state.closed, keepAlive.size()]).toEqual([1, 0]);
  });
});

describe('a large event', () => {
  test('reaches a reader that keeps up, whatever its size', async () => {
    const large = 'x'.repeat(6 * 1024 * 1024);
    const { text } = await replyOf({}, reply => {
      reply.startStream();
      reply.answer(resultFrame(1, { large }), OK);
    });
    expect(text).toContain(large);
  });
});

const exchangeOf = (req: IncomingMessage, res: ServerResponse, turnedAway: Exchange['turnedAway']): Exchange => ({
  ...{ id: 'r-1', req, res, who: LOCAL_CALLER, address: '127.0.0.1', method: req.method ?? '', turnedAway },
});

const JSON_BODY = { 'content-type': 'application/json' };
const rpc = (message: JsonObject) => JSON.stringify({ jsonrpc: '2.0', ...message });

describe('a refusal', () => {
  test.each([
    {
      refuse: (at: Exchange) => refuseSession(at, null, 'missing'),
      status: 400,
      code: -32000,
      because: 'the SDKs’ own number',
    },
    {
      refuse: (at: Exchange) => refuseSession(at, null, 'unknown'),
      status: 404,
      code: -32001,
      because: 'the SDKs’ own number',
    },
    {
      refuse: (at: Exchange) => refuseMediaType(at),
      status: 415,
      code: -32600,
      because: 'no JSON',
    },
    {
      refuse: (at: Exchange) => refuseMethod(at, 'GET'),
      status: 405,
      code: -32000,
      because: 'no such method here',
    },
    {
      refuse: (at: Exchange) => refuseWith(at, 'modern', 7, failure('HEADER_MISMATCH')),
      status: 400,
      code: -32020,
      because: 'of the modern era',
    },
    {
      refuse: (at: Exchange) => refuseWith(at, 'legacy', null, failure('TOO_LARGE')),
      status: 413,
      code: -32600,
      because: 'too much',
    },
  ])('is $status with $code and one JSON body: $because', async ({ refuse, status, code }) => {
    const written: [string, string][] = [];
    handle = (req, res) =>
      refuse(exchangeOf(req, res, ({ id, method }, no) => void written.push([`${id} ${method}`, no.code])));
    const res = await fetch(url, { method: 'POST', body: 'x'.repeat(100_000) });
    const { jsonrpc, error } = (await res.json()) as { jsonrpc: string; error: { code: number } };
    expect([res.status, res.headers.get('content-type'), jsonrpc, error.code]).toEqual([
      status,
      'application/json',
      '2.0',
      code,
    ]);
    expect(written).toEqual([['r-1 POST', (error as { data?: { code?: string } }).data?.code]]);
  });

  test('for want of a credential says which one', async () => {
    handle = (req, res) =>
      refuseChallenged(
        { req, res, id: 'r-1' },
        { kind: 'challenge', status: 401, wwwAuthenticate: 'Bearer realm="mcp"', reason: 'unknown' },
      );
    const res = await fetch(url);
    expect([res.status, res.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="mcp"']);
    expect(await res.json()).toMatchObject({ id: null, error: { data: { code: 'UNAUTHENTICATED' } } });
  });

  test('after the answer has begun is not written into it', async () => {
    let written = 0;
    handle = (req, res) => {
      res.writeHead(200);
      refuseSession(
        exchangeOf(req, res, () => written++),
        null,
        'missing',
      );
      res.end('fine');
    };
    expect(await (await fetch(url)).text()).toBe('fine');
    expect(written).toBe(0);
  });

  const envelope = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } };
  test.each<{ body?: string; init?: RequestInit; id: string | number | null; era: Era; as: string; because: string }>([
    {
      body: rpc({ id: 'a-7', method: 'tools/list', params: envelope }),
      ...{ id: 'a-7', era: 'modern', as: 'tools/list', because: 'the envelope says the era' },
    },
    {
      body: rpc({ id: 7, method: 'tools/list' }),
      init: { headers: { ...JSON_BODY, 'mcp-protocol-version': '2026-07-28' } },
      ...{ id: 7, era: 'modern', as: 'tools/list', because: 'the header alone says it too' },
    },
    {
      body: rpc({ id: 0, method: 'initialize' }),
      ...{ id: 0, era: 'legacy', as: 'initialize', because: 'a handshake is of the legacy era' },
    },
    {
      body: rpc({ method: 'notifications/initialized' }),
      ...{ id: null, era: 'legacy', as: 'notifications/initialized', because: 'a notification has no id' },
    },
    {
      body: rpc({ id: 9, result: {} }),
      ...{ id: null, era: 'legacy', as: 'response', because: 'the id of a response is one of ours' },
    },
    {
      body: JSON.stringify({ jsonrpc: '1.0', id: 'odd', method: 'ping' }),
      ...{ id: 'odd', era: 'legacy', as: 'POST', because: 'an id is read off a message that is wrong otherwise' },
    },
    {
      body: '{"jsonrpc":',
      init: { headers: { ...JSON_BODY, 'mcp-method': 'tools/list' } },
      ...{ id: null, era: 'modern', as: 'POST', because: 'a message that cannot be read has its headers' },
    },
    {
      body: rpc({ id: 1, method: 'ping', pad: 'x'.repeat(2000) }),
      ...{ id: null, era: 'legacy', as: 'POST', because: 'no more is read for it than for any other' },
    },
    {
      body: rpc({ id: 1, method: 'ping' }),
      init: { headers: { 'content-type': 'text/plain' } },
      ...{ id: null, era: 'legacy', as: 'POST', because: 'what is no JSON by its type is not read' },
    },
    { init: { method: 'GET' }, id: null, era: 'legacy', as: 'GET', because: 'a GET has no message' },
    { init: { method: 'DELETE' }, id: null, era: 'legacy', as: 'DELETE', because: 'a DELETE has none either' },
  ])('settled beforehand is told in the terms of its message: $because', async ({ body, init, id, era, as }) => {
    const written: string[] = [];
    const no = failure('SESSION_UNKNOWN');
    handle = (req, res) =>
      refuseWhenRead(
        { maxBodyBytes: 1000 },
        exchangeOf(req, res, ({ method }) => void written.push(method)),
        no,
      );
    const res = await fetch(url, {
      method: 'POST',
      headers: JSON_BODY,
      ...init,
      ...(body === undefined ? {} : { body }),
    });
    const code = era === 'modern' ? -32600 : -32001;
    expect([res.status, await res.json()]).toEqual([
      404,
      expect.objectContaining({ id, error: expect.objectContaining({ code }) }),
    ]);
    expect(written).toEqual([as]);
  });
});
