/**
 * The operator's own login, for a gateway without an identity provider: one name and one password from the environment, a
 * session under 256 random bits. Both are always compared, in constant time; guessing is slowed per origin and over all;
 * the table of sessions is bounded and holds digests. Every attempt is in the book, and what cannot be is no login.
 */
import { randomBytes } from 'node:crypto';
import { addressKey } from '../../domain/address-key.ts';
import { type CallRecord, openRecordOf } from '../../domain/call.ts';
import { type Identity, LOCAL_CALLER } from '../../domain/identity.ts';
import type { Limited } from '../../domain/limits.ts';
import { Secret } from '../../domain/secret.ts';
import type { AuditLedger } from '../../ports/audit.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Recorder } from '../../ports/recorder.ts';
import { digestOf } from './bearer.ts';

export interface AdminLoginDeps {
  user: Secret;
  password: Secret;
  /** What an operator's rights are mapped from. */
  groups: readonly string[];
  ttlMs: number;
  recorder: Recorder;
  audit: AuditLedger;
  clock: Clock;
  log: Log;
}

export interface LoginSession {
  who: Identity;
  /** Shown by pages of ours alone, with whatever changes something. */
  csrf: Secret;
}

export type LoginResult =
  | { kind: 'session'; cookie: string; who: Identity }
  | { kind: 'wrong' }
  | { kind: 'too_many'; retryAfterMs: number }
  | { kind: 'unrecordable' };

/** An attempt as it came in. */
export interface Attempt {
  /** Of the request. */
  id: string;
  address: string;
}

export interface AdminLogin {
  login(user: string, password: string, attempt: Attempt): Promise<LoginResult>;
  /** The operator, by a request that shows name and password itself and opens no session; null: one of them is wrong. */
  vouch(user: string, password: string, attempt: Attempt): Promise<Identity | Limited | null>;
  /** Null for an unknown or ended one. */
  find(cookie: string): LoginSession | null;
  /** False: there was none. */
  logout(cookie: string, attempt: Attempt): Promise<boolean>;
  /** Whether the session that somebody came by is still open. */
  stands(who: Identity): boolean;
}

const WINDOW_MS = 60_000;
const MAX_PER_ORIGIN = 5;
const MAX_OVER_ALL = 50;
const MAX_SESSIONS = 1000;
/** Longer than any password; comparing costs time with the length. */
const MAX_LENGTH = 1024;
/** A strange name may be a password in the wrong field. */
const STRANGE_NAME = '(unknown)';

/** Whoever logs in, but for the end of the session. */
export function loginHolder(user: Secret, groups: readonly string[]): Identity {
  const name = user.reveal();
  return { ...LOCAL_CALLER, subject: `login:${name}`, name, method: 'login', groups: new Set(groups) };
}

export function createAdminLogin(deps: AdminLoginDeps): AdminLogin {
  const { user, password, ttlMs, clock, log } = deps;
  const holder = loginHolder(user, deps.groups);
  const sessions = new Map<string, LoginSession>();
  const attempts = createAttempts(clock);

  function open(): LoginResult {
    const cookie = randomBytes(32).toString('base64url');
    const csrf = new Secret(randomBytes(32).toString('base64url'));
    const who: Identity = { ...holder, expiresAtMs: clock.wallMs() + ttlMs };
    // In the order of their end: the oldest gives way.
    const [oldest] = sessions.keys();
    if (sessions.size >= MAX_SESSIONS && oldest !== undefined) sessions.delete(oldest);
    sessions.set(digestOf(cookie), { who, csrf });
    return { kind: 'session', cookie, who };
  }

  /** `who` null: nobody got in. */
  function openBook(who: Identity | null, operation: string, username: string, { id, address }: Attempt): CallRecord {
    const record = openRecordOf(who, operation, id, clock.wallMs(), address);
    record.metadata = { username };
    return record;
  }

  async function close(record: CallRecord, code: CallRecord['code'] = null): Promise<void> {
    record.code = code;
    if (code !== null) record.outcome = 'refused';
    deps.recorder.record(record);
    await deps.audit.conclude(record);
  }

  /** Of an attempt that gets nobody in, which is in the book by then. */
  async function findObjection(
    givenUser: string,
    givenPassword: string,
    attempt: Attempt,
  ): Promise<{ kind: 'wrong' } | { kind: 'too_many'; retryAfterMs: number } | null> {
    const { address } = attempt;
    const origin = addressKey(address);
    const retryAfterMs = attempts.mustWaitMs(origin);
    if (retryAfterMs > 0) {
      log.warn('authentication', { event: 'login_limited', username: STRANGE_NAME, from: address });
      await close(openBook(null, 'login', STRANGE_NAME, attempt), 'RATE_LIMITED');
      return { kind: 'too_many', retryAfterMs };
    }
    const isShort = givenUser.length <= MAX_LENGTH && givenPassword.length <= MAX_LENGTH;
    const isUser = isShort && user.matches(givenUser);
    const isPassword = isShort && password.matches(givenPassword);
    if (isUser && isPassword) return null;
    // Counted before anything is waited for: many at once are many.
    attempts.note(origin);
    const username = isUser ? givenUser : STRANGE_NAME;
    log.warn('authentication', { event: 'login_failed', username, from: address });
    await close(openBook(null, 'login', username, attempt), 'UNAUTHENTICATED');
    return { kind: 'wrong' };
  }

  function find(cookie: string): LoginSession | null {
    const digest = digestOf(cookie);
    const session = sessions.get(digest);
    if (session === undefined) return null;
    if (clock.wallMs() < session.who.expiresAtMs) return session;
    sessions.delete(digest);
    return null;
  }

  return {
    find,
    stands: who => clock.wallMs() < who.expiresAtMs && [...sessions.values()].some(session => session.who === who),
    async vouch(givenUser, givenPassword, attempt) {
      const no = await findObjection(givenUser, givenPassword, attempt);
      if (no === null) return holder;
      if (no.kind === 'wrong') return null;
      const { retryAfterMs } = no;
      const full = { what: 'rate', limit: MAX_PER_ORIGIN, remaining: 0, retryAfterMs, resetMs: retryAfterMs } as const;
      return { kind: 'limited', scope: 'address', ...full };
    },
    async login(givenUser, givenPassword, attempt) {
      const { address } = attempt;
      const no = await findObjection(givenUser, givenPassword, attempt);
      if (no !== null) return no;
      const record = openBook(holder, 'login', givenUser, attempt);
      const announced = deps.audit.intend(record);
      if (announced !== null && !(await announced)) {
        await close(record, 'AUDIT_UNAVAILABLE');
        return { kind: 'unrecordable' };
      }
      log.info('authentication', { event: 'login', username: givenUser, from: address });
      await close(record);
      return open();
    },
    async logout(cookie, attempt) {
      const session = find(cookie);
      if (session === null) return false;
      sessions.delete(digestOf(cookie));
      log.info('authentication', { event: 'logout', username: user.reveal() });
      await close(openBook(session.who, 'logout', user.reveal(), attempt));
      return true;
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
