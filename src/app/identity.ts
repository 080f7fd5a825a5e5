/** Everything that answers "who is calling", put together from the configuration it was started with. */
import type { Config } from '../config/config.ts';
import type { Identity } from '../domain/identity.ts';
import type { PolicySet } from '../domain/policy.ts';
import { createSessionCookie, type SessionCookie } from '../inbound/rest/session-cookie.ts';
import { createWellKnown, type WellKnown } from '../inbound/well-known/well-known.ts';
import { createPinnedFetch } from '../outbound/fetch/pinned-fetch.ts';
import { createJwtVerifier } from '../outbound/idp/jwt-verifier.ts';
import { originsOf } from '../outbound/idp/key-source.ts';
import type { AuditLedger } from '../ports/audit.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Recorder } from '../ports/recorder.ts';
import { type AdminLogin, createAdminLogin, type LoginSession } from '../services/identity/admin-login.ts';
import { type Challenges, createChallenges } from '../services/identity/challenge.ts';
import { type CredentialChain, createCredentialChain, keyOwner, localCaller } from '../services/identity/identify.ts';
import type { VendTokens } from '../services/identity/vend-tokens.ts';
import { createTokenParts, type TokenParts } from './tokens.ts';

export interface IdentityParts extends CredentialChain {
  challenges: Challenges;
  wellKnown: WellKnown;
  /** Whoever launched us over stdio. */
  local: Identity;
  /** Tokens of our own; null: none are given out. */
  tokens: VendTokens | null;
  /** The operator's own, with the cookie its sessions are kept in; null: there is none. */
  login: { login: AdminLogin; cookie: SessionCookie } | null;
  /** By the `Cookie` header of a page's request. */
  findSession(header: string | undefined): LoginSession | null;
  /** The operator by name and password, shown with a single request; null: it has none. */
  vouch: AdminLogin['vouch'] | null;
  /** Names of issuers of whom nobody can get in for want of keys. */
  issuersWithoutKeys(): readonly string[];
  start(): void;
  stop(): void;
}

/** `current`: the configuration in force, for what a reload may change. */
export function createIdentityParts(
  started: Config,
  current: () => Config,
  deps: {
    clock: Clock;
    log: Log;
    hasServer: (server: string) => boolean;
    /** Whether it is connected or not. */
    knowsServer: (server: string) => boolean;
    policy: () => PolicySet;
    recorder: Recorder;
    audit: AuditLedger;
  },
): IdentityParts {
  const { clock, log } = deps;
  const { issuers: trusted, requiredScopes } = started.identity;
  const publicUrl = trusted.length > 0 ? started.identity.publicUrl : null;
  const verifier =
    trusted.length === 0
      ? null
      : createJwtVerifier({
          issuers: trusted,
          publicUrl,
          defaultAgent: null,
          hasServer: deps.knowsServer,
          fetch: createPinnedFetch({ origins: new Set(trusted.flatMap(originsOf)), clock }),
          clock,
          log,
          isRevoked: who => parts?.revocations.isRevoked(who) === true,
        });
  const challenges = createChallenges({ publicUrl, scopes: requiredScopes });
  const local = localCaller(started.policy.localCaller);
  const owner = keyOwner(started.policy.keyHolder);
  const parts: TokenParts | null = started.tokens.enabled
    ? createTokenParts(started, current, { ...deps, owner, forget: which => void verifier?.forget(which) })
    : null;
  const login = started.identity.login && {
    login: createAdminLogin({ ...started.identity.login, ...deps }),
    cookie: createSessionCookie({ isSecure: isReachedByTls(started), ttlMs: started.identity.login.ttlMs }),
  };
  const chain = createCredentialChain({
    findKey: () => current().apiKey,
    findNamedKeys: () => current().identity.keys,
    vended: parts?.own ?? null,
    issuers: verifier,
    login: login?.login ?? null,
    challenges,
    local,
    owner,
    isRevoked: who => parts?.isOver(who) === true,
    clock,
  });
  return {
    ...chain,
    challenges,
    local,
    tokens: parts?.tokens ?? null,
    login,
    vouch: login?.login.vouch ?? null,
    findSession(header) {
      const value = login?.cookie.find(header) ?? null;
      return value === null ? null : (login?.login.find(value) ?? null);
    },
    wellKnown: createWellKnown({
      publicUrl,
      issuers: trusted.map(({ issuer }) => issuer),
      scopes: requiredScopes,
      issuerMetadata: () => verifier?.metadata() ?? null,
      ...(parts === null ? {} : { ownKeys: () => parts.own.published() }),
    }),
    issuersWithoutKeys: () => verifier?.withoutKeys() ?? [],
    start() {
      parts?.start();
      verifier?.warm();
    },
    stop() {
      parts?.stop();
      verifier?.close();
    },
  };
}

/** By our own certificate, or by that of a proxy before us. */
function isReachedByTls({ listen, identity: { publicUrl } }: Config): boolean {
  return Boolean(listen.tls) || publicUrl?.startsWith('https:') === true;
}
