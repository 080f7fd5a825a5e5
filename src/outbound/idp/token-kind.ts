/**
 * What tells an access token from everything else an issuer signs, per kind of provider: a table of facts. An ID token,
 * a refresh token, a grant or a logout notice is properly signed too, and still no key to this door.
 */
import { type IssuerSettings, NO_TYPE, type ProviderKind } from '../../domain/issuer.ts';
import { isJsonObject, type JsonObject, stringOrNull } from '../../domain/json.ts';
import type { RefusalReason } from '../../ports/token-verifier.ts';
import { toIdentifier } from './claim-shapes.ts';

interface KindFacts {
  /** Null: an access token of this issuer. */
  refuse(payload: JsonObject, issuer: IssuerSettings): RefusalReason | null;
  /** Whether the client speaks for itself, with nobody behind it. */
  isService(payload: JsonObject, client: string | null): boolean;
  /** What makes a subject unique beside the issuer; null: the issuer's own name. */
  tenant(payload: JsonObject): string | null;
}

/** Claims that stand in ID tokens alone (OpenID Connect Core 1.0, sections 2 and 3.3.2.11). */
const ID_TOKEN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash'];

export const KIND_FACTS: Readonly<Record<ProviderKind, KindFacts>> = {
  keycloak: {
    refuse: ({ typ }) => (typ === 'Bearer' ? null : 'typ'),
    isService: ({ client_id: id, preferred_username: name }, client) =>
      typeof id === 'string' && id === client && name === `service-account-${id.toLowerCase()}`,
    tenant: () => null,
  },
  cognito: {
    refuse: ({ token_use: use }) => (use === 'access' ? null : 'typ'),
    isService: ({ sub, username }, client) => username === undefined && sub === client,
    tenant: () => null,
  },
  entra: {
    refuse: refuseEntra,
    isService: ({ idtyp, scp, oid, sub }) => idtyp === 'app' || (scp === undefined && oid !== undefined && oid === sub),
    tenant: ({ tid }) => toIdentifier(tid),
  },
  oidc: {
    refuse: payload => (ID_TOKEN_CLAIMS.some(name => Object.hasOwn(payload, name)) ? 'typ' : null),
    isService: ({ sub }, client) => client !== null && (sub === client || sub === `${client}@clients`),
    tenant: () => null,
  },
};

/** The same keys sign for every tenant, so the tenant must be the issuer's own, and the version the issuer's too. */
function refuseEntra(payload: JsonObject, { issuer }: IssuerSettings): RefusalReason | null {
  const isV2 = issuer.endsWith('/v2.0');
  if (payload.ver !== (isV2 ? '2.0' : '1.0')) return 'typ';
  if (stringOrNull(payload.tid) !== new URL(issuer).pathname.split('/')[1]) return 'tenant';
  // An ID token names no client that asked for it, and has no permissions.
  const client = isV2 ? payload.azp : payload.appid;
  const permits = payload.scp !== undefined || payload.roles !== undefined || payload.idtyp === 'app';
  return typeof client === 'string' && permits && payload.nonce === undefined ? null : 'typ';
}

/** RFC 7515, section 4.1.9: the case tells nothing, and `application/` may be left out. */
export function tokenType(header: JsonObject): string | null {
  if (header.typ === undefined) return NO_TYPE;
  return typeof header.typ === 'string' ? header.typ.toLowerCase().replace(/^application\//, '') : null;
}

/** More groups than fit: the token says that there are some and not which. Never the same as none. */
export function hasGroupOverage(payload: JsonObject, groupClaims: readonly string[]): boolean {
  const { _claim_names: elsewhere, hasgroups } = payload;
  if (hasgroups === true || hasgroups === 'true') return true;
  return isJsonObject(elsewhere) && groupClaims.some(name => Object.hasOwn(elsewhere, name));
}
