/** The index as the gateway builds it, with its real thread and table, over documents of the tests. */
import type { SearchDocument } from '../../../src/domain/search/document.ts';
import type { FusionWeights } from '../../../src/domain/search/fusion.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createLatentThread } from '../../../src/outbound/search/latent-thread.ts';
import { readWordTable } from '../../../src/outbound/search/word-table.ts';
import type { SearchIndex, SearchRequest } from '../../../src/ports/search-index.ts';
import { builtInWeights, createBuiltInVectors } from '../../../src/services/search/built-in-vectors.ts';
import { createLatentModels } from '../../../src/services/search/latent-models.ts';
import { createSearchIndex } from '../../../src/services/search/search-index.ts';
import { createKeptLog } from '../../support/staircase.ts';

const table = readWordTable();

export function createEngine(weights?: FusionWeights): SearchIndex {
  const clock = createSystemClock();
  const log = createKeptLog();
  const trainer = createLatentThread({ clock });
  const models = createLatentModels({ trainer, clock, log });
  const vectors = createBuiltInVectors({ models, table, close: () => trainer.close() });
  return createSearchIndex({ vectors, weights: weights === undefined ? builtInWeights : () => weights, clock, log });
}

export const everybody = () => true;
export const ask = (query: string, more: Partial<SearchRequest> = {}): SearchRequest => ({
  query,
  limit: 10,
  isVisible: everybody,
  ...more,
});

/** Asks once, so that the model of what is visible is asked for, and waits for it. */
export async function warmUp(index: SearchIndex, isVisible: (document: SearchDocument) => boolean): Promise<void> {
  await index.search(ask('anything', { isVisible }));
  await index.settled();
}
