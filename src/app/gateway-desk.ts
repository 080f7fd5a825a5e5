/** A running gateway as commands talk to it: over its REST API, like anybody else. */
import { createSystemClock } from '../outbound/clock.ts';
import { createRestClient, type RestClient } from '../outbound/fetch/rest-client.ts';

export type { RestClient, RestReply, RestRequest } from '../outbound/fetch/rest-client.ts';
/** For files that hold a credential: 0600 from their first byte on, there whole or not at all. */
export { writePrivateFile } from '../outbound/vault/private-file.ts';

/** `baseUrl` without a slash at its end; `token` null: shows none. */
export function openGateway(baseUrl: string, token: string | null): RestClient {
  return createRestClient({ baseUrl, token, clock: createSystemClock() });
}
