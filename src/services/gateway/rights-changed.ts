/**
 * What follows when rights change while clients are connected: subscriptions that are no longer permitted end, and whoever
 * sees other lists now is told to read them. Calls need nothing: each is decided anew.
 */
import type { Subscriber } from '../../domain/call.ts';
import { serverOfVersion } from '../../domain/server.ts';
import type { Quarantine } from '../limits/quarantine.ts';
import type { PolicyBook } from '../policy/policy-book.ts';
import { asActing } from './acting-caller.ts';
import { mayWatch } from './may-list.ts';
import type { NewsDesk } from './news.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface RightsChanged {
  /** After the policy was swapped, or somebody was shut out or let in again. */
  ofEverybody(): void;
  /** A subscriber showed a credential that gives other rights than its last. */
  of(subscriber: Subscriber): void;
}

export function createRightsChanged(deps: {
  policy: PolicyBook;
  quarantine: Pick<Quarantine, 'current'>;
  subscriptions: Subscriptions;
  news: NewsDesk;
  defaultAgent: string | null;
}): RightsChanged {
  const { policy, quarantine, subscriptions, news, defaultAgent } = deps;
  const review = (only?: Subscriber) =>
    void subscriptions.review((who, { server, own }) => {
      const acting = asActing(policy.current(), who, defaultAgent);
      const inForce = { policy: policy.current(), quarantined: quarantine.current() };
      return mayWatch(inForce, acting, serverOfVersion(server), own);
    }, only);
  return {
    ofEverybody() {
      review();
      news.rulesChanged();
    },
    of(subscriber) {
      review(subscriber);
      news.rightsChanged(subscriber.who);
    },
  };
}
