import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '../../../src/domain/secret.ts';
import { openVault, type VaultPlace } from '../../../src/outbound/vault/vault.ts';
import { changeKeyFile } from '../../../src/outbound/vault/vault-keys.ts';
import type { Vault, VaultSlot } from '../../../src/ports/vault.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-vault-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);
const placed = (keys: string | null, mayMakeKey = true): VaultPlace => ({
  path: at('vault.json'),
  keyPath: at('vault.key'),
  keys: keys === null ? null : new Secret(keys),
  mayMakeKey,
});
const NOON = Date.parse('2026-01-01T12:00:00Z');
const open = (keys: string | null = null) => openVault(placed(keys), () => NOON);
function opened(keys: string | null = null): Vault {
  const result = open(keys);
  if (!result.ok) throw new Error(result.reason);
  return result.vault;
}
const slot = (owner: string, server = 'git', field = 'credential'): VaultSlot => ({ owner, server, field });
const textOf = (vault: Vault, where: VaultSlot) => {
  const found = vault.find(where);
  return found.kind === 'secret' ? found.secret.reveal() : found.kind;
};
const newKey = () => randomBytes(32).toString('base64');
const modeOf = (name: string) => (statSync(at(name)).mode & 0o777).toString(8);
interface Stored {
  check: { key: string; sealed: string };
  rows: { owner: string; server: string; field: string; key: string; sealed: string }[];
}
const stored = (): Stored => JSON.parse(readFileSync(at('vault.json'), 'utf8')) as Stored;
const store = (content: unknown) =>
  writeFileSync(at('vault.json'), typeof content === 'string' ? content : JSON.stringify(content));

describe('a secret', () => {
  test('is there again after a restart, for its owner, server and field alone', () => {
    const first = opened();
    first.put(slot('alice'), new Secret('tök"en\n\0'));
    first.put(slot('alice', 'git', 'refresh-token'), new Secret('other'));
    const again = opened();
    expect(textOf(again, slot('alice'))).toBe('tök"en\n\0');
    expect(textOf(again, slot('alice', 'git', 'refresh-token'))).toBe('other');
    for (const other of [slot('bob'), slot('alice', 'mail'), slot('alice', 'git', 'x'), slot('', 'alice', 'git')])
      expect(textOf(again, other)).toBe('none');
  });

  test('is replaced, removed, and removed with its server', () => {
    const vault = opened();
    vault.put(slot('alice'), new Secret('one'));
    vault.put(slot('alice'), new Secret('two'));
    vault.put(slot('bob'), new Secret('b'));
    vault.put(slot('bob', 'mail'), new Secret('m'));
    expect(textOf(vault, slot('alice'))).toBe('two');
    expect([vault.remove(slot('alice')), vault.remove(slot('alice'))]).toEqual([true, false]);
    expect([vault.removeServer('git'), vault.removeServer('git')]).toEqual([1, 0]);
    expect([textOf(opened(), slot('bob')), textOf(opened(), slot('bob', 'mail'))]).toEqual(['none', 'm']);
  });

  test('leaves no trace in clear text, and no two seals of it are alike', () => {
    const vault = opened();
    const canaries = Array.from({ length: 12 }, (_, i) => `canary-${i}-${randomBytes(12).toString('hex')}`);
    canaries.forEach((canary, i) => void vault.put(slot(`owner-${i}`), new Secret(canary)));
    const everything = readdirSync(folder)
      .map(name => readFileSync(at(name), 'latin1'))
      .join();
    const spellings = (text: string) => [text, Buffer.from(text).toString('base64').replace(/=+$/, '').slice(2, -4)];
    for (const canary of canaries) for (const form of spellings(canary)) expect(everything).not.toContain(form);

    for (let i = 0; i < 20; i++) vault.put(slot(`same-${i}`), new Secret('same'));
    const seals = stored().rows.map(({ sealed }) => sealed.slice(0, 16));
    expect(new Set(seals).size).toBe(seals.length);
  });

  test('is listed with its date for its owner, and without what it says', () => {
    const vault = opened();
    for (const [owner, server] of [
      ['gateway', 'b'],
      ['alice', 'a'],
      ['gateway', 'a'],
    ] as const)
      vault.put(slot(owner, server), new Secret('x'));
    expect(opened().list('gateway')).toEqual([
      { slot: slot('gateway', 'a'), changedMs: NOON },
      { slot: slot('gateway', 'b'), changedMs: NOON },
    ]);
  });

  test('is refused when it is too long, and what was there stays', () => {
    const vault = opened();
    vault.put(slot('a'), new Secret('kept'));
    expect(() => vault.put(slot('a'), new Secret('x'.repeat(65 * 1024)))).toThrow(RangeError);
    expect(textOf(opened(), slot('a'))).toBe('kept');
  });
});

