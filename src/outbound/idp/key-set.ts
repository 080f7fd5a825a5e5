/**
 * A JWK set (RFC 7517) as keys to verify with. Left out: symmetric and private keys, keys for encryption, curves and
 * lengths no algorithm of ours takes (RSA below 2048 bits). A key keeps its object as long as its issuer keeps the key,
 * so that what was verified with it can be told to be over.
 */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { JwsAlgorithm } from '../../domain/issuer.ts';
import { isJsonObject, type JsonObject, stringOrNull } from '../../domain/json.ts';

export interface VerifyKey {
  readonly id: string | null;
  readonly key: KeyObject;
  /** What it can verify; one that the set marks for one algorithm does no other. */
  readonly algorithms: ReadonlySet<string>;
  readonly fingerprint: string;
  /** False once its issuer took it out of the set. */
  live: boolean;
}

export type KeySet = readonly VerifyKey[];

const MAX_KEYS = 100;
const SHORTEST_RSA = 2048;
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const CURVES: ReadonlyMap<string, readonly string[]> = new Map([
  ['prime256v1', ['ES256']],
  ['secp384r1', ['ES384']],
  ['secp521r1', ['ES512']],
]);

/** Null for what is no JWK set at all; a set without a usable key is a set. */
export function readKeySet(document: JsonObject, before: KeySet = []): KeySet | null {
  const { keys } = document;
  if (!Array.isArray(keys)) return null;
  const known = new Map(before.map(key => [key.fingerprint, key]));
  const read = keys.slice(0, MAX_KEYS).flatMap(jwk => {
    const key = isJsonObject(jwk) ? readKey(jwk) : null;
    return key === null ? [] : [known.get(key.fingerprint) ?? key];
  });
  for (const key of before) key.live = read.includes(key);
  return read;
}

function readKey(jwk: JsonObject): VerifyKey | null {
  const { kty, use, key_ops: operations, d, k } = jwk;
  // Whoever published the private half has given the key away.
  if (kty === 'oct' || d !== undefined || k !== undefined) return null;
  if (use !== undefined && use !== 'sig') return null;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return null;
  const id = stringOrNull(jwk.kid);
  try {
    const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
    const marked = stringOrNull(jwk.alg);
    const algorithms = algorithmsOf(key).filter(algorithm => marked === null || isSame(algorithm, marked));
    if (algorithms.length === 0) return null;
    const spki = key.export({ type: 'spki', format: 'der' }).toString('base64');
    const fingerprint = JSON.stringify([id, marked, spki]);
    return { id, key, algorithms: new Set(algorithms), fingerprint, live: true };
  } catch {
    return null;
  }
}

function algorithmsOf(key: KeyObject): readonly string[] {
  const { modulusLength, publicExponent, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return (modulusLength ?? 0) >= SHORTEST_RSA && (publicExponent ?? 0n) >= 3n ? RSA : [];
    case 'ec':
      return CURVES.get(namedCurve ?? '') ?? [];
    case 'ed25519':
      return ['EdDSA', 'Ed25519'];
    default:
      return [];
  }
}

function isSame(algorithm: string, marked: string): boolean {
  const plain = (name: string) => (name === 'EdDSA' ? 'Ed25519' : name);
  return plain(algorithm) === plain(marked);
}

/**
 * The one key a header means. Without an id only where nothing has to be guessed; several keys of one id are told apart
 * by algorithm.
 */
export function pickKey(keys: KeySet, id: string | null, algorithm: JwsAlgorithm): VerifyKey | null {
  const fitting = keys.filter(key => key.algorithms.has(algorithm) && (id === null || key.id === id));
  return fitting.length === 1 ? (fitting[0] ?? null) : null;
}
