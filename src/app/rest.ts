/** The table of the REST API: every surface adds its routes here, and nothing is served that is not in it. */
import { agentRoutes } from '../inbound/rest/agents.ts';
import { definitionRoutes } from '../inbound/rest/definitions.ts';
import type { RestRoute } from '../inbound/rest/route.ts';
import { tokenRoutes } from '../inbound/rest/tokens.ts';
import type { Pins } from '../services/catalog/pins.ts';
import type { VendTokens } from '../services/identity/vend-tokens.ts';
import type { Agents } from '../services/registry/agents.ts';

export interface RestParts {
  /** Null: none are given out. */
  tokens: VendTokens | null;
  pins: Pins;
  agents: Agents;
  health: readonly RestRoute[];
}

export function createRestTable({ tokens, pins, agents, health }: RestParts): RestRoute[] {
  return [
    ...(tokens === null ? [] : tokenRoutes(tokens)),
    ...agentRoutes(agents),
    ...definitionRoutes(pins),
    ...health,
  ];
}
