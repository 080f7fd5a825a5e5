/**
 * identify: from what a caller shows to who it is, or the challenge to show something else. One credential, tried against
 * everything it may be: static keys, tokens of our own, tokens of the issuers; one answer at the end. Without any of
 * these, and without an operator's login, the door is on loopback (config refuses anything else) and the caller is local.
 * What throws on the way goes on to the caller of this: an error is never somebody.
 */
import { type Challenge, type Identity, LOCAL_CALLER } from '../../domain/identity.ts';
import type { NamedKey } from '../../domain/named-key.ts';
import type { Secret } from '../../domain/secret.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Refusal, TokenVerifier } from '../../ports/token-verifier.ts';
import type { AdminLogin } from './admin-login.ts';
import { findCredential, type Shown } from './bearer.ts';
import { type Challenges, createChallenges } from './challenge.ts';
import { createKeyTable } from './static-keys.ts';

export type { Shown } from './bearer.ts';

/** `path` is the request's, for the challenge. A promise only for a token that has to be verified first. */
export type Identify = (shown: Shown, path?: string) => Identity | Challenge | Promise<Identity | Challenge>;

export interface CredentialChain {
  identify: Identify;
  /** False once the credential of a caller has expired, was revoked or was taken away: its streams end. */
  stillValid(who: Identity): boolean;
}

export interface CredentialDeps {
  /** Asked at every request: a key that is changed while the gateway runs is in force at once. */
  findKey(): Secret | null;
  /** The same list until it changes. */
  findNamedKeys(): readonly NamedKey[];
  /** Tokens of our own; null: none are given out. */
  vended: TokenVerifier | null;
  /** Tokens of the configured issuers; null: there are none. */
  issuers: TokenVerifier | null;
  /** Whose sessions are good on pages alone, never here; null: there is none. Whoever sets one up wants no open door. */
  login: Pick<AdminLogin, 'stands'> | null;
  challenges: Challenges;
  /** Whoever calls where no credential is asked for, and the holder of the one key. */
  local: Identity;
  owner: Identity;
  /** Whether a caller's token or the caller was revoked; asked for standing streams. */
  isRevoked(who: Identity): boolean;
  clock: Pick<Clock, 'wallMs'>;
}

/** What an operator gives to callers that show nothing of the kind themselves. */
export interface GivenRights {
  groups: readonly string[];
  scopes: readonly string[];
  agent: string | null;
}

/** The caller that needs no credential. Over stdio it is whoever launched us. */
export function localCaller({ groups, scopes, agent }: GivenRights): Identity {
  return { ...LOCAL_CALLER, groups: new Set(groups), scopes: new Set(scopes), agent };
}

/** The holder of the gateway's one key. */
export function keyOwner(given: GivenRights): Identity {
  return { ...localCaller(given), subject: 'key', method: 'api-key' };
}

export function createCredentialChain(deps: CredentialDeps): CredentialChain {
  const { vended, issuers, login, challenges, local, owner } = deps;
  const keys = createKeyTable(owner);

  /** Goes on where a token of our own was asked for: to the issuers, or to the end. */
  function afterOwn(
    own: Identity | Refusal,
    token: string,
    digest: string,
    path: string,
    open: boolean,
  ): Identity | Challenge | Promise<Identity | Challenge> {
    if (own.kind === 'identity') return own;
    // Who knows a token has the last word on it: one of ours that is over is not asked about elsewhere.
    if (!isStranger(own)) return answer(own, path);
    // Behind an open door a strange token changes nothing.
    if (open) return local;
    if (issuers === null) return answer(own, path);
    const theirs = issuers.verify(token, digest);
    if (theirs instanceof Promise) return theirs.then(verdict => settle(verdict, path));
    return settle(theirs, path);
  }

  function settle(verdict: Identity | Refusal, path: string): Identity | Challenge {
    return verdict.kind === 'identity' ? verdict : answer(verdict, path);
  }

  function answer({ status, reason }: Refusal, path: string): Challenge {
    if (status === 403) return challenges.forbidden(path, reason);
    return challenges.invalid(path, reason === 'form' ? 'unknown' : reason);
  }

  const isOpen = (key: Secret | null, named: readonly NamedKey[]) =>
    key === null && named.length === 0 && issuers === null && login === null;

  function identify(shown: Shown, path = '/mcp'): Identity | Challenge | Promise<Identity | Challenge> {
    const key = deps.findKey();
    const named = deps.findNamedKeys();
    const open = isOpen(key, named);
    const credential = findCredential(shown);
    if (open && (vended === null || !credential)) return local;
    if (credential === undefined) return challenges.missing(path);
    if (credential === null) return challenges.invalid(path, 'unknown');

    const { token, digest } = credential;
    const holder = keys.find(digest, key, named);
    if (holder !== null) return holder;
    const own = vended === null ? NOT_OURS : vended.verify(token, digest);
    return own instanceof Promise
      ? own.then(verdict => afterOwn(verdict, token, digest, path, open))
      : afterOwn(own, token, digest, path, open);
  }

  return {
    identify,
    stillValid(who) {
      if (who.method === 'local') return isOpen(deps.findKey(), deps.findNamedKeys());
      if (who.method === 'api-key') return keys.holds(who, deps.findKey(), deps.findNamedKeys());
      if (who.method === 'login') return login?.stands(who) === true;
      return deps.clock.wallMs() < who.expiresAtMs && !deps.isRevoked(who);
    },
  };
}

const NOT_OURS: Refusal = { kind: 'refusal', status: 401, reason: 'form' };

function isStranger({ status, reason }: Refusal): boolean {
  return status === 401 && (reason === 'form' || reason === 'issuer');
}

const NO_KEYS: readonly NamedKey[] = [];

/** A door with one key or none, for parts that need no more: always at once. */
export function createIdentify(
  findKey: () => Secret | null,
  agent: string | null,
): (shown: Shown, path?: string) => Identity | Challenge {
  const { identify } = createCredentialChain({
    findKey,
    findNamedKeys: () => NO_KEYS,
    vended: null,
    issuers: null,
    login: null,
    challenges: createChallenges({ publicUrl: null, scopes: [] }),
    local: localCaller({ groups: [], scopes: [], agent }),
    owner: keyOwner({ groups: [], scopes: [], agent }),
    isRevoked: () => false,
    clock: { wallMs: () => 0 },
  });
  return (shown, path) => {
    const who = identify(shown, path);
    if (who instanceof Promise) throw new TypeError('static keys are known at once');
    return who;
  };
}
