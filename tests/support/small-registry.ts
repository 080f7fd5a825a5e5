/** A registry over a storage in memory and the tools that ask it, for whoever puts a gateway together by hand. */
import type { Identity } from '../../src/domain/identity.ts';
import { createMemoryRegistry } from '../../src/outbound/memory/registry-storage.ts';
import type { AuditLedger } from '../../src/ports/audit.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Log } from '../../src/ports/log.ts';
import type { ToolSearch } from '../../src/ports/tool-search.ts';
import type { CatalogBook } from '../../src/services/catalog/catalog-book.ts';
import { createToolFinder } from '../../src/services/gateway/gateway-tools/tool-finder.ts';
import { createRegistryTools, registryToolItems } from '../../src/services/gateway/registry-tools/registry-tools.ts';
import type { Visible } from '../../src/services/gateway/visible.ts';
import type { PolicyBook } from '../../src/services/policy/policy-book.ts';
import { createAgents } from '../../src/services/registry/agents.ts';
import { createRegistry } from '../../src/services/registry/registry.ts';
import { createEmptyQuarantine } from './quiet-house.ts';

export const listedFor = (policy: PolicyBook) => (who: Identity) => registryToolItems(policy.current(), who);

/** Who searches everything needs an index of everything. */
export const NO_SEARCH = { find: () => Promise.reject(new Error('nothing is searched here')) };

export function createSmallRegistry(deps: {
  catalog: CatalogBook;
  visible: Visible;
  policy: PolicyBook;
  search: ToolSearch;
  settled: () => Promise<void>;
  audit: AuditLedger;
  clock: Clock;
  log: Log;
}) {
  const { catalog, visible, policy, search, settled, audit, clock, log } = deps;
  const storage = createMemoryRegistry();
  const registry = createRegistry({
    storage,
    policy: policy.current,
    policyWith: () => policy.current(),
    scopesOfFile: () => null,
    sealer: null,
    live: {
      tools: server => catalog.current().servers.get(server)?.listing?.tools ?? null,
      health: (_who, { path }) => ({ path, status: 'unknown', checkedAtMs: null, numTools: 0 }),
      refresh: async () => {},
      mayUse: () => true,
    },
    checkUrl: async () => null,
    ...{ allowCommands: [], allowEnv: [], clock, log },
  });
  const registered = {
    find: (_who: Identity, server: string) => registry.current().servers.get(`/${server}`) ?? null,
    isOffered: () => true,
  };
  const finder = createToolFinder({ catalog, visible, search, registered, settled });
  const agents = createAgents({ storage, policy: policy.current, clock });
  const registryTools = createRegistryTools({
    ...{
      registry,
      agents,
      finder,
      search: NO_SEARCH,
      policy: policy.current,
      servers: () => catalog.current().servers.keys(),
    },
    ...{ defaultAgent: null, quarantine: createEmptyQuarantine(), audit },
  });
  return { registry, finder, registryTools };
}
