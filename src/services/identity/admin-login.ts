/**
 * The operator's own login, for a gateway without an identity provider: one name and one password from the environment, a
 * session under 256 random bits. Both are always compared, in constant time; guessing is slowed per origin and over all;
 * the table of sessions is bounded and holds digests.
 */
import { randomBytes } from 'node:crypto';
import { type Identity, LOCAL_CALLER } from '../../domain/identity.ts';
import type { Secret } from '../../domain/secret.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { digestOf } from './bearer.ts';

export interface AdminLoginDeps {
  user: Secret;
  password: Secret;
  /** What an operator's rights are mapped from. */
  groups: readonly string[];
  clock: Clock;
  log: Log;
  ttlMs?: number;
}

export type LoginResult =
  | { kind: 'session'; cookie: string; who: Identity }
  | { kind: 'wrong' }
  | { kind: 'too_many'; retryAfterMs: number };

export interface AdminLogin {
  /** `from` is whom attempts are counted for: the peer's address. */
  login(user: string, password: string, from: string): LoginResult;
  /** The session's owner, or null for an unknown or ended one. */
  find(cookie: string): Identity | null;
  /** False: there was none. */
  logout(cookie: string): boolean;
}

const TTL_MS = 8 * 3_600_000;
const WINDOW_MS = 60_000;
const MAX_PER_ORIGIN = 5;
const MAX_OVER_ALL = 50;
const MAX_SESSIONS = 1000;
/** Longer than any password; comparing costs time with the length. */
const MAX_LENGTH = 1024;

export function createAdminLogin(deps: AdminLoginDeps): AdminLogin {
  const { user, password, clock, log, ttlMs = TTL_MS } = deps;
  const subject = `login:${user.reveal()}`;
  const sessions = new Map<string, Identity>();
  const attempts = createAttempts(clock);

  function open(): LoginResult {
    const cookie = randomBytes(32).toString('base64url');
    const expiresAtMs = clock.wallMs() + ttlMs;
    const groups = new Set(deps.groups);
    const who: Identity = { ...LOCAL_CALLER, subject, name: user.reveal(), method: 'login', groups, expiresAtMs };
    // In the order of their end: the oldest gives way.
    const [oldest] = sessions.keys();
    if (sessions.size >= MAX_SESSIONS && oldest !== undefined) sessions.delete(oldest);
    sessions.set(digestOf(cookie), who);
    return { kind: 'session', cookie, who };
  }

  return {
    login(givenUser, givenPassword, from) {
      const retryAfterMs = attempts.mustWaitMs(from);
      if (retryAfterMs > 0) {
        log.warn('authentication', { event: 'login_limited', from });
        return { kind: 'too_many', retryAfterMs };
      }
      const isShort = givenUser.length <= MAX_LENGTH && givenPassword.length <= MAX_LENGTH;
      const isUser = isShort && user.matches(givenUser);
      const isPassword = isShort && password.matches(givenPassword);
      if (!isUser || !isPassword) {
        attempts.note(from);
        // A strange name may be a password in the wrong field.
        log.warn('authentication', { event: 'login_failed', username: isUser ? givenUser : '(unknown)', from });
        return { kind: 'wrong' };
      }
      log.info('authentication', { event: 'login', username: givenUser, from });
      return open();
    },
    find(cookie) {
      const digest = digestOf(cookie);
      const who = sessions.get(digest);
      if (who === undefined) return null;
      if (clock.wallMs() < who.expiresAtMs) return who;
      sessions.delete(digest);
      return null;
    },
    logout(cookie) {
      const ended = sessions.delete(digestOf(cookie));
      if (ended) log.info('authentication', { event: 'logout', username: user.reveal() });
      return ended;
    },
  };
}

interface Attempts {
  /** 0: another may be made. */
  mustWaitMs(from: string): number;
  note(from: string): void;
}

/** Failures of the last minute; never more than the limit over all, so the list is short. */
function createAttempts(clock: Clock): Attempts {
  let failures: { from: string; atMs: number }[] = [];
  return {
    mustWaitMs(from) {
      const now = clock.monotonicMs();
      failures = failures.filter(({ atMs }) => now - atMs < WINDOW_MS);
      const own = failures.filter(failure => failure.from === from);
      const first = own.length >= MAX_PER_ORIGIN ? own[0] : failures.length >= MAX_OVER_ALL ? failures[0] : undefined;
      return first === undefined ? 0 : Math.max(1, Math.ceil(first.atMs + WINDOW_MS - now));
    },
    note: from => failures.push({ from, atMs: clock.monotonicMs() }),
  };
}
