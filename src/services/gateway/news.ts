/**
 * News for clients: lists that changed, resources that were updated, notifications no call owns.
 * List changes are gathered for a moment, so that a restart of ten servers is one message, not ten.
 */

import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { ListingKind } from '../../domain/listing.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Downstreams } from '../../ports/downstreams.ts';
import type { CatalogBook } from '../catalog/catalog-book.ts';
import type { Concerns, ListRelevance, ListWord } from './list-relevance.ts';
import type { Subscriptions } from './subscriptions.ts';
import { namesTask } from './task-ids.ts';

/** Long enough for a burst, short enough to feel immediate for a person watching. */
const GATHER_MS = 250;

const LIST_WORDS: readonly ListWord[] = ['tools', 'resources', 'prompts'];

export type News =
  /** `concerns` absent: everybody. */
  | { kind: 'list-changed'; what: ListWord; concerns?: Concerns }
  | { kind: 'resource-updated'; server: ServerKey; uri: string; params: JsonObject }
  | { kind: 'notification'; server: ServerKey; partition: string; method: string; params: JsonObject };

export interface NewsDesk {
  subscribe(listener: (news: News) => void): () => void;
  publish(news: News): void;
  /** Gathers changed kinds and publishes each once. */
  listsChanged(kinds: readonly ListingKind[]): void;
  /** Another policy, quarantine or exposure is in force: any list may look different to any caller. */
  rulesChanged(): void;
  /** Whoever shows this credential showed one with other rights before. */
  rightsChanged(who: Identity): void;
  /** A list was answered from what is in force. */
  listGiven(): void;
  stop(): void;
}

/** Without `relevance` every list change is told to everybody. */
export function createNewsDesk(clock: Clock, relevance: ListRelevance | null = null): NewsDesk {
  const listeners = new Set<(news: News) => void>();
  const gathered = new Set<ListWord>();
  let cancelTimer: (() => void) | null = null;

  const publish = (news: News) => {
    for (const listener of [...listeners]) listener(news);
  };

  function listsChanged(kinds: readonly ListingKind[]): void {
    for (const kind of kinds) gathered.add(kind === 'templates' ? 'resources' : kind);
    if (gathered.size === 0 || cancelTimer !== null) return;
    cancelTimer = clock.after(GATHER_MS, () => {
      cancelTimer = null;
      const changed = [...gathered];
      gathered.clear();
      const concernsOf = relevance?.take();
      for (const what of changed) {
        publish({ kind: 'list-changed', what, ...(concernsOf === undefined ? {} : { concerns: concernsOf(what) }) });
      }
    });
  }

  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    publish,
    listsChanged,
    rulesChanged: () => listsChanged(LIST_WORDS),
    rightsChanged(who) {
      for (const what of LIST_WORDS) publish({ kind: 'list-changed', what, concerns: other => other === who });
    },
    listGiven: () => relevance?.given(),
    stop() {
      cancelTimer?.();
      listeners.clear();
    },
  };
}

/** Turns what downstreams announce into news for clients, in the words clients know. */
export function relayNews(
  downstreams: Downstreams,
  catalog: CatalogBook,
  subscriptions: Subscriptions,
  desk: NewsDesk,
): () => void {
  const stops = [
    catalog.onChange(kinds => desk.listsChanged(kinds)),
    downstreams.onEvent(event => {
      if (event.kind === 'resource-updated') {
        for (const uri of subscriptions.publicUris(event.server, event.uri)) {
          desk.publish({ kind: 'resource-updated', server: event.server, uri, params: { ...event.params, uri } });
        }
      } else if (event.kind === 'notification') {
        const { server, partition, method, params } = event;
        // Whose task it is cannot be told here, and only its caller may know of it.
        if (!namesTask(params)) desk.publish({ kind: 'notification', server, partition, method, params });
      }
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
