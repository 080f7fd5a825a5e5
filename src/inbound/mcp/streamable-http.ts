/**
 * Streamable HTTP, both eras at one URL. Native Node objects: what happens per request is one parse, one look-up and
 * one write. Order of refusals (the caller is known by then): media type, size, JSON,
 * era rules, session.
 */
import type { Door } from '../../domain/call.ts';
import { failure, toRpcError } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import type { Json } from '../../domain/json.ts';
import type { Target } from '../../domain/policy.ts';
import type { RpcId } from '../../domain/rpc.ts';
import { readBody } from '../http/body.ts';
import type { HttpResponse } from '../http/http-message.ts';
import { arrivalInBatch, arrivalOf } from './arrival.ts';
import {
  checkStandardHeaders,
  eraOf,
  eraOfHeaders,
  idOf,
  isAcceptableLegacyHeader,
  type Message,
  readEnvelope,
  readMessage,
} from './classify.ts';
import type { McpDeps } from './deps.ts';
import { type Entrance, METHODS } from './doors.ts';
import { EventLog } from './event-log.ts';
import { EventStreamResponse } from './event-stream.ts';
import { answerEmpty, type Exchange, headerOf } from './exchange.ts';
import { errorFrame } from './frames.ts';
import { holdStream } from './held-stream.ts';
import {
  refuseDenied,
  refuseMediaType,
  refuseMethod,
  refuseSession,
  refuseSessions,
  refuseUnacceptable,
  refuseWith,
} from './http-refusals.ts';
import { HttpReply } from './http-reply.ts';
import { endWhenInvalid } from './keep-alive.ts';
import { findLargeArguments, LARGE_BODY_BYTES, withoutArguments } from './large-arguments.ts';
import { answerInitialize, dispatchLegacy, negotiate } from './legacy-dispatch.ts';
import { findMirrorMistake } from './mirrored-headers.ts';
import { dispatchModern, type Running } from './modern-dispatch.ts';
import { doorOfSession, refuseOtherDoor } from './pinned-door.ts';
import { isJsonType, readJson } from './read-json.ts';
import type { RequestLine } from './request-line.ts';
import { toFrame } from './respond.ts';
import { Session } from './session.ts';
import { SessionStreams } from './session-streams.ts';

/** Elements of a 2025-03-26 batch. */
const MAX_BATCH = 100;
/** Ours are UUIDs; what looks like no id at all is told from an id that is unknown. */
const SESSION_ID = /^[A-Za-z0-9_-]{1,128}$/;

export interface StreamableHttp {
  handle(at: Exchange, entrance: Entrance): void;
  /** Ends listen streams with their result and standing streams; for an orderly stop. */
  finish(): void;
}

