/** What a client writes into a name, a URI or a path chooses nothing but what it names: no other server, path or header. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type RecordedServer, startRecorded } from '../support/downstreams/recorded.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Client, errorOf, openClient, resultOf, textOf } from '../support/mcp-client.ts';

const ERAS = ['legacy', 'modern'] as const;
const TWISTED = ['../x', '..%2fx', '%2e%2e/x', 'a\\b', '..\\x', 'a\0b', 'a\r\nX-Injected: 1', 'a%00b'];

let modern: RecordedServer;
let legacy: RecordedServer;
let gateway: GatewayProcess;
const seen = () => [...modern.seen, ...legacy.seen];

beforeAll(async () => {
  [modern, legacy] = await Promise.all([startRecorded({ era: 'modern' }), startRecorded({ era: 'legacy' })]);
  gateway = await startGateway({ servers: { new: { url: modern.url }, old: { url: legacy.url } } });
  // A stream for news is opened some time after the handshake.
  for (const server of [modern, legacy])
    await waitFor(() => (server.of('tools/list').length > 0 ? true : null), 'lists');
});

afterAll(async () => {
  await gateway.stop();
  await Promise.all([modern.close(), legacy.close()]);
});

/** Requests to either server that are about something a client named. */
const asked = () =>
  seen().filter(({ method }) => /^(?:tools\/call|prompts\/get|resources\/read|completion)/.test(method ?? ''));

async function withClient<T>(
  era: (typeof ERAS)[number],
  path: string,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await openClient(gateway.origin, era, { path });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

describe.each(ERAS)('to a %s client', era => {
  describe.each([
    { path: '/mcp', prefix: 'new__' },
    { path: '/new/mcp', prefix: '' },
    { path: '/old/mcp', prefix: '' },
  ])('at $path', ({ path, prefix }) => {
    test.each(TWISTED)('%j is the name of nothing, and no server is asked', async twisted => {
      const before = asked().length;
      const about = (ref: JsonObject) => ({ ref, argument: { name: 'a', value: 'b' } });
      const questions: [method: string, params: JsonObject][] = [
        ['tools/call', { name: prefix + twisted, arguments: {} }],
        ['prompts/get', { name: prefix + twisted }],
        ['resources/read', { uri: `test://item/${twisted}` }],
        ['resources/read', { uri: twisted }],
        ['completion/complete', about({ type: 'ref/resource', uri: `test://item/${twisted}` })],
        ['completion/complete', about({ type: 'ref/prompt', name: prefix + twisted })],
      ];
      await withClient(era, path, async client => {
        for (const [method, params] of questions) {
          const reply = await client.request(method, params);
          expect([method, typeof errorOf(reply).code]).toEqual([method, 'number']);
          expect(reply.headers['x-injected']).toBeUndefined();
        }
      });
      expect(asked()).toHaveLength(before);
    });

    test('a name in order is asked about as it stands', async () => {
      const reply = await withClient(era, path, client =>
        client.request('resources/read', { uri: 'test://item/a.b..c' }),
      );
      expect(resultOf(reply).contents).toMatchObject([{ uri: 'test://item/a.b..c' }]);
    });
  });

  test('headers that name another host change nothing about where a call goes', async () => {
    const headers = {
      ...{ 'x-forwarded-host': 'old.test', 'x-original-url': '/old/mcp', forwarded: 'host=old.test' },
      ...{ 'mcp-init-host': 'http://169.254.169.254/', 'x-mcp-server-url': legacy.url },
    };
    const before = legacy.of('tools/call').length;
    const client = await openClient(gateway.origin, era, { headers });
    expect(textOf(await client.call('new__echo', { text: 'here' }))).toBe('here');
    await client.close();
    expect(legacy.of('tools/call')).toHaveLength(before);
    const got = modern.of('tools/call').at(-1);
    expect(Object.keys(got?.headers ?? {}).filter(name => name in headers)).toEqual([]);
    expect(got?.whole).not.toContain('169.254.169.254');
  });
});

test.each([
  ...['/../mcp', '/old/../mcp', '/..%2fold/mcp', '/%2e%2e/mcp', '/./mcp', '//old/mcp', '/old/mcp/../mcp'],
  ...['/ol\\d/mcp', '/old%00/mcp', '/old%0d%0aX-Injected:1/mcp', '/ol\0d/mcp', '/old%2fmcp'],
])('a path such as %j leads to no server', async target => {
  const before = seen().length;
  expect(await postRaw(target)).toMatch(/^HTTP\/1\.1 (?:400|404) /);
  expect(seen()).toHaveLength(before);
});

/** The status line; clients and libraries would tidy the path. */
function postRaw(target: string): Promise<string> {
  const { port } = new URL(gateway.origin);
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
  const head = [
    `POST ${target} HTTP/1.1`,
    ...[`host: 127.0.0.1:${port}`, 'content-type: application/json', 'accept: application/json, text/event-stream'],
    ...['connection: close', `content-length: ${body.length}`],
  ].join('\r\n');
  return new Promise((resolve, reject) => {
    let text = '';
    connect(Number(port), '127.0.0.1')
      .on('data', chunk => {
        text += chunk;
      })
      .on('error', reject)
      .on('close', () => resolve(text.split('\r\n')[0] ?? ''))
      .end(`${head}\r\n\r\n${body}`);
  });
}
