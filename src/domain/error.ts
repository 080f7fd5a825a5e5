/**
 * The one table of the gateway's own errors: what a client reads, and how each surface spells it.
 * `say` never holds paths, hosts or causes; those go to the log as `detail`. Numbers: -32000 and
 * down in the legacy era, mirrored outside the range that MCP 2026-07-28 closed to new codes in the modern era.
 */

import type { Era } from './era.ts';
import type { JsonObject } from './json.ts';
import { RPC, type RpcError } from './rpc.ts';

interface ErrorFact {
  http: number;
  legacy: number;
  modern: number;
  retry: boolean;
  say: string;
}

const fact = (http: number, legacy: number, modern: number, retry: boolean, say: string): ErrorFact => ({
  http,
  legacy,
  modern,
  retry,
  say,
});

export const ERRORS = {
  DENIED_BY_POLICY: fact(403, -32000, -31000, false, 'Denied by policy.'),
  SERVER_UNAVAILABLE: fact(503, -32001, -31001, true, 'The server is unavailable.'),
  TOOL_NOT_FOUND: fact(404, -32002, -31002, false, 'No such tool.'),
  INVALID_AGENT_ID: fact(400, -32003, -31003, false, 'The agent id is not valid here.'),
  TIMEOUT: fact(504, -32004, -31004, true, 'The operation timed out.'),
  FALLBACK_AGENT_NOT_IN_RULES: fact(500, -32003, -31003, false, 'The configured default agent is not in the rules.'),
  NO_FALLBACK_CONFIGURED: fact(400, -32003, -31003, false, 'No agent id was given and no default agent is configured.'),
  OVERLOADED: fact(503, -32005, -31005, true, 'Too many requests are waiting; try again shortly.'),
  /** The call was sent and its answer lost: it may have had its effect, so it is never repeated here. */
  OUTCOME_UNKNOWN: fact(
    502,
    -32007,
    -31007,
    false,
    'The connection to the server was lost during the call; its outcome is unknown.',
  ),
  BAD_ANSWER: fact(502, -32008, -31008, false, 'The server answered with something that is not MCP.'),
  CANCELLED: fact(499, -32009, -31009, false, 'The request was cancelled.'),
  SHUTTING_DOWN: fact(503, -32010, -31010, true, 'The gateway is shutting down.'),
  RATE_LIMITED: fact(429, -32011, -31011, true, 'Too many requests; try again later.'),
  /** What has an effect is written down before it; where that is impossible there is no effect. */
  AUDIT_UNAVAILABLE: fact(503, -32012, -31012, true, 'The operation cannot be recorded, so it was not carried out.'),
  TOO_LARGE: fact(413, RPC.invalidRequest, RPC.invalidRequest, false, 'The message is too large.'),
  UNAUTHENTICATED: fact(401, RPC.invalidRequest, RPC.invalidRequest, false, 'Authentication required.'),
  /** The numbers of these four in the legacy era are the official SDKs' own, which clients read. */
  SESSION_REQUIRED: fact(
    400,
    -32000,
    RPC.invalidRequest,
    false,
    'Bad Request: a valid Mcp-Session-Id header is required.',
  ),
  SESSION_UNKNOWN: fact(404, -32001, RPC.invalidRequest, false, 'Session not found; initialize again.'),
  METHOD_NOT_ALLOWED: fact(405, -32000, RPC.invalidRequest, false, 'Method not allowed.'),
  NOT_ACCEPTABLE: fact(406, -32000, RPC.invalidRequest, false, 'Not acceptable.'),
  UNSUPPORTED_MEDIA: fact(
    415,
    RPC.invalidRequest,
    RPC.invalidRequest,
    false,
    'The body must be plain JSON, without a content encoding.',
  ),
  PARSE_ERROR: fact(400, RPC.parseError, RPC.parseError, false, 'The body is not valid JSON.'),
  INVALID_REQUEST: fact(400, RPC.invalidRequest, RPC.invalidRequest, false, 'Not a valid JSON-RPC request.'),
  INVALID_PARAMS: fact(400, RPC.invalidParams, RPC.invalidParams, false, 'The parameters are not valid.'),
  METHOD_NOT_FOUND: fact(404, RPC.methodNotFound, RPC.methodNotFound, false, 'Method not found.'),
  RESOURCE_NOT_FOUND: fact(404, RPC.resourceNotFound, RPC.invalidParams, false, 'Resource not found.'),
  /** Of the REST API, and of versions at a server's own door. */
  NOT_FOUND: fact(404, RPC.invalidParams, RPC.invalidParams, false, 'There is no such thing.'),
  CONFLICT: fact(409, RPC.invalidRequest, RPC.invalidRequest, false, 'There is one of that name already.'),
  STALE: fact(412, RPC.invalidRequest, RPC.invalidRequest, false, 'It was changed meanwhile: read it again.'),
  UNPROCESSABLE: fact(422, RPC.invalidParams, RPC.invalidParams, false, 'The document is not valid.'),
  PROMPT_NOT_FOUND: fact(404, RPC.invalidParams, RPC.invalidParams, false, 'No such prompt.'),
  TASK_NOT_FOUND: fact(404, RPC.invalidParams, RPC.invalidParams, false, 'No such task.'),
  MISSING_CAPABILITY: fact(
    400,
    RPC.invalidRequest,
    RPC.missingClientCapability,
    false,
    'The client lacks a capability this needs.',
  ),
  HEADER_MISMATCH: fact(400, RPC.invalidRequest, RPC.headerMismatch, false, 'A header disagrees with the body.'),
  UNSUPPORTED_VERSION: fact(
    400,
    RPC.invalidRequest,
    RPC.unsupportedProtocolVersion,
    false,
    'Unsupported protocol version.',
  ),
  /** The handle of a parked call is unknown, expired, tampered with or another caller's. */
  STATE_INVALID: fact(
    400,
    RPC.invalidParams,
    RPC.invalidParams,
    false,
    'The request state is not valid; start the request anew.',
  ),
  INTERNAL: fact(500, RPC.internalError, RPC.internalError, false, 'Internal error.'),
} as const satisfies Record<string, ErrorFact>;

