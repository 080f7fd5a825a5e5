/** The table of the REST API: every surface adds its routes here, and nothing is served that is not in it. */
import type { RestRoute } from '../inbound/rest/route.ts';
import { tokenRoutes } from '../inbound/rest/tokens.ts';
import type { VendTokens } from '../services/identity/vend-tokens.ts';

export interface RestParts {
  /** Null: none are given out. */
  tokens: VendTokens | null;
}

export function createRestTable({ tokens }: RestParts): RestRoute[] {
  return [...(tokens === null ? [] : tokenRoutes(tokens))];
}
