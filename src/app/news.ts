/** News put together: what servers announce, and every change of what somebody may see, on its way to clients. */
import type { Clock } from '../ports/clock.ts';
import type { Downstreams } from '../ports/downstreams.ts';
import type { CatalogBook } from '../services/catalog/catalog-book.ts';
import { createListRelevance } from '../services/gateway/list-relevance.ts';
import { createNewsDesk, type NewsDesk, relayNews } from '../services/gateway/news.ts';
import { createRightsChanged, type RightsChanged } from '../services/gateway/rights-changed.ts';
import { createSubscriptions, type Subscriptions } from '../services/gateway/subscriptions.ts';
import type { ExposureRules } from '../services/gateway/visible.ts';
import type { Quarantine } from '../services/limits/quarantine.ts';
import type { PolicyBook } from '../services/policy/policy-book.ts';

export interface NewsParts {
  news: NewsDesk;
  subscriptions: Subscriptions;
  rightsChanged: RightsChanged;
  /** No news from downstreams any more; what is on its way to clients is still told. */
  stopRelay(): void;
}

export function createNewsParts(deps: {
  catalog: CatalogBook;
  policy: PolicyBook;
  quarantine: Quarantine;
  downstreams: Downstreams;
  exposure: () => ExposureRules;
  /** Of callers that name no agent. */
  defaultAgent: string | null;
  clock: Clock;
}): NewsParts {
  const { catalog, quarantine, downstreams, clock } = deps;
  const subscriptions = createSubscriptions(downstreams);
  const news = createNewsDesk(clock, createListRelevance(deps));
  const rightsChanged = createRightsChanged({ ...deps, subscriptions, news });
  // Whoever is shut out sees nothing any more, and what was lifted is there again.
  quarantine.onChange(() => rightsChanged.ofEverybody());
  return { news, subscriptions, rightsChanged, stopRelay: relayNews(downstreams, catalog, subscriptions, news) };
}
