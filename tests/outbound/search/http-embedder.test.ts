import { inspect } from 'node:util';
import { afterEach, describe, expect, it, test } from 'vitest';
import { Secret } from '../../../src/domain/secret.ts';
import { createPinnedPost } from '../../../src/outbound/fetch/pinned-post.ts';
import { createHttpEmbedder, type HttpEmbedderOptions } from '../../../src/outbound/search/http-embedder.ts';
import { EmbedderError } from '../../../src/ports/embedder.ts';
import { type EmbeddingsServer, openAiAnswer, startEmbeddingsServer, titanAnswer } from './embeddings-server.ts';

const KEY = 'sk-7Qm2Zt9Lx4Kd8Rv1Bn6Wc3Hy5Jp0';
const NEVER = new AbortController().signal;
const running: EmbeddingsServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map(server => server.close()));
});

async function start(answer: EmbeddingsServer['answer'], options: Partial<HttpEmbedderOptions> = {}) {
  const server = await startEmbeddingsServer(answer);
  running.push(server);
  const embedder = createHttpEmbedder({
    fetch: createPinnedPost(new URL(server.url).origin),
    api: 'openai',
    baseUrl: `${server.url}/v1`,
    model: 'text-embedding-ada-002',
    dimensions: 1536,
    apiKey: new Secret(KEY),
    timeoutMs: 5_000,
    retryMs: 5,
    ...options,
  });
  return { server, embedder };
}

const dot = (a: Float32Array | undefined, b: Float32Array | undefined) =>
  Array.from(a ?? []).reduce((sum, value, at) => sum + value * (b?.[at] ?? 0), 0);

