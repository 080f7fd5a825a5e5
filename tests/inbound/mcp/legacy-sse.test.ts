import { afterEach, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import { answerOf, type FakeServer, tool } from '../../support/fake-downstreams.ts';
import { type DoorKit, type DoorOptions, type EventReader, startDoor } from '../../support/mcp-door.ts';

const SERVERS: Record<string, FakeServer> = {
  a: {
    lists: { tools: [tool('echo')] },
    answer: ({ params }) => answerOf('legacy', { content: [], got: params.arguments ?? null }),
  },
};

let door: DoorKit;
afterEach(() => door.close());

async function connect(path = '/sse', options: DoorOptions = {}, servers = SERVERS) {
  door = await startDoor(servers, options);
  const stream = await door.stream(path, { headers: { accept: 'text/event-stream' } });
  const endpoint = await stream.next();
  const post = (body: unknown) =>
    door.send(endpoint.data, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return { stream, endpoint, post };
}

async function shake(
  stream: EventReader,
  post: (body: unknown) => Promise<{ status: number }>,
): Promise<JsonObject | null> {
  await post({
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2024-11-05', capabilities: {} },
  });
  return (await stream.next()).message;
}

describe('HTTP+SSE', () => {
  test.each(['/sse', '/a/sse'])(
    '%s names first where to post, and answers there with 202 and on the stream',
    async path => {
      const { stream, endpoint, post } = await connect(path);
      expect([endpoint.name, endpoint.data.startsWith(path.replace('sse', 'messages?sessionId='))]).toEqual([
        'endpoint',
        true,
      ]);
      expect(await shake(stream, post)).toMatchObject({ id: 0, result: { protocolVersion: '2024-11-05' } });
      const name = path === '/sse' ? 'a__echo' : 'echo';
      expect(
        (await post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: { x: 'a\nb' } } }))
          .status,
      ).toBe(202);
      expect(await stream.next()).toMatchObject({
        name: 'message',
        message: { id: 1, result: { got: { x: 'a\nb' } } },
      });
    },
  );

  test('brings news on the same stream', async () => {
    const { stream } = await connect();
    door.news.publish({ kind: 'list-changed', what: 'tools' });
    expect((await stream.next()).message).toMatchObject({ method: 'notifications/tools/list_changed' });
  });

  test('ends its session with its stream: there is no way back to it', async () => {
    const { stream, post } = await connect();
    stream.close();
    await stream.ended;
    while (door.sessions.size() > 0) await new Promise(resolve => setTimeout(resolve, 5));
    expect((await post({ jsonrpc: '2.0', id: 1, method: 'ping' })).status).toBe(404);
    expect(door.keepAlive.size()).toBe(0);
  });

  test.each([
    { body: '{', status: 400, because: 'not JSON' },
    { body: '['.repeat(1_000), status: 400, because: 'too deep' },
    { body: '[]', status: 400, because: 'no message' },
    { body: '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', status: 400, because: 'a fraction as id' },
  ])('refuses what is no message: $because', async ({ body, status }) => {
    const { post } = await connect();
    expect((await post(body)).status).toBe(status);
  });

  test.each([
    { path: '/messages', status: 400, says: 'SESSION_REQUIRED', because: 'no session' },
    { path: '/messages?sessionId=x', status: 404, says: 'SESSION_UNKNOWN', because: 'an unknown one' },
    { path: '/a/messages?sessionId=<own>', status: 404, says: 'SESSION_UNKNOWN', because: 'one of another door' },
  ])('$path is $status, told under the id of what was asked: $because', async ({ path, status, says }) => {
    const { endpoint } = await connect();
    const to = path.replace('<own>', endpoint.data.split('=')[1] ?? '');
    for (const [message, id] of [
      [{ id: 'a-7', method: 'ping' }, 'a-7'],
      [{ id: 0, method: 5 }, 0],
      [{ method: 'notifications/initialized' }, null],
      [{ id: 9, result: {} }, null],
    ] as const) {
      const reply = await door.post({ jsonrpc: '2.0', ...message }, {}, to);
      expect(reply).toMatchObject({ status, json: { id, error: { data: { code: says } } } });
    }
  });

  test('an unknown session is refused without an id where the message cannot be read', async () => {
    await connect();
    const headers = { 'content-type': 'application/json' };
    const reply = await door.send('/messages?sessionId=x', { method: 'POST', headers, body: '{"id":7,' });
    expect(reply).toMatchObject({ status: 404, json: { id: null, error: { data: { code: 'SESSION_UNKNOWN' } } } });
  });

  test('does not take a session of the other transport, nor lend its own', async () => {
    const { endpoint } = await connect();
    const headers = await door.initialize();
    const path = `/messages?sessionId=${headers['mcp-session-id']}`;
    expect((await door.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, {}, path)).status).toBe(404);
    const id = endpoint.data.split('=')[1] ?? '';
    expect((await door.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, {}, `/a/messages?sessionId=${id}`)).status).toBe(
      404,
    );
  });

  test('refuses other methods and media types', async () => {
    const { endpoint } = await connect();
    expect((await door.send('/sse', { method: 'POST' })).status).toBe(405);
    expect((await door.send('/messages')).status).toBe(405);
    expect(
      (await door.send(endpoint.data, { method: 'POST', body: '{}', headers: { 'content-type': 'text/plain' } }))
        .status,
    ).toBe(415);
    expect((await door.send('/sse', { headers: { accept: 'application/json' } })).status).toBe(406);
  });
});