export function createStreamableHttp(deps: McpDeps, holdOpen: (res: HttpResponse) => void): StreamableHttp {
  const listens = new Set<Running>();
  const standing = new Set<EventStreamResponse>();

  function post(at: Exchange, { door, lenient }: Entrance): void {
    const { req } = at;
    const { accept, 'content-type': contentType } = req.headers;
    if (!isJsonType(contentType)) return refuseMediaType(at);
    const acceptsJson = accept === undefined || ACCEPTS_JSON.test(accept);
    const acceptsStream = accept?.includes('text/event-stream') ?? false;
    // Whether an answer becomes a stream is settled while it is made: JSON must be welcome.
    if (!acceptsJson)
      return refuseUnacceptable(at, eraOfHeaders(req.headers), 'application/json and text/event-stream');
    readBody(req, deps.maxBodyBytes, body => {
      if (!Buffer.isBuffer(body)) return refuseWith(at, 'legacy', null, body);
      const parsed = readJson(body);
      if (parsed.kind === 'failure') return refuseWith(at, eraOfHeaders(req.headers), null, parsed);
      if (Array.isArray(parsed.value)) return batch(at, door, parsed.value, acceptsStream);
      const message = readMessage(parsed.value);
      if (message.kind === 'refused') return refuseWith(at, eraOfHeaders(req.headers), message.id, message.failure);
      const isLargeCall =
        body.length >= LARGE_BODY_BYTES && message.kind === 'request' && message.method === 'tools/call';
      const argumentBytes = isLargeCall ? findLargeArguments(body) : null;
      if (eraOf(message, headerOf(req, 'mcp-protocol-version')) === 'modern')
        modern(at, door, message, acceptsStream, argumentBytes);
      else legacy(at, door, message, acceptsStream, lenient, argumentBytes);
    });
  }

  function modern(
    at: Exchange,
    door: Door,
    message: Message,
    acceptsStream: boolean,
    argumentBytes: Uint8Array | null,
  ): void {
    const { req, res, who } = at;
    if (message.kind !== 'request') {
      // A modern client has nothing to notify over HTTP: closing the stream is its cancellation.
      answerEmpty(at, 202);
      return;
    }
    const read = readEnvelope(message.id, message.params, headerOf(req, 'mcp-protocol-version'));
    if (read.kind === 'refused') return refuseWith(at, 'modern', read.id, read.failure);
    at.method = message.method;
    const mayKnow = (tool: Target) => deps.gateway.mayKnow(who, tool);
    const mismatch =
      checkStandardHeaders(req.headers, message.method, read.params) ??
      findMirrorMistake(deps.catalog.at(door), mayKnow, req.headers, door, message.method, read.params);
    if (mismatch !== null) return refuseWith(at, 'modern', message.id, mismatch);

    const isListen = message.method === 'subscriptions/listen';
    if (isListen && !acceptsStream) return refuseUnacceptable(at, 'modern', 'text/event-stream');
    if (isListen && !holdStream(deps.limiter, at, { era: 'modern', id: message.id })) return;
    const reply = new HttpReply(res, {
      requestId: at.id,
      era: 'modern',
      acceptsStream,
      streams: null,
      keepAlive: deps.keepAlive,
      nowMs: deps.clock.monotonicMs(),
      canReturn: false,
      stepUp: who.method === 'jwt' ? deps.challenges : null,
      batch: null,
    });
    if (isListen) {
      holdOpen(res);
      reply.startStream();
    }
    let running: Running | null = null;
    let finished = false;
    let guardedAs = 0;
    const request = {
      ...message,
      params: withoutArguments(read.params, argumentBytes),
      envelope: read.envelope,
      progressToken: read.progressToken,
      argumentBytes,
      arrival: arrivalOf(deps, at),
      who,
      door,
    };
    running = dispatchModern(deps, request, reply, () => {
      finished = true;
      if (!isListen || running === null) return;
      listens.delete(running);
      deps.keepAlive.delete(guardedAs);
    });
    if (finished) return;
    if (isListen) {
      listens.add(running);
      guardedAs = deps.keepAlive.add(endWhenInvalid(running, who, deps.stillValid));
    }
    reply.onGone = stopOf(running);
  }

  function legacy(
    at: Exchange,
    door: Door,
    message: Message,
    acceptsStream: boolean,
    lenient: boolean,
    argumentBytes: Uint8Array | null,
  ): void {
    const { req, who } = at;
    at.method = message.kind === 'response' ? 'response' : message.method;
    if (message.kind === 'request' && message.method === 'initialize') return initialize(at, door, message);
    const isPassing = lenient && headerOf(req, 'mcp-session-id') === undefined;
    const session = isPassing ? passingSession(who, door) : requireSession(at, door, idOf(message));
    if (session === null) return;
    if (message.kind !== 'request') {
      dispatchLegacy(deps, session, message, NOWHERE, arrivalOf(deps, at));
      answerEmpty(at, 202);
      return;
    }
    const kept = { ...message, params: withoutArguments(message.params, argumentBytes) };
    const reply = replyFor(at, session, acceptsStream, null);
    const line = dispatchLegacy(deps, session, kept, reply, arrivalOf(deps, at), argumentBytes);
    if (line !== null) reply.onGone = cancelOf([line]);
  }

  function initialize(at: Exchange, door: Door, message: Message & { kind: 'request' }): void {
    const { res, who } = at;
    const { id, params } = message;
    if (typeof params.protocolVersion !== 'string') {
      return refuseWith(at, 'legacy', id, failure('INVALID_PARAMS', {}, { say: 'protocolVersion: required.' }));
    }
    const no = deps.refuseDoor(who, door, 'initialize', at);
    if (no !== null) return refuseDenied(at, id, no, who.method === 'jwt' ? deps.challenges : null);
    // Never an id the client chose: a fixed one could be planted (session fixation).
    const session = deps.sessions.open(who, doorOfSession(deps, door), negotiate(params));
    if (!(session instanceof Session)) return refuseSessions(at, id, session);
    const handled = answerInitialize(deps, session, params);
    const body = toFrame('legacy', id, 'initialize', handled).head;
    res.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'mcp-session-id': session.id,
      'x-request-id': at.id,
    });
    res.end(body);
  }

  /** 2025-03-26 alone has batches; each element is a call of its own. */
  function batch(at: Exchange, door: Door, values: readonly Json[], acceptsStream: boolean): void {
    const session = requireSession(at, door, null);
    if (session === null) return;
    if (session.revision !== '2025-03-26' || values.length === 0 || values.length > MAX_BATCH) {
      const say =
        session.revision === '2025-03-26'
          ? `A batch holds 1 to ${MAX_BATCH} messages.`
          : 'This protocol version has no batches.';
      return refuseWith(at, 'legacy', null, failure('INVALID_REQUEST', {}, { say }));
    }
    const messages = values.map(readMessage);
    const arrival = arrivalOf(deps, at);
    const answered = messages.filter(message => message.kind === 'request' || message.kind === 'refused').length;
    const reply = answered > 0 ? replyFor(at, session, acceptsStream, answered) : null;
    const outlet = reply ?? NOWHERE;
    const lines: RequestLine[] = [];
    if (reply !== null) reply.onGone = cancelOf(lines);
    for (const [index, message] of messages.entries()) {
      const own = arrivalInBatch(arrival, index + 1);
      if (message.kind === 'refused') {
        at.turnedAway({ ...own, who: at.who, method: at.method }, message.failure);
        outlet.answer(errorFrame(message.id, toRpcError('legacy', message.failure)), message.failure);
      } else {
        const line = dispatchLegacy(deps, session, message, outlet, own);
        if (line !== null) lines.push(line);
      }
    }
    if (answered === 0) answerEmpty(at, 202);
  }

  /** The standalone stream, or the continuation of one that broke. */
  function get(at: Exchange, door: Door): void {
    const { req, res, who } = at;
    if (!(req.headers.accept?.includes('text/event-stream') ?? false))
      return refuseUnacceptable(at, 'legacy', 'text/event-stream');
    const session = requireSession(at, door, null);
    if (session === null) return;
    const streams = streamsOf(session);
    const lastEventId = headerOf(req, 'last-event-id');
    const missed = lastEventId === undefined ? null : streams.log.since(lastEventId);
    // A gap cannot be told from silence, so it is said: the client starts anew.
    if (lastEventId !== undefined && missed === null) return refuseSession(at, null, 'unknown');
    if (!holdStream(deps.limiter, at, { era: 'legacy', id: null })) return;
    holdOpen(res);
    session.uses++;
    const headers = { 'mcp-session-id': session.id, 'x-request-id': at.id };
    const stream: EventStreamResponse = new EventStreamResponse(res, headers, () => {
      session.uses--;
      standing.delete(stream);
      deps.keepAlive.delete(keptAs);
    });
    // The client can come back for what it missed, with a credential that is good.
    const keptAs = deps.keepAlive.add({ tick: () => (deps.stillValid(who) ? stream.keepAlive() : stream.end()) });
    standing.add(stream);
    for (const { id, data } of missed?.events ?? []) stream.event(id, data);
    if (missed !== null && !streams.isStandalone(missed.stream)) {
      const writer = streams.live.get(missed.stream);
      if (writer === undefined) stream.end();
      else writer.attach(stream);
      return;
    }
    streams.attachStandalone(stream, missed?.stream ?? null);
    session.standalone = text => streams.send(text);
  }

  function remove(at: Exchange, door: Door): void {
    const session = requireSession(at, door, null);
    if (session === null) return;
    deps.sessions.end(session, 'ended by the client');
    answerEmpty(at, 204);
  }

  /** The caller's session behind this door, or null after the refusal was written: of a session to the request `asked`. */
  function requireSession(at: Exchange, door: Door, asked: RpcId | null): Session | null {
    const { req, who } = at;
    const version = headerOf(req, 'mcp-protocol-version');
    if (!isAcceptableLegacyHeader(version)) {
      refuseWith(at, 'legacy', asked, failure('UNSUPPORTED_VERSION', {}, { say: 'Unsupported MCP-Protocol-Version.' }));
      return null;
    }
    const id = headerOf(req, 'mcp-session-id');
    if (id === undefined || !SESSION_ID.test(id)) {
      refuseSession(at, asked, 'missing');
      return null;
    }
    const session = deps.sessions.find(id, who);
    const no = session === null ? failure('SESSION_UNKNOWN') : refuseOtherDoor(deps, session, door);
    if (no !== null) refuseWith(at, 'legacy', asked, no);
    return no === null ? session : null;
  }

  /** A session for one request of a lenient client that never opened one. */
  function passingSession(who: Identity, door: Door): Session {
    return new Session({ id: '', who, door, revision: '2025-03-26', nowMs: deps.clock.monotonicMs() });
  }

  function replyFor({ res, id }: Exchange, session: Session, acceptsStream: boolean, size: number | null): HttpReply {
    return new HttpReply(res, {
      requestId: id,
      era: 'legacy',
      acceptsStream,
      streams: acceptsStream ? () => streamsOf(session) : null,
      keepAlive: deps.keepAlive,
      nowMs: deps.clock.monotonicMs(),
      canReturn: session.id !== '',
      stepUp: session.who.method === 'jwt' ? deps.challenges : null,
      batch: size,
    });
  }

  function streamsOf(session: Session): SessionStreams {
    session.streams ??= new SessionStreams(
      new EventLog(deps.limits.maxEvents, deps.limits.maxEventBytes),
      session.revision === '2025-11-25',
    );
    return session.streams;
  }

  return {
    handle(at, entrance) {
      switch (at.req.method) {
        case 'POST':
          return post(at, entrance);
        case 'GET':
          return get(at, entrance.door);
        case 'DELETE':
          return remove(at, entrance.door);
        default:
          return refuseMethod(at, METHODS.streamable.join(', '));
      }
    },
    finish() {
      for (const running of [...listens]) running.finish();
      for (const stream of [...standing]) stream.end();
    },
  };
}

const ABANDONED = 'the client went away';

/*
 * What stops a call when its client is gone. Made out here, holding what it needs and no more: closures made where the
 * request is taken hold everything there, and V8 then keeps whole requests until its next full collection.
 */
function cancelOf(lines: readonly RequestLine[]): () => void {
  return () => {
    for (const line of lines) line.cancel(ABANDONED);
  };
}

function stopOf(running: Running): () => void {
  return () => running.cancel('the client closed the stream');
}

const NOWHERE = { message: () => false, answer: () => {} };

/** By name or by range (RFC 9110, 12.5.1). */
const ACCEPTS_JSON = /application\/(?:json|\*)|\*\/\*/i;
