import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Secret } from '../../../src/domain/secret.ts';
import { createSealer } from '../../../src/outbound/vault/sealer.ts';
import { openVault, type VaultPlace } from '../../../src/outbound/vault/vault.ts';
import { changeKeyFile } from '../../../src/outbound/vault/vault-keys.ts';
import type { Sealer } from '../../../src/ports/vault.ts';

let folder: string;
let place: VaultPlace;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-sealer-'));
  place = { path: join(folder, 'vault.json'), keyPath: join(folder, 'vault.key'), keys: null, mayMakeKey: true };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const toSecret = (text: string) => new Secret(text);
const open = (sealer: Sealer, record: string, field: string, sealed: string) => {
  const found = sealer.open(record, field, sealed);
  return found.kind === 'secret' ? found.secret.reveal() : found.kind;
};

test('what was sealed is there again after a restart, for its record and field alone', () => {
  const sealed = createSealer(place).seal('server-1', 'credential', new Secret('tök"en\0'));
  const again = createSealer(place);
  expect(sealed).toMatch(/^[A-Za-z0-9._-]+$/);
  expect(open(again, 'server-1', 'credential', sealed)).toBe('tök"en\0');
  for (const [record, field] of [
    ['server-2', 'credential'],
    ['server-1', 'header:x'],
    ['server-1","credential', ''],
  ] as const)
    expect(open(again, record, field, sealed)).toBe('unreadable');
});

test('two rows swapped in a database are unreadable, and a dump of it holds no secret', () => {
  const sealer = createSealer(place);
  const canaries = Array.from({ length: 8 }, (_, i) => `canary-${i}-${randomBytes(9).toString('hex')}`);
  const database = new Database(join(folder, 'registry.db'));
  database.exec('create table servers (id text primary key, credential text)');
  const insert = database.prepare('insert into servers values (?, ?)');
  canaries.forEach((canary, i) => void insert.run(`s${i}`, sealer.seal(`s${i}`, 'credential', new Secret(canary))));
  const of = (id: string) =>
    database.prepare<[string], { credential: string }>('select credential from servers where id = ?').get(id)
      ?.credential ?? '';
  expect(canaries.map((_, i) => open(sealer, `s${i}`, 'credential', of(`s${i}`)))).toEqual(canaries);
  const dump = database.serialize().toString('latin1');
  for (const canary of canaries) {
    expect(dump).not.toContain(canary);
    expect(dump).not.toContain(Buffer.from(canary).toString('base64url').slice(2, -4));
  }
  const [a, b] = [of('s0'), of('s1')];
  const update = database.prepare('update servers set credential = ? where id = ?');
  update.run(b, 's0');
  update.run(a, 's1');
  expect([open(sealer, 's0', 'credential', of('s0')), open(sealer, 's1', 'credential', of('s1'))]).toEqual([
    'unreadable',
    'unreadable',
  ]);
  database.close();
});

test.each([
  { spoil: () => '', because: 'nothing' },
  { spoil: () => 'plain text', because: 'text that was never sealed' },
  { spoil: (sealed: string) => sealed.slice(0, -4), because: 'cut short' },
  { spoil: (sealed: string) => sealed.replace(/^v1/, 'v2'), because: 'of another version' },
  {
    spoil: (sealed: string) => sealed.replace(/^(v1\..{16}\..{30})(.)/, (_, a, b) => a + (b === 'A' ? 'B' : 'A')),
    because: 'changed in one place',
  },
])('$because is unreadable', ({ spoil }) => {
  const sealer = createSealer(place);
  const sealed = sealer.seal('r', 'f', new Secret('x'.repeat(40)));
  expect(spoil(sealed)).not.toBe(sealed);
  expect(open(sealer, 'r', 'f', spoil(sealed))).toBe('unreadable');
});

test('a key renewed by another process is used at once; what the older one sealed opens until that is given up', () => {
  const sealer = createSealer(place);
  const old = sealer.seal('r', 'f', new Secret('kept'));
  expect(sealer.renew('r', 'f', old)).toBeNull();
  changeKeyFile(place.keyPath, 'renew', toSecret);
  expect(open(sealer, 'r', 'f', old)).toBe('kept');
  const renewed = sealer.renew('r', 'f', old) ?? '';
  expect(renewed.split('.')[1]).not.toBe(old.split('.')[1]);
  const opened = openVault(place, () => 0);
  if (opened.ok) opened.vault.renewKey();
  changeKeyFile(place.keyPath, 'newest-alone', toSecret);
  expect([open(sealer, 'r', 'f', old), open(sealer, 'r', 'f', renewed)]).toEqual(['unreadable', 'kept']);
});

test('a wrong key is found out at the next start, although the vault holds nothing else', () => {
  createSealer(place).seal('r', 'f', new Secret('x'));
  const wrong = { ...place, keys: new Secret(randomBytes(32).toString('hex')) };
  expect(openVault(wrong, () => 0)).toEqual({ ok: false, reason: 'the key does not open the vault' });
  expect(() => createSealer(wrong).seal('r', 'f', new Secret('x'))).toThrow('the key does not open the vault');
});

test('opening makes no key, and without one nothing is sealed', () => {
  expect(open(createSealer(place), 'r', 'f', `v1.${'0'.repeat(16)}.${'A'.repeat(60)}`)).toBe('unreadable');
  expect(readdirSync(folder)).toEqual([]);
  writeFileSync(place.keyPath, 'no key', { mode: 0o600 });
  expect(() => createSealer(place).seal('r', 'f', new Secret('x'))).toThrow('32 bytes');
});
