import { describe, expect, test } from 'vitest';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { UNLIMITED } from '../../../src/domain/limits.ts';
import { Session } from '../../../src/inbound/mcp/session.ts';
import { createSessionTable } from '../../../src/inbound/mcp/session-table.ts';
import { createLimiter, type Limiter } from '../../../src/services/limits/limiter.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { EVERYTHING } from '../../support/staircase.ts';

const BOB = { ...LOCAL_CALLER, subject: 'bob' };
const HOUR = 3_600_000;

function desk(more: { ttlMs?: number; maxSessions?: number; limiter?: Limiter } = {}) {
  const clock = createFrozenClock();
  const ended: Session[] = [];
  const table = createSessionTable({
    clock,
    ttlMs: HOUR,
    maxSessions: 100,
    onEnd: session => void ended.push(session),
    ...more,
  });
  const open = (who = LOCAL_CALLER) => {
    const session = table.open(who, EVERYTHING, '2025-11-25');
    if (!(session instanceof Session)) throw new Error('there is no room');
    return session;
  };
  return { clock, table, ended, open, find: (session: Session, who = LOCAL_CALLER) => table.find(session.id, who) };
}

describe('a session', () => {
  test('has an id of 122 random bits, visible ASCII, never the same (contract G11)', () => {
    const { open } = desk({ maxSessions: 2_000 });
    const ids = new Set(Array.from({ length: 1_000 }, () => open().id));
    expect(ids.size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('is unknown to everybody but who opened it, who is not disturbed by that', () => {
    const { open, find } = desk();
    const session = open();
    expect(find(session, BOB)).toBeNull();
    expect(find(session)).toBe(session);
  });

  test('is not kept alive by somebody else', () => {
    const { clock, open, find } = desk();
    const session = open();
    clock.advance(HOUR - 1);
    find(session, BOB);
    clock.advance(2);
    expect(find(session)).toBeNull();
  });

  test('lives as long as it is used, and dies when left alone (contract G14)', () => {
    const { clock, open, find } = desk({ ttlMs: 2_000 });
    const session = open();
    for (let n = 0; n < 5; n++) {
      clock.advance(1_900);
      expect(find(session)).toBe(session);
    }
    clock.advance(3_000);
    expect(find(session)).toBeNull();
  });

  test('that expired leaves the table without anybody asking', () => {
    const { clock, table, open, ended } = desk({ ttlMs: 2_000 });
    const session = open();
    clock.advance(3_000);
    expect([table.size(), ended, session.ended]).toEqual([0, [session], true]);
  });

  test('does not expire while something of it is under way', () => {
    const { clock, open, find } = desk({ ttlMs: 2_000 });
    const session = open();
    session.uses++;
    clock.advance(100_000);
    expect(find(session)).toBe(session);
  });

  test('has its whole time again when the last thing under way is done, however long that took', () => {
    const { clock, open, find } = desk({ ttlMs: 60_000 });
    const session = open();
    session.uses++;
    clock.advance(600_000);
    session.uses--;
    clock.advance(30_000);
    expect(find(session)).toBe(session);
  });

  test('ends once', () => {
    const { table, open, ended, find } = desk();
    const session = open();
    table.end(session, 'done');
    table.end(session, 'again');
    expect([ended.length, find(session)]).toEqual([1, null]);
  });
});

describe('a full table', () => {
  test('makes room by ending who was not seen for five minutes, the oldest first, and no more than needed', () => {
    const { clock, open, ended } = desk({ maxSessions: 3 });
    const [first] = [open(), open()];
    clock.advance(6 * 60_000);
    open();
    open();
    expect(ended).toEqual([first]);
  });

  test('ends nobody in use: the newcomer is turned away', () => {
    const { clock, table, open } = desk({ maxSessions: 2 });
    open().uses++;
    open();
    clock.advance(4 * 60_000);
    expect(table.open(BOB, EVERYTHING, '2025-11-25')).toBeNull();
    expect(table.size()).toBe(2);
  });
});

test('stop ends all and leaves no timer', () => {
  const { clock, table, open, ended } = desk();
  open();
  open();
  table.stop();
  expect([ended.length, table.size(), clock.pending()]).toEqual([2, 0, 0]);
});

test('a caller may have so many sessions and no more, until one of its own ends', () => {
  const limiter = createLimiter({
    store: {
      take() {
        throw new Error('nothing is counted by time');
      },
    },
    rules: { ...UNLIMITED, sessionsPerCaller: 2 },
  });
  const { open, table } = desk({ limiter });
  const alice = { ...LOCAL_CALLER, subject: 'alice', method: 'jwt' } as const;
  const first = open(alice);
  open(alice);
  expect(table.open(alice, EVERYTHING, '2025-11-25')).toMatchObject({ kind: 'limited', scope: 'session', limit: 2 });
  open({ ...alice, subject: 'bob' });
  table.end(first, 'done');
  table.end(first, 'twice');
  open(alice);
  expect(table.open(alice, EVERYTHING, '2025-11-25')).toMatchObject({ kind: 'limited' });
});
