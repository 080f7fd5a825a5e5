/** Everything that answers "who is calling", put together from the configuration it was started with. */
import type { Config } from '../config/config.ts';
import type { Identity } from '../domain/identity.ts';
import { createWellKnown, type WellKnown } from '../inbound/well-known/well-known.ts';
import { createPinnedFetch } from '../outbound/fetch/pinned-fetch.ts';
import { createJwtVerifier } from '../outbound/idp/jwt-verifier.ts';
import { originsOf } from '../outbound/idp/key-source.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type Challenges, createChallenges } from '../services/identity/challenge.ts';
import { type CredentialChain, createCredentialChain, keyOwner, localCaller } from '../services/identity/identify.ts';

export interface IdentityParts extends CredentialChain {
  challenges: Challenges;
  wellKnown: WellKnown;
  /** Whoever launched us over stdio. */
  local: Identity;
  /** Names of issuers of whom nobody can get in for want of keys. */
  issuersWithoutKeys(): readonly string[];
  start(): void;
  stop(): void;
}

/** `current`: the configuration in force, for what a reload may change. */
export function createIdentityParts(
  started: Config,
  current: () => Config,
  deps: { clock: Clock; log: Log; hasServer: (server: string) => boolean },
): IdentityParts {
  const { clock, log, hasServer } = deps;
  const { issuers: trusted, requiredScopes } = started.identity;
  const publicUrl = trusted.length > 0 ? started.identity.publicUrl : null;
  const verifier =
    trusted.length === 0
      ? null
      : createJwtVerifier({
          issuers: trusted,
          publicUrl,
          defaultAgent: null,
          fetch: createPinnedFetch({ origins: new Set(trusted.flatMap(originsOf)), clock }),
          clock,
          log,
        });
  const challenges = createChallenges({ publicUrl, scopes: requiredScopes });
  const local = localCaller(started.policy.localCaller);
  const chain = createCredentialChain({
    findKey: () => current().apiKey,
    findNamedKeys: () => current().identity.keys,
    vended: null,
    issuers: verifier,
    challenges,
    local,
    owner: keyOwner(started.policy.keyHolder),
    isRevoked: () => false,
    clock,
  });
  return {
    ...chain,
    challenges,
    local,
    wellKnown: createWellKnown({
      publicUrl,
      issuers: trusted.map(({ issuer }) => issuer),
      scopes: requiredScopes,
      hasServer,
      issuerMetadata: () => verifier?.metadata() ?? null,
    }),
    issuersWithoutKeys: () => verifier?.withoutKeys() ?? [],
    start: () => verifier?.warm(),
    stop: () => verifier?.close(),
  };
}
