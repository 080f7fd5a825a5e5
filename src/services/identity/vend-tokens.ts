/**
 * Tokens of our own, given out and taken back. A caller gets one for a part of what it may do itself: a subset of its
 * scopes, at most its own lifetime, for one server if it likes, so many per hour, and never with a token of this kind.
 * Everybody may take back what was given out to itself; whoever administers may take back any.
 */
import { randomBytes } from 'node:crypto';
import { type CallRecord, openRecordOf } from '../../domain/call.ts';
import { type Identity, usernameOf } from '../../domain/identity.ts';
import type { Limited } from '../../domain/limits.ts';
import { decide, findMethodDenial, mayAdminister, type PolicySet } from '../../domain/policy.ts';
import { isServerKey } from '../../domain/registry-path.ts';
import { effectiveScopes, REST_API, trimSlashes } from '../../domain/scope-rules.ts';
import { VENDED_CLIENT, type VendedClaims } from '../../domain/vended.ts';
import type { AuditLedger } from '../../ports/audit.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LimitStore } from '../../ports/limits.ts';
import type { Log } from '../../ports/log.ts';
import type { Revocations, TokenSigner } from '../../ports/own-tokens.ts';
import type { Recorder } from '../../ports/recorder.ts';
import { type Lineages, parentMark } from './lineage.ts';

/** The request that asks, for the book. */
export interface Asked {
  id: string;
  address: string | null;
}

export interface VendRequest {
  /** Empty: all that the caller has. */
  scopes: readonly string[];
  hours: number | null;
  description: string | null;
  resource: { type: string; id: string } | null;
}

export interface VendedToken {
  kind: 'vended';
  token: string;
  claims: VendedClaims;
  /** What the caller has. */
  callerScopes: readonly string[];
  grantedScopes: readonly string[];
}

export interface TokenRefusal {
  kind: 'refused';
  status: 400 | 403 | 404 | 503;
  /** For the caller. */
  say: string;
  code: 'INVALID_PARAMS' | 'DENIED_BY_POLICY' | 'RESOURCE_NOT_FOUND' | 'AUDIT_UNAVAILABLE' | 'SERVER_UNAVAILABLE';
  /** Scopes to ask for, of a 403; may be empty. */
  missing: readonly string[];
}

export type VendOutcome = VendedToken | TokenRefusal | Limited;
export type RevokeOutcome = { kind: 'revoked' } | TokenRefusal;

export interface VendTokens {
  /** `id`: of the request. Never rejects for what a caller did. */
  vend(who: Identity, request: VendRequest, asked: Asked): Promise<VendOutcome>;
  revoke(who: Identity, tokenId: string, asked: Asked): Promise<RevokeOutcome>;
  /** Everything given out to a caller until now. False: too many are remembered already. */
  revokeSubject(subject: string): boolean;
  /** An issuer's token, with everything given out by it. */
  revokeParent(parent: { issuer: string; tokenId: string; untilMs: number }): boolean;
}

export interface VendDeps {
  signer: TokenSigner;
  lineages: Lineages;
  revocations: Revocations;
  /** What was revoked is looked up anew wherever verdicts are kept. */
  onRevoked(): void;
  policy(): PolicySet;
  hasServer(server: string): boolean;
  quota: LimitStore;
  perHour: number;
  maxHours: number;
  recorder: Recorder;
  audit: AuditLedger;
  clock: Clock;
  log: Log;
}

