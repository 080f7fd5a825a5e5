/**
 * Refusals of an HTTP request before it became a call: a line in the book, status, JSON-RPC error, and a connection closed
 * in good order.
 */
import type { Era } from '../../domain/era.ts';
import { ERRORS, type Failure, failure, toRpcError } from '../../domain/error.ts';
import type { Challenge } from '../../domain/identity.ts';
import type { Limited } from '../../domain/limits.ts';
import type { RpcId } from '../../domain/rpc.ts';
import type { Challenges } from '../../services/identity/challenge.ts';
import { endLingering } from '../http/body.ts';
import { limitHeaders } from '../http/limited.ts';
import { pathOf } from '../http/routes.ts';
import type { Exchange } from './exchange.ts';
import { errorFrame } from './frames.ts';
import { retryAfterSeconds } from './respond.ts';

/** Whoever it was. */
export type Asked = Pick<Exchange, 'req' | 'res' | 'id'>;

/** `id`: the client's, where its message was read that far. */
export function refuseWith(
  at: Exchange,
  era: Era,
  id: RpcId | null,
  no: Failure,
  headers: Record<string, string> = {},
): void {
  // Whoever has gone was not refused anything.
  if (at.res.headersSent || at.res.destroyed) return;
  at.turnedAway(at, no);
  write(at, era, id, no, headers);
}

/**
 * One JSON content type and nothing else: clients were seen to choke on a 401 with two. A refused credential is written
 * down by whoever counts those.
 */
export function refuseChallenged(at: Asked, challenge: Challenge): void {
  const no = failure(challenge.status === 401 ? 'UNAUTHENTICATED' : 'DENIED_BY_POLICY');
  write(at, 'legacy', null, no, { 'www-authenticate': challenge.wwwAuthenticate });
}

/** Written down by whoever denied it. `stepUp`: where a caller can get a token with more scopes; null: it cannot. */
export function refuseDenied(at: Exchange, id: RpcId | null, no: Failure, stepUp: Challenges | null): void {
  const missing = no.data.missing_scopes;
  const challenge =
    stepUp !== null && Array.isArray(missing)
      ? stepUp.insufficientScope(pathOf(at.req.url), missing.map(String))
      : null;
  write(at, 'legacy', id, no, challenge === null ? {} : { 'www-authenticate': challenge.wwwAuthenticate });
}

/** Sessions are of the legacy era alone. */
export function refuseSession(at: Exchange, id: RpcId | null, what: 'missing' | 'unknown'): void {
  refuseWith(at, 'legacy', id, failure(what === 'missing' ? 'SESSION_REQUIRED' : 'SESSION_UNKNOWN'));
}

/** `limited`: the caller has as many as it may; null: all of them together are too many. */
export function refuseSessions(at: Exchange, id: RpcId | null, limited: Limited | null): void {
  const say = 'Too many open sessions.';
  if (limited === null) return refuseWith(at, 'legacy', id, failure('OVERLOADED', {}, { say }));
  const no = failure('RATE_LIMITED', { scope: limited.scope, limit: limited.limit }, { say });
  refuseWith(at, 'legacy', id, no, limitHeaders(limited));
}

/** Of scope `everyone`: all of them together are too many. */
export function refuseStreams(at: Exchange, era: Era, id: RpcId | null, limited: Limited): void {
  const say = 'Too many open streams.';
  const { scope, limit, retryAfterMs } = limited;
  if (scope === 'everyone') return refuseWith(at, era, id, failure('OVERLOADED', {}, { say, retryAfterMs }));
  refuseWith(at, era, id, failure('RATE_LIMITED', { scope, limit }, { say }), limitHeaders(limited));
}

export function refuseMethod(at: Exchange, allow: string): void {
  refuseWith(at, 'legacy', null, failure('METHOD_NOT_ALLOWED'), { allow });
}

export function refuseUnacceptable(at: Exchange, era: Era, needed: string): void {
  const say = `Not acceptable: the client must accept ${needed}.`;
  refuseWith(at, era, null, failure('NOT_ACCEPTABLE', {}, { say }));
}

export function refuseMediaType(at: Exchange): void {
  refuseWith(at, 'legacy', null, failure('UNSUPPORTED_MEDIA', {}, { say: 'Content-Type must be application/json.' }));
}

function write(
  { req, res, id: requestId }: Asked,
  era: Era,
  id: RpcId | null,
  no: Failure,
  headers: Record<string, string>,
): void {
  if (res.headersSent || res.destroyed) return;
  const retryAfter = retryAfterSeconds(no);
  const body = errorFrame(id, toRpcError(era, no)).head;
  const unread = !req.complete;
  res.writeHead(ERRORS[no.code].http, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
    ...headers,
    ...(retryAfter === null ? {} : { 'retry-after': String(retryAfter) }),
    ...(unread ? { connection: 'close' } : {}),
  });
  if (unread) endLingering(req, res, body);
  else res.end(body);
}
