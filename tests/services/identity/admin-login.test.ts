import { beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '../../../src/domain/secret.ts';
import type { LogFields } from '../../../src/ports/log.ts';
import { type AdminLogin, createAdminLogin } from '../../../src/services/identity/admin-login.ts';
import { createFrozenClock, type FrozenClock } from '../../support/frozen-clock.ts';

const PASSWORD = 'correct horse battery staple';
let clock: FrozenClock;
let lines: LogFields[];
let admin: AdminLogin;

beforeEach(() => {
  clock = createFrozenClock();
  lines = [];
  const line = (_: string, fields?: LogFields) => void lines.push(fields ?? {});
  const log = { debug: line, info: line, warn: line, error: line, with: () => log };
  admin = createAdminLogin({
    ...{ user: new Secret('root'), password: new Secret(PASSWORD), groups: ['registry-admins'], clock, log },
  });
});

const enter = () => {
  const result = admin.login('root', PASSWORD, '10.0.0.1');
  if (result.kind !== 'session') throw new Error(result.kind);
  return result;
};

test('opens a session under 256 random bits for eight hours', () => {
  const { cookie, who } = enter();
  expect(Buffer.from(cookie, 'base64url')).toHaveLength(32);
  expect(enter().cookie).not.toBe(cookie);
  expect(who).toMatchObject({ subject: 'login:root', method: 'login', groups: new Set(['registry-admins']) });
  clock.advance(8 * 3_600_000 - 1);
  expect(admin.find(cookie)).toBe(who);
  clock.advance(1);
  expect(admin.find(cookie)).toBeNull();
});

test('an ended session is nobody, and a made-up one was never anybody', () => {
  const { cookie } = enter();
  expect([admin.logout(cookie), admin.logout(cookie), admin.find(cookie), admin.find('')]).toEqual([
    ...[true, false, null, null],
  ]);
});

test.each([
  ['root', ''],
  ['root', `${PASSWORD} `],
  ['Root', PASSWORD],
  ['', PASSWORD],
  [PASSWORD, 'root'],
  ['root', 'x'.repeat(1_000_000)],
])('does not let in %.10s with %.10s', (user, password) => {
  expect(admin.login(user, password, '10.0.0.1')).toEqual({ kind: 'wrong' });
});

describe('guessing', () => {
  test('is stopped after five failures of one origin for the rest of the minute, the right password too', () => {
    for (let i = 0; i < 5; i++) expect(admin.login('root', `${i}`, 'a').kind).toBe('wrong');
    expect(admin.login('root', PASSWORD, 'a')).toEqual({ kind: 'too_many', retryAfterMs: 60_000 });
    expect(admin.login('root', PASSWORD, 'b').kind).toBe('session');
    clock.advance(60_000);
    expect(admin.login('root', PASSWORD, 'a').kind).toBe('session');
  });

  test('from many origins is stopped after fifty', () => {
    for (let i = 0; i < 50; i++) admin.login('root', 'x', `${i}`);
    expect(admin.login('root', PASSWORD, 'fresh').kind).toBe('too_many');
  });
});

test('of too many sessions the oldest gives way', () => {
  const first = enter().cookie;
  for (let i = 0; i < 999; i++) enter();
  expect(admin.find(first)).not.toBeNull();
  enter();
  expect(admin.find(first)).toBeNull();
});

test('login, failure and logout are said with a name, and nothing secret is', () => {
  admin.logout(enter().cookie);
  admin.login(PASSWORD, 'root', 'a');
  admin.login('root', 'wrong-guess', 'a');
  expect(lines).toEqual([
    { event: 'login', username: 'root', from: '10.0.0.1' },
    { event: 'logout', username: 'root' },
    { event: 'login_failed', username: '(unknown)', from: 'a' },
    { event: 'login_failed', username: 'root', from: 'a' },
  ]);
});
