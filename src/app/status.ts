/** How the gateway is: for `get_gateway_status`, with where it got its configuration from, and for `/ready`. */
import type { Config } from '../config/config.ts';
import type { Identity } from '../domain/identity.ts';
import type { JsonObject } from '../domain/json.ts';
import type { PolicySet } from '../domain/policy.ts';
import type { ServerKey, ServerSpec } from '../domain/server.ts';
import type { Readiness } from '../inbound/http/routes.ts';
import type { Downstreams } from '../ports/downstreams.ts';
import type { SearchStatus } from '../ports/search-index.ts';
import type { CatalogBook } from '../services/catalog/catalog-book.ts';
import { describeGateway, describePolicy, describeSearch } from '../services/gateway/status.ts';
import { figuresSight } from '../services/registry/figures-sight.ts';

export function describeStatus(deps: {
  catalog: CatalogBook;
  downstreams: Downstreams;
  policy(): PolicySet;
  config(): Config;
  /** Of the files and of the registry. */
  servers(): readonly ServerSpec[];
  search(): SearchStatus;
  sessions(): number;
  reloads(): JsonObject;
  /** Whether a caller may know of a server. */
  isVisible(who: Identity, server: ServerKey): boolean;
}): (who: Identity) => JsonObject {
  const { catalog, downstreams, policy, config, servers, search, sessions, reloads, isVisible } = deps;
  return who =>
    describeGateway(
      {
        ...{ catalog, downstreams, sessions, reloads },
        servers: () => servers().map(({ key }) => key),
        policy: () => describePolicy(config().rules, policy()),
        paths: () => {
          const { servers: listed, rules, scopes, config: own } = config().files;
          return { mcp_config: listed, gateway_rules: rules, gateway_scopes: scopes, gateway_config: own };
        },
        search: () => describeSearch(search(), figuresSight(policy(), who, () => false) === null),
        mode: () => policy().mode,
      },
      server => isVisible(who, server),
    );
}

export interface ReadinessFacts {
  specs: readonly ServerSpec[];
  restricted: PolicySet['restricted'];
  issuersWithoutKeys: readonly string[];
  /** Every call is refused until the audit ledger can be written again. */
  isAuditRefusing: boolean;
}

/** Anybody may ask for it: servers that are not for everybody make the gateway ready, and are not counted. */
export function readinessOf({ specs, restricted, issuersWithoutKeys, isAuditRefusing }: ReadinessFacts): Readiness {
  const configured = specs.filter(({ enabled }) => enabled);
  const reasons = [
    ...(configured.length === 0 ? ['no servers configured'] : []),
    ...(issuersWithoutKeys.length > 0 ? ['an issuer has no keys'] : []),
    ...(isAuditRefusing ? ['the audit ledger cannot be written, and calls are refused until it can be'] : []),
  ];
  return {
    ready: reasons.length === 0,
    reason: reasons.length === 0 ? null : reasons.join('; '),
    serversConfigured: configured.filter(({ key }) => !restricted.has(key)).length,
  };
}