export type ErrorCode = keyof typeof ERRORS;

/** An expected no. `data` is shown to the client (with `code` added); `detail` and `cause` are for the log only. */
export interface Failure {
  kind: 'failure';
  code: ErrorCode;
  /** Replaces the table's sentence where a better one can be said without telling secrets. */
  say: string | null;
  data: JsonObject;
  detail: string | null;
  retryAfterMs: number | null;
}

export function failure(
  code: ErrorCode,
  data: JsonObject = {},
  more: { say?: string; detail?: string; retryAfterMs?: number } = {},
): Failure {
  return {
    kind: 'failure',
    code,
    say: more.say ?? null,
    data,
    detail: more.detail ?? null,
    retryAfterMs: more.retryAfterMs ?? null,
  };
}

/** Renders a failure as the JSON-RPC error of an era; `data.code` is always there and is what clients should read. */
export function toRpcError(era: Era, no: Failure): RpcError {
  const { legacy, modern, say } = ERRORS[no.code];
  return {
    code: era === 'modern' ? modern : legacy,
    message: no.say ?? describe(no) ?? say,
    data: { code: no.code, ...no.data },
  };
}

/** Most clients show their user, or their model, the message alone: what `data` holds is worth saying there too. */
function describe({ code, data }: Failure): string | null {
  const { tool, server, reason, timeout_ms: timeoutMs } = data;
  const at = typeof server === 'string' ? server : null;
  switch (code) {
    case 'TOOL_NOT_FOUND':
      if (typeof tool !== 'string') return null;
      return at === null ? `No such tool: ${tool}` : `No such tool on the server ${at}: ${tool}`;
    case 'SERVER_UNAVAILABLE':
      if (at === null) return null;
      return `The server ${at} is unavailable${typeof reason === 'string' ? `: ${reason}` : '.'}`;
    case 'TIMEOUT':
      return typeof timeoutMs === 'number' ? `The operation timed out after ${timeoutMs} ms.` : null;
    default:
      return null;
  }
}

/** A broken promise of our own code; never thrown for what a client or a downstream did. */
export class GatewayError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'GatewayError';
    this.code = code;
  }
}
