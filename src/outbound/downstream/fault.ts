/**
 * What can go wrong between us and a server, before it is known what the caller should read: a Fault. Errors of the HTTP
 * library become Faults here, by code alone. `reason` is fit for a client; `detail` is for the log.
 */
import { errors } from 'undici';
import { type Failure, failure } from '../../domain/error.ts';
import type { ServerKey } from '../../domain/server.ts';

/**
 * `unsent`: no byte of the request left; it may be tried again. `lost`: it left, and no answer came. `refused`: the server
 * said no to it as a whole (HTTP status). `stale`: our session or era is no longer known there, and the request was not
 * processed. `bad-answer`: what came is not MCP. `overloaded`: a queue of ours is full.
 */
export type FaultKind = 'unsent' | 'lost' | 'refused' | 'stale' | 'bad-answer' | 'overloaded';

export interface Fault {
  kind: FaultKind;
  reason: string;
  detail: string;
  retryAfterMs: number | null;
  /** True when it speaks against the server's health; the breaker counts only these. */
  isOutage: boolean;
  /** HTTP status of a refusal. */
  status: number | null;
}

export function fault(
  kind: FaultKind,
  reason: string,
  more: { detail?: string; retryAfterMs?: number | null; isOutage?: boolean; status?: number } = {},
): Fault {
  return {
    kind,
    reason,
    detail: more.detail ?? reason,
    retryAfterMs: more.retryAfterMs ?? null,
    isOutage: more.isOutage ?? (kind === 'unsent' || kind === 'lost' || kind === 'bad-answer'),
    status: more.status ?? null,
  };
}

/** Methods that leave nothing behind: losing their answer loses nothing else. */
const READS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'logging/setLevel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'subscriptions/listen',
]);

export function isRead(method: string): boolean {
  return READS.has(method);
}

/** Lists and pings only: these may be sent twice even when the first one may have arrived. */
export function isRepeatable(method: string): boolean {
  return method === 'ping' || method === 'server/discover' || method.endsWith('/list');
}

export function toFailure(no: Fault, server: ServerKey, method: string): Failure {
  const more = { detail: no.detail, ...(no.retryAfterMs === null ? {} : { retryAfterMs: no.retryAfterMs }) };
  switch (no.kind) {
    case 'bad-answer':
      return failure('BAD_ANSWER', { server, reason: no.reason }, more);
    case 'overloaded':
      return failure('OVERLOADED', { server }, { ...more, retryAfterMs: no.retryAfterMs ?? 1000 });
    case 'lost':
      if (!isRead(method)) return failure('OUTCOME_UNKNOWN', { server, reason: no.reason }, more);
      return failure('SERVER_UNAVAILABLE', { server, reason: no.reason }, more);
    default:
      return failure('SERVER_UNAVAILABLE', { server, reason: no.reason }, more);
  }
}

const CONNECT_REASONS: Readonly<Record<string, string>> = {
  ADDRESS_REFUSED: 'its address may not be used',
  ECONNREFUSED: 'it refuses connections',
  ENOTFOUND: 'its address cannot be resolved',
  EAI_AGAIN: 'its address cannot be resolved',
  UND_ERR_CONNECT_TIMEOUT: 'it did not accept a connection in time',
  ETIMEDOUT: 'it did not accept a connection in time',
  EHOSTUNREACH: 'it cannot be reached',
  ENETUNREACH: 'it cannot be reached',
};

const TLS_CODE = /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;

/** Undici's and the lean client's. */
const LATE_CODES: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'HTTP1_HEADERS_TIMEOUT',
]);
const INVALID_CODES: ReadonlySet<string> = new Set(['UND_ERR_HEADERS_OVERFLOW', 'HTTP1_INVALID']);

/** `hasStarted`: bytes of the request may have left. */
export function fromHttpError(error: Error, hasStarted: boolean): Fault {
  const code = codeOf(error);
  const detail = `${code}: ${error.message}`;
  if (!hasStarted) {
    const reason =
      CONNECT_REASONS[code] ?? (TLS_CODE.test(code) ? 'its TLS certificate was not accepted' : 'it cannot be reached');
    return fault('unsent', reason, { detail });
  }
  if (LATE_CODES.has(code)) {
    return fault('lost', 'it did not answer in time', { detail });
  }
  if (error instanceof errors.HTTPParserError || INVALID_CODES.has(code)) {
    return fault('bad-answer', 'its answer is not valid HTTP', { detail });
  }
  return fault('lost', 'the connection was lost', { detail });
}

function codeOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code;
  // Happy-eyeballs attempts that all failed: the first one says why.
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0]);
  return error.name;
}

/** For functions that must throw (connecting): carries the Fault to the one place that catches it. */
export class FaultError extends Error {
  readonly fault: Fault;

  constructor(cause: Fault) {
    super(cause.detail);
    this.name = 'FaultError';
    this.fault = cause;
  }
}

export function toFault(error: unknown): Fault {
  if (error instanceof FaultError) return error.fault;
  return fault('unsent', 'it cannot be reached', { detail: error instanceof Error ? error.message : String(error) });
}
