/**
 * The MCP doors of one process, put together: who calls is settled here, once for every transport; which transport answers
 * which URL; how news reaches sessions.
 */
import type { Challenge, Identity } from '../../domain/identity.ts';
import type { HttpRequest, HttpResponse } from '../http/http-message.ts';
import { limitHeaders } from '../http/limited.ts';
import { refuse } from '../http/problem.ts';
import { pathOf } from '../http/routes.ts';
import type { NativeRoutes } from '../http/served.ts';
import type { McpDeps } from './deps.ts';
import { type Entrance, findEntrance, listEntrances } from './doors.ts';
import { openExchange } from './exchange.ts';
import { type Asked, refuseChallenged } from './http-refusals.ts';
import { createLegacySse } from './legacy-sse.ts';
import { newsFor } from './news-for-sessions.ts';
import { pinEntrance } from './pinned-door.ts';
import { refuseWhenRead } from './refuse-when-read.ts';
import type { Session } from './session.ts';
import { createStreamableHttp } from './streamable-http.ts';

export interface McpDoors extends NativeRoutes {
  /** A POST to this path is handled, whatever becomes of it. */
  takesPosts(path: string): boolean;
  /** A session that no HTTP client opened (stdio) gets news too. */
  adopt(session: Session): void;
  /** Ends standing streams in the way their protocol asks; calls under way go on. */
  finish(): void;
}

export function createMcpDoors(deps: McpDeps, holdOpen: (res: HttpResponse) => void): McpDoors {
  const streamable = createStreamableHttp(deps, holdOpen);
  const sse = createLegacySse(deps, holdOpen);

  deps.news.subscribe(news => {
    const tell = (session: Session) => {
      if (session.standalone === null) return;
      const text = newsFor(session, news, deps);
      if (text !== null) session.standalone(text);
    };
    for (const session of deps.sessions.all()) tell(session);
  });

  function enter(req: HttpRequest, res: HttpResponse, entrance: Entrance, who: Identity | Challenge): void {
    if (res.destroyed) return;
    const id = deps.nextRequestId();
    if (who.kind === 'challenge') turnAway({ req, res, id }, who);
    else if (isElsewhere(entrance, who))
      turnAway({ req, res, id }, deps.challenges.forbidden(pathOf(req.url), 'bound'));
    else if (leadsNowhere(entrance, who)) {
      // For the book alone, where there is a server and it is out of sight: a conversation is what a door is asked for.
      deps.refuseDoor(who, entrance.door, 'initialize', { id, address: deps.addressOf(req) });
      refuse(req, res, 404, 'not_found', { 'x-request-id': id });
    } else {
      const transport = entrance.transport === 'streamable' ? streamable : sse;
      const at = openExchange(deps, id, req, res, who);
      const pinned = pinEntrance(deps, entrance, req, who);
      if ('kind' in pinned) refuseWhenRead(deps, at, pinned);
      else transport.handle(at, pinned);
    }
  }

  /** A token for one server opens no other's door, whether there is one or not. */
  function isElsewhere({ door: { server } }: Entrance, who: Identity): boolean {
    return server !== null && who.boundServer !== null && who.boundServer !== server;
  }

  /**
   * Whoever may not use a server of that name is told so behind its door, whether there is one or not; so is of one out
   * of sight.
   */
  function leadsNowhere({ door: { server } }: Entrance, who: Identity): boolean {
    return server !== null && deps.gateway.isAbsent(who, server);
  }

  function turnAway({ req, res, id }: Asked, challenge: Challenge): void {
    const limited = deps.refused(req, pathOf(req.url), challenge, id);
    if (limited === null) refuseChallenged({ req, res, id }, challenge);
    else refuse(req, res, 429, 'rate_limited', { ...limitHeaders(limited), 'x-request-id': id });
  }

  /** A token that was not seen before is verified first; the request waits unread. */
  async function enterLater(
    req: HttpRequest,
    res: HttpResponse,
    entrance: Entrance,
    who: Promise<Identity | Challenge>,
  ): Promise<void> {
    try {
      enter(req, res, entrance, await who);
    } catch (cause) {
      deps.log.error('request failed', {
        detail: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
      });
      if (res.headersSent) res.destroy();
      else refuse(req, res, 500, 'internal_error');
    }
  }

  const entranceAt = (path: string) => findEntrance(path, server => deps.catalog.current().servers.has(server));

  return {
    served: listEntrances,
    takesPosts: path => entranceAt(path) !== null,
    handle(req, res, path) {
      const entrance = entranceAt(path);
      if (entrance === null) return false;
      // `GET /` is a page for people.
      if (entrance.lenient && req.method !== 'POST' && req.headers['mcp-session-id'] === undefined) return false;
      const who = deps.identify(req.headers, path);
      if (who instanceof Promise) void enterLater(req, res, entrance, who);
      else enter(req, res, entrance, who);
      return true;
    },
    adopt: session => deps.sessions.adopt(session),
    finish() {
      streamable.finish();
      sse.finish();
    },
  };
}
