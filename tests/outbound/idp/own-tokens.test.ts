/** Keys, tokens and revocations of our own on the disk: what survives, what is refused, what two processes see. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Identity } from '../../../src/domain/identity.ts';
import type { Revocation, VendedClaims } from '../../../src/domain/vended.ts';
import { type OwnKeys, openOwnKeys, rotateOwnKeys } from '../../../src/outbound/idp/own-keys.ts';
import { createOwnTokens } from '../../../src/outbound/idp/own-tokens.ts';
import { createRevocationFile } from '../../../src/outbound/idp/revocation-file.ts';
import { refusal } from '../../../src/ports/token-verifier.ts';
import { digestOf } from '../../../src/services/identity/bearer.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';

const DAY_MS = 86_400_000;
let folder: string;
let clock: ReturnType<typeof createFrozenClock>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-own-'));
  clock = createFrozenClock();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = () => join(folder, 'deep', 'token-keys.json');

function open(before: OwnKeys | null = null): OwnKeys {
  const found = openOwnKeys(path(), clock.wallMs(), before);
  if (!found.ok) throw new Error(found.reason);
  return found.keys;
}

const claims = (more: Partial<VendedClaims> = {}): VendedClaims => {
  const iat = Math.floor(clock.wallMs() / 1000);
  return {
    ...{ sub: 'key:ci', scope: 'a b', groups: ['team'], iat, exp: iat + 3600, jti: 'j1', token_use: 'access' },
    ...{ client_id: 'user-generated', token_type: 'user_generated', token_kind: 'user', own_scope: 'a' },
    ...{ parent_method: 'api-key', parent: 'mark' },
    ...more,
  };
};

function tokensOf(keys: () => OwnKeys | null, publicUrl: string | null = null) {
  let basis: unknown = 1;
  const admitted: Identity[] = [];
  const tokens = createOwnTokens({
    keys,
    publicUrl,
    clock,
    basis: () => basis,
    admit(who) {
      admitted.push(who);
      return who.subject === 'gone' ? refusal('revoked') : who;
    },
  });
  return {
    ...tokens,
    admitted,
    change: (next: unknown) => {
      basis = next;
    },
    check: async (token: string) => tokens.verify(token, digestOf(token)),
  };
}

describe('keys', () => {
  test('are made once, for their owner alone, and are the same for whoever comes second', () => {
    const [first, second] = [open(), open()];
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(second.signing.id).toBe(first.signing.id);
    expect(second.mark(['a'])).toBe(first.mark(['a']));
    expect(first.mark(['a', 'b'])).not.toBe(first.mark(['ab']));
  });

  test.each([
    { wrong: () => chmodSync(path(), 0o644), because: 'others can read them' },
    { wrong: () => writeFileSync(path(), '{"keys":'), because: 'it is cut off' },
    {
      wrong: () => writeFileSync(path(), readFileSync(path(), 'utf8').replace('"P-256"', '"P-384"')),
      because: 'forged',
    },
    {
      wrong: () => {
        rmSync(path());
        symlinkSync('/dev/null', path());
      },
      because: 'it is a link',
    },
  ])('are not used, and not replaced, where $because', ({ wrong }) => {
    open();
    wrong();
    expect(openOwnKeys(path(), clock.wallMs())).toMatchObject({ ok: false });
    expect(openOwnKeys(path(), clock.wallMs())).toMatchObject({ ok: false });
  });

  test('that were changed sign anew at once, and verify what they signed for as long as it may live', async () => {
    let keys = open();
    const tokens = tokensOf(() => keys);
    const old = await tokens.sign(claims());
    expect(await tokens.check(old)).toMatchObject({ subject: 'key:ci' });
    rotateOwnKeys(path(), clock.wallMs(), DAY_MS);
    keys = open(keys);
    const fresh = await tokens.sign(claims());
    expect(await tokens.check(old)).toMatchObject({ subject: 'key:ci' });
    expect(await tokens.check(fresh)).toMatchObject({ subject: 'key:ci' });
    const { keys: published } = keys.published() as { keys: object[] };
    expect(published).toHaveLength(2);
    expect(JSON.stringify(published)).not.toContain('"d"');
    expect(readFileSync(path(), 'utf8').match(/"d":/g)).toHaveLength(1);
    clock.advance(DAY_MS);
    keys = open(keys);
    expect(keys.published()).toMatchObject({ keys: [{ kid: keys.signing.id }] });
  });

  test('that were stolen and thrown away take what they signed with them, verified before or not', async () => {
    let keys = open();
    const tokens = tokensOf(() => keys);
    const [seen, unseen] = [await tokens.sign(claims()), await tokens.sign(claims({ jti: 'j2' }))];
    await tokens.check(seen);
    rotateOwnKeys(path(), clock.wallMs(), 0);
    keys = open(keys);
    for (const token of [seen, unseen]) expect(await tokens.check(token)).toMatchObject({ kind: 'refusal' });
  });
});

describe('tokens', () => {
  test('of another gateway are strangers here, and so is whatever does not begin like ours', async () => {
    const ours = tokensOf(() => keys);
    const keys = open();
    const other = openOwnKeys(join(folder, 'other.json'), clock.wallMs());
    if (!other.ok) throw new Error(other.reason);
    const theirs = tokensOf(() => other.keys);
    expect(await ours.check(await theirs.sign(claims()))).toMatchObject({ reason: 'issuer' });
    expect(ours.verify('eyJhbGciOiJFUzI1NiJ9.e30.x', 'd')).toMatchObject({ reason: 'form' });
    const named = tokensOf(() => other.keys, 'https://gw.example.test');
    const same = tokensOf(() => keys, 'https://gw.example.test');
    expect(await same.check(await named.sign(claims()))).toMatchObject({ reason: 'kid' });
  });

  test('for one server are bound to it, and their recipient says so too', async () => {
    const keys = open();
    const tokens = tokensOf(() => keys);
    const token = await tokens.sign(claims({ token_kind: 'resource', resource_type: 'server', resource_id: 'alpha' }));
    expect(await tokens.check(token)).toMatchObject({ boundServer: 'alpha', method: 'vended' });
    const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(payload.aud).toBe(`urn:gatehouse:${keys.instance}:vended:server:alpha`);
    // Signed by us, and still not what we give out.
    const odd = await tokens.sign(claims({ token_kind: 'user', resource_type: 'server', resource_id: 'alpha' }));
    expect(await tokens.check(odd)).toMatchObject({ reason: 'audience' });
  });

  test('are asked about once, again when anything changed, and never beyond their end', async () => {
    const keys = open();
    const tokens = tokensOf(() => keys);
    const token = await tokens.sign(claims());
    const digest = digestOf(token);
    await tokens.verify(token, digest);
    expect(tokens.verify(token, digest)).toMatchObject({ kind: 'identity' });
    expect(tokens.admitted).toHaveLength(1);
    tokens.change(2);
    await tokens.verify(token, digest);
    expect(tokens.admitted).toHaveLength(2);
    clock.advance(3600_000);
    expect(await tokens.verify(token, digest)).toMatchObject({ reason: 'expired' });
    expect(await tokens.check(await tokens.sign(claims({ sub: 'gone' })))).toMatchObject({ reason: 'revoked' });
  });

  test('are neither signed nor believed without keys', async () => {
    const keys = open();
    const token = await tokensOf(() => keys).sign(claims());
    const none = tokensOf(() => null);
    expect(none.isReady()).toBe(false);
    expect(await none.check(token)).toMatchObject({ reason: 'keys' });
    await expect(none.sign(claims())).rejects.toThrow('no keys');
  });
});

describe('what was revoked', () => {
  const file = () => join(folder, 'token-revocations.json');
  const shelf = () => createRevocationFile({ path: file(), nowMs: () => clock.wallMs(), markOf: who => who.tokenId });
  const entry = (kind: Revocation['kind'], key: string): Revocation => ({
    ...{ kind, key, atMs: clock.wallMs(), untilMs: clock.wallMs() + DAY_MS },
  });
  const holder = (more: Partial<Identity> = {}): Identity => ({
    ...{ kind: 'identity', subject: 'key:ci', issuer: null, name: null, client: null, agent: null },
    ...{ agentVerified: false, method: 'vended', scopes: new Set(), groups: new Set(), tokenId: 'j1' },
    ...{ expiresAtMs: Number.POSITIVE_INFINITY, boundServer: null },
    lineage: { method: 'api-key', parent: 'mark', atMs: clock.wallMs() },
    ...more,
  });

  test.each([
    { by: entry0('token', 'j1'), hits: [true, false, false], because: 'one token' },
    { by: entry0('parent', 'mark'), hits: [true, true, false], because: 'all of a parent' },
    { by: entry0('subject', 'key:ci'), hits: [true, true, false], because: 'all of a caller' },
  ])('is $because', ({ by, hits }) => {
    const shut = shelf();
    expect(shut.add(entry(by.kind, by.key))).toBe('kept');
    const others = { subject: 'x', tokenId: 'j3', lineage: { method: 'jwt', parent: 'y', atMs: 0 } } as const;
    expect([holder(), holder({ tokenId: 'j2' }), holder(others)].map(who => shut.isRevoked(who))).toEqual(hits);
  });

  test('of a caller means what it had by then, not what it gets later', () => {
    const shut = shelf();
    shut.add(entry('subject', 'key:ci'));
    clock.advance(1000);
    expect(shut.isRevoked(holder())).toBe(false);
  });

  test('as a parent is refused itself where an issuer signed it', () => {
    const shut = shelf();
    shut.add(entry('parent', 'jti-7'));
    expect(shut.isRevoked(holder({ method: 'jwt', tokenId: 'jti-7' }))).toBe(true);
    expect(shut.isRevoked(holder({ method: 'jwt', tokenId: 'jti-8' }))).toBe(false);
  });

  test('by two processes at once is known to both, whoever wrote last', () => {
    const [one, two] = [shelf(), shelf()];
    one.add(entry('token', 'j1'));
    const before = readFileSync(file(), 'utf8');
    two.add(entry('token', 'j2'));
    // The second had not seen the first: its file came last.
    writeFileSync(file(), before.replaceAll('j1', 'j9'));
    for (const shut of [one, two, one]) expect(shut.sync()).toBeNull();
    for (const shut of [one, two, shelf()]) {
      shut.sync();
      for (const tokenId of ['j1', 'j2', 'j9']) expect(shut.isRevoked(holder({ tokenId }))).toBe(true);
    }
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  test('is forgotten when it is over anyway, and kept through a damaged or missing file', () => {
    const shut = shelf();
    shut.add(entry('token', 'j1'));
    writeFileSync(file(), 'nonsense');
    expect(shut.sync()).toBe('it is damaged');
    expect(shut.isRevoked(holder())).toBe(true);
    expect(shelf().sync()).toBe('it is damaged');
    rmSync(file());
    expect(shut.sync()).toBeNull();
    expect(readFileSync(file(), 'utf8')).toContain('j1');
    clock.advance(DAY_MS);
    shut.add(entry('token', 'j5'));
    expect(readFileSync(file(), 'utf8')).not.toContain('j1');
  });
});

function entry0(kind: Revocation['kind'], key: string) {
  return { kind, key };
}
