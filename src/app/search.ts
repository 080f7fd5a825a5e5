/** Search put together: the index, what it makes vectors with, and the catalog it follows. */
import { createLatentThread } from '../outbound/search/latent-thread.ts';
import { readWordTable } from '../outbound/search/word-table.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { SearchIndex } from '../ports/search-index.ts';
import type { CatalogBook } from '../services/catalog/catalog-book.ts';
import { createBuiltInVectors } from '../services/search/built-in-vectors.ts';
import { createLatentModels } from '../services/search/latent-models.ts';
import { BUILT_IN_WEIGHTS, createSearchIndex } from '../services/search/search-index.ts';
import { type CatalogSearch, createToolSearch } from '../services/search/tool-search.ts';

export interface Search {
  index: SearchIndex;
  tools: CatalogSearch;
  stop(): Promise<void>;
}

export function createSearch(deps: { catalog: CatalogBook; clock: Clock; log: Log }): Search {
  const { catalog, clock, log } = deps;
  const trainer = createLatentThread({ clock });
  const models = createLatentModels({ trainer, clock, log });
  const vectors = createBuiltInVectors({ models, table: readWordTable(), close: () => trainer.close() });
  const index = createSearchIndex({ vectors, weights: BUILT_IN_WEIGHTS, clock, log });
  const tools = createToolSearch(index);
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
