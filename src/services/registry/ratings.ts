/** Stars: who gives them is who calls, whatever else a request says, and once per caller. */
import type { Identity } from '../../domain/identity.ts';
import { meanStars, type Rating } from '../../domain/rating.ts';
import { findListDenial } from './access.ts';
import { deniedServer, done, noSuchServer, type RegistryDesk, type Result } from './desk.ts';

export interface Rated {
  ratings: readonly Rating[];
  mean: number;
}

export interface ServerRatings {
  /** `stars`: 1 to 5, whole. */
  rate(who: Identity, path: string, stars: number): Promise<Result<Rated>>;
  read(who: Identity, path: string): Promise<Result<Rated>>;
}

export function createServerRatings(desk: RegistryDesk): ServerRatings {
  const { storage, policy, clock } = desk;
  const toRated = (ratings: readonly Rating[]): Rated => ({ ratings, mean: meanStars(ratings) });

  async function withSeen(who: Identity, path: string, work: () => Promise<readonly Rating[]>): Promise<Result<Rated>> {
    const server = await storage.servers.find(path);
    if (server === null) return noSuchServer();
    const denial = findListDenial(policy(), who, server);
    return denial === null ? done(toRated(await work())) : deniedServer(denial);
  }

  return {
    rate(who, path, stars) {
      const { issuer, subject } = who;
      const rating: Rating = { issuer, subject, name: who.name ?? subject, stars, atMs: clock.wallMs() };
      return withSeen(who, path, () => storage.ratings.put({ kind: 'server', path }, rating));
    },
    read: (who, path) => withSeen(who, path, () => storage.ratings.list({ kind: 'server', path })),
  };
}
