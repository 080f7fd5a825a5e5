/** A server of the registry as the interface shows it: snake_case, ISO times, and nothing sealed. */
import { z } from 'zod';
import type { JsonObject } from '../../domain/json.ts';
import { parseDescription } from '../../domain/parsed-description.ts';
import { meanStars, type Rating } from '../../domain/rating.ts';
import { LIFECYCLES, VISIBILITIES } from '../../domain/registered.ts';
import { AUTH_SCHEMES } from '../../domain/registered-server.ts';
import { findServerEndpoint } from '../../domain/server-endpoint.ts';
import { HEALTH_STATUSES, type ServerHealth } from '../../domain/server-health.ts';
import type { ServerView } from '../../services/registry/read.ts';

const text = z.string();
const time = z.string().nullable();

export const RatingDetails = z.array(z.object({ user: text, rating: z.int() }));

export const ToolShown = z.looseObject({
  name: text,
  description: text,
  parsed_description: z.object({
    main: text,
    args: text.nullable(),
    returns: text.nullable(),
    raises: text.nullable(),
  }),
  schema: z.looseObject({}),
});

export const ServerShown = z.object({
  id: text,
  display_name: text,
  path: text,
  description: text,
  proxy_pass_url: text.nullable(),
  mcp_endpoint: text.nullable(),
  sse_endpoint: text.nullable(),
  transport: text,
  supported_transports: z.array(text),
  is_enabled: z.boolean(),
  tags: z.array(text),
  num_tools: z.int(),
  license: text.nullable(),
  health_status: z.enum(HEALTH_STATUSES),
  last_checked_iso: time,
  metadata: z.looseObject({}),
  version: text,
  versions: z.array(text).nullable(),
  tool_list: z.array(ToolShown).optional(),
  auth_scheme: z.enum(AUTH_SCHEMES),
  auth_header_name: text.nullable(),
  visibility: z.enum(VISIBILITIES),
  allowed_groups: z.array(text),
  status: z.enum(LIFECYCLES),
  sunset_date: text.nullable(),
  num_stars: z.number(),
  rating_details: RatingDetails,
  security_scan: z.null(),
  sync_metadata: z.looseObject({}).nullable(),
  source: z.enum(['live', 'file', 'federated']),
  deployment: z.enum(['remote', 'local']),
  local_runtime: z.looseObject({}).nullable(),
  registered_by: text,
  registered_at: text,
  updated_at: text,
});
export type ServerShown = z.output<typeof ServerShown>;

const iso = (ms: number) => new Date(ms).toISOString();
export const isoOrNull = (ms: number | null) => (ms === null ? null : iso(ms));

export const toRatingDetails = (ratings: readonly Rating[]) =>
  ratings.map(({ name, stars }) => ({ user: name, rating: stars }));

export function showServer(view: ServerView, more: { tools: boolean; versions?: readonly string[] }): ServerShown {
  const { card, health, ratings } = view;
  const { source } = card;
  return {
    ...{ id: card.path, display_name: card.name, path: card.path, description: card.description },
    ...{ proxy_pass_url: card.proxyUrl, mcp_endpoint: card.mcpEndpoint, sse_endpoint: card.sseEndpoint },
    ...{ transport: card.transport, supported_transports: card.supportedTransports, is_enabled: card.enabled },
    ...{ tags: card.tags, num_tools: view.numTools, license: card.license, health_status: health.status },
    ...{ last_checked_iso: isoOrNull(health.checkedAtMs), metadata: card.metadata, version: card.version },
    versions: more.versions === undefined || more.versions.length < 2 ? null : [...more.versions],
    ...(more.tools ? { tool_list: (view.tools ?? []).map(showTool) } : {}),
    ...{ auth_scheme: card.authScheme, auth_header_name: card.authHeaderName, visibility: card.visibility },
    ...{ allowed_groups: card.allowedGroups, status: card.status, sunset_date: card.sunsetDate },
    ...{ num_stars: meanStars(ratings), rating_details: toRatingDetails(ratings), security_scan: null },
    sync_metadata: source.kind === 'federated' ? { from: source.from, external_id: source.externalId } : null,
    ...{ source: source.kind, deployment: card.deployment, local_runtime: card.localRuntime },
    ...{ registered_by: card.registeredBy, registered_at: iso(card.registeredAtMs), updated_at: iso(card.updatedAtMs) },
  };
}

export function showTool(tool: JsonObject): z.output<typeof ToolShown> {
  const description = typeof tool.description === 'string' ? tool.description : '';
  const { name, inputSchema, outputSchema, annotations, title } = tool;
  return {
    name: String(name),
    description,
    parsed_description: parseDescription(description),
    schema: (inputSchema ?? {}) as JsonObject,
    ...(title === undefined ? {} : { title }),
    ...(outputSchema === undefined ? {} : { output_schema: outputSchema }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

export const HealthShown = z.object({ status: z.enum(HEALTH_STATUSES), last_checked_iso: time, num_tools: z.int() });

export const showHealth = ({ status, checkedAtMs, numTools }: ServerHealth) => ({
  status,
  last_checked_iso: isoOrNull(checkedAtMs),
  num_tools: numTools,
});

/** Where the server itself answers, for people; null: it has no address. */
export function endpointOf({ card }: ServerView): string | null {
  return findServerEndpoint(card)?.url ?? null;
}