describe('a file that somebody changed', () => {
  beforeEach(() => {
    const vault = opened();
    for (const owner of ['alice', 'bob']) vault.put(slot(owner), new Secret(`of ${owner}`));
  });

  test('with two rows swapped yields neither secret, not the other’s', () => {
    const file = stored();
    const [a, b] = file.rows;
    if (a === undefined || b === undefined) throw new Error('two rows');
    [a.sealed, b.sealed] = [b.sealed, a.sealed];
    store(file);
    expect([textOf(opened(), slot('alice')), textOf(opened(), slot('bob'))]).toEqual(['unreadable', 'unreadable']);
  });

  test.each(['owner', 'server', 'field'] as const)('with a row given another %s yields nothing there', member => {
    const file = stored();
    Object.assign(file.rows[0] ?? {}, { [member]: 'mallory' });
    store(file);
    expect(textOf(opened(), { ...slot('alice'), [member]: 'mallory' })).toBe('unreadable');
    expect(textOf(opened(), slot('alice'))).toBe('none');
    expect(textOf(opened(), slot('bob'))).toBe('of bob');
  });

  test('with a bit flipped yields nothing', () => {
    const file = stored();
    const row = file.rows[0];
    if (row === undefined) throw new Error('a row');
    const bytes = Buffer.from(row.sealed, 'base64');
    bytes[14] = (bytes[14] ?? 0) ^ 1;
    row.sealed = bytes.toString('base64');
    store(file);
    expect(textOf(opened(), slot('alice'))).toBe('unreadable');
  });

  test.each([
    { content: '', because: 'empty' },
    { content: '{"version":1', because: 'cut off' },
    { content: '[]', because: 'something else' },
    { content: '{"version":2,"check":{"key":"","sealed":""},"rows":[]}', because: 'of another version' },
  ])('is refused when it is $because, and left as it is', ({ content }) => {
    store(content);
    expect(open()).toEqual({ ok: false, reason: 'the vault is damaged' });
    expect(readFileSync(at('vault.json'), 'utf8')).toBe(content);
  });

  test('is refused when a secret stands there twice', () => {
    const file = stored();
    store({ ...file, rows: [...file.rows, ...file.rows] });
    expect(open()).toMatchObject({ ok: false });
  });
});

