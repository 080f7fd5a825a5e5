/** What `get_gateway_status` answers: where the gateway got its configuration from, and how it is. */
import type { Config } from '../config/config.ts';
import type { JsonObject } from '../domain/json.ts';
import type { PolicySet } from '../domain/policy.ts';
import type { Downstreams } from '../ports/downstreams.ts';
import type { CatalogBook } from '../services/catalog/catalog-book.ts';
import { describeGateway, describePolicy } from '../services/gateway/status.ts';

export function describeStatus(deps: {
  catalog: CatalogBook;
  downstreams: Downstreams;
  policy(): PolicySet;
  config(): Config;
  sessions(): number;
  reloads(): JsonObject;
}): () => JsonObject {
  const { catalog, downstreams, policy, config, sessions, reloads } = deps;
  return () =>
    describeGateway({
      ...{ catalog, downstreams, sessions, reloads },
      servers: () => config().servers.map(({ key }) => key),
      policy: () => describePolicy(config().rules, policy()),
      paths: () => {
        const { servers, rules, scopes, config: own } = config().files;
        return { mcp_config: servers, gateway_rules: rules, gateway_scopes: scopes, gateway_config: own };
      },
      message: () =>
        policy().mode === 'open'
          ? 'No rules are configured: the callers of this door may use everything behind it.'
          : 'What no rule or scope grants is denied.',
    });
}
