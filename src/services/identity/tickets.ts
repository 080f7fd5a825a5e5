/**
 * One-time tickets for connections that can show no header (a browser's WebSocket): good once, for half a minute, for
 * whoever asked for it. A ticket may be seen in an address; by then it is used up.
 */
import { randomBytes } from 'node:crypto';
import type { Identity } from '../../domain/identity.ts';
import type { Clock } from '../../ports/clock.ts';
import { digestOf } from './bearer.ts';

export interface Tickets {
  issue(who: Identity): { ticket: string; expiresInS: number };
  /** Null for one that is unknown, used or over. */
  take(ticket: string): Identity | null;
}

export const TICKET_LIFE_S = 30;
const MAX_OPEN = 10_000;

export function createTickets(clock: Pick<Clock, 'monotonicMs'>): Tickets {
  /** In the order of their end, by digest. */
  const open = new Map<string, { who: Identity; endsAtMs: number }>();

  function sweep(nowMs: number): void {
    for (const [digest, { endsAtMs }] of open) {
      if (endsAtMs > nowMs && open.size < MAX_OPEN) return;
      open.delete(digest);
    }
  }

  return {
    issue(who) {
      const nowMs = clock.monotonicMs();
      sweep(nowMs);
      const ticket = randomBytes(32).toString('base64url');
      open.set(digestOf(ticket), { who, endsAtMs: nowMs + TICKET_LIFE_S * 1000 });
      return { ticket, expiresInS: TICKET_LIFE_S };
    },
    take(ticket) {
      const digest = digestOf(ticket);
      const found = open.get(digest);
      open.delete(digest);
      return found !== undefined && found.endsAtMs > clock.monotonicMs() ? found.who : null;
    },
  };
}
