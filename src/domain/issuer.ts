/**
 * An issuer as an operator configures it: whose tokens are believed, signed with what, meant for whom, and which claims
 * say what. Everything is settled here before a token is looked at; a token chooses nothing but which issuer it names.
 */
import type { JsonObject } from './json.ts';

export type ProviderKind = 'keycloak' | 'cognito' | 'entra' | 'oidc';

/** Signatures with a public key alone: what a verifier could also sign with is no proof of an issuer. */
export const JWS_ALGORITHMS = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const),
] as const;
export type JwsAlgorithm = (typeof JWS_ALGORITHMS)[number];

export function isJwsAlgorithm(value: unknown): value is JwsAlgorithm {
  return (JWS_ALGORITHMS as readonly unknown[]).includes(value);
}

export type KeyLocation =
  | { kind: 'pinned'; jwks: JsonObject }
  | { kind: 'uri'; uri: string }
  /** Through `<issuer>/.well-known/openid-configuration`, whose `jwks_uri` must be of the issuer's own origin. */
  | { kind: 'discovered' };

/** A claim by its exact name; where there is none, by the path its dots spell. Of several, scopes and groups add up. */
export interface ClaimNames {
  subject: string;
  scopes: readonly string[];
  groups: readonly string[];
  /** The first that is there. */
  client: readonly string[];
  agent: readonly string[];
  name: readonly string[];
}

/** In `tokenTypes`: a header without `typ`. */
export const NO_TYPE = 'none';

export interface IssuerSettings {
  /** What the operator calls it: for logs. */
  name: string;
  /** Compared with `iss` as a string: no case folding, no slash added or taken. */
  issuer: string;
  kind: ProviderKind;
  keys: KeyLocation;
  algorithms: readonly JwsAlgorithm[];
  /** Recipients we are; empty: tokens carry no `aud`, and `clients` decides. */
  audiences: readonly string[];
  /** OAuth clients whose tokens are taken; empty: any of this issuer's. */
  clients: readonly string[];
  /** Values of the `typ` header, lower-case and without `application/`; `none` for its absence. */
  tokenTypes: readonly string[];
  claims: ClaimNames;
  /** From issue to expiry; null: no limit. */
  maxLifetimeMs: number | null;
  skewMs: number;
  jwksMaxAgeMs: number;
  /** At least so long between two fetches, whatever callers send. */
  jwksCooldownMs: number;
  /** How long beyond their age keys are still used while the issuer cannot be reached. */
  jwksStaleForMs: number;
  fetchTimeoutMs: number;
}
