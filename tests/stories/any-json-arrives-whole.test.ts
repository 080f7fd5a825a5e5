/** Whatever a server answers and whatever a client sends arrives deep-equal, in all pairings of eras and transports. */
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { META } from '../../src/domain/era.ts';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { anyJson, anyJsonObject, anyToolResult, JSON_TOOL, startFuzz, stdioFuzz } from '../support/downstreams/fuzz.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, IS_FULL, startGateway } from '../support/gateway-process.ts';
import { type Client, openClient, resultOf, textOf } from '../support/mcp-client.ts';

const RUNS = IS_FULL ? 400 : 30;
/** Below and above what travels as one piece: of a socket, of a parsed frame, of several writes. */
const PADDINGS = [0, 9_000, 130_000, 1_200_000];
const SERVERS = ['legacy-http', 'legacy-stdio', 'legacy-sse', 'modern-http', 'modern-stdio'] as const;
const PAIRS = SERVERS.flatMap(server => (['legacy', 'modern'] as const).map(era => ({ server, era })));

const started: StartedScripted[] = [];
let gateway: GatewayProcess;
const clients = new Map<string, Client>();

beforeAll(async () => {
  const remote = async (server: StartedScripted) => {
    started.push(server);
    return { url: server.url };
  };
  const echoing = { tools: 1, name: 'args' } as const;
  gateway = await startGateway({
    servers: {
      'legacy-http': await remote(await startFuzz('legacy')),
      'legacy-sse': { ...(await remote(await startFuzz('legacy', 'sse'))), type: 'sse' },
      'modern-http': await remote(await startFuzz('modern')),
      'legacy-stdio': stdioFuzz('legacy'),
      'modern-stdio': stdioFuzz('modern'),
      'args-legacy-http': await remote(await startScripted({ ...echoing, era: 'legacy' })),
      'args-legacy-sse': {
        ...(await remote(await startScripted({ ...echoing, era: 'legacy', transport: 'sse' }))),
        type: 'sse',
      },
      'args-modern-http': await remote(await startScripted({ ...echoing, era: 'modern' })),
      'args-legacy-stdio': stdioScripted({ ...echoing, era: 'legacy' }),
      'args-modern-stdio': stdioScripted({ ...echoing, era: 'modern' }),
    },
  });
  for (const era of ['legacy', 'modern'] as const) clients.set(era, await openClient(gateway.origin, era));
});

afterAll(async () => {
  for (const client of clients.values()) await client.close();
  await gateway.stop();
  for (const server of started) await server.close();
});

function client(era: string): Client {
  const found = clients.get(era);
  if (found === undefined) throw new Error(`no client of era ${era}`);
  return found;
}

/** Without what an era itself adds to results: they are about the hop, not about the tool. */
function withoutHop(result: JsonObject): JsonObject {
  const { resultType: _type, _meta, ...rest } = result;
  const { [META.serverInfo]: _info, ...meta } = objectOrEmpty(_meta);
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}

const anyPadding = fc.constantFrom(...PADDINGS.slice(0, 3), ...(IS_FULL ? PADDINGS.slice(3) : []));

describe.each(PAIRS)('between a $era client and $server', ({ server, era }) => {
  test('any result of a tool arrives deep-equal', { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(anyToolResult, anyPadding, async (result, padding) => {
        const sent: JsonObject = padding === 0 ? result : { ...result, 'x-padding': 'é"\\'.repeat(padding / 3) };
        const reply = await client(era).call(`${server}__${JSON_TOOL}`, { result: sent });
        expect(reply.status).toBe(200);
        expect(withoutHop(resultOf(reply))).toEqual(withoutHop(sent));
        expect(resultOf(reply).resultType).toBe(era === 'modern' ? 'complete' : undefined);
      }),
      { numRuns: RUNS },
    );
  });

  test('any arguments arrive deep-equal at the tool', { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(anyJsonObject, anyJson, anyPadding, async (args, more, padding) => {
        const sent: JsonObject = { ...args, more, ...(padding === 0 ? {} : { padding: 'ü\n'.repeat(padding / 2) }) };
        const reply = await client(era).call(`args-${server}__tool_0001`, sent);
        expect(JSON.parse(textOf(reply))).toEqual(sent);
      }),
      { numRuns: RUNS },
    );
  });

  test('the largest of them arrive deep-equal too', async () => {
    for (const padding of PADDINGS) {
      const args = { before: [1, {}], padding: '\u{1F600}\u2028'.repeat(padding / 3), after: 0.1 };
      const echoed = textOf(await client(era).call(`args-${server}__tool_0001`, args));
      expect(isDeepStrictEqual(JSON.parse(echoed), args), `${padding} bytes of arguments`).toBe(true);
      const result = { content: [{ type: 'x-unknown' }], structuredContent: args };
      const large = withoutHop(resultOf(await client(era).call(`${server}__${JSON_TOOL}`, { result })));
      expect(isDeepStrictEqual(large, result), `${padding} bytes of a result`).toBe(true);
    }
  });

  test('a listed tool keeps every member it was given', async () => {
    const { tools } = resultOf(await client(era).request('tools/list'));
    const listed = (tools as JsonObject[]).find(({ name }) => name === `${server}__structured`);
    expect(listed).toMatchObject({
      title: 'Structured',
      outputSchema: { type: 'object', properties: { answer: { type: 'number' } }, 'x-unknown-keyword': [1, 2] },
      annotations: { title: 'Structured', readOnlyHint: true, 'x-unknown-hint': true },
      icons: [{ src: 'https://example.test/icon.png', mimeType: 'image/png', sizes: ['48x48'] }],
      _meta: { 'example.test/note': { keep: 'me' } },
      'x-unknown-member': { deep: [null, false, 0, ''] },
    });
  });

  test('a resource and a prompt arrive with members nobody knows', async () => {
    const prompt = await client(era).request('prompts/get', { name: `${server}__greet`, arguments: { name: 'Ada' } });
    expect(resultOf(prompt)).toMatchObject({
      messages: [{ role: 'user', content: { type: 'text', text: 'Greet Ada.' } }],
      'x-unknown-member': 1,
    });
    const { resources } = resultOf(await client(era).request('resources/list'));
    const blob = (resources as JsonObject[]).find(({ name }) => String(name).includes('blob'));
    expect(blob).toMatchObject({ mimeType: 'application/octet-stream', 'x-unknown-member': true });
  });
});
