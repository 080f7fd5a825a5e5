/**
 * Bearer tokens of configured issuers (RFC 7519, RFC 8725, RFC 9068). The order is the point: form, then the issuer by exact
 * name among those configured, then what its settings say of such a token, then one of that issuer's keys, then the
 * signature, then who it is. A verdict of yes is kept until the token ends; a no is not kept.
 */
import { compactVerify } from 'jose';
import type { Identity } from '../../domain/identity.ts';
import type { IssuerSettings } from '../../domain/issuer.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FetchJson } from '../../ports/fetch-json.ts';
import type { Log } from '../../ports/log.ts';
import { type Refusal, refusal, type TokenVerifier } from '../../ports/token-verifier.ts';
import { type Court, createCourt, refuseUnverified, toIdentity } from './judge.ts';
import type { VerifyKey } from './key-set.ts';
import { createPinnedKeys, type KeySource, RemoteKeys } from './key-source.ts';
import { takeApart, type UnverifiedToken } from './token-form.ts';
import { VerifiedTokens } from './verified-tokens.ts';

export interface JwtVerifierDeps {
  issuers: readonly IssuerSettings[];
  /** Ours; null: tokens name recipients in other ways. */
  publicUrl: string | null;
  /** Taken, unverified, for a caller whose token names no agent. */
  defaultAgent: string | null;
  /** Also what is switched off: a token for one server never opens more while it is away. */
  hasServer?: (server: string) => boolean;
  fetch: FetchJson;
  clock: Clock;
  log: Log;
  /** Asked before a verdict is kept; tell `forget` when an answer changes. */
  isRevoked?: (who: Identity) => boolean;
  maxTokens?: number;
}

export interface JwtVerifier extends TokenVerifier {
  /** Starts fetching keys, so that the first caller does not wait for them. */
  warm(): void;
  /** Names of issuers that have no usable key: nobody of theirs can get in. */
  withoutKeys(): string[];
  /** What the only issuer says of itself, or null where there are several or it was not asked. */
  metadata(): JsonObject | null;
  /** Verified tokens that are kept. */
  size(): number;
  close(): void;
}

const MAX_TOKENS = 20_000;

interface Bench {
  court: Court;
  source: KeySource;
}

export function createJwtVerifier(deps: JwtVerifierDeps): JwtVerifier {
  const { clock, defaultAgent, isRevoked = () => false } = deps;
  const benches: ReadonlyMap<string, Bench> = new Map(
    deps.issuers.map(issuer => [
      issuer.issuer,
      {
        court: createCourt(issuer, deps.publicUrl, deps.hasServer),
        source: issuer.keys.kind === 'pinned' ? createPinnedKeys(issuer.keys.jwks) : new RemoteKeys(issuer, deps),
      },
    ]),
  );
  const verified = new VerifiedTokens(deps.maxTokens ?? MAX_TOKENS);

  function examine(token: string, digest: string): Identity | Refusal | Promise<Identity | Refusal> {
    const parts = takeApart(token);
    if (parts.kind === 'refusal') return parts;
    const { iss } = parts.payload;
    const bench = typeof iss === 'string' ? benches.get(iss) : undefined;
    if (bench === undefined) return refusal('issuer');
    const reason = refuseUnverified(parts, bench.court, clock.wallMs());
    if (reason !== null) return refusal(reason);
    return verifySignature(parts, bench, digest);
  }

  async function verifySignature(parts: UnverifiedToken, bench: Bench, digest: string): Promise<Identity | Refusal> {
    const { court, source } = bench;
    const key = await source.find(parts.keyId, parts.algorithm);
    if (key === 'unknown') return refusal('kid');
    if (key === 'unavailable') return refusal('keys');
    if (!(await isSignedWith(key, parts))) return refusal('signature');
    const who = toIdentity(parts, court, defaultAgent);
    if (who.kind === 'refusal') return who;
    if (isRevoked(who)) return refusal('revoked');
    // The key may have gone while the signature was computed.
    if (!key.live) return refusal('kid');
    verified.add(digest, { who, key, source });
    return who;
  }

  return {
    verify: (token, digest) => verified.find(digest, clock.wallMs()) ?? examine(token, digest),
    forget: which => verified.forget(which),
    warm() {
      for (const { source } of benches.values()) source.warm();
    },
    withoutKeys: () =>
      [...benches.values()].filter(({ source }) => !source.hasKeys()).map(({ court }) => court.issuer.name),
    metadata() {
      const [only, ...others] = benches.values();
      return only === undefined || others.length > 0 ? null : only.source.metadata();
    },
    size: () => verified.size,
    close() {
      for (const { source } of benches.values()) source.close();
    },
  };
}

async function isSignedWith({ key }: VerifyKey, { token, algorithm }: UnverifiedToken): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: [algorithm] });
    return true;
  } catch {
    // Whatever the library has against it: the settings were checked before, so what is left is the signature.
    return false;
  }
}
