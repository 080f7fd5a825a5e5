/**
 * Servers beside their tools: a server counts what the best of its tools counts, a little less, where that is more than its
 * own texts. Words and meaning are lifted each by itself, so that relevance stays the weighted sum of the two.
 */
import { surerOf } from '../../domain/search/confidence.ts';
import type { SearchDocument } from '../../domain/search/document.ts';
import { type FusionWeights, keepApart } from '../../domain/search/fusion.ts';
import type { SearchHit } from '../../ports/search-index.ts';

/** What a tool scored, as much of it as its server gets. */
const SERVER_SHARE = 0.9;

export interface Ranked extends Omit<SearchHit, 'relevanceScore'> {
  relevance: number;
}

/** `serverOf`: the document of the server of a tool, or null where it is not to be found. Shape: best first. */
export function liftServers(
  found: readonly Ranked[],
  tools: readonly Ranked[],
  serverOf: (tool: SearchDocument) => SearchDocument | null,
  weights: FusionWeights,
): Ranked[] {
  const servers = new Map(found.filter(isServer).map(hit => [hit.document.id, hit]));
  for (const tool of tools) {
    const document = serverOf(tool.document);
    if (document === null) continue;
    const own = servers.get(document.id);
    const lexicalScore = Math.max(own?.lexicalScore ?? 0, tool.lexicalScore * SERVER_SHARE);
    const vectorScore =
      tool.vectorScore === null ? null : Math.max(own?.vectorScore ?? 0, tool.vectorScore * SERVER_SHARE);
    const relevance =
      vectorScore === null ? lexicalScore : weights.lexical * lexicalScore + weights.vector * vectorScore;
    if (own !== undefined && relevance <= own.relevance) continue;
    const confidence = surerOf(tool.confidence, own?.confidence ?? 'none');
    const { matchContext } = own ?? tool;
    servers.set(document.id, { document, lexicalScore, vectorScore, relevance, confidence, matchContext });
  }
  const ranked = [...found.filter(hit => !isServer(hit)), ...servers.values()];
  return keepApart(ranked.map(hit => ({ ...hit })).sort((a, b) => b.relevance - a.relevance));
}

const isServer = ({ document }: Ranked): boolean => document.kind === 'server';
