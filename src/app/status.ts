/** What `get_gateway_status` answers: where the gateway got its configuration from, and how it is. */
import type { Config } from '../config/config.ts';
import type { Identity } from '../domain/identity.ts';
import type { JsonObject } from '../domain/json.ts';
import type { PolicySet } from '../domain/policy.ts';
import type { ServerKey } from '../domain/server.ts';
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
  /** Whether a caller may know of a server. */
  isVisible(who: Identity, server: ServerKey): boolean;
}): (who: Identity) => JsonObject {
  const { catalog, downstreams, policy, config, sessions, reloads, isVisible } = deps;
  return who =>
    describeGateway(
      {
        ...{ catalog, downstreams, sessions, reloads },
        servers: () => config().servers.map(({ key }) => key),
        policy: () => describePolicy(config().rules, policy()),
        paths: () => {
          const { servers, rules, scopes, config: own } = config().files;
          return { mcp_config: servers, gateway_rules: rules, gateway_scopes: scopes, gateway_config: own };
        },
        mode: () => policy().mode,
      },
      server => isVisible(who, server),
    );
}
