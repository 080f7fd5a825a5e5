/** A model behind an address, with its vectors in a file: a real endpoint, a real database. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
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

function open({ model = 'letters', dimensions = 64, clock = createSystemClock() } = {}) {
  endpoint.answer = openAiAnswer(dimensions);
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

/** Each batch waits until it is let through. */
function holdAnswers() {
  const { answer } = endpoint;
  const held: (() => void)[] = [];
  endpoint.answer = async asked => {
    await new Promise<void>(resolve => void held.push(resolve));
    return answer(asked);
  };
  return {
    letOne: () => vi.waitFor(() => (held.shift() ?? never('a request waits'))()),
    letAll() {
      endpoint.answer = answer;
      for (const go of held.splice(0)) go();
    },
  };
}

const linesAbout = (log: ReturnType<typeof createKeptLog>) =>
  log.lines
    .filter(({ message }) => message.startsWith('search vectors'))
    .map(({ message, fields }) => ({ message, ...fields }));

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

  it('tells how it goes while a slow endpoint makes the vectors, and answers by words until nearly all are there', async () => {
    const clock = createSystemClock();
    let passedMs = 0;
    const { index, log } = open({ clock: { ...clock, monotonicMs: () => clock.monotonicMs() + passedMs } });
    const { letOne, letAll } = holdAnswers();
    const many = Array.from({ length: 200 }, (_, at) => tool('many', `thing_${at}`, `Handles the thing number ${at}.`));
    index.upsert(many);
    const texts = () => index.status().texts;
    await index.search(ask('thing'));
    await vi.waitFor(() => expect(linesAbout(log)).toHaveLength(1));
    passedMs = 6_000;
    await letOne();
    await vi.waitFor(() => expect(texts()).toEqual({ embedded: 64, waiting: 136 }));
    expect(linesAbout(log)).toMatchObject([
      {
        message: 'search vectors are being made',
        ...{ texts: expect.any(Number), why: 'there were none', model: 'openai:letters', dimensions: 64 },
      },
      { message: 'search vectors are still being made', made: 64, waiting: 136 },
    ]);
    expect(index.status().mode).toBe('lexical-only');
    const meanwhile = await index.search(ask('handle thing number 77'));
    expect([meanwhile.mode, meanwhile.hits[0]?.document.name]).toEqual(['lexical-only', 'thing_77']);

    letAll();
    // Whoever sees only what has its vector is answered by meaning, too.
    const first = new Set(many.slice(0, 60).map(({ id }) => id));
    expect((await index.search(ask('handle thing', { isVisible: ({ id }) => first.has(id) }))).mode).toBe('hybrid');
    await index.settled();
    expect(texts()).toEqual({ embedded: 200, waiting: 0 });
    expect(linesAbout(log).at(-1)).toMatchObject({ message: 'search vectors are made', made: 200, failures: 0 });
    expect((await index.search(ask('handle thing number 77'))).mode).toBe('hybrid');
  });

  it('says why vectors are made, and what went wrong on the way', async () => {
    const reasons: unknown[] = [];
    for (const space of [{}, {}, { dimensions: 32 }, { dimensions: 32, model: 'signs' }]) {
      const { index, log } = open(space);
      if (reasons.length === 1) endpoint.refuse = [{ status: 503 }, { status: 503 }, { status: 503 }, { status: 503 }];
      index.upsert(reasons.length === 1 ? [...OFFICE, tool('kitchen', 'brew', 'Brew coffee.')] : OFFICE);
      await vi.waitFor(() => expect(linesAbout(log).at(-1)?.message).toBe('search vectors are made'), 5_000);
      const [begun, ...rest] = linesAbout(log) as { [field: string]: unknown }[];
      reasons.push([begun?.why, begun?.before, rest.at(-1)?.failures]);
      await index.close();
    }
    expect(reasons).toEqual([
      ['there were none', undefined, 0],
      ['texts without one', undefined, 1],
      ['another number of dimensions', 'openai:letters, 64', 0],
      ['another model', 'openai:letters, 32', 0],
    ]);
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

function never(what: string): never {
  throw new Error(`not yet: ${what}`);
}
