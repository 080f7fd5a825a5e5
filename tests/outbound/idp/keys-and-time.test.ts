import { afterEach, describe, expect, test } from 'vitest';
import type { Identity } from '../../../src/domain/identity.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createPinnedFetch } from '../../../src/outbound/fetch/pinned-fetch.ts';
import { createJwtVerifier } from '../../../src/outbound/idp/jwt-verifier.ts';
import { digestOf } from '../../../src/services/identity/bearer.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { type Gate, openGate, PUBLIC_URL, QUIET, SAMPLE_HEADER, sampleClaims } from '../../support/gate-of-issuers.ts';
import { createEcKey, createRsaKey, signToken } from '../../support/token-issuer.ts';

const open: Gate[] = [];
const openOne: typeof openGate = async options => {
  const gate = await openGate({ only: ['g-1'], ...options });
  open.push(gate);
  return gate;
};
afterEach(async () => {
  for (const gate of open.splice(0)) await gate.close();
});

const DAY_S = 86_400;
/** For what happens in the background, on a machine that has other things to do. */
const PATIENT = { timeout: 10_000 };
const nowOf = (gate: Gate) => Math.floor(gate.clock.wallMs() / 1000);
const sign = (gate: Gate, more: object = {}, header: object = {}) =>
  signToken(
    { ...SAMPLE_HEADER, ...header },
    { ...sampleClaims(gate.clock.wallMs()), ...more },
    gate.keys.get('g-1')?.privateKey ?? createEcKey('none').privateKey,
    'ES256',
  );
const verdict = async (gate: Gate, token: string) => {
  const seen = await gate.verify(token);
  return seen.kind === 'identity' ? 'ok' : seen.reason;
};
/** Lives as long as the cap allows. */
const lasting = (gate: Gate) => sign(gate, { iat: nowOf(gate), exp: nowOf(gate) + DAY_S });

describe('time', () => {
  test.each([
    { claims: (now: number) => ({ exp: now - 60 }), is: 'ok', because: 'the skew itself is still accepted' },
    { claims: (now: number) => ({ exp: now - 61 }), is: 'expired', because: 'one second more is not' },
    { claims: (now: number) => ({ nbf: now + 60 }), is: 'ok', because: 'a clock ahead by the skew' },
    { claims: (now: number) => ({ nbf: now + 61 }), is: 'not_yet', because: 'ahead by more' },
    { claims: (now: number) => ({ iat: now + 60 }), is: 'ok', because: 'issued ahead by the skew' },
    { claims: (now: number) => ({ iat: now + 61 }), is: 'not_yet', because: 'issued in the future' },
    { claims: (now: number) => ({ iat: now, exp: now + DAY_S }), is: 'ok', because: 'a day is the cap' },
    { claims: (now: number) => ({ iat: now, exp: now + DAY_S + 1 }), is: 'lifetime', because: 'more than a day' },
    {
      claims: (now: number) => ({ iat: undefined, exp: now + DAY_S + 1 }),
      is: 'lifetime',
      because: 'without iat the rest of the life counts',
    },
    { claims: () => ({ nbf: '1' }), is: 'time', because: 'a time that is a text' },
    { claims: () => ({ iat: null }), is: 'time', because: 'a time that is null' },
  ])('$because: $is', async ({ claims, is }) => {
    const gate = await openOne();
    expect(await verdict(gate, sign(gate, claims(nowOf(gate))))).toBe(is);
  });

  test('ten years are accepted where the operator lifted the cap', async () => {
    const gate = await openOne({ more: { maxLifetimeMs: null } });
    expect(await verdict(gate, sign(gate, { exp: nowOf(gate) + 3650 * DAY_S }))).toBe('ok');
  });

  test('a kept verdict ends with the token, to the second', async () => {
    const gate = await openOne();
    const token = sign(gate, { exp: nowOf(gate) + 10 });
    expect(await verdict(gate, token)).toBe('ok');
    gate.clock.advance(70_999);
    expect(await verdict(gate, token)).toBe('ok');
    gate.clock.advance(1);
    expect(await verdict(gate, token)).toBe('expired');
  });
});

