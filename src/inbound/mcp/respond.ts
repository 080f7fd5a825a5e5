/**
 * Handled -> JSON-RPC of the caller's era: the one place where errors of the gateway become bytes on MCP surfaces,
 * and where a result in one era's shape is turned into the other's.
 */
import type { Answer, Handled, Relayed } from '../../domain/call.ts';
import { type Era, META } from '../../domain/era.ts';
import { ERRORS, type Failure, failure, toRpcError } from '../../domain/error.ts';
import { changeTexts, isJsonObject, type Json, type JsonObject } from '../../domain/json.ts';
import { RPC, type RpcError, type RpcId } from '../../domain/rpc.ts';
import { sanitiseForClient } from '../../domain/sanitise.ts';
import { bytesFrame, errorFrame, type Frame, resultFrame } from './frames.ts';

/** Results a modern client may keep; they must say for how long and for whom. */
const CACHEABLE = new Set([
  'resources/read',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'server/discover',
]);

export function toFrame(era: Era, id: RpcId, method: string, handled: Handled): Frame {
  switch (handled.kind) {
    case 'answer':
      return answerFrame(era, id, method, handled);
    case 'relayed':
      return errorFrame(id, relayedError(era, handled));
    case 'failure':
      return errorFrame(id, toRpcError(era, handled));
    case 'challenge':
      return errorFrame(id, toRpcError(era, failure(handled.status === 401 ? 'UNAUTHENTICATED' : 'DENIED_BY_POLICY')));
  }
}

/** Told to proxies and retrying clients too. */
const TOLD_BY_STATUS: ReadonlySet<string> = new Set([
  ...['OVERLOADED', 'SHUTTING_DOWN', 'TOO_LARGE', 'RATE_LIMITED', 'AUDIT_UNAVAILABLE'],
]);

/** Scopes that a caller would have to get for this, or null where that would not help. */
export function missingScopes(handled: Handled): readonly string[] | null {
  if (handled.kind !== 'failure' || handled.code !== 'DENIED_BY_POLICY') return null;
  const { missing_scopes: missing } = handled.data;
  return Array.isArray(missing) && missing.length > 0 ? missing.filter(scope => typeof scope === 'string') : null;
}

/**
 * HTTP status of an answer that has not begun to stream. Errors of a request that was understood travel in-band with
 * 200; overload is told to proxies and retrying clients too; the modern era names two more (MCP 2026-07-28, HTTP).
 */
export function httpStatus(era: Era, handled: Handled): number {
  if (handled.kind === 'challenge') return handled.status;
  if (handled.kind === 'relayed' && era === 'modern' && handled.error.code === RPC.missingClientCapability) return 400;
  if (handled.kind !== 'failure') return 200;
  const { code } = handled;
  if (TOLD_BY_STATUS.has(code)) return ERRORS[code].http;
  if (era === 'modern' && (code === 'METHOD_NOT_FOUND' || code === 'MISSING_CAPABILITY')) return ERRORS[code].http;
  return 200;
}

/** Seconds for `Retry-After`, at least 1; null where retrying is not the advice. */
export function retryAfterSeconds(no: Failure): number | null {
  if (!ERRORS[no.code].retry) return null;
  return Math.max(1, Math.ceil((no.retryAfterMs ?? 1000) / 1000));
}

function answerFrame(era: Era, id: RpcId, method: string, { era: given, result, bytes }: Answer): Frame {
  if (given === era) return bytes === null ? resultFrame(id, result) : bytesFrame(id, '', bytes);
  if (era === 'legacy') return resultFrame(id, withoutModernMembers(result));
  const cacheable = CACHEABLE.has(method);
  if (bytes !== null && !cacheable && result.resultType === undefined && Object.keys(result).length > 0) {
    // The kept bytes begin with the brace of a non-empty object (white space aside, which JSON allows anywhere).
    const open = bytes.indexOf(0x7b);
    return bytesFrame(id, '{"resultType":"complete",', bytes.subarray(open + 1));
  }
  return resultFrame(id, {
    ...(cacheable ? { ttlMs: 0, cacheScope: 'private' } : {}),
    ...result,
    resultType: 'complete',
  });
}

function withoutModernMembers(result: JsonObject): JsonObject {
  const { resultType, ttlMs, cacheScope, ...rest } = result;
  if (!isJsonObject(rest._meta) || rest._meta[META.serverInfo] === undefined) return rest;
  const { [META.serverInfo]: _serverInfo, ...meta } = rest._meta;
  const { _meta, ...bare } = rest;
  return Object.keys(meta).length > 0 ? { ...bare, _meta: meta } : bare;
}

/**
 * A server's own error, with its text made safe. Codes keep their number except where the other era gives it another
 * meaning: those describe the server's hop, not the client's.
 */
function relayedError(era: Era, { era: given, error }: Relayed): RpcError {
  const { code, message, data } = error;
  // No other member travels: JSON-RPC knows none, and nobody would read what it says.
  const relayed: RpcError = { code, message: sanitiseForClient(message) };
  // The URLs of -32042 are what the client is to visit, queries included.
  if (data !== undefined) relayed.data = code === RPC.urlElicitationRequired ? data : sayData(data);
  const isReserved = code <= -32020 && code >= -32099 && code !== RPC.urlElicitationRequired;
  if (era === 'legacy') return given === 'modern' && isReserved ? { ...relayed, code: RPC.internalError } : relayed;
  if (code === RPC.resourceNotFound) return { ...relayed, code: RPC.invalidParams };
  if (given === 'modern') return relayed;
  return code <= -32000 && code >= -32099 ? { ...relayed, code: RPC.internalError } : relayed;
}

const MAX_DATA_DEPTH = 16;
/** What a client is to visit, read or match is of no use to it when changed. */
const LITERAL = new Set(['uri', 'url', 'elicitationId']);
const CAPABILITIES = 'requiredCapabilities';

/** The data of a server's error in what a client may read. */
function sayData(data: Json): Json {
  const said = changeTexts(data, MAX_DATA_DEPTH, (text, member) =>
    member !== null && LITERAL.has(member) ? text : sanitiseForClient(text),
  );
  if (!isJsonObject(said) || !isJsonObject(data) || data[CAPABILITIES] === undefined) return said;
  return { ...said, [CAPABILITIES]: changeTexts(data[CAPABILITIES], MAX_DATA_DEPTH, text => text) };
}
