/**
 * What `get_gateway_status` tells an operator: reloads, policy, servers, search, files. Names and states only; arguments,
 * environment and credentials of servers are not in reach here.
 */
import type { WrittenRules } from '../../domain/agent-rules.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { PolicySet } from '../../domain/policy.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { Downstreams } from '../../ports/downstreams.ts';
import type { SearchStatus } from '../../ports/search-index.ts';
import type { CatalogBook } from '../catalog/catalog-book.ts';
import { describeCollision } from '../catalog/refresh.ts';

export interface StatusSources {
  catalog: CatalogBook;
  downstreams: Downstreams;
  /** Configured, in order. */
  servers: () => readonly ServerKey[];
  sessions: () => number;
  reloads: () => JsonObject;
  policy: () => JsonObject;
  search: () => JsonObject;
  /** Absolute, or null where there is none. */
  paths: () => JsonObject;
  mode: () => PolicySet['mode'];
}

/** Of servers only those that `maySee` admits, as in every list. */
export function describeGateway(from: StatusSources, maySee: (server: ServerKey) => boolean): JsonObject {
  const { collisions, servers } = from.catalog.current();
  return {
    reload_status: from.reloads(),
    policy_state: from.policy(),
    available_servers: from.servers().filter(maySee),
    servers: from.downstreams
      .states()
      .filter(({ spec }) => maySee(spec.versionOf ?? spec.key))
      .map(({ key, status, reason, restarts, breaker }) => ({
        key,
        status,
        reason: reason ?? servers.get(key)?.reason ?? null,
        restarts,
        breaker,
      })),
    collisions: collisions
      .filter(({ keeps, renamed }) => maySee(keeps) && maySee(renamed.server))
      .map(describeCollision),
    sessions: from.sessions(),
    search: from.search(),
    config_paths: from.paths(),
    message:
      from.mode() === 'open'
        ? 'No rules are configured: the callers of this door may use everything behind it.'
        : 'What no rule or scope grants is denied.',
  };
}

export function describePolicy(
  rules: WrittenRules | null,
  { version, mode, enforcement, scopes }: PolicySet,
): JsonObject {
  return {
    total_agents: rules?.agents.size ?? 0,
    agent_ids: [...(rules?.agents.keys() ?? [])],
    defaults: rules === null ? {} : { deny_on_missing_agent: rules.denyOnMissingAgent },
    version,
    mode,
    enforcement,
    has_scopes: scopes !== null,
  };
}

/** `seesAll`: how many texts there are tells of what others have. */
export function describeSearch({ model, mode, texts, problem }: SearchStatus, seesAll: boolean): JsonObject {
  return { model, search_mode: mode, ...(seesAll && texts !== null ? { texts } : {}), ...(seesAll ? { problem } : {}) };
}
