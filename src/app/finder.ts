/** The finder put together: the index follows the registry beside the catalog, and callers search it by what they may see. */
import type { CatalogEntry } from '../domain/catalog.ts';
import type { Identity } from '../domain/identity.ts';
import type { PolicySet } from '../domain/policy.ts';
import type { RegistryStorage } from '../ports/registry-storage.ts';
import type { CatalogBook } from '../services/catalog/catalog-book.ts';
import { asActing } from '../services/gateway/acting-caller.ts';
import type { Visible } from '../services/gateway/visible.ts';
import type { Agents } from '../services/registry/agents.ts';
import type { Registry } from '../services/registry/registry.ts';
import { createEntities } from '../services/search/entities.ts';
import { createFinder, type Finder } from '../services/search/finder.ts';
import type { Search } from './search.ts';

export interface FinderParts extends Finder {
  /** Once the registry knows what is stored. */
  start(): Promise<void>;
}

const EVERY_SERVER = { server: null, exposure: null };

export function createFinderParts(deps: {
  search: Search;
  registry: Registry;
  agents: Agents;
  storage: RegistryStorage;
  catalog: CatalogBook;
  visible: Visible;
  policy(): PolicySet;
  defaultAgent: string | null;
  /** Waits for servers that are still starting. */
  settled(): Promise<void>;
}): FinderParts {
  const { search, registry, agents, storage, catalog, visible, policy, defaultAgent, settled } = deps;
  const entities = createEntities({ index: search.index, registry, agents, stored: storage.agents });
  const byName = new WeakMap<readonly CatalogEntry[], ReadonlyMap<string, CatalogEntry>>();

  function tools(who: Identity): ReadonlyMap<string, CatalogEntry> {
    search.tools.follow(catalog.current());
    const entries = visible.entries(asActing(policy(), who, defaultAgent), EVERY_SERVER, 'tools');
    let names = byName.get(entries);
    if (names === undefined) {
      names = new Map(entries.map(entry => [entry.name, entry]));
      byName.set(entries, names);
    }
    return names;
  }

  const finder = createFinder({ index: search.index, registry, agents, entities, policy, tools });
  return {
    ...finder,
    async find(who, wish) {
      await settled();
      return finder.find(who, wish);
    },
    start: entities.start,
  };
}
