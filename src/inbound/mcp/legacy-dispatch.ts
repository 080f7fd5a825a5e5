/**
 * Legacy messages (2024-11-05 .. 2025-11-25), the same for every transport: handshake, requests, notifications and the
 * client's answers. Methods of the modern era alone do not exist here.
 */
import type { Call, Handled } from '../../domain/call.ts';
import {
  isLegacyRevision,
  isLogLevel,
  LATEST_LEGACY,
  type LegacyRevision,
  LOG_LEVELS,
  type LogLevel,
} from '../../domain/era.ts';
import { failure } from '../../domain/error.ts';
import { isJsonObject, type JsonObject } from '../../domain/json.ts';
import { composeWelcome } from '../../services/gateway/welcome.ts';
import type { Arrival } from './arrival.ts';
import { type Message, withoutEnvelope } from './classify.ts';
import type { McpDeps } from './deps.ts';
import type { Outlet } from './outlet.ts';
import { RequestLine } from './request-line.ts';
import { toFrame } from './respond.ts';
import type { Session } from './session.ts';

const MODERN_ONLY = new Set(['server/discover', 'subscriptions/listen', 'tasks/get', 'tasks/update', 'tasks/cancel']);

/** The revision to serve: the asked one where we know it, else our newest legacy one (MCP lifecycle, version negotiation). */
export function negotiate(params: JsonObject): LegacyRevision {
  return isLegacyRevision(params.protocolVersion) ? params.protocolVersion : LATEST_LEGACY;
}

export function answerInitialize(deps: McpDeps, session: Session, params: JsonObject): Handled {
  session.revision = negotiate(params);
  session.clientCapabilities = isJsonObject(params.capabilities) ? params.capabilities : {};
  session.clientInfo = isJsonObject(params.clientInfo) ? params.clientInfo : null;
  const { serverInfo, capabilities, instructions } = composeWelcome(
    deps.catalog.at(session.door),
    session.door,
    'legacy',
    deps.version,
    server => deps.gateway.mayHear(session.who, server),
  );
  const told = { protocolVersion: session.revision, capabilities, serverInfo, instructions };
  const result = deps.gateway.showPath(told, session.who, session.door, session.clientInfo);
  return { kind: 'answer', era: 'legacy', result, bytes: null };
}

/** Returns the line of a request that is under way now, or null: there is nothing to stop. */
export function dispatchLegacy(
  deps: McpDeps,
  session: Session,
  message: Message,
  outlet: Outlet,
  arrival: Arrival,
  argumentBytes: Uint8Array | null = null,
): RequestLine | null {
  if (message.kind === 'request') return takeRequest(deps, session, message, outlet, arrival, argumentBytes);
  if (message.kind === 'response') session.answered(message.id, message.answer);
  else takeNotification(deps, session, message.method, message.params);
  return null;
}

function takeRequest(
  deps: McpDeps,
  session: Session,
  message: Message & { kind: 'request' },
  outlet: Outlet,
  arrival: Arrival,
  argumentBytes: Uint8Array | null,
): RequestLine | null {
  const { id, method } = message;
  const local = answerLocally(deps, session, method, message.params);
  if (local !== null) {
    if (local.kind === 'failure') deps.turnedAway({ ...arrival, who: session.who, method }, local);
    outlet.answer(toFrame('legacy', id, method, local), local);
    return null;
  }
  const { rest, progressToken } = withoutEnvelope(message.params);
  const line = new RequestLine(id, session, outlet, progressToken, arrival);
  const call: Call = {
    id: arrival.id,
    method,
    params: rest,
    argumentBytes,
    door: session.door,
    era: 'legacy',
    receivedAtMs: deps.clock.monotonicMs(),
  };
  session.begin(line);
  void deps.gateway.handle(session.who, call, line).then(handled => {
    session.finish(line);
    outlet.answer(toFrame('legacy', id, method, handled), handled);
  });
  return line;
}

function answerLocally(deps: McpDeps, session: Session, method: string, params: JsonObject): Handled | null {
  const empty: Handled = { kind: 'answer', era: 'legacy', result: {}, bytes: null };
  if (method === 'ping') return empty;
  if (method === 'initialize') return answerInitialize(deps, session, params);
  if (MODERN_ONLY.has(method)) return failure('METHOD_NOT_FOUND');
  if (method !== 'logging/setLevel') return null;
  if (!isLogLevel(params.level))
    return failure('INVALID_PARAMS', {}, { say: `level must be one of ${LOG_LEVELS.join(', ')}.` });
  session.logLevel = params.level;
  deps.downstreams.setLogLevel(mostVerbose(deps, params.level));
  return empty;
}

/** Servers are told the level of the most curious client; each client's own level filters what reaches it. */
export function mostVerbose(deps: McpDeps, wanted: LogLevel | null): LogLevel | null {
  let lowest = wanted === null ? LOG_LEVELS.length : LOG_LEVELS.indexOf(wanted);
  for (const { logLevel } of deps.sessions.all()) {
    if (logLevel !== null) lowest = Math.min(lowest, LOG_LEVELS.indexOf(logLevel));
  }
  return LOG_LEVELS[lowest] ?? null;
}

function takeNotification(deps: McpDeps, session: Session, method: string, params: JsonObject): void {
  if (method === 'notifications/cancelled') {
    const reason = typeof params.reason === 'string' ? params.reason.slice(0, 200) : 'cancelled by the client';
    session.cancel(params.requestId, reason);
  } else if (method === 'notifications/roots/list_changed') {
    deps.downstreams.rootsChanged(`session ${session.id}`);
    deps.downstreams.rootsChanged('main');
  }
}
