/**
 * HTTP+SSE, the transport of 2024-11-05: GET opens the stream and names the URL to post to; everything the client posts
 * is answered on the stream. Kept because clients that know nothing else are still about.
 */
import { failure } from '../../domain/error.ts';
import { readBody } from '../http/body.ts';
import type { HttpResponse } from '../http/http-message.ts';
import { arrivalOf } from './arrival.ts';
import { readMessage } from './classify.ts';
import type { McpDeps } from './deps.ts';
import { type Entrance, METHODS } from './doors.ts';
import { EventStreamResponse } from './event-stream.ts';
import { answerEmpty, type Exchange } from './exchange.ts';
import { type Frame, toLine } from './frames.ts';
import { holdStream } from './held-stream.ts';
import {
  refuseDenied,
  refuseMediaType,
  refuseMethod,
  refuseSessions,
  refuseUnacceptable,
  refuseWith,
} from './http-refusals.ts';
import { dispatchLegacy } from './legacy-dispatch.ts';
import type { Outlet } from './outlet.ts';
import { doorOfSession, refuseOtherDoor } from './pinned-door.ts';
import { isJsonType, readJson } from './read-json.ts';
import { refuseWhenRead } from './refuse-when-read.ts';
import { Session } from './session.ts';

export interface LegacySse {
  handle(at: Exchange, entrance: Entrance): void;
  finish(): void;
}

export function createLegacySse(deps: McpDeps, holdOpen: (res: HttpResponse) => void): LegacySse {
  const streams = new Map<Session, EventStreamResponse>();

  function open(at: Exchange, { door }: Entrance): void {
    const { req, res, who } = at;
    const { accept } = req.headers;
    if (accept !== undefined && !accept.includes('text/event-stream') && !accept.includes('*/*')) {
      return refuseUnacceptable(at, 'legacy', 'text/event-stream');
    }
    const no = deps.refuseDoor(who, door, 'initialize', at);
    if (no !== null) return refuseDenied(at, null, no, who.method === 'jwt' ? deps.challenges : null);
    if (!holdStream(deps.limiter, at, { era: 'legacy', id: null })) return;
    const session = deps.sessions.open(who, doorOfSession(deps, door), '2024-11-05');
    if (!(session instanceof Session)) return refuseSessions(at, null, session);
    holdOpen(res);
    session.uses++;
    const stream: EventStreamResponse = new EventStreamResponse(res, { 'x-request-id': at.id }, () => {
      streams.delete(session);
      deps.keepAlive.delete(keptAs);
      // There is no way back to a stream of this transport: its session ends with it.
      deps.sessions.end(session, 'the client closed the stream');
    });
    // By the credential shown last: this stream is all there is of its session, and cannot be opened again.
    const keptAs = deps.keepAlive.add({
      tick: () => (deps.stillValid(session.who) ? stream.keepAlive() : stream.end()),
    });
    streams.set(session, stream);
    session.standalone = text => stream.event(null, text, 'message');
    const base = door.server === null ? '' : `/${door.server}`;
    stream.event(null, `${base}/messages?sessionId=${session.id}`, 'endpoint');
  }

  function post(at: Exchange, { door }: Entrance): void {
    const { req, who } = at;
    const id = new URLSearchParams(req.url?.split('?')[1] ?? '').get('sessionId');
    if (id === null) return refuseWhenRead(deps, at, failure('SESSION_REQUIRED'));
    const session = deps.sessions.find(id, who);
    const stream = session === null ? undefined : streams.get(session);
    if (session === null || stream === undefined) return refuseWhenRead(deps, at, failure('SESSION_UNKNOWN'));
    const no = refuseOtherDoor(deps, session, door);
    if (no !== null) return refuseWhenRead(deps, at, no);
    if (!isJsonType(req.headers['content-type'])) return refuseMediaType(at);
    readBody(req, deps.maxBodyBytes, body => {
      if (!Buffer.isBuffer(body)) return refuseWith(at, 'legacy', null, body);
      const parsed = readJson(body);
      if (parsed.kind === 'failure') return refuseWith(at, 'legacy', null, parsed);
      const message = readMessage(parsed.value);
      if (message.kind === 'refused') return refuseWith(at, 'legacy', message.id, message.failure);
      answerEmpty(at, 202);
      // While the body came, another request of the session may have shown another credential, or ended it.
      if (deps.sessions.find(id, who) === session)
        dispatchLegacy(deps, session, message, outletOf(stream), arrivalOf(deps, at));
    });
  }

  return {
    handle(at, entrance) {
      const methods = METHODS[entrance.transport];
      if (!methods.includes(at.req.method ?? '')) return refuseMethod(at, methods.join(', '));
      (entrance.transport === 'sse' ? open : post)(at, entrance);
    },
    finish() {
      for (const stream of [...streams.values()]) stream.end();
    },
  };
}

function outletOf(stream: EventStreamResponse): Outlet {
  return {
    message: text => stream.event(null, text, 'message'),
    answer: (frame: Frame) => void stream.event(null, toLine(frame), 'message'),
  };
}
