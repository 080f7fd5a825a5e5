/** The table of the REST API: every surface adds its routes here, and nothing is served that is not in it. */
import { agentRoutes } from '../inbound/rest/agents.ts';
import { definitionRoutes } from '../inbound/rest/definitions.ts';
import { registryV01Routes } from '../inbound/rest/registry-v01.ts';
import type { RestRoute } from '../inbound/rest/route.ts';
import { serverGroupRoutes } from '../inbound/rest/server-groups.ts';
import { serverOperationRoutes } from '../inbound/rest/server-operations.ts';
import { serverRatingRoutes } from '../inbound/rest/server-ratings.ts';
import { serverToolRoutes } from '../inbound/rest/server-tools.ts';
import { serverRoutes } from '../inbound/rest/servers.ts';
import type { Pins } from '../services/catalog/pins.ts';
import type { Agents } from '../services/registry/agents.ts';
import type { Registry } from '../services/registry/registry.ts';

export interface RestParts {
  /** About the caller itself. */
  callers: readonly RestRoute[];
  registry: Registry;
  agents: Agents;
  pins: Pins;
  health: readonly RestRoute[];
  /** Where clients find the gateway; null: where they asked. */
  publicUrl: string | null;
}

export function createRestTable({ callers, registry, agents, pins, health, publicUrl }: RestParts): RestRoute[] {
  return [
    ...callers,
    ...serverRoutes(registry),
    ...serverOperationRoutes(registry),
    ...serverToolRoutes(registry, publicUrl),
    ...serverRatingRoutes(registry),
    ...serverGroupRoutes(registry),
    ...registryV01Routes(registry, publicUrl),
    ...agentRoutes(agents),
    ...definitionRoutes(pins),
    ...health,
  ];
}
