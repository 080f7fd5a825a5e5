/** Stars that callers gave to servers and agents. The promises of repository.ts hold; the rules are domain/rating.ts. */
import type { Rating } from '../domain/rating.ts';

/** A server and an agent may have the same path. */
export interface Rated {
  kind: 'server' | 'agent';
  path: string;
}

export interface RatingRepository {
  /** In the order of each caller's first rating; empty: nobody has rated it, or there is no such thing. */
  list(rated: Rated): Promise<readonly Rating[]>;
  /** Adds or replaces the caller's rating, the oldest going where there are too many; returns all there are then. */
  put(rated: Rated, rating: Rating): Promise<readonly Rating[]>;
}
