/** The search index as the gateway builds it, over one catalog, with its background work done. */
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createLatentThread } from '../../../src/outbound/search/latent-thread.ts';
import { readWordTable } from '../../../src/outbound/search/word-table.ts';
import type { SearchIndex } from '../../../src/ports/search-index.ts';
import { builtInWeights, createBuiltInVectors } from '../../../src/services/search/built-in-vectors.ts';
import { createLatentModels } from '../../../src/services/search/latent-models.ts';
import { createSearchIndex } from '../../../src/services/search/search-index.ts';
import { createKeptLog } from '../../support/staircase.ts';

export function createEngine(): SearchIndex {
  const clock = createSystemClock();
  const log = createKeptLog();
  const trainer = createLatentThread({ clock });
  const models = createLatentModels({ trainer, clock, log });
  const vectors = createBuiltInVectors({ models, table: readWordTable(), close: () => trainer.close() });
  return createSearchIndex({ vectors, weights: builtInWeights, clock, log });
}

/** The first search asks for the model of what it sees. */
export async function warmUp(engine: SearchIndex): Promise<void> {
  await engine.search({ query: 'anything', limit: 1, isVisible: () => true });
  await engine.settled();
}
