/** Finding a tool in plain words. Shape: best first, scores in 0..1, at most `limit`. */
import type { CatalogEntry } from '../domain/catalog.ts';

export interface ToolHit {
  entry: CatalogEntry;
  score: number;
}

export interface ToolSearch {
  /** `entries` are what the caller may see: nothing else is ranked. The index is kept per catalog version. */
  search(version: number, entries: readonly CatalogEntry[], query: string, limit: number): readonly ToolHit[];
}
