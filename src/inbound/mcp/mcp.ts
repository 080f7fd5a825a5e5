/** The MCP doors of one process, put together: which transport answers which URL, and how news reaches sessions. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Subscriptions } from '../../services/gateway/subscriptions.ts';
import type { McpDeps } from './deps.ts';
import { findEntrance } from './doors.ts';
import { createLegacySse } from './legacy-sse.ts';
import { newsFor } from './news-for-sessions.ts';
import type { Session } from './session.ts';
import { createStreamableHttp } from './streamable-http.ts';

export interface McpDoors {
  /** False when the path is no MCP door, or the server it names does not exist. */
  handle(req: IncomingMessage, res: ServerResponse, path: string): boolean;
  /** A session that no HTTP client opened (stdio) gets news too. */
  adopt(session: Session): void;
  /** Ends standing streams in the way their protocol asks; calls under way go on. */
  finish(): void;
}

export function createMcpDoors(
  deps: McpDeps,
  subscriptions: Subscriptions,
  holdOpen: (res: ServerResponse) => void,
): McpDoors {
  const streamable = createStreamableHttp(deps, holdOpen);
  const sse = createLegacySse(deps, holdOpen);

  deps.news.subscribe(news => {
    const tell = (session: Session) => {
      if (session.standalone === null) return;
      const text = newsFor(session, news, subscriptions);
      if (text !== null) session.standalone(text);
    };
    for (const session of deps.sessions.all()) tell(session);
  });

  return {
    handle(req, res, path) {
      const entrance = findEntrance(path);
      if (entrance === null) return false;
      // `GET /` is a page for people; `/x/mcp` of a server nobody configured is an ordinary 404.
      if (entrance.lenient && req.method !== 'POST' && req.headers['mcp-session-id'] === undefined) return false;
      const { server } = entrance.door;
      if (server !== null && !deps.catalog.current().servers.has(server)) return false;
      if (entrance.transport === 'streamable') streamable.handle(req, res, entrance);
      else sse.handle(req, res, entrance);
      return true;
    },
    adopt: session => deps.sessions.adopt(session),
    finish() {
      streamable.finish();
      sse.finish();
    },
  };
}
