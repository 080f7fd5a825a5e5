import { describe, expect, test } from 'vitest';
import { type Identity, LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { NamedKey } from '../../../src/domain/named-key.ts';
import { Secret } from '../../../src/domain/secret.ts';
import { type Refusal, type RefusalReason, refusal, type TokenVerifier } from '../../../src/ports/token-verifier.ts';
import { findIngressHeader } from '../../../src/services/identity/bearer.ts';
import { createChallenges } from '../../../src/services/identity/challenge.ts';
import { type CredentialDeps, createCredentialChain, type Shown } from '../../../src/services/identity/identify.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';

const KEY = 'k9vQ2mX7wLr4Tz8uYb3nHs6dFg1cJp5a';
const NAMED = 'n4Rf8sKd2Lw9Zx6Qv1Bm7Tg3Yh5Jc0Pe';
const PUBLIC = 'https://gw.example.test';

const team: NamedKey = {
  ...{ name: 'ci', key: new Secret(NAMED), groups: ['lob1'], scopes: ['mcp:tools.call'], agent: 'ci-bot' },
};
const someone = (subject: string): Identity => ({ ...LOCAL_CALLER, subject, method: 'jwt' });

type Verdict = Identity | Refusal | (() => never);

/** Knows its tokens by name; answers at once or later. */
function verifier(known: Record<string, Verdict>, later: boolean, stranger: RefusalReason = 'issuer'): TokenVerifier {
  return {
    verify(token) {
      const verdict = known[token] ?? refusal(stranger);
      if (later) return Promise.resolve().then(() => (typeof verdict === 'function' ? verdict() : verdict));
      return typeof verdict === 'function' ? verdict() : verdict;
    },
    forget: () => 0,
  };
}

const clock = createFrozenClock();
const chain = (more: Partial<CredentialDeps> = {}) => credentials(more).identify;

function credentials(more: Partial<CredentialDeps> = {}) {
  return createCredentialChain({
    findKey: () => new Secret(KEY),
    findNamedKeys: () => [team],
    vended: null,
    issuers: null,
    login: null,
    challenges: createChallenges({ publicUrl: PUBLIC, scopes: ['mcp:tools.list'] }),
    local: LOCAL_CALLER,
    owner: { ...LOCAL_CALLER, subject: 'key', method: 'api-key' },
    isRevoked: () => false,
    clock,
    ...more,
  });
}

const named = [team];
const bearer = (token: string): Shown => ({ authorization: `Bearer ${token}` });

describe.each([{ later: false }, { later: true }])('with verifiers that answer later: $later', ({ later }) => {
  const identify = chain({
    findNamedKeys: () => named,
    vended: verifier({ ours: someone('ours'), gone: refusal('revoked') }, later),
    issuers: verifier(
      { theirs: someone('theirs'), old: refusal('expired'), many: refusal('group_overage', 403), gone: someone('no') },
      later,
    ),
  });

  test.each([
    { token: KEY, is: { subject: 'key', method: 'api-key' }, because: 'the key of the gateway' },
    {
      token: NAMED,
      is: { subject: 'key:ci', method: 'api-key', agent: 'ci-bot', agentVerified: true, groups: new Set(['lob1']) },
      because: 'a key with a name, with its rights',
    },
    { token: 'ours', is: { subject: 'ours' }, because: 'a token of our own' },
    { token: 'theirs', is: { subject: 'theirs' }, because: 'no static key, no token of ours, and still good' },
    { token: 'old', is: { status: 401, reason: 'expired' }, because: 'the issuer says why' },
    { token: 'many', is: { status: 403, reason: 'group_overage' }, because: 'good, and still not let in' },
    { token: 'nobody', is: { status: 401, reason: 'issuer' }, because: 'nobody knows it: one answer' },
  ])('$because', async ({ token, is }) => expect(await identify(bearer(token))).toMatchObject(is));

  test('who knows a token has the last word on it', async () => {
    expect(await identify(bearer('gone'))).toMatchObject({ status: 401, reason: 'revoked' });
  });

  const crash = (): never => {
    throw new Error('broken');
  };

  test.each([
    { step: 'the key', more: { findKey: crash } },
    { step: 'the named keys', more: { findNamedKeys: crash } },
    { step: 'our tokens', more: { vended: verifier({ t: crash }, later) } },
    { step: 'the issuers', more: { issuers: verifier({ t: crash }, later) } },
    { step: 'both', more: { vended: verifier({ t: crash }, later), issuers: verifier({ t: someone('x') }, later) } },
  ])('$step breaking makes nobody of the caller', async ({ more }) => {
    await expect((async () => chain(more)(bearer('t')))()).rejects.toThrow('broken');
  });
});

describe('an open door', () => {
  const open = { findKey: () => null, findNamedKeys: () => [], issuers: null };

  test('takes everybody for the local caller where no credential exists', () => {
    expect(chain(open)({})).toMatchObject({ subject: 'local' });
    expect(chain(open)(bearer('anything'))).toMatchObject({ subject: 'local' });
  });

  test('takes a token of our own for what it is, so that less can be given away than everything', () => {
    const identify = chain({ ...open, vended: verifier({ ours: someone('ours'), old: refusal('expired') }, false) });
    expect(identify(bearer('ours'))).toMatchObject({ subject: 'ours' });
    expect(identify(bearer('old'))).toMatchObject({ status: 401, reason: 'expired' });
    expect(identify(bearer('strange'))).toMatchObject({ subject: 'local' });
    expect(identify({})).toMatchObject({ subject: 'local' });
  });

  test('is shut by a login of the operator, whose sessions are good elsewhere', () => {
    const login = { stands: ({ subject }: Identity) => subject === 'login:root' };
    const { identify, stillValid } = credentials({ ...open, login });
    expect(identify({})).toMatchObject({ status: 401, reason: 'missing' });
    expect(identify(bearer('anything'))).toMatchObject({ status: 401 });
    expect(stillValid(LOCAL_CALLER)).toBe(false);
    expect(stillValid({ ...LOCAL_CALLER, subject: 'login:root', method: 'login' })).toBe(true);
    expect(stillValid({ ...LOCAL_CALLER, subject: 'login:gone', method: 'login' })).toBe(false);
  });

  test('is not open where only issuers are configured', () => {
    expect(chain({ ...open, issuers: verifier({}, false) })({})).toMatchObject({ status: 401, reason: 'missing' });
  });
});

test('hint headers change nothing: neither who somebody is nor where keys are looked for', async () => {
  const seen: string[] = [];
  const issuers: TokenVerifier = {
    verify: token => {
      seen.push(token);
      return someone('theirs');
    },
    forget: () => 0,
  };
  const hints = {
    ...{ 'x-client-id': 'admin', 'x-keycloak-realm': 'evil', 'x-keycloak-url': 'http://127.0.0.1:9' },
    ...{ 'x-user-pool-id': 'p', 'x-region': 'r', 'x-tenant-id': 't', 'x-user': 'admin', 'x-agent-id': 'agent-admin' },
  };
  const identify = chain({ issuers });
  expect(await identify({ ...bearer('t'), ...hints })).toEqual(await identify(bearer('t')));
  expect(await identify(hints as Shown)).toMatchObject({ status: 401, reason: 'missing' });
  expect(seen).toEqual(['t', 't']);
});

test('where both headers are sent, X-Authorization is ours and the other is left for the server behind', async () => {
  const both = { ...bearer('egress'), 'x-authorization': `Bearer ${KEY}` };
  expect(chain()(both)).toMatchObject({ subject: 'key' });
  expect([findIngressHeader(both), findIngressHeader(bearer('a')), findIngressHeader({})]).toEqual([
    ...['x-authorization', 'authorization', null],
  ]);
});

test('a named key that is taken away is refused at the next request', () => {
  let keys = [team];
  const identify = chain({ findNamedKeys: () => keys });
  expect(identify(bearer(NAMED))).toMatchObject({ subject: 'key:ci' });
  keys = [];
  expect(identify(bearer(NAMED))).toMatchObject({ status: 401 });
});

describe('a standing stream', () => {
  test('outlives a reload that leaves its key as it is, and ends with one that does not', () => {
    let key: Secret | null = new Secret(KEY);
    let keys = [team];
    const { identify, stillValid } = credentials({ findKey: () => key, findNamedKeys: () => keys });
    const [owner, ci] = [identify(bearer(KEY)), identify(bearer(NAMED))] as Identity[] as [Identity, Identity];
    key = new Secret(KEY);
    keys = [{ ...team }];
    expect([stillValid(owner), stillValid(ci)]).toEqual([true, true]);
    key = new Secret([...KEY].reverse().join(''));
    expect([stillValid(owner), stillValid(ci)]).toEqual([false, true]);
    keys = [{ ...team, key: new Secret([...NAMED].reverse().join('')) }];
    expect(stillValid(ci)).toBe(false);
  });

  test.each([
    { rights: { groups: ['others'] }, because: 'its key is of another group' },
    { rights: { scopes: [] }, because: 'its key has fewer scopes' },
    { rights: { agent: 'another' }, because: 'its key speaks for another agent' },
  ])('ends when $because', ({ rights }) => {
    let keys = [team];
    const { identify, stillValid } = credentials({ findNamedKeys: () => keys });
    const before = identify(bearer(NAMED)) as Identity;
    keys = [{ ...team, ...rights }];
    expect(stillValid(before)).toBe(false);
    expect(stillValid(identify(bearer(NAMED)) as Identity)).toBe(true);
  });

  test('of the local caller ends when the door gets its first key', () => {
    let key: Secret | null = null;
    const { identify, stillValid } = credentials({ findKey: () => key, findNamedKeys: () => [] });
    const who = identify({}) as Identity;
    expect(stillValid(who)).toBe(true);
    key = new Secret(KEY);
    expect(stillValid(who)).toBe(false);
  });

  test('ends with its token, at its end or before', () => {
    const revoked = new Set<string>();
    const { stillValid } = credentials({ isRevoked: ({ subject }) => revoked.has(subject) });
    const who = { ...someone('theirs'), expiresAtMs: clock.wallMs() + 1000 };
    expect(stillValid(who)).toBe(true);
    revoked.add('theirs');
    expect(stillValid(who)).toBe(false);
    revoked.clear();
    clock.advance(1000);
    expect(stillValid(who)).toBe(false);
  });
});
