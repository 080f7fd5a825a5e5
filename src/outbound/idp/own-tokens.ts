/**
 * Tokens of our own: signed with our keys, under a type, an issuer and an audience that no other token has, and verified
 * by all of these. A token that does not begin as ours do is a stranger's and costs one comparison. Refused: what was
 * revoked, and what its parent no longer stands behind.
 */
import { CompactSign, compactVerify } from 'jose';
import type { Identity } from '../../domain/identity.ts';
import { VENDED_TYPE, VendedClaims } from '../../domain/vended.ts';
import type { Clock } from '../../ports/clock.ts';
import type { OwnTokens } from '../../ports/own-tokens.ts';
import { type Refusal, refusal } from '../../ports/token-verifier.ts';
import type { VerifyKey } from './key-set.ts';
import { createPinnedKeys } from './key-source.ts';
import type { OwnKeys } from './own-keys.ts';
import { takeApart, type UnverifiedToken } from './token-form.ts';
import { VerifiedTokens } from './verified-tokens.ts';

export interface OwnTokensDeps {
  /** Those in force; null: none can be used. */
  keys(): OwnKeys | null;
  /** Null: named by the keys. */
  publicUrl: string | null;
  /** The same object until something changes that a verdict may rest on. */
  basis(): unknown;
  /** What is left of a caller: fewer scopes, or nothing. Only for a token whose signature holds. */
  admit(who: Identity, ownScopes: ReadonlySet<string>): Identity | Refusal;
  clock: Pick<Clock, 'wallMs'>;
  maxTokens?: number;
}

const MAX_TOKENS = 10_000;
const encoder = new TextEncoder();
/** The first bytes of every header of ours: as many as whole groups of base64 hold. */
const BEGINNING = (() => {
  const bytes = Buffer.from(`{"typ":"${VENDED_TYPE}"`);
  return bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64url');
})();
/** Keys of ours are told by their own objects; nothing is fetched. */
const OWN_SOURCE = createPinnedKeys({ keys: [] });

export function createOwnTokens(deps: OwnTokensDeps): OwnTokens {
  const { clock } = deps;
  const verified = new VerifiedTokens(deps.maxTokens ?? MAX_TOKENS);
  let basis: unknown;

  const issuerOf = ({ instance }: OwnKeys) => deps.publicUrl ?? `urn:gatehouse:${instance}`;
  const audienceOf = ({ instance }: OwnKeys, server: string | null) =>
    `urn:gatehouse:${instance}:vended${server === null ? '' : `:server:${server}`}`;

  function requireKeys(): OwnKeys {
    const keys = deps.keys();
    if (keys === null) throw new Error('there are no keys to sign with');
    return keys;
  }

  function examine(token: string, digest: string): Refusal | Promise<Identity | Refusal> {
    const keys = deps.keys();
    if (keys === null) return refusal('keys');
    const parts = takeApart(token);
    if (parts.kind === 'refusal') return parts;
    const { header, payload, algorithm, keyId } = parts;
    if (payload.iss !== issuerOf(keys)) return refusal('issuer');
    if (header.typ !== VENDED_TYPE) return refusal('typ');
    if (algorithm !== 'ES256') return refusal('alg');
    const key = keys.find(keyId);
    if (key === null) return refusal('kid');
    return verifySignature(parts, keys, key, digest);
  }

  async function verifySignature(
    { token, payload }: UnverifiedToken,
    keys: OwnKeys,
    key: VerifyKey,
    digest: string,
  ): Promise<Identity | Refusal> {
    try {
      await compactVerify(token, key.key, { algorithms: ['ES256'] });
    } catch {
      return refusal('signature');
    }
    const read = VendedClaims.safeParse(payload);
    if (!read.success) return refusal('claims');
    const claims = read.data;
    const server = claims.token_kind === 'resource' ? (claims.resource_id ?? null) : null;
    if (claims.token_kind === 'resource' && server === null) return refusal('claims');
    if (payload.aud !== audienceOf(keys, server)) return refusal('audience');
    const nowMs = clock.wallMs();
    if (claims.exp * 1000 <= nowMs) return refusal('expired');
    const before = deps.basis();
    const who = deps.admit(toIdentity(claims, server), toWords(claims.own_scope ?? ''));
    if (who.kind === 'refusal') return who;
    // The key may have gone, and rights may have changed, while the signature was computed.
    if (!key.live) return refusal('kid');
    if (before === basis) verified.add(digest, { who, key, source: OWN_SOURCE });
    return who;
  }

  return {
    verify(token, digest) {
      if (!token.startsWith(BEGINNING)) return STRANGER;
      const now = deps.basis();
      if (now !== basis) {
        verified.forget(() => true);
        basis = now;
      }
      return verified.find(digest, clock.wallMs()) ?? examine(token, digest);
    },
    forget: which => verified.forget(which),
    isReady: () => deps.keys() !== null,
    mark: words => requireKeys().mark(words),
    published: () => deps.keys()?.published() ?? null,
    async sign(claims) {
      const keys = requireKeys();
      const aud = audienceOf(keys, claims.resource_id ?? null);
      return new CompactSign(encoder.encode(JSON.stringify({ iss: issuerOf(keys), aud, ...claims })))
        .setProtectedHeader({ typ: VENDED_TYPE, alg: 'ES256', kid: keys.signing.id })
        .sign(keys.signing.key);
    },
  };
}

const STRANGER = refusal('form');

function toIdentity(claims: VendedClaims, server: string | null): Identity {
  return {
    kind: 'identity',
    subject: claims.sub,
    issuer: claims.idp ?? null,
    name: claims.name ?? null,
    client: claims.client_id,
    agent: claims.agent ?? null,
    agentVerified: claims.agent !== undefined && claims.agent_verified === true,
    method: 'vended',
    scopes: toWords(claims.scope),
    groups: new Set(claims.groups),
    expiresAtMs: claims.exp * 1000,
    tokenId: claims.jti,
    boundServer: server,
    isService: claims.service === true,
    lineage: { method: claims.parent_method, parent: claims.parent, atMs: claims.iat * 1000 },
  };
}

function toWords(text: string): Set<string> {
  return new Set(text.split(' ').filter(word => word !== ''));
}
