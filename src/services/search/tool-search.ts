/**
 * The tools of the catalog in the search index. The index follows the catalog snapshot by snapshot: a tool that did not
 * change costs nothing, and an answer never holds one that has gone.
 */
import type { Catalog, CatalogEntry } from '../../domain/catalog.ts';
import { type SearchDocument, toolDocument } from '../../domain/search/document.ts';
import type { SearchIndex } from '../../ports/search-index.ts';
import type { ToolSearch } from '../../ports/tool-search.ts';

export interface CatalogSearch extends ToolSearch {
  /** Takes in a new snapshot ahead of the first question about it. */
  follow(catalog: Catalog): void;
}

export function createToolSearch(index: SearchIndex): CatalogSearch {
  const documents = new WeakMap<CatalogEntry, SearchDocument>();
  const byName = new WeakMap<readonly CatalogEntry[], ReadonlyMap<string, CatalogEntry>>();
  let followed: Catalog['tools'] | null = null;

  function documentOf(entry: CatalogEntry, catalog: Catalog): SearchDocument {
    let document = documents.get(entry);
    if (document === undefined) {
      const serverText = catalog.servers.get(entry.server)?.facts?.serverInfo.title;
      document = toolDocument({
        id: entry.name,
        server: entry.server,
        item: entry.ownItem,
        ...(typeof serverText === 'string' ? { serverText } : {}),
      });
      documents.set(entry, document);
    }
    return document;
  }

  function namesOf(entries: readonly CatalogEntry[]): ReadonlyMap<string, CatalogEntry> {
    let names = byName.get(entries);
    if (names === undefined) {
      names = new Map(entries.map(entry => [entry.name, entry]));
      byName.set(entries, names);
    }
    return names;
  }

  function follow(catalog: Catalog): void {
    if (catalog.tools === followed) return;
    followed = catalog.tools;
    index.replace(
      'tool',
      Array.from(catalog.tools.values(), entry => documentOf(entry, catalog)),
    );
  }

  return {
    follow,
    async search(catalog, entries, query, limit) {
      follow(catalog);
      const names = namesOf(entries);
      const { hits, confidence } = await index.search({
        query,
        kinds: ['tool'],
        limit,
        isVisible: document => names.has(document.id),
      });
      return {
        confidence,
        hits: hits.flatMap(({ document, relevanceScore }) => {
          const entry = names.get(document.id);
          return entry === undefined ? [] : [{ entry, score: relevanceScore }];
        }),
      };
    },
  };
}
