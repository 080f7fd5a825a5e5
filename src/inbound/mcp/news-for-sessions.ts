/** Brings news to legacy sessions, on their standalone streams: what concerns each, at the level it asked for. */
import { isAtLeast, isLogLevel } from '../../domain/era.ts';
import { serverOfVersion } from '../../domain/server.ts';
import { MAIN_PARTITION } from '../../ports/downstreams.ts';
import type { CatalogBook } from '../../services/catalog/catalog-book.ts';
import type { Gateway } from '../../services/gateway/gateway.ts';
import type { News } from '../../services/gateway/news.ts';
import { notificationText } from './frames.ts';
import type { Session } from './session.ts';

/** The notification a session gets for a piece of news, or null when it does not concern it. */
export function newsFor(
  session: Session,
  news: News,
  { gateway, catalog }: { gateway: Gateway; catalog: CatalogBook },
): string | null {
  switch (news.kind) {
    case 'list-changed':
      return news.concerns?.(session.who, session.door) === false
        ? null
        : notificationText(`notifications/${news.what}/list_changed`, {});
    case 'resource-updated':
      return gateway.isWatching(session, news.server, news.uri)
        ? notificationText('notifications/resources/updated', news.params)
        : null;
    case 'notification': {
      const mine = news.partition === MAIN_PARTITION || news.partition === `session ${session.id}`;
      const { server } = session.door;
      // What a version says that is not active is for those at its door.
      const said = server === null ? serverOfVersion(news.server) : catalog.connectionOf(session.door, server);
      if (!mine || said !== news.server) return null;
      if (!gateway.mayHear(session.who, news.server)) return null;
      if (news.method !== 'notifications/message') return notificationText(news.method, news.params);
      const { level } = news.params;
      const wanted = session.logLevel !== null && isLogLevel(level) && isAtLeast(level, session.logLevel);
      return wanted ? notificationText(news.method, news.params) : null;
    }
  }
}
