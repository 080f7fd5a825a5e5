/**
 * How a gateway is told that a server leads back to it. Each shows to other Gatehouses its own id and those of the gateways
 * behind it, as routers show the way of a route (RFC 4271, AS_PATH). Ids travel with the list of tools: one that would bring
 * a gateway its own tools brings it its own id first. An id is random, and says nothing of what is behind.
 */
import type { ServerView } from './catalog.ts';
import { type JsonObject, objectOrEmpty } from './json.ts';

/** What Gatehouse calls itself, as a server and as a client. */
export const GATEHOUSE = 'mcp-gatehouse';

/** The reason of a server that would feed this gateway on its own tools: there is nothing to wait for. */
export const LEADS_BACK = 'it leads back to this gateway';

/**
 * Variable of a child's environment: the gateways it was launched by. One that launches itself would launch the next
 * before anybody asks it for its id.
 */
export const LAUNCHERS = 'GATEHOUSE_LAUNCHERS';

const PATH_KEY = 'mcp-gatehouse/path';
const MAX_PATH = 64;
const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isGatewayId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

/** Shape: the gateway that answered first, then those behind it, each once. Empty: it showed none, or nothing that we know. */
export function readPath(result: JsonObject): readonly string[] {
  const shown = objectOrEmpty(result._meta)[PATH_KEY];
  return Array.isArray(shown) ? [...new Set(shown.slice(0, MAX_PATH).filter(isGatewayId))] : [];
}

/** The result as another Gatehouse gets it; `views`: servers that it may know of. */
export function withPath(result: JsonObject, instance: string, views: Iterable<ServerView>): JsonObject {
  const path = new Set([instance]);
  const behind = Array.from(views, ({ facts, listing }) => (listing === null ? [] : (facts?.gateways ?? [])));
  // Nearest first: no server pushes out its neighbours, however many it shows.
  for (let step = 0; step < MAX_PATH; step++)
    for (const ids of behind) for (const id of ids.slice(step, step + 1)) path.add(id);
  return { ...result, _meta: { ...objectOrEmpty(result._meta), [PATH_KEY]: [...path].slice(0, MAX_PATH) } };
}
