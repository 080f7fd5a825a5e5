/**
 * Mutations of a good token. Their names and outcomes are kept beside the repository (`../shared/corpus/security`); without
 * them only the check that every row has a test is left out.
 */

import { existsSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../../src/domain/identity.ts';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { createGuard } from '../../../src/inbound/http/guard.ts';
import { createChallenges } from '../../../src/services/identity/challenge.ts';
import { createCredentialChain, type Shown } from '../../../src/services/identity/identify.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { type Gate, openGate, PUBLIC_URL, SAMPLE_HEADER, sampleClaims } from '../../support/gate-of-issuers.ts';
import { createEcKey, createRsaKey, signToken } from '../../support/token-issuer.ts';
import { makeAttacks } from './attacks.ts';

const ONLY = ['g-1', 'ok-1', 'a0-1'];
const open: Gate[] = [];
const openOne: typeof openGate = async options => {
  const gate = await openGate({ only: ONLY, ...options });
  open.push(gate);
  return gate;
};
afterEach(async () => {
  for (const gate of open.splice(0)) await gate.close();
});

const good = (gate: Gate, more: object = {}, header: object = {}, kid = 'g-1') =>
  signToken(
    { ...SAMPLE_HEADER, ...header },
    { ...sampleClaims(gate.clock.wallMs()), ...more },
    gate.keys.get(kid)?.privateKey ?? createEcKey('none').privateKey,
    'ES256',
  );

const status = (seen: { kind: string; status?: number }) => (seen.kind === 'identity' ? 200 : seen.status);

/** Every mutation behind one verifier, as they would come in one minute. */
describe('a token that somebody changed', async () => {
  const gate = await openGate({ only: ONLY });
  const attacks = makeAttacks(gate);
  afterAll(() => gate.close());

  beforeAll(async () => expect(await gate.verify(good(gate))).toMatchObject({ kind: 'identity' }));

  test.each(Object.entries(attacks))('%s', async (_, { tokens, is }) => {
    for (const token of tokens) {
      const seen = await gate.verify(token);
      expect(is.split('|')).toContain(seen.kind === 'identity' ? 'ok' : seen.reason);
      if (seen.kind === 'refusal') expect(seen.status).toBe(401);
    }
  });

  test('all of that cost two fetches of a key set at most, and none of what a token pointed to', () => {
    expect(gate.server.fetches.get('/g-1')).toBeLessThanOrEqual(2);
    expect([...gate.server.fetches.keys()].filter(path => !ONLY.includes(path.slice(1)))).toEqual([]);
  });

  test('nothing was written into what all objects share', () => {
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('isAdmin');
    expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
  });
});

/** Rows that need a gate of their own, or are about what is in an identity. */
const OWN: Readonly<Record<string, () => Promise<void>>> = {
  'rsa-small': async () => {
    for (const bits of [512, 1024]) {
      const gate = await openOne({ more: { algorithms: ['RS256'] } });
      const small = createRsaKey('g-1', bits);
      gate.server.sets.set('/g-1', [small.jwk]);
      const claims = sampleClaims(gate.clock.wallMs());
      const token = signToken({ ...SAMPLE_HEADER, alg: 'RS256' }, claims, small.privateKey, 'RS256');
      expect(await gate.verify(token)).toMatchObject({ kind: 'refusal', status: 401, reason: 'kid' });
    }
  },
  'kid-missing-many': async () => {
    const gate = await openOne();
    const others = [createEcKey('g-2'), createEcKey('g-3')];
    const token = good(gate, {}, { kid: undefined });
    expect(status(await gate.verify(token))).toBe(200);
    const many = await openOne();
    many.server.sets.set('/g-1', [...(many.server.sets.get('/g-1') ?? []), ...others.map(({ jwk }) => jwk)]);
    expect(await many.verify(token)).toMatchObject({ status: 401, reason: 'kid' });
  },
  'kid-unknown-flood': async () => {
    const gate = await openOne();
    expect(status(await gate.verify(good(gate)))).toBe(200);
    gate.clock.advance(30_000);
    const before = gate.server.total();
    const tokens = Array.from({ length: 1000 }, (_, i) => good(gate, {}, { kid: `strange-${i}` }));
    const seen = await Promise.all(tokens.map(token => gate.verify(token)));
    expect(new Set(seen.map(status))).toEqual(new Set([401]));
    expect(gate.server.total() - before).toBeLessThanOrEqual(1);
  },
  'sub-homoglyph': async () => {
    const gate = await openOne();
    const [alice, lookalike] = await Promise.all(
      ['alice', '\u0430lice'].map(sub => gate.verify(good(gate, { sub })) as Promise<Identity>),
    );
    expect(lookalike?.kind).toBe('identity');
    expect(lookalike?.subject).not.toBe(alice?.subject);
    expect(lookalike?.subject.normalize('NFKC')).not.toBe(alice?.subject);
  },
  proto: async () => {
    const gate = await openOne();
    const payload = JSON.stringify(sampleClaims(gate.clock.wallMs())).replace(
      '{',
      '{"__proto__":{"isAdmin":true,"groups":["admins"]},"constructor":{"prototype":{"isAdmin":true}},',
    );
    const key = gate.keys.get('g-1')?.privateKey;
    if (key === undefined) throw new Error('no key');
    const who = (await gate.verify(signToken(SAMPLE_HEADER, payload, key, 'ES256'))) as Identity;
    expect([...who.groups]).toEqual(['eng']);
    expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
  },
  'scope-inject': async () => {
    const gate = await openOne();
    const many = Array.from({ length: 10_000 }, (_, i) => 'abcdefgh'[i % 8]).join(' ');
    for (const [scope, wanted] of [
      ['a\tb c', ['c']],
      ['a\nadmin c', ['c']],
      ['a"b c\\d  e', ['e']],
      [many, [...'abcdefgh']],
    ] as const) {
      const who = (await gate.verify(good(gate, { scope }))) as Identity;
      expect([...who.scopes]).toEqual(wanted);
    }
  },
  'groups-object': async () => {
    const gate = await openOne();
    const who = (await gate.verify(good(gate, { groups: { admins: true } }))) as Identity;
    expect([...who.groups]).toEqual([]);
  },
  'groups-nested': async () => {
    const gate = await openOne();
    const who = (await gate.verify(good(gate, { groups: [['admins']] }))) as Identity;
    expect([...who.groups]).toEqual([]);
  },
  'two-headers': async () => {
    const guard = createGuard({ host: '127.0.0.1', allowedHosts: [], corsOrigins: [] });
    const rawHeaders = ['Host', 'localhost', 'Authorization', 'Bearer a', 'authorization', 'Bearer b'];
    const req = { headers: { host: 'localhost' }, rawHeaders, httpVersion: '1.1', url: '/mcp' };
    expect(guard.checkHost(req as unknown as Parameters<typeof guard.checkHost>[0])).toMatchObject({ status: 400 });
    expect(status(await show({ 'x-authorization': 'Bearer a, Bearer b' }))).toBe(401);
  },
  // A query, a cookie and a body are no part of what the chain is shown at all.
  'query-token': async () => expect(status(await show({}))).toBe(401),
  'cookie-token': async () => expect(status(await show({ cookie: 'session=x' } as Shown))).toBe(401),
  'form-token': async () => expect(status(await show({ access_token: 'x' } as Shown))).toBe(401),
  'basic-scheme': async () => {
    const gate = await openOne();
    const token = good(gate);
    expect(status(await show({ authorization: `Basic ${token}` }, gate))).toBe(401);
    expect(status(await show({ authorization: `Bearer${token}` }, gate))).toBe(401);
    expect(status(await show({ authorization: `bearer ${token}` }, gate))).toBe(200);
  },
  revoked: async () => {
    const revoked = new Set<string>();
    const gate = await openOne({ isRevoked: ({ tokenId }) => tokenId !== null && revoked.has(tokenId) });
    const token = good(gate);
    expect(status(await gate.verify(token))).toBe(200);
    revoked.add('j-1');
    expect(gate.verifier.forget(({ tokenId }) => tokenId === 'j-1')).toBe(1);
    expect(await gate.verify(token)).toMatchObject({ status: 401, reason: 'revoked' });
  },
  'rotated-old': async () => {
    const gate = await openOne();
    const token = good(gate, { exp: Math.floor(gate.clock.wallMs() / 1000) + 7200 });
    expect(status(await gate.verify(token))).toBe(200);
    gate.server.sets.set('/g-1', [createEcKey('g-9').jwk]);
    gate.clock.advance(600_000);
    expect(await gate.verify(token)).toMatchObject({ status: 401, reason: 'kid' });
  },
  'rotated-new': async () => {
    const gate = await openOne();
    expect(status(await gate.verify(good(gate)))).toBe(200);
    const fresh = createEcKey('g-9');
    gate.server.sets.set('/g-1', [...(gate.server.sets.get('/g-1') ?? []), fresh.jwk]);
    gate.clock.advance(30_000);
    const claims = sampleClaims(gate.clock.wallMs());
    const token = signToken({ ...SAMPLE_HEADER, kid: 'g-9' }, claims, fresh.privateKey, 'ES256');
    expect(status(await gate.verify(token))).toBe(200);
    expect(gate.server.fetches.get('/g-1')).toBe(2);
  },
};

async function show(shown: Shown, gate: Gate | null = null) {
  const verifier = (gate ?? (await openOne())).verifier;
  const { identify } = createCredentialChain({
    findKey: () => null,
    findNamedKeys: () => [],
    vended: null,
    issuers: verifier,
    login: null,
    challenges: createChallenges({ publicUrl: PUBLIC_URL, scopes: [] }),
    local: LOCAL_CALLER,
    owner: { ...LOCAL_CALLER, subject: 'key', method: 'api-key' },
    isRevoked: () => false,
    clock: createFrozenClock(),
  });
  return identify(shown);
}

describe('what a door of its own shows best', () => {
  test.each(Object.entries(OWN))('%s', (_, run) => run());
});

const FILE = new URL('../../../../shared/corpus/security/jwt-attacks.jsonl', import.meta.url);

test.skipIf(!existsSync(FILE))('every row of the collection is tried here', async () => {
  const ids = readFileSync(FILE, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => (JSON.parse(line) as { id: string }).id);
  const gate = await openOne();
  const tried = [...Object.keys(makeAttacks(gate)), ...Object.keys(OWN)];
  expect(ids).toHaveLength(77);
  expect(tried.sort()).toEqual(ids.sort());
});