const HOUR_MS = 3_600_000;
const USUAL_HOURS = 8;
/** A little longer than the longest life, so that no clock brings a token back. */
const REMEMBERED_MS = 25 * HOUR_MS;
/** Beside everything else a request's headers hold. */
const MAX_TOKEN_CHARS = 12_000;
const TOKEN_ID = /^([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})$/;
/** RFC 6749, section 3.3. A file of scopes may name others; in a token one with a blank would be two. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const NO_SCOPES: readonly string[] = [];

export function createVendTokens(deps: VendDeps): VendTokens {
  const { signer, lineages, revocations, audit, clock, log } = deps;

  const idFor = (random: string, subject: string) => `${random}.${signer.mark(['jti', random, subject])}`;

  /** The verbs of the REST API are granted by scopes; `tokens` grants this part of it alone. */
  function refuseRest(who: Identity): TokenRefusal | null {
    if (findMethodDenial(deps.policy(), who, REST_API, 'POST') === null) return null;
    const denial = findMethodDenial(deps.policy(), who, REST_API, 'tokens');
    return denial === null ? null : denied('This caller may not have tokens.', denial.missing);
  }

  function findHours(hours: number | null): number | null {
    if (hours === null) return Math.min(USUAL_HOURS, deps.maxHours);
    return Number.isInteger(hours) && hours >= 1 && hours <= deps.maxHours ? hours : null;
  }

  /** The one server a token is to be good for; null: any. */
  function findServer(who: Identity, resource: VendRequest['resource']): { server: string | null } | TokenRefusal {
    if (resource === null) return { server: null };
    if (resource.type !== 'server') return invalid('resource.type: tokens can be bound to a server only.');
    const server = trimSlashes(resource.id);
    if (!isServerKey(server)) return invalid('resource.id: not the name of a server.');
    // Denied before unknown, on the name alone: what may not be used is refused alike whether it exists or not.
    if (decide(deps.policy(), who, 'list', { kind: 'server', server, name: server }).kind === 'deny') {
      return denied('This caller may not use that resource.');
    }
    return deps.hasServer(server) ? { server } : refused(404, 'RESOURCE_NOT_FOUND', 'There is no such server.');
  }

  async function tryVend(who: Identity, request: VendRequest, record: CallRecord): Promise<VendOutcome> {
    if (who.method === 'vended') return denied('A token of this gateway cannot get another.');
    const no = refuseRest(who);
    if (no !== null) return no;
    const hours = findHours(request.hours);
    if (hours === null) return invalid(`expires_in_hours: must be a whole number from 1 to ${deps.maxHours}.`);
    const bound = findServer(who, request.resource);
    if ('kind' in bound) return bound;
    const { scopes: rules } = deps.policy();
    const held = rules === null ? [...who.scopes] : effectiveScopes(rules, who);
    const callerScopes = held.filter(scope => SCOPE_TOKEN.test(scope));
    record.evaluatedScopes = callerScopes;
    record.server = bound.server;
    if (!request.scopes.every(scope => callerScopes.includes(scope))) {
      return denied('Requested scopes exceed the scopes of the caller.');
    }
    const grantedScopes = request.scopes.length === 0 ? callerScopes : [...new Set(request.scopes)];
    const lineage = signer.isReady() ? lineages.lineageOf(who) : null;
    if (lineage === null || lineage.method === 'vended') return unavailable();
    const { method: parentMethod, parent } = lineage;
    const iat = Math.floor(clock.wallMs() / 1000);
    const exp = Math.min(iat + hours * 3600, Math.floor(who.expiresAtMs / 1000));
    if (exp <= iat) return denied('The credential of this caller is about to end.');
    const quota = await deps.quota.take([who.subject], [{ id: 'tokens', calls: deps.perHour, perMs: HOUR_MS }]);
    if (quota.fullAt >= 0) return { ...quota, kind: 'limited', scope: 'caller', what: 'rate' };

    const jti = idFor(drawRandom(), who.subject);
    const claims: VendedClaims = {
      sub: who.subject,
      scope: grantedScopes.join(' '),
      groups: [...who.groups],
      exp,
      iat,
      jti,
      token_use: 'access',
      client_id: VENDED_CLIENT,
      token_type: 'user_generated',
      token_kind: bound.server === null ? 'user' : 'resource',
      ...(bound.server === null ? {} : { resource_type: 'server' as const, resource_id: bound.server }),
      ...(who.name === null ? {} : { name: who.name }),
      ...(who.issuer === null ? {} : { idp: who.issuer }),
      ...(who.agent === null ? {} : { agent: who.agent, agent_verified: who.agentVerified }),
      ...(who.isService === true ? { service: true } : {}),
      own_scope: grantedScopes.filter(scope => who.scopes.has(scope)).join(' '),
      parent_method: parentMethod,
      parent,
    };
    record.target = jti;
    record.metadata = {
      token_id: jti,
      token_kind: claims.token_kind,
      scope: claims.scope.slice(0, 500),
      expires_at: exp,
      description: request.description,
    };
    // Before there is a token: what nobody can write down is given to nobody.
    const announced = audit.intend(record);
    if (announced !== null && !(await announced)) return unrecordable();
    const token = await signer.sign(claims);
    if (token.length > MAX_TOKEN_CHARS) return invalid('The token would be too long to be sent: ask for fewer scopes.');
    const facts = { username: usernameOf(who), subject: who.subject, token_id: jti };
    log.info('token vended', { event: 'token_vended', ...facts, expires_at: exp });
    return { kind: 'vended', token, claims, callerScopes, grantedScopes };
  }

  async function tryRevoke(who: Identity, tokenId: string, record: CallRecord): Promise<RevokeOutcome> {
    const [, random] = TOKEN_ID.exec(tokenId) ?? [];
    if (random === undefined) return invalid('jti: not the id of a token of this gateway.');
    if (!signer.isReady()) return unavailable();
    if (who.boundServer !== null) return denied('This caller may not use the API.');
    const isOwn = idFor(random, who.subject) === tokenId;
    // The holder of a token speaks for that token, not for its owner.
    const mayOwn = isOwn && (who.method !== 'vended' || who.tokenId === tokenId);
    if (!mayOwn && !mayAdminister(deps.policy(), who))
      return refused(404, 'RESOURCE_NOT_FOUND', 'There is no such token.');
    record.target = tokenId;
    record.metadata = { token_id: tokenId };
    const announced = audit.intend(record);
    if (announced !== null && !(await announced)) return unrecordable();
    const added = remember('token', tokenId, REMEMBERED_MS);
    if (added !== 'kept') return unavailable();
    const facts = { username: usernameOf(who), subject: who.subject, token_id: tokenId };
    log.info('token revoked', { event: 'token_revoked', ...facts });
    return { kind: 'revoked' };
  }

  function remember(kind: 'token' | 'parent' | 'subject', key: string, forMs: number): ReturnType<Revocations['add']> {
    const atMs = clock.wallMs();
    // In whole seconds like the tokens: one of this very second is meant too.
    const added = revocations.add({ kind, key, atMs, untilMs: atMs + forMs });
    deps.onRevoked();
    return added;
  }

  /** One record for every attempt, whatever came of it. */
  async function recorded<T extends VendOutcome | RevokeOutcome>(
    who: Identity,
    operation: string,
    { id, address }: Asked,
    attempt: (record: CallRecord) => Promise<T>,
  ): Promise<T> {
    const startedMs = clock.monotonicMs();
    const record = openRecordOf(who, operation, id, clock.wallMs(), address);
    const close = async () => {
      record.durationMs = clock.monotonicMs() - startedMs;
      deps.recorder.record(record);
      await audit.conclude(record);
    };
    try {
      const outcome = await attempt(record);
      judge(record, outcome);
      await close();
      return outcome;
    } catch (cause) {
      record.outcome = 'error';
      record.code = 'INTERNAL';
      await close();
      throw cause;
    }
  }

  return {
    vend: (who, request, asked) => recorded(who, 'tokens/generate', asked, record => tryVend(who, request, record)),
    revoke: (who, tokenId, asked) => recorded(who, 'tokens/revoke', asked, record => tryRevoke(who, tokenId, record)),
    revokeSubject: subject => remember('subject', subject, REMEMBERED_MS) !== 'full',
    revokeParent({ issuer, tokenId, untilMs }) {
      const mark = parentMark(signer.mark, { issuer, tokenId });
      const forMs = Math.max(REMEMBERED_MS, untilMs - clock.wallMs());
      return mark !== null && remember('parent', mark, forMs) !== 'full';
    },
  };
}

