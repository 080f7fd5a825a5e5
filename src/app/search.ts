/** Search put together: the index, what it makes vectors with, and the catalog it follows. */
import type { SearchConfig } from '../config/search-config.ts';
import { createPinnedPost } from '../outbound/fetch/pinned-post.ts';
import { createHttpEmbedder } from '../outbound/search/http-embedder.ts';
import { createLatentThread } from '../outbound/search/latent-thread.ts';
import { createTransformersEmbedder } from '../outbound/search/transformers-embedder.ts';
import { readWordTable } from '../outbound/search/word-table.ts';
import { openVectorIndex } from '../outbound/sqlite/vector-index.ts';
import type { Clock } from '../ports/clock.ts';
import type { Embedder } from '../ports/embedder.ts';
import type { Log } from '../ports/log.ts';
import type { MetricsReader } from '../ports/metrics.ts';
import type { SearchIndex } from '../ports/search-index.ts';
import type { VectorSpace, VectorStore } from '../ports/vector-store.ts';
import type { CatalogBook } from '../services/catalog/catalog-book.ts';
import { builtInWeights, createBuiltInVectors } from '../services/search/built-in-vectors.ts';
import { createLatentModels } from '../services/search/latent-models.ts';
import { createModelVectors, MODEL_WEIGHTS, RECIPE } from '../services/search/model-vectors.ts';
import { createSearchIndex } from '../services/search/search-index.ts';
import { type CatalogSearch, createToolSearch } from '../services/search/tool-search.ts';
import type { Vectors } from '../services/search/vectors.ts';

export interface Search {
  index: SearchIndex;
  tools: CatalogSearch;
  stop(): Promise<void>;
}

export interface SearchDeps {
  config: SearchConfig;
  catalog: CatalogBook;
  /** Where optional packages are looked for. */
  cwd: string;
  metrics: MetricsReader;
  clock: Clock;
  log: Log;
}

export function createSearch({ config, catalog, cwd, metrics, clock, log }: SearchDeps): Search {
  const embedder = createEmbedder(config, cwd);
  const vectors = embedder === null ? builtIn(clock, log) : ofModel(embedder, config, clock, log);
  const fixed = config.weights ?? (embedder === null ? null : MODEL_WEIGHTS);
  const weights = fixed === null ? builtInWeights : () => fixed;
  const index = createSearchIndex({ vectors, weights, clock, log });
  const tools = createToolSearch(index);
  if (embedder !== null) offerProgress(metrics, index);
  const stopFollowing = catalog.onChange(() => tools.follow(catalog.current()));
  return {
    index,
    tools,
    async stop() {
      stopFollowing();
      await index.close();
    },
  };
}

/** How many there are of everything is for whoever may see everything. */
function offerProgress(metrics: MetricsReader, index: SearchIndex): void {
  const one = (name: string, help: string, read: (texts: { embedded: number; waiting: number }) => number) =>
    metrics.gauge(name, help, sight => {
      const { texts } = index.status();
      return texts === null || sight !== null ? [] : [{ labels: {}, value: read(texts) }];
    });
  one('gatehouse_search_texts_embedded', 'Texts that search can find by meaning.', ({ embedded }) => embedded);
  one('gatehouse_search_texts_waiting', 'Texts that wait for their vector.', ({ waiting }) => waiting);
}

function createEmbedder(config: SearchConfig, cwd: string): Embedder | null {
  const { provider, baseUrl, model, dimensions, apiKey, modelFolder, timeoutMs } = config;
  switch (provider) {
    case 'builtin':
      return null;
    case 'openai':
    case 'titan':
      return createHttpEmbedder({
        fetch: createPinnedPost(new URL(baseUrl).origin),
        api: provider,
        ...{ baseUrl, model, dimensions, apiKey, timeoutMs },
      });
    case 'transformers':
      return createTransformersEmbedder({ model, dimensions, modelFolder, installedIn: cwd });
  }
}

function builtIn(clock: Clock, log: Log): Vectors {
  const trainer = createLatentThread({ clock });
  const models = createLatentModels({ trainer, clock, log });
  return createBuiltInVectors({ models, table: readWordTable(), close: () => trainer.close() });
}

function ofModel(embedder: Embedder, { vectorsFile }: SearchConfig, clock: Clock, log: Log): Vectors {
  const space = { model: embedder.model, dimensions: embedder.dimensions, recipe: RECIPE };
  return createModelVectors({ embedder, store: openStore(vectorsFile, space, log), clock, log });
}

/** A file that cannot be opened costs the vectors of the last run, not the gateway. */
function openStore(path: string, space: VectorSpace, log: Log): VectorStore {
  try {
    return openVectorIndex(path, space);
  } catch (cause) {
    log.warn('search vectors are kept in memory only', { path, detail: cause instanceof Error ? cause.message : '' });
    return openVectorIndex(':memory:', space);
  }
}
