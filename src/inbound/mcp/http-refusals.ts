/** Refusals of an HTTP request before it became a call: status, JSON-RPC error, and a connection closed in good order. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Era } from '../../domain/era.ts';
import { ERRORS, type Failure, failure, toRpcError } from '../../domain/error.ts';
import type { Challenge } from '../../domain/identity.ts';
import type { RpcError, RpcId } from '../../domain/rpc.ts';
import { endLingering } from '../http/body.ts';
import { errorFrame } from './frames.ts';
import { retryAfterSeconds } from './respond.ts';

export function refuseWith(req: IncomingMessage, res: ServerResponse, era: Era, id: RpcId | null, no: Failure): void {
  const retryAfter = retryAfterSeconds(no);
  write(
    req,
    res,
    ERRORS[no.code].http,
    id,
    toRpcError(era, no),
    retryAfter === null ? {} : { 'retry-after': String(retryAfter) },
  );
}

/** One JSON content type and nothing else: clients were seen to choke on a 401 with two. */
export function refuseChallenged(req: IncomingMessage, res: ServerResponse, challenge: Challenge): void {
  const error = { code: -32600, message: 'Authentication required.', data: { code: 'UNAUTHENTICATED' } };
  write(req, res, challenge.status, null, error, { 'www-authenticate': challenge.wwwAuthenticate });
}

/** The two session refusals carry the SDKs' own numbers, which legacy clients read (protocol.md 1.6). */
export function refuseSession(req: IncomingMessage, res: ServerResponse, what: 'missing' | 'unknown'): void {
  if (what === 'missing')
    write(
      req,
      res,
      400,
      null,
      { code: -32000, message: 'Bad Request: a valid Mcp-Session-Id header is required.' },
      {},
    );
  else write(req, res, 404, null, { code: -32001, message: 'Session not found; initialize again.' }, {});
}

export function refuseMethod(req: IncomingMessage, res: ServerResponse, allow: string): void {
  write(req, res, 405, null, { code: -32000, message: 'Method not allowed.' }, { allow });
}

export function refuseUnacceptable(req: IncomingMessage, res: ServerResponse, needed: string): void {
  write(req, res, 406, null, { code: -32000, message: `Not acceptable: the client must accept ${needed}.` }, {});
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
