/**
 * Vectors of a model of language, in this process or behind an address. Documents get theirs in the background and keep
 * them between runs; a request gets its own while the caller waits, and not for long. While the model cannot be asked,
 * search goes on by words alone and says so.
 */
import { createHash } from 'node:crypto';
import type { SearchDocument } from '../../domain/search/document.ts';
import type { FusionWeights } from '../../domain/search/fusion.ts';
import type { IndexedDocument } from '../../domain/search/inverted-index.ts';
import { DEPTH, type Scored } from '../../domain/search/ranking.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Embedder, EmbedderError } from '../../ports/embedder.ts';
import type { Log } from '../../ports/log.ts';
import type { VectorStore } from '../../ports/vector-store.ts';
import { createEmbeddingProgress } from './embedding-progress.ts';
import type { Accepts, Text, Vectors } from './vectors.ts';

/** Names what is made of a document before it is embedded; another recipe is another space. */
export const RECIPE = 'name, owner, tags, description, parts; 1';

/** As the first registry of this kind documents it. */
export const MODEL_WEIGHTS: FusionWeights = { lexical: 0.3, vector: 0.7 };

/** Servers connect one after the other: their tools go in fewer, fuller requests. */
const REST_MS = 100;
const BATCH = 64;
const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 300_000;
/** A search by words that comes is better than one by meaning that does not. */
const QUERY_MS = 3_000;
const MAX_QUERIES = 512;
/** Of what a caller sees, the share that must have vectors before they count. */
const ENOUGH = 0.9;
const MAX_DESCRIPTION = 2_000;