describe('keys', () => {
  test('a key that was taken back counts for nothing once the cache is old, verified before or not', async () => {
    const gate = await openOne();
    const [seen, unseen] = [lasting(gate), sign(gate, { exp: nowOf(gate) + DAY_S - 30, jti: 'other' })];
    expect(await verdict(gate, seen)).toBe('ok');
    gate.server.sets.set('/g-1', [createEcKey('g-1').jwk]);
    gate.clock.advance(600_000);
    expect([await verdict(gate, seen), await verdict(gate, unseen)]).toEqual(['signature', 'signature']);
    expect(gate.server.total()).toBe(2);
  });

  test('a key is renewed ahead of its end, without a caller that waits', async () => {
    const gate = await openOne();
    const token = lasting(gate);
    await gate.verify(token);
    gate.clock.advance(480_000);
    expect(gate.verifier.verify(token, digestOf(token))).not.toBeInstanceOf(Promise);
    await expect.poll(() => gate.server.total(), PATIENT).toBe(2);
    gate.clock.advance(300_000);
    expect(gate.verifier.verify(token, digestOf(token))).not.toBeInstanceOf(Promise);
  });

  test('an outage is outlived for the configured time and not longer', async () => {
    const gate = await openOne({ more: { jwksStaleForMs: 3_600_000 } });
    const token = lasting(gate);
    expect(await verdict(gate, token)).toBe('ok');
    gate.server.trouble = 'error';
    gate.clock.advance(600_000);
    expect(await verdict(gate, token)).toBe('ok');
    expect(await verdict(gate, sign(gate, {}, { kid: 'new' }))).toBe('kid');
    gate.clock.advance(3_599_999);
    expect(await verdict(gate, token)).toBe('ok');
    gate.clock.advance(1);
    expect(await verdict(gate, token)).toBe('keys');
    gate.server.trouble = 'none';
    gate.clock.advance(30_000);
    expect(await verdict(gate, token)).toBe('ok');
  });

  test('a key set that hangs holds a request no longer than its own timeout, and only one at a time', async () => {
    const gate = await openOne({ more: { fetchTimeoutMs: 150 } });
    gate.server.trouble = 'hang';
    const tokens = Array.from({ length: 20 }, (_, i) => sign(gate, { jti: `${i}` }));
    expect(new Set(await Promise.all(tokens.map(token => verdict(gate, token))))).toEqual(new Set(['keys']));
    expect(gate.server.total()).toBe(1);
    expect(gate.verifier.withoutKeys()).toEqual(['g-1']);
  });

  test('the first keys are tried for again and again, and then nothing is missing', async () => {
    const gate = await openOne();
    gate.server.trouble = 'cut';
    gate.verifier.warm();
    await expect.poll(() => gate.clock.pending(), PATIENT).toBe(1);
    expect(gate.verifier.withoutKeys()).toEqual(['g-1']);
    gate.server.trouble = 'none';
    gate.clock.advance(30_000);
    await expect.poll(() => gate.verifier.withoutKeys(), PATIENT).toEqual([]);
    expect(await verdict(gate, sign(gate))).toBe('ok');
  });

  test('a set that is no set leaves the keys as they are', async () => {
    const gate = await openOne();
    const token = lasting(gate);
    await gate.verify(token);
    gate.server.trouble = res => void res.end('{"keys":"none"}');
    gate.clock.advance(600_000);
    expect(await verdict(gate, token)).toBe('ok');
  });

  test('keys for another purpose, another algorithm, or with their secret half are no keys', async () => {
    for (const change of [{ use: 'enc' }, { key_ops: ['encrypt'] }, { alg: 'ES384' }, { d: 'AAAA' }]) {
      const gate = await openOne();
      gate.server.sets.set('/g-1', [{ ...gate.keys.get('g-1')?.jwk, ...change }]);
      expect(await verdict(gate, sign(gate))).toBe('kid');
    }
  });

  test('pinned keys open no socket', async () => {
    const key = createRsaKey('p-1');
    const gate = await openOne({
      more: { jwksUri: undefined, jwks: { keys: [{ ...key.jwk }] as never }, algorithms: ['PS256'] },
    });
    const claims = sampleClaims(gate.clock.wallMs());
    const token = signToken({ ...SAMPLE_HEADER, alg: 'PS256', kid: 'p-1' }, claims, key.privateKey, 'PS256');
    expect(await verdict(gate, token)).toBe('ok');
    expect(gate.server.total()).toBe(0);
  });
});

