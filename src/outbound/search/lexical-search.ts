/**
 * Ranking by words: names, descriptions and parameter names, with prefixes and small typos allowed.
 * The index is built when first asked for and thrown away with its catalog version.
 */
import MiniSearch from 'minisearch';
import type { CatalogEntry } from '../../domain/catalog.ts';
import { isJsonObject, objectOrEmpty } from '../../domain/json.ts';
import type { ToolSearch } from '../../ports/tool-search.ts';

interface Document {
  id: string;
  name: string;
  server: string;
  description: string;
  parameters: string;
}

export function createLexicalSearch(): ToolSearch {
  let index: MiniSearch<Document> | null = null;
  let indexed: { version: number; entries: readonly CatalogEntry[] } | null = null;

  return {
    search(version, entries, query, limit) {
      if (index === null || indexed?.version !== version || indexed.entries !== entries) {
        index = new MiniSearch<Document>({ fields: ['name', 'server', 'description', 'parameters'] });
        index.addAll(entries.map(toDocument));
        indexed = { version, entries };
      }
      const byName = new Map(entries.map(entry => [entry.name, entry]));
      const hits = index.search(query, {
        boost: { name: 3, description: 2 },
        prefix: true,
        fuzzy: term => (term.length > 4 ? 0.2 : false),
      });
      const best = hits[0]?.score ?? 1;
      return hits.slice(0, limit).flatMap(hit => {
        const entry = byName.get(hit.id as string);
        return entry === undefined ? [] : [{ entry, score: hit.score / best }];
      });
    },
  };
}

function toDocument(entry: CatalogEntry): Document {
  const properties = objectOrEmpty(objectOrEmpty(entry.ownItem.inputSchema).properties);
  const parameters = Object.entries(properties).map(([name, schema]) =>
    isJsonObject(schema) && typeof schema.description === 'string'
      ? `${words(name)} ${schema.description}`
      : words(name),
  );
  return {
    id: entry.name,
    name: words(entry.own),
    server: words(entry.server),
    description: typeof entry.ownItem.description === 'string' ? entry.ownItem.description : '',
    parameters: parameters.join(' '),
  };
}

/** `getUserName` and `get_user-name` are the same three words. */
function words(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/[_\-.]+/g, ' ');
}
