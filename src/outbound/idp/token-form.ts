/**
 * A compact JWS taken apart (RFC 7515, section 3.1), nothing verified yet. Refused here, before any key is thought of:
 * encrypted and nested tokens, other alphabets than base64url, sloppy endings, extensions, and keys that a token brings
 * or points to.
 */
import { isJwsAlgorithm, type JwsAlgorithm } from '../../domain/issuer.ts';
import type { JsonObject } from '../../domain/json.ts';
import { type Refusal, refusal } from '../../ports/token-verifier.ts';
import { parseStrictObject } from './strict-json.ts';

export interface UnverifiedToken {
  kind: 'unverified';
  token: string;
  header: JsonObject;
  algorithm: JwsAlgorithm;
  /** Null: the header names none. */
  keyId: string | null;
  payload: JsonObject;
}

const MAX_LENGTH = 65_535;
const MAX_KEY_ID = 512;
const PARTS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)$/;
/** Where a key may be found is configuration's to say; what must be understood, we do not. */
const REFUSED_HEADERS = ['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc'];

export function takeApart(token: string): UnverifiedToken | Refusal {
  if (token.length > MAX_LENGTH) return refusal('form');
  const [, first, second, third] = PARTS.exec(token) ?? [];
  if (first === undefined || second === undefined || third === undefined) return refusal('form');
  const header = decode(first);
  const payload = decode(second);
  if (header === null || payload === null || !isCanonical(third)) return refusal('form');
  if (!isJwsAlgorithm(header.alg)) return refusal('alg');
  if (third === '') return refusal('signature');
  if (REFUSED_HEADERS.some(name => Object.hasOwn(header, name))) return refusal('header');
  if (typeof header.cty === 'string' && header.cty.toLowerCase().endsWith('jwt')) return refusal('header');
  const keyId = Object.hasOwn(header, 'kid') ? header.kid : null;
  if (keyId !== null && (typeof keyId !== 'string' || keyId.length > MAX_KEY_ID)) return refusal('kid');
  return { kind: 'unverified', token, header, algorithm: header.alg, keyId: keyId ?? null, payload };
}

function decode(part: string): JsonObject | null {
  const bytes = Buffer.from(part, 'base64url');
  return bytes.toString('base64url') === part ? parseStrictObject(bytes) : null;
}

/** Bits beyond the last byte must be zero: otherwise several texts would be one token. */
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}
