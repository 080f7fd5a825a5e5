/**
 * Finding a tool through the public door: with what is built in, with a model behind an address, and while that address
 * is gone. Real servers, a real endpoint.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type EmbeddingsServer, openAiAnswer, startEmbeddingsServer } from '../outbound/search/embeddings-server.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Client, openLegacy, resultOf } from '../support/mcp-client.ts';

const KEY = 'sk-9Wd4Xs7Qz2Ve6Rb1Tn8Yu3Im5Ok0';
/** Both are here already; a slow machine may need a while to start them. */
const SERVERS: JsonObject = {
  firstListWait: '25s',
  servers: {
    everything: { package: '@modelcontextprotocol/server-everything' },
    memory: { package: '@modelcontextprotocol/server-memory' },
  },
};

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(settings: JsonObject = {}): Promise<{ gateway: GatewayProcess; client: Client }> {
  const gateway = await startGateway({ settings: { ...SERVERS, ...settings } });
  closing.push(() => gateway.stop());
  const client = await openLegacy(gateway.origin, { path: '/mcp/discovery' });
  closing.push(() => client.close());
  return { gateway, client };
}

async function startEndpoint(): Promise<EmbeddingsServer> {
  const endpoint = await startEmbeddingsServer(openAiAnswer(64));
  closing.push(() => endpoint.close());
  return endpoint;
}

async function find(
  client: Client,
  query: string,
): Promise<{ names: unknown[]; scores: number[]; confidence: unknown }> {
  const reply = await client.request('tools/call', { name: 'find_tools', arguments: { query, limit: 10 } });
  const { tools, confidence } = resultOf(reply).structuredContent as { tools: JsonObject[]; confidence: unknown };
  return { names: tools.map(({ name }) => name), scores: tools.map(({ score }) => Number(score)), confidence };
}

const searchBy = (endpoint: EmbeddingsServer): JsonObject => ({
  search: { provider: 'openai', model: 'letters', dimensions: 64, baseUrl: `${endpoint.url}/v1`, apiKey: KEY },
});

describe('find_tools', () => {
  it('finds what is wanted, is sure of it, and says when nothing fits', async () => {
    const { client } = await start();
    const sum = await find(client, 'add two numbers');
    expect(sum.names[0]).toBe('everything__get-sum');
    expect(sum.confidence).toBe('high');
    expect(new Set(sum.scores).size).toBe(sum.scores.length);
    expect(sum.scores).toEqual([...sum.scores].sort((a, b) => b - a));
    expect((await find(client, 'read the knowledge graph')).names[0]).toBe('memory__read_graph');
    expect((await find(client, 'translate poetry into Latin')).confidence).toBe('none');
  });

  it('asks the model an operator chose, and tells its key to nobody else', async () => {
    const endpoint = await startEndpoint();
    const { gateway, client } = await start(searchBy(endpoint));
    await waitFor(async () => {
      await find(client, 'add two numbers');
      return endpoint.asked.some(({ body }) => body.input?.includes('add two numbers')) ? true : null;
    }, 'the request is embedded');
    const documents = endpoint.asked.flatMap(({ body }) => body.input ?? []);
    expect(documents.some(text => text.startsWith('tool get-sum (everything'))).toBe(true);
    expect(new Set(endpoint.asked.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${KEY}`]));
    expect((await find(client, 'add two numbers')).names).toContain('everything__get-sum');
    expect(gateway.stderr()).not.toContain(KEY);
  });

  it('says how far the vectors are while they are made: in the log, the figures and the status', async () => {
    const endpoint = await startEndpoint();
    let letThrough = () => {};
    const held = new Promise<void>(resolve => {
      letThrough = resolve;
    });
    endpoint.answer = async asked => {
      await held;
      return openAiAnswer(64)(asked);
    };
    const { gateway, client } = await start({ ...searchBy(endpoint), debug: true });
    const figures = async () => {
      const samples = await gateway.samples();
      const inText = ['embedded', 'waiting'].map(what => samples.get(`gatehouse_search_texts_${what}`) ?? 0);
      const { figures: inJson } = JSON.parse((await gateway.get('/metrics')).text) as { figures: JsonObject };
      const { structuredContent } = resultOf(await client.request('tools/call', { name: 'get_gateway_status' }));
      const { texts, search_mode: mode } = (structuredContent as { search: JsonObject }).search;
      return { inText, inJson: Number(inJson.gatehouse_search_texts_waiting), texts, mode };
    };
    const semantic = async () => {
      const body = JSON.stringify({ query: 'read the knowledge graph' });
      const headers = { 'content-type': 'application/json' };
      const reply = await fetch(`${gateway.origin}/api/search/semantic`, { method: 'POST', body, headers });
      return ((await reply.json()) as JsonObject).search_mode;
    };
    const logged = (message: string) => gateway.logged().find(({ msg }) => msg === message);

    expect((await find(client, 'read the knowledge graph')).names[0]).toBe('memory__read_graph');
    const begun = await waitFor(
      async () => logged('search vectors are being made') ?? null,
      'the log says that it began',
    );
    expect(begun).toMatchObject({ why: 'there were none', model: 'openai:letters', dimensions: 64 });
    const before = await figures();
    const waiting = before.inText[1] ?? 0;
    expect(waiting).toBeGreaterThan(10);
    expect(before).toEqual({
      ...{ inText: [0, waiting], inJson: waiting, texts: { embedded: 0, waiting }, mode: 'lexical-only' },
    });
    expect(await semantic()).toBe('lexical-only');

    letThrough();
    await waitFor(
      async () => (logged('search vectors are made') === undefined ? null : true),
      'the log says that it ended',
    );
    expect(await figures()).toMatchObject({ inJson: 0, texts: { embedded: waiting, waiting: 0 }, mode: 'hybrid' });
    expect(await semantic()).toBe('hybrid');
  });

  it('goes on by words while that model is gone, and says so in the log without its key', async () => {
    const endpoint = await startEndpoint();
    endpoint.refuse = Array.from({ length: 1_000 }, () => ({ status: 401, body: `{"error":"bad key ${KEY}"}` }));
    const { gateway, client } = await start(searchBy(endpoint));
    expect((await find(client, 'read the knowledge graph')).names[0]).toBe('memory__read_graph');
    await waitFor(async () => (gateway.stderr().includes('status 401') ? true : null), 'the log says why');
    expect(gateway.stderr()).toContain('check search.apiKey (EMBEDDINGS_API_KEY)');
    expect(gateway.stderr()).not.toContain(KEY);
  });
});
