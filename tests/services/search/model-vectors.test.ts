/** A model behind an address, with its vectors in a file: a real endpoint, a real database. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createPinnedPost } from '../../../src/outbound/fetch/pinned-post.ts';
import { createHttpEmbedder } from '../../../src/outbound/search/http-embedder.ts';
import { openVectorIndex } from '../../../src/outbound/sqlite/vector-index.ts';
import type { SearchIndex } from '../../../src/ports/search-index.ts';
import { createModelVectors, MODEL_WEIGHTS, RECIPE } from '../../../src/services/search/model-vectors.ts';
import { createSearchIndex } from '../../../src/services/search/search-index.ts';
import { OFFICE, tool } from '../../domain/search/documents.ts';
import { type EmbeddingsServer, openAiAnswer, startEmbeddingsServer } from '../../outbound/search/embeddings-server.ts';
import { createKeptLog } from '../../support/staircase.ts';
import { ask } from './engine.ts';

let folder = '';
let endpoint: EmbeddingsServer;
const opened: SearchIndex[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-search-'));
  endpoint = await startEmbeddingsServer(openAiAnswer(64));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map(index => index.close()));
  await endpoint.close();
  rmSync(folder, { recursive: true, force: true });
});

function open({ model = 'letters', dimensions = 64 } = {}) {
  endpoint.answer = openAiAnswer(dimensions);
  const clock = createSystemClock();
  const log = createKeptLog();
  const embedder = createHttpEmbedder({
    fetch: createPinnedPost(new URL(endpoint.url).origin),
    ...{ api: 'openai', baseUrl: `${endpoint.url}/v1`, model, dimensions, apiKey: null, timeoutMs: 2_000, retryMs: 5 },
  });
  const store = openVectorIndex(join(folder, 'vectors.db'), { model: embedder.model, dimensions, recipe: RECIPE });
  const vectors = createModelVectors({ embedder, store, clock, log });
  const index = createSearchIndex({ vectors, weights: () => MODEL_WEIGHTS, clock, log });
  opened.push(index);
  return { index, log };
}

const embedded = () => endpoint.asked.flatMap(({ body }) => body.input ?? []);

describe('search with a model', () => {
  it('is 0.3 words and 0.7 meaning by default, to the millionth', async () => {
    const { index } = open();
    index.upsert(OFFICE);
    await index.settled();
    const { hits, mode } = await index.search(ask('read the text of a file'));
    expect(mode).toBe('hybrid');
    expect(hits.length).toBeGreaterThan(3);
    for (const { relevanceScore, lexicalScore, vectorScore } of hits)
      expect(Math.abs(relevanceScore - (0.3 * lexicalScore + 0.7 * (vectorScore ?? Number.NaN)))).toBeLessThan(1e-6);
    expect(index.status()).toMatchObject({ mode: 'hybrid', pending: 0, problem: null, model: 'openai:letters' });
  });

  it('answers by words alone while the endpoint is down, says why, and asks no caller to wait for it', async () => {
    const { index, log } = open();
    endpoint.refuse = Array.from({ length: 100 }, () => ({ status: 401 }));
    index.upsert(OFFICE);
    await index.settled();
    const { hits, mode } = await index.search(ask('create an issue'));
    expect(mode).toBe('lexical-only');
    expect(hits[0]?.document.id).toBe('tracker__create_issue');
    expect(hits.every(({ vectorScore }) => vectorScore === null)).toBe(true);
    expect(index.status()).toMatchObject({ mode: 'lexical-only', pending: OFFICE.length });
    expect(index.status().problem).toContain('status 401; check search.apiKey');
    expect(log.lines.some(({ level }) => level === 'warn')).toBe(true);
  });

  it('answers by words alone when only the request cannot be embedded', async () => {
    const { index } = open();
    index.upsert(OFFICE);
    await index.settled();
    endpoint.refuse = [{ status: 400 }];
    expect((await index.search(ask('create an issue'))).mode).toBe('lexical-only');
    expect((await index.search(ask('create an issue'))).mode).toBe('hybrid');
  });

  it('has vectors of documents that did not change at once after a restart', async () => {
    const first = open();
    first.index.upsert(OFFICE);
    await first.index.settled();
    await first.index.close();
    const before = embedded().length;
    const second = open();
    second.index.upsert([...OFFICE.slice(1), tool('kitchen', 'brew', 'Brew coffee.')]);
    await second.index.settled();
    expect(embedded().slice(before)).toHaveLength(1);
    expect(embedded().at(-1)).toContain('Brew coffee.');
    expect((await second.index.search(ask('files'))).mode).toBe('hybrid');
  });

  it('starts over for another size or another model, and does not mix the two', async () => {
    const first = open();
    first.index.upsert(OFFICE);
    await first.index.settled();
    await first.index.close();
    for (const other of [{ dimensions: 32 }, { dimensions: 32, model: 'signs' }]) {
      const before = embedded().length;
      const { index } = open(other);
      index.upsert(OFFICE);
      await index.settled();
      expect(embedded().length - before).toBe(OFFICE.length);
      expect((await index.search(ask('create an issue'))).mode).toBe('hybrid');
      await index.close();
    }
  });

  it('finds a new tool before its vector is there', async () => {
    const { index } = open();
    const many = Array.from({ length: 40 }, (_, at) => tool('many', `thing_${at}`, `Handles the thing number ${at}.`));
    index.upsert([...OFFICE, ...many]);
    await index.settled();
    endpoint.refuse = Array.from({ length: 100 }, () => ({ status: 400 }));
    index.upsert([tool('kitchen', 'brew_coffee', 'Brew a cup of coffee.')]);
    endpoint.refuse = [];
    const { hits, mode } = await index.search(ask('brew some coffee'));
    expect(mode).toBe('hybrid');
    expect(hits[0]?.document.name).toBe('brew_coffee');
  });

  it('ranks by meaning only what the caller sees', async () => {
    const { index } = open();
    const secret = tool('vault', 'zygomorphic', 'Zygomorphic ledger of the zygote.');
    index.upsert([secret, ...OFFICE]);
    await index.settled();
    const masked = await index.search(
      ask('zygomorphic zygote', { isVisible: ({ owner }) => owner !== 'vault', limit: 50 }),
    );
    const other = open();
    other.index.upsert(OFFICE);
    await other.index.settled();
    const innocent = await other.index.search(ask('zygomorphic zygote', { limit: 50 }));
    const told = ({ hits }: typeof masked) =>
      hits.map(({ document, relevanceScore }) => [document.id, relevanceScore.toFixed(6)]);
    expect(told(masked)).toEqual(told(innocent));
  });
});