describe('discovery', () => {
  async function discover(change: (gate: Gate, issuer: string) => object) {
    const gate = await openOne();
    const issuer = `${gate.server.origin}/realms/a`;
    const [first] = gate.settings;
    if (first === undefined) throw new Error('no settings');
    gate.server.documents.set('/realms/a/.well-known/openid-configuration', {
      issuer,
      jwks_uri: `${gate.server.origin}/g-1`,
      token_endpoint: `${issuer}/token`,
      ...change(gate, issuer),
    });
    const verifier = createJwtVerifier({
      issuers: [{ ...first, issuer, keys: { kind: 'discovered' } }],
      publicUrl: PUBLIC_URL,
      defaultAgent: null,
      fetch: createPinnedFetch({ origins: new Set([gate.server.origin]), clock: createSystemClock() }),
      clock: gate.clock,
      log: QUIET,
    });
    const token = sign(gate, { iss: issuer });
    const seen = await verifier.verify(token, digestOf(token));
    verifier.close();
    return { seen, gate, verifier };
  }

  test('finds the keys where the issuer says they are', async () => {
    const { seen, gate, verifier } = await discover(() => ({}));
    expect(seen).toMatchObject({ kind: 'identity', subject: `${gate.server.origin}/realms/a|u-1` });
    expect(verifier.metadata()).toMatchObject({ token_endpoint: `${gate.server.origin}/realms/a/token` });
  });

  test.each([
    { change: (_: Gate, issuer: string) => ({ issuer: `${issuer}/` }), because: 'metadata of another issuer' },
    { change: () => ({ jwks_uri: 'http://127.0.0.1:9/keys' }), because: 'keys on a host nobody configured' },
    { change: () => ({ jwks_uri: 'file:///etc/passwd' }), because: 'keys that are not on the web' },
    { change: () => ({ jwks_uri: undefined }), because: 'no keys named' },
  ])('reads nothing more: $because', async ({ change }) => {
    const { seen, gate } = await discover(change);
    expect(seen).toMatchObject({ kind: 'refusal', reason: 'keys' });
    expect(gate.server.fetches.get('/g-1')).toBeUndefined();
  });
});

