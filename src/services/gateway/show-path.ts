/**
 * Which gateways are behind a door: told to other Gatehouses alone, so that they can tell a ring (domain/gateway-path.ts),
 * and of the servers alone that the caller may know of.
 */
import type { Door } from '../../domain/call.ts';
import { GATEHOUSE, withPath } from '../../domain/gateway-path.ts';
import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { CatalogBook } from '../catalog/catalog-book.ts';
import { viewsBehind } from './welcome.ts';

/** The same result to any other client. */
export type ShowPath = (result: JsonObject, who: Identity, door: Door, client: JsonObject | null) => JsonObject;

export function createShowPath(deps: {
  catalog: CatalogBook;
  mayHear: (who: Identity, server: ServerKey) => boolean;
  /** What other gateways know this one by. */
  instance: string;
}): ShowPath {
  const { catalog, mayHear, instance } = deps;
  return (result, who, door, client) => {
    if (client?.name !== GATEHOUSE) return result;
    const views = viewsBehind(catalog.at(door), door, server => mayHear(who, server));
    return withPath(result, instance, views);
  };
}