describe('a key', () => {
  test('that is wrong refuses the start, says nothing of either key, and harms nothing', () => {
    const [right, wrong] = [newKey(), newKey()];
    opened(right).put(slot('a'), new Secret('kept'));
    const before = readFileSync(at('vault.json'), 'utf8');
    expect(open(wrong)).toEqual({ ok: false, reason: 'the key does not open the vault' });
    expect(readFileSync(at('vault.json'), 'utf8')).toBe(before);
    expect(textOf(opened(right), slot('a'))).toBe('kept');
  });

  test('that is wrong is found out although the vault holds no secret any more', () => {
    const vault = opened(newKey());
    vault.put(slot('a'), new Secret('x'));
    vault.remove(slot('a'));
    expect(open(newKey())).toMatchObject({ ok: false });
  });

  test('can be replaced: the older one still opens what it sealed, until everything was sealed anew', () => {
    const [old, next] = [newKey(), newKey()];
    opened(old).put(slot('a'), new Secret('of old'));
    const both = opened(`${next},${old}`);
    both.put(slot('b'), new Secret('of new'));
    expect([textOf(both, slot('a')), textOf(both, slot('b'))]).toEqual(['of old', 'of new']);
    expect(textOf(opened(next), slot('a'))).toBe('unreadable');
    expect(both.renewKey()).toEqual({ renewed: 1, unreadable: 0 });
    expect([textOf(opened(next), slot('a')), textOf(opened(next), slot('b'))]).toEqual(['of old', 'of new']);
    expect(open(old)).toMatchObject({ ok: false });
  });

  test.each(['x'.repeat(43), Buffer.alloc(32, 1).toString('hex'), Buffer.alloc(32, 1).toString('base64url')])(
    'may be written as base64 or hexadecimal: %s',
    key => {
      expect(open(key)).toMatchObject({ ok: true });
    },
  );

  test.each(['', ' ', 'correct horse battery staple', 'abc', 'x'.repeat(44), `${'ab'.repeat(31)}a`, 'é'.repeat(43)])(
    'that is none is refused: %j',
    key => expect(open(key)).toMatchObject({ ok: false }),
  );

  test('of nobody’s is made once, for its owner alone', () => {
    opened().put(slot('a'), new Secret('x'));
    expect([modeOf('vault.key'), modeOf('vault.json')]).toEqual(['600', '600']);
    const key = readFileSync(at('vault.key'), 'utf8');
    expect(textOf(opened(), slot('a'))).toBe('x');
    expect(readFileSync(at('vault.key'), 'utf8')).toBe(key);
  });

  test('that was lost is not made anew over a vault it should open', () => {
    opened().put(slot('a'), new Secret('x'));
    rmSync(at('vault.key'));
    expect(open()).toMatchObject({ ok: false });
    expect(existsSync(at('vault.key'))).toBe(false);
  });

  test('of a file that somebody names is not made for them', () => {
    expect(openVault(placed(null, false), () => NOON)).toMatchObject({ ok: false });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('in the key file is renewed in front of the older ones, which open until they are given up', () => {
    opened().put(slot('a'), new Secret('x'));
    const toSecret = (text: string) => new Secret(text);
    expect(changeKeyFile(at('vault.key'), 'renew', toSecret)).toMatchObject({ ok: true });
    expect(modeOf('vault.key')).toBe('600');
    expect(textOf(opened(), slot('a'))).toBe('x');
    expect(opened().renewKey()).toEqual({ renewed: 1, unreadable: 0 });
    expect(changeKeyFile(at('vault.key'), 'newest-alone', toSecret)).toMatchObject({ ok: true });
    expect(readFileSync(at('vault.key'), 'utf8').trim().split('\n')).toHaveLength(1);
    expect(textOf(opened(), slot('a'))).toBe('x');
  });

  test('is not renewed beyond what the key file may hold', () => {
    const toSecret = (text: string) => new Secret(text);
    opened().put(slot('a'), new Secret('x'));
    for (let i = 1; i < 16; i++) changeKeyFile(at('vault.key'), 'renew', toSecret);
    expect(changeKeyFile(at('vault.key'), 'renew', toSecret)).toMatchObject({ ok: false });
    expect(textOf(opened(), slot('a'))).toBe('x');
  });

  test.each([
    { because: 'others may read it', spoil: () => chmodSync(at('vault.key'), 0o640) },
    {
      because: 'it is a link',
      spoil: () => {
        writeFileSync(at('elsewhere'), readFileSync(at('vault.key')), { mode: 0o600 });
        rmSync(at('vault.key'));
        symlinkSync(at('elsewhere'), at('vault.key'));
      },
    },
    {
      because: 'it is a folder',
      spoil: () => {
        rmSync(at('vault.key'));
        mkdirSync(at('vault.key'));
      },
    },
  ])('file is refused when $because', ({ spoil }) => {
    opened().put(slot('a'), new Secret('x'));
    spoil();
    expect(open()).toMatchObject({ ok: false });
  });
});

test('a write that fails leaves the vault as it was, in memory and on disk', () => {
  const vault = opened();
  vault.put(slot('a'), new Secret('kept'));
  const path = at('vault.json');
  // The rename has nowhere to go: a folder that is not empty stands in its place.
  const before = readFileSync(path, 'utf8');
  rmSync(path);
  mkdirSync(join(path, 'x'), { recursive: true });
  expect(() => vault.put(slot('a'), new Secret('lost'))).toThrow();
  expect(textOf(vault, slot('a'))).toBe('kept');
  expect(readdirSync(folder).sort()).toEqual(['vault.json', 'vault.key']);
  rmSync(path, { recursive: true });
  writeFileSync(path, before);
  expect(textOf(opened(), slot('a'))).toBe('kept');
});