export function createModelVectors(deps: { embedder: Embedder; store: VectorStore; clock: Clock; log: Log }): Vectors {
  const { embedder, store, clock, log } = deps;
  const progress = createEmbeddingProgress({ space: embedder, formerly: store.formerly, clock, log });
  const keys = new WeakMap<IndexedDocument, string>();
  const texts = new Map<string, { text: string; holders: number }>();
  const missing = new Set<string>();
  const queries = new Map<string, Float32Array>();
  const closing = new AbortController();
  let problem: string | null = null;
  let working: Promise<void> | null = null;
  let cancelRetry = () => {};
  let retryMs = FIRST_RETRY_MS;

  function add(indexed: IndexedDocument): void {
    const text = textOf(indexed.document);
    const key = createHash('sha256').update(text).digest('base64url');
    keys.set(indexed, key);
    const known = texts.get(key);
    texts.set(key, { text, holders: (known?.holders ?? 0) + 1 });
    if (known === undefined && !store.known([key]).has(key)) missing.add(key);
    if (missing.size > 0) work();
  }

  function forget(indexed: IndexedDocument): void {
    const key = keys.get(indexed);
    const held = key === undefined ? undefined : texts.get(key);
    if (key === undefined || held === undefined) return;
    held.holders -= 1;
    if (held.holders > 0) return;
    // Its vector stays: a server that comes back has it at once. What nobody holds is dropped at the end.
    texts.delete(key);
    missing.delete(key);
  }

  function work(): void {
    if (working !== null || closing.signal.aborted) return;
    cancelRetry();
    working = new Promise<void>(resolve => void clock.after(REST_MS, resolve))
      .then(embedMissing)
      .catch(failed)
      .finally(() => {
        working = null;
        if (missing.size > 0 && problem === null) work();
      });
  }

  async function embedMissing(): Promise<void> {
    if (missing.size > 0 && !closing.signal.aborted) progress.begin(missing.size);
    while (missing.size > 0 && !closing.signal.aborted) {
      const batch = [...missing].slice(0, BATCH);
      const vectors = await embedder.embed(
        batch.map(key => texts.get(key)?.text ?? ''),
        closing.signal,
      );
      if (closing.signal.aborted) return;
      store.put(batch.flatMap((key, at) => (vectors[at] === undefined ? [] : [{ key, vector: vectors[at] }])));
      for (const key of batch) missing.delete(key);
      progress.made(batch.length, missing.size);
      problem = null;
      retryMs = FIRST_RETRY_MS;
    }
    if (missing.size > 0) return;
    problem = null;
    progress.end();
  }

  function failed(cause: unknown): void {
    if (closing.signal.aborted) return;
    problem = wordsOf(cause);
    progress.failed();
    log.warn('search has no vectors for some documents', {
      model: embedder.model,
      detail: problem,
      missing: missing.size,
    });
    // Also what does not pass by itself: an operator may mend it without a restart here (a key, a package, a model file).
    const isPassing = cause instanceof EmbedderError && cause.passing;
    const pauseMs = isPassing ? retryMs : LAST_RETRY_MS;
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    cancelRetry = clock.after(pauseMs, work);
  }

  async function embedQueries(asked: readonly string[]): Promise<(Float32Array | undefined)[] | null> {
    const unknown = [...new Set(asked)].filter(text => !queries.has(text));
    if (unknown.length > 0) {
      const late = new AbortController();
      const cancel = clock.after(QUERY_MS, () =>
        late.abort(new EmbedderError('the model took too long', { passing: true })),
      );
      try {
        const found = await untilAborted(
          embedder.embed(unknown, AbortSignal.any([closing.signal, late.signal])),
          late.signal,
        );
        if (queries.size + unknown.length > MAX_QUERIES) queries.clear();
        for (const [at, text] of unknown.entries()) if (found[at] !== undefined) queries.set(text, found[at]);
      } catch (cause) {
        if (!closing.signal.aborted)
          log.warn('search by words only: no vector for the request', { detail: wordsOf(cause) });
        return null;
      } finally {
        cancel();
      }
    }
    return asked.map(text => queries.get(text));
  }

  function rankOne({ asked }: Text, query: Float32Array, accepts: Accepts): Scored<IndexedDocument>[] {
    const byKey = new Map<string, IndexedDocument[]>();
    for (const { view } of asked) {
      for (const document of view.documents) {
        const key = keys.get(document);
        if (key !== undefined && accepts(document)) byKey.set(key, [...(byKey.get(key) ?? []), document]);
      }
    }
    return store
      .nearest(query, [...byKey.keys()], DEPTH)
      .flatMap(({ key, likeness }) => (byKey.get(key) ?? []).map(document => ({ document, score: likeness })))
      .slice(0, DEPTH);
  }

  return {
    model: embedder.model,
    isReader: true,
    add,
    forget,
    async rank(asked, accepts) {
      const [whole] = asked;
      if (whole === undefined) return null;
      const without = new Set<IndexedDocument>();
      let visible = 0;
      for (const { view } of whole.asked) {
        visible += view.documents.length;
        for (const document of view.documents) if (missing.has(keys.get(document) ?? '')) without.add(document);
      }
      if (visible - without.size < visible * ENOUGH) return null;
      const directions = await embedQueries(asked.map(({ text }) => text));
      if (directions === null || closing.signal.aborted) return null;
      const lists = asked.map((text, at) => {
        const direction = directions[at];
        return [{ found: direction === undefined ? [] : rankOne(text, direction, accepts), weight: 1 }];
      });
      return { lists, without, likeness: likenessIn(lists[0]?.[0]?.found ?? []) };
    },
    pending: () => missing.size,
    texts: () => ({ embedded: texts.size - missing.size, waiting: missing.size }),
    problem: () => problem,
    isReady: () => texts.size === 0 || missing.size <= texts.size * (1 - ENOUGH),
    async settled() {
      while (working !== null) await working;
    },
    async close() {
      closing.abort();
      cancelRetry();
      await working;
      if (missing.size === 0 && texts.size > 0) store.keepOnly(new Set(texts.keys()));
      store.close();
    },
  };
}

/**
 * Likeness to the request above that of any document to it: models differ in how alike all texts of one language are to
 * them, and the far end of the list tells.
 */
function likenessIn(found: readonly Scored<IndexedDocument>[]): (document: IndexedDocument) => number | null {
  const scores = new Map(found.map(({ document, score }) => [document, score]));
  const usual = Math.min(...scores.values(), 1);
  return document => {
    const score = scores.get(document);
    return score === undefined ? null : (score - usual) / (1 - usual || 1);
  };
}

/** Names first: models read the beginning best. Parameter texts would drown what the tool is for. */
function textOf({ kind, fields }: SearchDocument): string {
  const { name = '', owner = '', tags = '', description = '', parts = '' } = fields;
  return [`${kind} ${name} (${owner.trim()})`, tags, description.slice(0, MAX_DESCRIPTION), parts]
    .filter(part => part.trim() !== '')
    .join('\n');
}

function wordsOf(cause: unknown): string {
  return cause instanceof EmbedderError ? cause.message : 'the model failed';
}

/** Some embedders cannot be interrupted; their late answer is nobody's then. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return Promise.race([
    work,
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
  ]);
}
