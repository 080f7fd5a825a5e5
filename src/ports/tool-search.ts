/** Finding a tool in plain words. */
import type { Catalog, CatalogEntry } from '../domain/catalog.ts';
import type { Confidence } from '../domain/search/confidence.ts';

export interface ToolHit {
  entry: CatalogEntry;
  /** 0..1, distinct within one answer. */
  score: number;
}

export interface FoundTools {
  /** Best first, at most `limit`. */
  hits: readonly ToolHit[];
  /** How sure it is that the best one fits; `none`: the hits are only the nearest there are. */
  confidence: Confidence;
}

export interface ToolSearch {
  /** `entries` are those of the catalog that the caller may see: to the search there are no others. */
  search(catalog: Catalog, entries: readonly CatalogEntry[], query: string, limit: number): Promise<FoundTools>;
}