describe('createHttpEmbedder', () => {
  test.each([
    { api: 'openai', model: 'text-embedding-ada-002', dimensions: 1536, sends: undefined },
    { api: 'openai', model: 'text-embedding-3-small', dimensions: 512, sends: 512 },
    { api: 'openai', model: 'bedrock/amazon.titan-embed-text-v2:0', dimensions: 1024, sends: undefined },
    { api: 'titan', model: 'amazon.titan-embed-text-v2:0', dimensions: 1024, sends: 1024 },
    { api: 'titan', model: 'amazon.titan-embed-text-v1', dimensions: 1536, sends: undefined },
  ] as const)('speaks $api to $model with $dimensions values', async ({ api, model, dimensions, sends }) => {
    const answer = api === 'titan' ? titanAnswer(dimensions) : openAiAnswer(dimensions);
    const { server, embedder } = await start(answer, { api, model, dimensions });
    const [one, other, twin] = await embedder.embed(['create issue', 'zzz', 'issue create'], NEVER);
    expect(one).toHaveLength(dimensions);
    expect(dot(one, one)).toBeCloseTo(1, 5);
    expect(dot(one, twin)).toBeCloseTo(1, 5);
    expect(dot(one, other)).toBeLessThan(0.5);
    expect(server.asked[0]?.authorization).toBe(`Bearer ${KEY}`);
    expect(server.asked[0]?.body.dimensions).toBe(sends);
    expect(server.asked[0]?.path).toBe(
      api === 'titan' ? `/v1/model/${encodeURIComponent(model)}/invoke` : '/v1/embeddings',
    );
  });

  it('sends many texts in batches and gives them back in order', async () => {
    const { server, embedder } = await start(openAiAnswer(8), { dimensions: 8 });
    const texts = Array.from({ length: 150 }, (_, at) => 'abcdefgh'[at % 8] ?? '');
    const vectors = await embedder.embed(texts, NEVER);
    expect(server.asked.map(({ body }) => body.input?.length)).toEqual([64, 64, 22]);
    for (const [at, vector] of vectors.entries())
      expect(vector.indexOf(1)).toBe(((texts[at] ?? '').codePointAt(0) ?? 0) % 8);
  });

  test.each([429, 500, 502, 503, 408])('tries again after %i', async status => {
    const { server, embedder } = await start(openAiAnswer(4), { dimensions: 4 });
    server.refuse.push({ status }, { status });
    expect(await embedder.embed(['a'], NEVER)).toHaveLength(1);
    expect(server.asked).toHaveLength(3);
  });

  it('waits as long as it is asked to', async () => {
    const { server, embedder } = await start(openAiAnswer(4), { dimensions: 4 });
    server.refuse.push({ status: 429, headers: { 'retry-after': '1' } });
    const before = performance.now();
    await embedder.embed(['a'], NEVER);
    expect(performance.now() - before).toBeGreaterThan(900);
  });

  it('gives up after four attempts, and says that it may pass', async () => {
    const { server, embedder } = await start(openAiAnswer(4), { dimensions: 4 });
    server.refuse.push(...Array.from({ length: 9 }, () => ({ status: 503 })));
    const error = await embedder.embed(['a'], NEVER).catch(cause => cause);
    expect(error).toBeInstanceOf(EmbedderError);
    expect(error.passing).toBe(true);
    expect(server.asked).toHaveLength(4);
  });

  test.each([
    { status: 401, says: 'refused with status 401; check search.apiKey (EMBEDDINGS_API_KEY)' },
    { status: 404, says: 'refused with status 404; check search.baseUrl (EMBEDDINGS_API_BASE) and search.model' },
    { status: 400, says: 'refused with status 400; check search.model and search.dimensions' },
    { status: 307, says: 'refused with status 307' },
  ])('asks once where asking again is of no use: $status', async ({ status, says }) => {
    const { server, embedder } = await start(openAiAnswer(4), { dimensions: 4 });
    const headers = { location: 'https://elsewhere.example.com/' };
    server.refuse.push({ status, headers, body: `{"error":"Incorrect API key provided: ${KEY}"}` });
    const error = await embedder.embed(['a'], NEVER).catch(cause => cause);
    expect(error.message).toBe(`the embeddings endpoint ${says}`);
    expect(error.passing).toBe(false);
    expect(server.asked).toHaveLength(1);
    expect(inspect(error, { depth: 9 })).not.toContain(KEY);
  });

  test.each([
    { told: 'plain text', because: 'no JSON' },
    { told: { data: [] }, because: 'too few vectors' },
    { told: { data: [{ index: 5, embedding: [1, 2, 3, 4] }] }, because: 'a vector of nobody' },
    { told: { data: [{ embedding: ['1', '2'] }] }, because: 'no numbers' },
    { told: null, because: 'nothing' },
  ])('understands no $because', async ({ told }) => {
    const { embedder } = await start(() => told ?? 'null', { dimensions: 4 });
    await expect(embedder.embed(['a'], NEVER)).rejects.toThrow('something that is no list of vectors');
  });

  it('says which size to configure when the model has another', async () => {
    const { embedder } = await start(openAiAnswer(1024), { dimensions: 1536 });
    await expect(embedder.embed(['a'], NEVER)).rejects.toThrow(
      'gives vectors of 1024 values, not 1536; set search.dimensions (EMBEDDINGS_MODEL_DIMENSIONS) to 1024',
    );
  });

  it('gives up on an endpoint that never answers', async () => {
    const { server, embedder } = await start(openAiAnswer(4), { dimensions: 4, timeoutMs: 30 });
    server.isSilent = true;
    await expect(embedder.embed(['a'], NEVER)).rejects.toThrow('did not answer within 30 ms');
    expect(server.asked.length).toBeGreaterThan(1);
  });

  it('stops when it is told to, also between two attempts', async () => {
    const { server, embedder } = await start(openAiAnswer(4), { dimensions: 4, retryMs: 60_000 });
    server.refuse.push({ status: 503 });
    const stop = new AbortController();
    const asked = embedder.embed(['a'], stop.signal);
    setTimeout(() => stop.abort(), 50);
    await expect(asked).rejects.toThrow();
    expect(server.asked).toHaveLength(1);
  });

  it('sends no key where none is configured', async () => {
    const { server, embedder } = await start(openAiAnswer(4), { dimensions: 4, apiKey: null });
    await embedder.embed([''], NEVER);
    expect(server.asked[0]?.authorization).toBeUndefined();
    expect(server.asked[0]?.body.input).toEqual(['-']);
  });
});

describe('createPinnedPost', () => {
  it('opens no socket to another origin', async () => {
    const { server } = await start(openAiAnswer(4));
    const post = createPinnedPost('https://llm.example.com');
    const request = { method: 'POST', headers: {}, body: '{}', signal: NEVER };
    await expect(post(`${server.url}/v1/embeddings`, request)).rejects.toThrow('not the configured origin');
    expect(server.asked).toEqual([]);
  });

  it('reads no more than it was told to', async () => {
    const { server } = await start(() => 'x'.repeat(5_000));
    const post = createPinnedPost(new URL(server.url).origin, 1_000);
    const response = await post(`${server.url}/`, { method: 'POST', headers: {}, body: '{}', signal: NEVER });
    await expect(response.text()).rejects.toThrow('too large');
  });
});
