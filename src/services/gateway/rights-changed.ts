/**
 * What follows when rights change while clients are connected: subscriptions that are no longer permitted end, and whoever
 * sees other lists now is told to read them. Calls need nothing: each is decided anew.
 */
import type { Subscriber } from '../../domain/call.ts';
import { decide } from '../../domain/policy.ts';
import { serverOfVersion } from '../../domain/server.ts';
import type { Quarantine } from '../limits/quarantine.ts';
import type { PolicyBook } from '../policy/policy-book.ts';
import { asActing } from './acting-caller.ts';
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
  quarantine: Pick<Quarantine, 'isBlocked'>;
  subscriptions: Subscriptions;
  news: NewsDesk;
  defaultAgent: string | null;
}): RightsChanged {
  const { policy, quarantine, subscriptions, news, defaultAgent } = deps;
  const review = (only?: Subscriber) =>
    void subscriptions.review((who, { server, own }) => {
      const acting = asActing(policy.current(), who, defaultAgent);
      const target = { kind: 'resource', server: serverOfVersion(server), name: own } as const;
      return (
        !quarantine.isBlocked(acting, target.server, null) &&
        decide(policy.current(), acting, 'subscribe', target).kind === 'allow'
      );
    }, only);
  return {
    ofEverybody() {
      review();
      news.policyChanged();
    },
    of: subscriber => review(subscriber),
  };
}
