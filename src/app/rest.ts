/** The table of the REST API: every surface adds its routes here, and nothing is served that is not in it. */
import { agentRoutes } from '../inbound/rest/agents.ts';
import { definitionRoutes } from '../inbound/rest/definitions.ts';
import type { RestRoute } from '../inbound/rest/route.ts';
import type { Pins } from '../services/catalog/pins.ts';
import type { Agents } from '../services/registry/agents.ts';

export interface RestParts {
  /** About the caller itself. */
  callers: readonly RestRoute[];
  pins: Pins;
  agents: Agents;
  health: readonly RestRoute[];
}

export function createRestTable({ callers, pins, agents, health }: RestParts): RestRoute[] {
  return [...callers, ...agentRoutes(agents), ...definitionRoutes(pins), ...health];
}