/** Never with a dash in front: a command line would take the id for an option. */
export function drawRandom(draw = () => randomBytes(16)): string {
  for (;;) {
    const random = draw().toString('base64url');
    if (!random.startsWith('-')) return random;
  }
}

function judge(record: CallRecord, outcome: VendOutcome | RevokeOutcome): void {
  if (outcome.kind === 'limited') {
    record.outcome = 'refused';
    record.code = 'RATE_LIMITED';
  } else if (outcome.kind === 'refused') {
    const isDenied = outcome.code === 'DENIED_BY_POLICY';
    record.outcome = isDenied ? 'denied' : outcome.code === 'AUDIT_UNAVAILABLE' ? 'refused' : 'error';
    record.code = outcome.code;
    record.detail = outcome.say;
  }
}

function refused(
  status: TokenRefusal['status'],
  code: TokenRefusal['code'],
  say: string,
  missing: readonly string[] = NO_SCOPES,
): TokenRefusal {
  return { kind: 'refused', status, say, code, missing };
}

const invalid = (say: string) => refused(400, 'INVALID_PARAMS', say);
const denied = (say: string, missing?: readonly string[]) => refused(403, 'DENIED_BY_POLICY', say, missing);
const unavailable = () => refused(503, 'SERVER_UNAVAILABLE', 'Tokens cannot be given out or taken back at the moment.');
const unrecordable = () =>
  refused(503, 'AUDIT_UNAVAILABLE', 'The operation cannot be recorded, so it was not carried out.');
