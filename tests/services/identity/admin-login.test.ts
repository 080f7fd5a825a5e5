import { beforeEach, describe, expect, test } from 'vitest';
import type { CallRecord } from '../../../src/domain/call.ts';
import { Secret } from '../../../src/domain/secret.ts';
import type { LogFields } from '../../../src/ports/log.ts';
import { type AdminLogin, createAdminLogin } from '../../../src/services/identity/admin-login.ts';
import { createFrozenClock, type FrozenClock } from '../../support/frozen-clock.ts';
import { createKeptBook, type KeptBook } from '../../support/quiet-house.ts';

const PASSWORD = 'correct horse battery staple';
const HERE = '10.0.0.1';
let clock: FrozenClock;
let lines: LogFields[];
let recorded: CallRecord[];
let book: KeptBook;
let admin: AdminLogin;

beforeEach(() => {
  clock = createFrozenClock();
  lines = [];
  recorded = [];
  book = createKeptBook();
  const line = (_: string, fields?: LogFields) => void lines.push(fields ?? {});
  const log = { debug: line, info: line, warn: line, error: line, with: () => log };
  const recorder = { record: (record: CallRecord) => void recorded.push({ ...record }) };
  admin = createAdminLogin({
    ...{ user: new Secret('root'), password: new Secret(PASSWORD), groups: ['registry-admins'] },
    ...{ ttlMs: 8 * 3_600_000, clock, log, recorder, audit: book },
  });
});

const from = (address: string) => ({ id: 'r1', address });

async function enter() {
  const result = await admin.login('root', PASSWORD, from(HERE));
  if (result.kind !== 'session') throw new Error(result.kind);
  return result;
}

test('opens a session under 256 random bits for as long as it was told', async () => {
  const { cookie, who } = await enter();
  expect(Buffer.from(cookie, 'base64url')).toHaveLength(32);
  expect((await enter()).cookie).not.toBe(cookie);
  expect(who).toMatchObject({ subject: 'login:root', method: 'login', groups: new Set(['registry-admins']) });
  clock.advance(8 * 3_600_000 - 1);
  expect(admin.find(cookie)?.who).toBe(who);
  expect(admin.stands(who)).toBe(true);
  clock.advance(1);
  expect([admin.find(cookie), admin.stands(who)]).toEqual([null, false]);
});

test('gives each session a token of its own for its pages', async () => {
  const [one, other] = [await enter(), await enter()].map(({ cookie }) => admin.find(cookie)?.csrf.reveal());
  expect(Buffer.from(one ?? '', 'base64url')).toHaveLength(32);
  expect(other).not.toBe(one);
});

test('an ended session is nobody, and a made-up one was never anybody', async () => {
  const { cookie, who } = await enter();
  const ends = [await admin.logout(cookie, from(HERE)), await admin.logout(cookie, from(HERE))];
  expect([...ends, admin.find(cookie), admin.find(''), admin.stands(who)]).toEqual([true, false, null, null, false]);
});

test.each([
  ['root', ''],
  ['root', `${PASSWORD} `],
  ['Root', PASSWORD],
  ['', PASSWORD],
  [PASSWORD, 'root'],
  ['root', 'x'.repeat(1_000_000)],
])('does not let in %.10s with %.10s', async (user, password) => {
  expect(await admin.login(user, password, from(HERE))).toEqual({ kind: 'wrong' });
});

describe('guessing', () => {
  test('is stopped after five failures of one origin for the rest of the minute, the right password too', async () => {
    for (let i = 0; i < 5; i++) expect((await admin.login('root', `${i}`, from('10.0.0.7'))).kind).toBe('wrong');
    expect(await admin.login('root', PASSWORD, from('10.0.0.7'))).toEqual({ kind: 'too_many', retryAfterMs: 60_000 });
    expect((await admin.login('root', PASSWORD, from('10.0.0.8'))).kind).toBe('session');
    clock.advance(60_000);
    expect((await admin.login('root', PASSWORD, from('10.0.0.7'))).kind).toBe('session');
  });

  test('is stopped as soon when all of it comes at once', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => admin.login('root', 'x', from(HERE))));
    expect(all.filter(({ kind }) => kind === 'wrong')).toHaveLength(5);
  });

  test('from one network of IPv6 is from one origin, however many addresses it has', async () => {
    for (let i = 0; i < 5; i++) await admin.login('root', 'x', from(`2001:db8:0:1::${i}`));
    expect((await admin.login('root', PASSWORD, from('2001:db8:0:1:9::9'))).kind).toBe('too_many');
    expect((await admin.login('root', PASSWORD, from('2001:db8:0:2::1'))).kind).toBe('session');
  });

  test('from many origins is stopped after fifty', async () => {
    for (let i = 0; i < 50; i++) await admin.login('root', 'x', from(`10.0.1.${i}`));
    expect((await admin.login('root', PASSWORD, from('10.0.2.1'))).kind).toBe('too_many');
  });
});

test('of too many sessions the oldest gives way', async () => {
  const first = (await enter()).cookie;
  for (let i = 0; i < 999; i++) await enter();
  expect(admin.find(first)).not.toBeNull();
  await enter();
  expect(admin.find(first)).toBeNull();
});

describe('in the book and in the log', () => {
  test('login, failure and logout are said with a name, and nothing secret is', async () => {
    await admin.logout((await enter()).cookie, from(HERE));
    await admin.login(PASSWORD, 'root', from(HERE));
    await admin.login('root', 'wrong-guess', from(HERE));
    expect(lines).toEqual([
      { event: 'login', username: 'root', from: HERE },
      { event: 'logout', username: 'root' },
      { event: 'login_failed', username: '(unknown)', from: HERE },
      { event: 'login_failed', username: 'root', from: HERE },
    ]);
    const told = book.lines.map(({ operation, subject, outcome, code, metadata }) => [
      ...[operation, subject, outcome, code, metadata?.username],
    ]);
    expect(told).toEqual([
      ['login', 'login:root', 'ok', null, 'root'],
      ['logout', 'login:root', 'ok', null, 'root'],
      ['login', null, 'refused', 'UNAUTHENTICATED', '(unknown)'],
      ['login', null, 'refused', 'UNAUTHENTICATED', 'root'],
    ]);
    expect(recorded.map(({ operation }) => operation)).toEqual(['login', 'logout', 'login', 'login']);
    expect(JSON.stringify([book.lines, book.intents, recorded, lines])).not.toMatch(/correct horse|wrong-guess/);
  });

  test('what cannot be written is no login', async () => {
    book.isFull = true;
    expect(await admin.login('root', PASSWORD, from(HERE))).toEqual({ kind: 'unrecordable' });
    expect(recorded).toMatchObject([{ outcome: 'refused', code: 'AUDIT_UNAVAILABLE' }]);
  });
});
