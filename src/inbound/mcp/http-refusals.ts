/** Refusals of an HTTP request before it became a call: status, JSON-RPC error, and a connection closed in good order. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Era } from '../../domain/era.ts';
import { ERRORS, type Failure, failure, toRpcError } from '../../domain/error.ts';
import type { Challenge } from '../../domain/identity.ts';
import type { Limited } from '../../domain/limits.ts';
import type { RpcError, RpcId } from '../../domain/rpc.ts';
import type { Challenges } from '../../services/identity/challenge.ts';
import { endLingering } from '../http/body.ts';
import { limitHeaders } from '../http/limited.ts';
import { pathOf } from '../http/routes.ts';
import { errorFrame } from './frames.ts';
import { retryAfterSeconds } from './respond.ts';

export function refuseWith(
  req: IncomingMessage,
  res: ServerResponse,
  era: Era,
  id: RpcId | null,
  no: Failure,
  headers: Record<string, string> = {},
): void {
  const retryAfter = retryAfterSeconds(no);
  write(req, res, ERRORS[no.code].http, id, toRpcError(era, no), {
    ...headers,
    ...(retryAfter === null ? {} : { 'retry-after': String(retryAfter) }),
  });
}

/** One JSON content type and nothing else: clients were seen to choke on a 401 with two. */
export function refuseChallenged(req: IncomingMessage, res: ServerResponse, challenge: Challenge): void {
  const no = failure(challenge.status === 401 ? 'UNAUTHENTICATED' : 'DENIED_BY_POLICY');
  refuseWith(req, res, 'legacy', null, no, { 'www-authenticate': challenge.wwwAuthenticate });
}

/** `stepUp`: where a caller can get a token with more scopes; null: it cannot. */
export function refuseDenied(
  req: IncomingMessage,
  res: ServerResponse,
  id: RpcId | null,
  no: Failure,
  stepUp: Challenges | null,
): void {
  const missing = no.data.missing_scopes;
  const challenge =
    stepUp !== null && Array.isArray(missing) ? stepUp.insufficientScope(pathOf(req.url), missing.map(String)) : null;
  refuseWith(req, res, 'legacy', id, no, challenge === null ? {} : { 'www-authenticate': challenge.wwwAuthenticate });
}

/** Sessions are of the legacy era alone. */
export function refuseSession(req: IncomingMessage, res: ServerResponse, what: 'missing' | 'unknown'): void {
  refuseWith(req, res, 'legacy', null, failure(what === 'missing' ? 'SESSION_REQUIRED' : 'SESSION_UNKNOWN'));
}

/** `limited`: the caller has as many as it may; null: all of them together are too many. */
export function refuseSessions(
  req: IncomingMessage,
  res: ServerResponse,
  id: RpcId | null,
  limited: Limited | null,
): void {
  const say = 'Too many open sessions.';
  if (limited === null) return refuseWith(req, res, 'legacy', id, failure('OVERLOADED', {}, { say }));
  const no = failure('RATE_LIMITED', { scope: limited.scope, limit: limited.limit }, { say });
  refuseWith(req, res, 'legacy', id, no, limitHeaders(limited));
}

/** Of scope `everyone`: all of them together are too many. */
export function refuseStreams(
  req: IncomingMessage,
  res: ServerResponse,
  era: Era,
  id: RpcId | null,
  limited: Limited,
): void {
  const say = 'Too many open streams.';
  const { scope, limit, retryAfterMs } = limited;
  if (scope === 'everyone') return refuseWith(req, res, era, id, failure('OVERLOADED', {}, { say, retryAfterMs }));
  refuseWith(req, res, era, id, failure('RATE_LIMITED', { scope, limit }, { say }), limitHeaders(limited));
}

export function refuseMethod(req: IncomingMessage, res: ServerResponse, allow: string): void {
  refuseWith(req, res, 'legacy', null, failure('METHOD_NOT_ALLOWED'), { allow });
}

export function refuseUnacceptable(req: IncomingMessage, res: ServerResponse, era: Era, needed: string): void {
  const say = `Not acceptable: the client must accept ${needed}.`;
  refuseWith(req, res, era, null, failure('NOT_ACCEPTABLE', {}, { say }));
}

export function refuseMediaType(req: IncomingMessage, res: ServerResponse): void {
  refuseWith(
    req,
    res,
    'legacy',
    null,
    failure('UNSUPPORTED_MEDIA', {}, { say: 'Content-Type must be application/json.' }),
  );
}

function write(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  id: RpcId | null,
  error: RpcError,
  headers: Record<string, string>,
): void {
  if (res.headersSent || res.destroyed) return;
  const body = errorFrame(id, error).head;
  const unread = !req.complete;
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
    ...(unread ? { connection: 'close' } : {}),
  });
  if (unread) endLingering(req, res, body);
  else res.end(body);
}
