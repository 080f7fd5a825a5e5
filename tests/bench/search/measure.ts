/** A set of requests through the search index: by words, by meaning, and by both. */
import type { SearchIndex } from '../../../src/ports/search-index.ts';
import { type AnnotatedQuery, type Tool, toDocument } from './corpus.ts';
import { createEngine, warmUp } from './engine.ts';
import { meanOf, type Quality, qualityOf } from './metrics.ts';

/** null: as the gateway fuses them. */
export const WAYS = {
  lexical: { lexical: 1, vector: 0 },
  vector: { lexical: 0, vector: 1 },
  hybrid: null,
} as const;
export type Measured = Record<keyof typeof WAYS, Quality>;

const DEPTH = 20;

export async function openCatalog(tools: readonly Tool[]): Promise<SearchIndex> {
  const engine = createEngine();
  engine.replace('tool', tools.map(toDocument));
  await warmUp(engine);
  return engine;
}

export async function measure(engine: SearchIndex, queries: readonly AnnotatedQuery[]): Promise<Measured> {
  const found: Record<keyof typeof WAYS, Quality[]> = { lexical: [], vector: [], hybrid: [] };
  for (const { query, groups } of queries) {
    for (const [way, weights] of Object.entries(WAYS) as [keyof typeof WAYS, (typeof WAYS)[keyof typeof WAYS]][]) {
      const request = { query, limit: DEPTH, isVisible: () => true };
      const { hits } = await engine.search(weights === null ? request : { ...request, weights });
      found[way].push(
        qualityOf(
          hits.map(({ document }) => document.id),
          groups,
        ),
      );
    }
  }
  return { lexical: meanOf(found.lexical), vector: meanOf(found.vector), hybrid: meanOf(found.hybrid) };
}
