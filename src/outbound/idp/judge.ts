/**
 * From the claims of a token to an identity, by the settings of its issuer. Two halves: what can be refused before a key
 * is looked for (so that a flood of stale or foreign tokens costs no signature and no fetch), and what counts only
 * once the signature holds.
 */
import type { Identity } from '../../domain/identity.ts';
import type { IssuerSettings } from '../../domain/issuer.ts';
import { isJsonObject, type JsonObject } from '../../domain/json.ts';
import { canonicalResource, findResourceEndpoint } from '../../domain/resource.ts';
import { type Refusal, type RefusalReason, refusal } from '../../ports/token-verifier.ts';
import { findClaim, findFirst, readGroups, readScopes, toIdentifier } from './claim-shapes.ts';
import type { UnverifiedToken } from './token-form.ts';
import { hasGroupOverage, KIND_FACTS, tokenType } from './token-kind.ts';

/** An issuer ready to judge by. */
export interface Court {
  issuer: IssuerSettings;
  /** Canonical. */
  audiences: ReadonlySet<string>;
  /** Our own address, where this issuer names recipients by it: then it may name one endpoint of ours too. */
  publicUrl: string | null;
  /** Whether a name of the registry's own door is a server's. */
  hasServer(server: string): boolean;
}

/** `hasServer` absent: every name is a server's, so that a token is bound rather than not. */
export function createCourt(
  issuer: IssuerSettings,
  publicUrl: string | null,
  hasServer: (server: string) => boolean = () => true,
): Court {
  const audiences = new Set(issuer.audiences.map(canonicalResource));
  const names =
    publicUrl !== null && [...audiences].some(name => findResourceEndpoint(publicUrl, name)?.server === null);
  return { issuer, audiences, publicUrl: names ? publicUrl : null, hasServer };
}

/** Null: nothing speaks against it yet. `nowMs` is wall time. */
export function refuseUnverified(token: UnverifiedToken, court: Court, nowMs: number): RefusalReason | null {
  const { issuer } = court;
  const { header, payload, algorithm } = token;
  if (!issuer.algorithms.includes(algorithm)) return 'alg';
  const type = tokenType(header);
  if (type === null || !issuer.tokenTypes.includes(type)) return 'typ';
  return (
    KIND_FACTS[issuer.kind].refuse(payload, issuer) ??
    refuseTime(payload, issuer, nowMs) ??
    refuseRecipient(payload, court) ??
    // Bound to a key that the caller would have to show it holds (RFC 7800): as a bearer token it is stolen.
    (payload.cnf === undefined ? null : 'bound')
  );
}

/** Whole seconds, as in the claims; the bounds themselves still pass. */
function refuseTime({ exp, nbf, iat }: JsonObject, issuer: IssuerSettings, nowMs: number): RefusalReason | null {
  const now = Math.floor(nowMs / 1000);
  const skew = issuer.skewMs / 1000;
  if (!isTime(exp) || (nbf !== undefined && !isTime(nbf)) || (iat !== undefined && !isTime(iat))) return 'time';
  if (now - exp > skew) return 'expired';
  if (nbf !== undefined && nbf - now > skew) return 'not_yet';
  if (iat !== undefined && iat - now > skew) return 'not_yet';
  const lifetimeMs = (exp - Math.min(iat ?? now, now)) * 1000;
  return issuer.maxLifetimeMs !== null && lifetimeMs > issuer.maxLifetimeMs ? 'lifetime' : null;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER / 1000;
}

function refuseRecipient(payload: JsonObject, court: Court): RefusalReason | null {
  const { clients, claims, kind } = court.issuer;
  if (payload.aud !== undefined) {
    if (recipientOf(payload, court) === null) return 'audience';
  } else if (clients.length === 0 || (court.audiences.size > 0 && kind !== 'cognito')) return 'audience';
  if (clients.length === 0) return null;
  const client = findFirst(payload, claims.client);
  return client !== null && clients.includes(client) ? null : 'client';
}

/** Whom the token is meant for: all of the gateway, or one server; null: somebody else. */
function recipientOf({ aud }: JsonObject, court: Court): { server: string | null } | null {
  const listed = Array.isArray(aud) ? aud : [aud];
  const named = listed.filter(item => typeof item === 'string').map(canonicalResource);
  if (named.some(name => court.audiences.has(name))) return { server: null };
  const { publicUrl } = court;
  if (publicUrl === null) return null;
  const endpoints = named
    .map(name => findResourceEndpoint(publicUrl, name, court.hasServer))
    .filter(endpoint => endpoint !== null);
  if (endpoints.some(({ server }) => server === null)) return { server: null };
  const servers = new Set(endpoints.map(({ server }) => server));
  // A token is bound to one server or to none: which of two would be a guess.
  return servers.size === 1 ? { server: endpoints[0]?.server ?? null } : null;
}

const MAX_ACTORS = 8;

/** Who it is. Only for a token whose signature holds and that `refuseUnverified` had nothing against. */
export function toIdentity(
  { payload }: UnverifiedToken,
  court: Court,
  defaultAgent: string | null,
): Identity | Refusal {
  const { issuer } = court;
  const { claims, kind } = issuer;
  const facts = KIND_FACTS[kind];
  const own = toIdentifier(findClaim(payload, claims.subject));
  if (own === null) return refusal('subject');
  if (hasGroupOverage(payload, claims.groups)) return refusal('group_overage', 403);
  const actors = readActors(payload.act);
  if (actors === null) return refusal('claims');
  if (!mayAct(payload.may_act, actors[0])) return refusal('actor_not_permitted', 403);

  const client = findFirst(payload, claims.client);
  const isService = facts.isService(payload, client);
  const agent = actors[0] ?? findFirst(payload, claims.agent) ?? (isService ? client : null);
  return {
    kind: 'identity',
    subject: `${facts.tenant(payload) ?? issuer.issuer}|${own}`,
    issuer: issuer.issuer,
    name: findFirst(payload, claims.name),
    client,
    agent: agent ?? defaultAgent,
    agentVerified: agent !== null,
    method: 'jwt',
    scopes: readScopes(payload, claims.scopes),
    groups: readGroups(payload, claims.groups),
    // Until the first second in which `refuseTime` would say no.
    expiresAtMs: (Number(payload.exp) + 1) * 1000 + issuer.skewMs,
    tokenId: toIdentifier(payload.jti),
    boundServer: recipientOf(payload, court)?.server ?? null,
    isService,
    ...(actors.length > 0 ? { actors } : {}),
  };
}

/** RFC 8693, section 4.1: the outermost is the one at work. Null: not in that shape. */
function readActors(act: unknown): string[] | null {
  const actors: string[] = [];
  for (let here = act; here !== undefined; ) {
    if (!isJsonObject(here) || actors.length >= MAX_ACTORS) return null;
    const sub = toIdentifier(here.sub);
    if (sub === null) return null;
    actors.push(sub);
    here = here.act;
  }
  return actors;
}

/** RFC 8693, section 4.4: where the subject said who may act for it, nobody else does. */
function mayAct(permitted: unknown, actor: string | undefined): boolean {
  if (permitted === undefined || actor === undefined) return true;
  return isJsonObject(permitted) && permitted.sub === actor;
}
