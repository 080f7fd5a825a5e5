/**
 * Resource subscriptions, counted: however many clients watch a resource, its server is asked once.
 * A subscriber lives as long as the client's interest (a session, a listen stream) and knows who it is by now.
 */
import type { Subscriber } from '../../domain/call.ts';
import type { Identity } from '../../domain/identity.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { Downstreams } from '../../ports/downstreams.ts';

export interface WatchedResource {
  server: ServerKey;
  own: string;
  /** The URI under which clients know it. */
  uri: string;
}

export interface Subscriptions {
  add(subscriber: Subscriber, resource: WatchedResource): Promise<void>;
  remove(subscriber: Subscriber, uri: string): Promise<void>;
  removeAll(subscriber: Subscriber): Promise<void>;
  /** Ends what a subscriber may not watch any more; of all, or of the one whose rights changed. */
  review(mayWatch: (who: Identity, resource: WatchedResource) => boolean, only?: Subscriber): Promise<void>;
  /** The server counts too: behind the doors of two servers one URI is two resources. */
  has(subscriber: Subscriber, server: ServerKey, uri: string): boolean;
  /** Public URIs under which an own URI is watched; usually one. */
  publicUris(server: ServerKey, own: string): readonly string[];
}

export function createSubscriptions(downstreams: Downstreams): Subscriptions {
  const bySubscriber = new Map<Subscriber, Map<string, WatchedResource>>();
  const watched = new Map<string, { resource: WatchedResource; count: number }>();
  const keyOf = ({ server, uri }: WatchedResource) => `${server} ${uri}`;

  const rewatch = (server: ServerKey) => {
    const own = new Set<string>();
    for (const { resource } of watched.values()) if (resource.server === server) own.add(resource.own);
    return downstreams.watch(server, own);
  };

  async function drop(resource: WatchedResource): Promise<void> {
    const entry = watched.get(keyOf(resource));
    if (entry === undefined || --entry.count > 0) return;
    watched.delete(keyOf(resource));
    await rewatch(resource.server);
  }

  return {
    async add(subscriber, resource) {
      const mine = bySubscriber.get(subscriber) ?? new Map<string, WatchedResource>();
      bySubscriber.set(subscriber, mine);
      if (mine.has(resource.uri)) return;
      mine.set(resource.uri, resource);
      const entry = watched.get(keyOf(resource));
      if (entry !== undefined) {
        entry.count++;
        return;
      }
      watched.set(keyOf(resource), { resource, count: 1 });
      await rewatch(resource.server);
    },
    async remove(subscriber, uri) {
      const mine = bySubscriber.get(subscriber);
      const resource = mine?.get(uri);
      if (mine === undefined || resource === undefined) return;
      mine.delete(uri);
      if (mine.size === 0) bySubscriber.delete(subscriber);
      await drop(resource);
    },
    async removeAll(subscriber) {
      const mine = bySubscriber.get(subscriber);
      if (mine === undefined) return;
      bySubscriber.delete(subscriber);
      await Promise.all([...mine.values()].map(drop));
    },
    async review(mayWatch, only) {
      const subscribers = only === undefined ? [...bySubscriber.keys()] : [only];
      const ended: WatchedResource[] = [];
      for (const subscriber of subscribers) {
        const mine = bySubscriber.get(subscriber);
        for (const [uri, resource] of mine ?? []) {
          if (mayWatch(subscriber.who, resource)) continue;
          mine?.delete(uri);
          ended.push(resource);
        }
        if (mine?.size === 0) bySubscriber.delete(subscriber);
      }
      await Promise.all(ended.map(drop));
    },
    has: (subscriber, server, uri) => bySubscriber.get(subscriber)?.get(uri)?.server === server,
    publicUris(server, own) {
      const uris: string[] = [];
      for (const { resource } of watched.values())
        if (resource.server === server && resource.own === own) uris.push(resource.uri);
      return uris;
    },
  };
}