describe('who it is', () => {
  test('one subject under two issuers is two callers', async () => {
    const gate = await openOne({ only: ['g-1', 'a0-1'] });
    const claims = { ...sampleClaims(gate.clock.wallMs()), iss: 'https://id.example.test/' };
    const key = gate.keys.get('a0-1');
    if (key === undefined) throw new Error('no key');
    const header = { alg: 'RS256', typ: 'at+jwt', kid: 'a0-1' };
    const [one, two] = (await Promise.all([
      gate.verify(sign(gate)),
      gate.verify(signToken(header, claims, key.privateKey, 'RS256')),
    ])) as Identity[];
    expect([one?.kind, two?.kind]).toEqual(['identity', 'identity']);
    expect(one?.subject).not.toBe(two?.subject);
  });

  test.each([
    { aud: 'https://gw.example.test/mcp', server: null, because: 'the gateway' },
    { aud: 'https://gw.example.test/mcp/agent', server: null, because: 'the gateway by another door' },
    { aud: 'https://gw.example.test/', server: null, because: 'the address, with the slash some libraries add' },
    { aud: 'https://gw.example.test/github/mcp', server: 'github', because: 'one server' },
    { aud: ['https://gw.example.test/github/mcp', 'https://gw.example.test/mcp'], server: null, because: 'both' },
  ])('a token for $because is good there', async ({ aud, server }) => {
    const gate = await openOne();
    expect(await gate.verify(sign(gate, { aud }))).toMatchObject({ kind: 'identity', boundServer: server });
  });

  test.each([
    { aud: ['https://gw.example.test/a/mcp', 'https://gw.example.test/b/mcp'], because: 'which of two is a guess' },
    { aud: 'https://gw.example.test/github/mcp/', because: 'a slash makes it another' },
    { aud: 'https://gw.example.test/api', because: 'no endpoint of MCP' },
    { aud: 'https://gw.example.test.evil/github/mcp', because: 'another host' },
  ])('a token for $aud is good nowhere: $because', async ({ aud }) => {
    const gate = await openOne();
    expect(await verdict(gate, sign(gate, { aud }))).toBe('audience');
  });

  test('where recipients have other names, ours are none', async () => {
    const gate = await openOne({ more: { audiences: ['api://gateway'] } });
    expect(await verdict(gate, sign(gate, { aud: 'https://gw.example.test/github/mcp' }))).toBe('audience');
    expect(await verdict(gate, sign(gate, { aud: 'api://gateway' }))).toBe('ok');
  });

  test.each([
    { act: 'agent-7', is: 'claims' },
    { act: {}, is: 'claims' },
    { act: { sub: '' }, is: 'claims' },
    { act: { sub: 'a', act: { sub: ['b'] } }, is: 'claims' },
    { act: { sub: 'a' }, is: 'ok' },
  ])('an act claim $act is $is', async ({ act, is }) => {
    const gate = await openOne();
    expect(await verdict(gate, sign(gate, { act }))).toBe(is);
  });

  test('a claim is found by its exact name before a path is made of its dots', async () => {
    const gate = await openOne({ more: { groups: ['realm_access.roles', 'https://a.test/g'], agent: ['x.agent'] } });
    const claims = { realm_access: { roles: ['one'] }, 'https://a.test/g': 'two', 'x.agent': 'me', x: { agent: 'no' } };
    const who = (await gate.verify(sign(gate, claims))) as Identity;
    expect([...who.groups]).toEqual(['one', 'two']);
    expect(who).toMatchObject({ agent: 'me', agentVerified: true });
  });

  test('half a character is no part of a subject: two of them would be stored as one', async () => {
    const gate = await openOne();
    const token = signToken(
      SAMPLE_HEADER,
      JSON.stringify(sampleClaims(gate.clock.wallMs())).replace('"u-1"', '"u-\\ud800"'),
      gate.keys.get('g-1')?.privateKey ?? createEcKey('none').privateKey,
      'ES256',
    );
    expect(await verdict(gate, token)).toBe('subject');
  });
});

describe('verdicts that are kept', () => {
  test('are bounded, and those in use stay', async () => {
    const gate = await openOne({ maxTokens: 10 });
    const used = sign(gate, { jti: 'used' });
    await gate.verify(used);
    for (let i = 0; i < 100; i++) {
      await gate.verify(sign(gate, { jti: `${i}` }));
      if (i % 3 === 0) expect(gate.verifier.verify(used, digestOf(used))).not.toBeInstanceOf(Promise);
      expect(gate.verifier.size()).toBeLessThanOrEqual(10);
    }
  });

  test('the same identity is given for the same token', async () => {
    const gate = await openOne();
    const token = sign(gate);
    expect(await gate.verify(token)).toBe(await gate.verify(token));
  });

  test('a frozen clock makes no difference to a verifier without issuers', () => {
    const verifier = createJwtVerifier({
      ...{ issuers: [], publicUrl: null, defaultAgent: null, log: QUIET },
      clock: createFrozenClock(),
      fetch: () => Promise.resolve({ ok: false, why: 'not_allowed' }),
    });
    expect(verifier.verify('a.b.c', 'd')).toMatchObject({ reason: 'form' });
  });
});
