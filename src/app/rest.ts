/** The REST API, put together: every surface adds its routes to the one table here, and nothing is served that is not in it. */
import { parseDuration } from '../config/durations.ts';
import type { Identity } from '../domain/identity.ts';
import { mayAdminister } from '../domain/policy.ts';
import type { ServerKey } from '../domain/server.ts';
import { withoutSight } from '../domain/visibility.ts';
import { agentRatingRoutes } from '../inbound/rest/agent-ratings.ts';
import { agentRoutes } from '../inbound/rest/agents.ts';
import { auditRoutes } from '../inbound/rest/audit.ts';
import { definitionRoutes } from '../inbound/rest/definitions.ts';
import { docsRoutes } from '../inbound/rest/docs.ts';
import { mountRest, type RestDeps } from '../inbound/rest/mount.ts';
import { policyRoutes } from '../inbound/rest/policy.ts';
import { quarantineRoutes } from '../inbound/rest/quarantine.ts';
import { registryV01Routes } from '../inbound/rest/registry-v01.ts';
import { reloadRoutes } from '../inbound/rest/reload.ts';
import type { RestRoute } from '../inbound/rest/route.ts';
import { searchRoutes } from '../inbound/rest/search.ts';
import { serverGroupRoutes } from '../inbound/rest/server-groups.ts';
import { serverOperationRoutes } from '../inbound/rest/server-operations.ts';
import { serverRatingRoutes } from '../inbound/rest/server-ratings.ts';
import { serverScanRoutes } from '../inbound/rest/server-scans.ts';
import { serverToolRoutes } from '../inbound/rest/server-tools.ts';
import { serverRoutes } from '../inbound/rest/servers.ts';
import { statsRoutes } from '../inbound/rest/stats.ts';
import { readDocsFile } from '../outbound/files/docs-files.ts';
import type { AuditIndex } from '../ports/audit.ts';
import type { CatalogBook } from '../services/catalog/catalog-book.ts';
import type { Pins } from '../services/catalog/pins.ts';
import type { WarningDesk } from '../services/catalog/warning-desk.ts';
import type { ReloadResult } from '../services/gateway/reload.ts';
import type { Quarantine } from '../services/limits/quarantine.ts';
import { askAbout, toCaller } from '../services/policy/ask.ts';
import { lintPolicy } from '../services/policy/lint.ts';
import { mayOversee } from '../services/registry/access.ts';
import type { Agents } from '../services/registry/agents.ts';
import type { Registry } from '../services/registry/registry.ts';
import type { Finder } from '../services/search/finder.ts';

export interface RestParts extends RestDeps {
  version: string;
  /** About the caller itself. */
  callers: readonly RestRoute[];
  registry: Registry;
  agents: Agents;
  finder: Finder;
  pins: Pins & WarningDesk;
  health: readonly RestRoute[];
  /** Where clients find the gateway; null: where they asked. */
  publicUrl: string | null;
  /** Null: it is switched off. */
  auditIndex: AuditIndex | null;
  quarantine: Quarantine;
  reload(): Promise<ReloadResult>;
  catalog: CatalogBook;
  /** Configured. */
  servers(): readonly ServerKey[];
  /** Whoever calls without a credential. */
  local: Identity;
  defaultAgent: string | null;
}

export interface Rest {
  readonly table: readonly RestRoute[];
  mount(routes: Parameters<typeof mountRest>[0]): void;
}

export function createRest(parts: RestParts): Rest {
  const table: readonly RestRoute[] = createRestTable(parts, () => table);
  return { table, mount: routes => mountRest(routes, table, parts) };
}

/** `whole`: the table, once it is there. */
function createRestTable(parts: RestParts, whole: () => readonly RestRoute[]): RestRoute[] {
  const { version, policy, catalog, quarantine, clock, reload, local, defaultAgent, registry, publicUrl } = parts;
  return [
    ...parts.callers,
    ...serverRoutes(registry),
    ...serverOperationRoutes(registry),
    ...serverToolRoutes(registry, publicUrl),
    ...serverRatingRoutes(registry),
    ...serverScanRoutes(registry),
    ...serverGroupRoutes(registry),
    ...registryV01Routes(registry, publicUrl),
    ...agentRoutes(parts.agents),
    ...agentRatingRoutes(parts.agents),
    ...searchRoutes(parts.finder, parts.agents, publicUrl),
    ...definitionRoutes(parts.pins, {
      mayOversee: (who, server) => mayOversee(policy(), who, server),
      originOf: server => catalog.originOf({ server, exposure: null }, server),
    }),
    ...parts.health,
    ...statsRoutes({ version, registry, agents: parts.agents, clock }),
    ...policyRoutes({
      isAdmin: who => mayAdminister(policy(), who),
      explainTo: (who, question) => askAbout(withoutSight(policy()), who, question, defaultAgent),
      explain: question => askAbout(policy(), toCaller(local, question.agent, question), question, defaultAgent),
      lint: () => lintPolicy(policy(), { servers: new Set(parts.servers()), tools: toolNames(catalog) }),
    }),
    ...auditRoutes({
      index: parts.auditIndex,
      isRest: operation => whole().some(route => route.operation === operation),
    }),
    ...quarantineRoutes({ quarantine, clock, parseDuration }),
    ...reloadRoutes({ reload }),
    ...docsRoutes({ version, table: whole, readFile: readDocsFile }),
  ];
}

/** Of servers whose list is known. */
function toolNames(catalog: CatalogBook): Map<ServerKey, string[]> {
  return new Map([...catalog.current().ownTools].map(([server, tools]) => [server, [...tools.keys()]]));
}
