/**
 * All sessions of HTTP clients: bounded in number, expiring when unused, ids of 122 random bits (UUID v4).
 * A session is bound to the caller that opened it: shown by another it is as unknown as a random id.
 */
import { randomUUID } from 'node:crypto';
import type { Door } from '../../domain/call.ts';
import type { LegacyRevision } from '../../domain/era.ts';
import type { Identity } from '../../domain/identity.ts';
import type { Allowed, Limited } from '../../domain/limits.ts';
import { rightsKey } from '../../domain/rights-key.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Limiter } from '../../services/limits/limiter.ts';
import { Session } from './session.ts';

/** A table that is full makes room by ending sessions nobody used for this long. */
const SPARE_AFTER_MS = 5 * 60_000;

export interface SessionTable {
  /** Null when the table is full of sessions in use; `Limited` when the caller has as many as it may. */
  open(who: Identity, door: Door, revision: LegacyRevision): Session | Limited | null;
  /** Slides the expiry, and binds the session to the credential shown now. Null for unknown, expired and foreign ids alike. */
  find(id: string, who: Identity): Session | null;
  end(session: Session, reason: string): void;
  /** A session that was opened elsewhere (stdio): it hears and counts like the others; nobody can find or end it here. */
  adopt(session: Session): void;
  /** Adopted ones too. */
  all(): Iterable<Session>;
  size(): number;
  stop(): void;
}

const NOTHING_HELD: Allowed = { kind: 'allowed', slot: 0 };

export function createSessionTable(deps: {
  /** Bounds the sessions of one caller. */
  limiter?: Pick<Limiter, 'hold' | 'release'>;
  clock: Clock;
  ttlMs: number;
  maxSessions: number;
  onEnd: (session: Session) => void;
  /** Its caller showed a credential with other rights than before. */
  onRightsChanged?: (session: Session) => void;
}): SessionTable {
  const { clock, ttlMs, maxSessions, onEnd, onRightsChanged, limiter } = deps;
  const sessions = new Map<string, Session>();
  const adopted = new Set<Session>();
  let stopTimer = () => {};

  function end(session: Session, reason: string): void {
    if (!sessions.delete(session.id)) return;
    session.end(reason);
    limiter?.release(session.slot);
    onEnd(session);
  }

  const isExpired = (session: Session, afterMs: number) =>
    session.uses === 0 && clock.monotonicMs() - session.lastUsedAtMs > afterMs;

  /** The newest credential counts: what it may do, and how long it lasts. */
  function renew(session: Session, who: Identity): void {
    const before = session.who;
    session.who = who;
    if (rightsKey(before) !== rightsKey(who)) onRightsChanged?.(session);
  }

  function sweep(): void {
    for (const session of sessions.values()) {
      // What is under way is use: a session has its whole time again when a long call or stream is over.
      if (session.uses > 0) session.lastUsedAtMs = clock.monotonicMs();
      else if (isExpired(session, ttlMs)) end(session, 'expired');
    }
    stopTimer = clock.after(Math.min(Math.max(ttlMs / 4, 100), 30_000), sweep);
  }
  sweep();

  return {
    open(who, door, revision) {
      if (sessions.size >= maxSessions) {
        // Oldest first: a Map keeps the order of insertion.
        for (const session of sessions.values()) {
          if (sessions.size < maxSessions) break;
          if (isExpired(session, Math.min(ttlMs, SPARE_AFTER_MS))) end(session, 'made room');
        }
        if (sessions.size >= maxSessions) return null;
      }
      const held = limiter?.hold('session', who) ?? NOTHING_HELD;
      if (held.kind === 'limited') return held;
      const session = new Session({ id: randomUUID(), who, door, revision, nowMs: clock.monotonicMs() });
      session.slot = held.slot;
      sessions.set(session.id, session);
      return session;
    },
    find(id, who) {
      const session = sessions.get(id);
      if (session === undefined || !isSameHolder(session.who, who)) return null;
      if (isExpired(session, ttlMs)) {
        end(session, 'expired');
        return null;
      }
      session.lastUsedAtMs = clock.monotonicMs();
      if (session.who !== who) renew(session, who);
      return session;
    },
    end,
    adopt: session => void adopted.add(session),
    all: () => [...adopted, ...sessions.values()],
    size: () => sessions.size,
    stop() {
      stopTimer();
      for (const session of [...sessions.values()]) end(session, 'shutting down');
    },
  };
}

/**
 * One caller with another credential goes on with its session; a token that was given out for less does not go on with its
 * owner's, nor its owner with that: what one hears is not for the other.
 */
function isSameHolder(one: Identity, other: Identity): boolean {
  if (one.subject !== other.subject || one.boundServer !== other.boundServer) return false;
  return (one.method !== 'vended' && other.method !== 'vended') || one.tokenId === other.tokenId;
}
