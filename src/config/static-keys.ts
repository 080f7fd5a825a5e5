/**
 * Which settings a running gateway cannot take up: what they decide was built or bound at the start. Everything not
 * named here (servers, the credential, what is exposed, waits) is in force with the reload. Values are compared only;
 * none is told.
 */
import type { Config } from './config.ts';

/** By the name an operator writes in `gateway.config.yaml`. */
const STATIC_KEYS: readonly (readonly [key: string, read: (config: Config) => unknown])[] = [
  ['transport', ({ transport }) => transport],
  ['listen.host', ({ listen }) => listen.host],
  ['listen.port', ({ listen }) => listen.port],
  ['listen.corsOrigins', ({ listen }) => listen.corsOrigins],
  ['listen.allowedHosts', ({ listen }) => listen.allowedHosts],
  ['listen.maxBody', ({ listen }) => listen.maxBodyBytes],
  ['listen.maxInFlight', ({ listen }) => listen.maxInFlight],
  ['exposure.prefix', ({ exposure }) => exposure.prefix],
  ['sessions.ttl', ({ sessions }) => sessions.ttlMs],
  ['sessions.max', ({ sessions }) => sessions.maxSessions],
  ['sessions.maxEvents', ({ sessions }) => sessions.maxEvents],
  ['sessions.maxEventBytes', ({ sessions }) => sessions.maxEventBytes],
  ['parkedTtl', ({ parkedTtlMs }) => parkedTtlMs],
  ['log.level', ({ log }) => log.level],
  ['log.format', ({ log }) => log.format],
  ['log.slowOperation', ({ log }) => log.slowOperationMs],
  ['metrics', ({ metrics }) => metrics],
  ['debug', ({ debug }) => debug],
  ['defaultAgent', ({ defaultAgent }) => defaultAgent],
  ['listen.tls', ({ listen }) => listen.tls],
  ['listen.trustedProxies', ({ listen }) => listen.trustedProxies],
  ['identity.publicUrl', ({ identity }) => identity.publicUrl],
  ['identity.issuers', ({ identity }) => identity.issuers],
  ['identity.requiredScopes', ({ identity }) => identity.requiredScopes],
  ['identity.login', ({ identity }) => identity.login],
  ['policy.localCaller', ({ policy }) => policy.localCaller],
  ['policy.keyHolder', ({ policy }) => policy.keyHolder],
  ['audit', ({ audit }) => audit],
  ['tokens', ({ tokens }) => tokens],
  ['search', ({ search }) => ({ ...search, apiKey: search.apiKey?.reveal() })],
  ['limits.quarantineFile', ({ limits }) => limits.quarantineFile],
];

/** Shape: keys as in `gateway.config.yaml`, in a fixed order; empty when all of the difference is live. */
export function changedStaticKeys(before: Config, after: Config): string[] {
  const word = (value: unknown) => JSON.stringify(value);
  return STATIC_KEYS.filter(([, read]) => word(read(before)) !== word(read(after))).map(([key]) => key);
}

/**
 * What a running gateway goes on with after a reload: by whom it is reached and whom it believes is as it was started, so
 * that policy is made for the door there is.
 */
export function keepStanding(started: Config, loaded: Config): Config {
  const { issuers, login } = started.identity;
  return { ...loaded, listen: started.listen, identity: { ...loaded.identity, issuers, login } };
}
