/** What each kind of provider also signs, and what of it is no access token for us; beyond the samples. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gate, openGate } from '../../support/gate-of-issuers.ts';
import { createEcKey, signToken } from '../../support/token-issuer.ts';

let gate: Gate;
beforeAll(async () => {
  gate = await openGate({ only: ['kc-1', 'cg-1', 'en-1', 'en-v1', 'ok-1'] });
});
afterAll(() => gate.close());

const TENANT = '11111111-aaaa-4aaa-8aaa-000000000001';

function claimsOf(kid: string): Record<string, unknown> {
  const now = Math.floor(gate.clock.wallMs() / 1000);
  const iss = gate.settings.find(({ name }) => name === kid)?.issuer;
  const all = { iss, iat: now, exp: now + 300, jti: 'j' };
  switch (kid) {
    case 'kc-1':
      return { ...all, sub: 's', typ: 'Bearer', azp: 'web', aud: 'https://gw.example.test/mcp' };
    case 'cg-1':
      return { ...all, sub: 's', token_use: 'access', client_id: '7webclient', username: 'alice' };
    case 'ok-1':
      return { ...all, uid: 'u', sub: 'alice', cid: 'c', aud: 'https://gw.example.test/mcp' };
    default:
      return {
        ...{ ...all, aud: '33333333-cccc-4ccc-8ccc-000000000003', tid: TENANT, oid: 'o', sub: 'p', ver: '2.0' },
        ...{ azp: 'client', scp: 'Mcp.Invoke' },
      };
  }
}

const show = (kid: string, change: object, header: object = {}) =>
  gate.verify(
    signToken(
      { alg: 'RS256', kid, ...(kid === 'ok-1' ? {} : { typ: 'JWT' }), ...header },
      { ...claimsOf(kid), ...change },
      gate.keys.get(kid)?.privateKey ?? createEcKey('none').privateKey,
      'RS256',
    ),
  );

test.each(['kc-1', 'cg-1', 'en-1', 'ok-1'])('an access token of %s is taken', async kid => {
  expect(await show(kid, {})).toMatchObject({ kind: 'identity', isService: false });
});

test.each([
  { kid: 'kc-1', change: { typ: undefined }, reason: 'typ', because: 'Keycloak marks each of its tokens' },
  { kid: 'kc-1', change: { typ: 'Offline' }, reason: 'typ', because: 'an offline token' },
  { kid: 'kc-1', change: { typ: 'DPoP', cnf: { jkt: 'x' } }, reason: 'typ', because: 'a token bound to a key' },
  { kid: 'cg-1', change: { token_use: undefined }, reason: 'typ', because: 'Cognito says what a token is for' },
  { kid: 'cg-1', change: { client_id: ['7webclient'] }, reason: 'client', because: 'a list is no client' },
  { kid: 'en-1', change: { ver: '1.0' }, reason: 'typ', because: 'version 1 from the issuer of version 2' },
  { kid: 'en-1', change: { azp: undefined }, reason: 'typ', because: 'an ID token of the same application' },
  { kid: 'en-1', change: { scp: undefined }, reason: 'typ', because: 'a token without any permission' },
  { kid: 'en-1', change: { nonce: 'n' }, reason: 'typ', because: 'an ID token' },
  { kid: 'en-1', change: { tid: undefined }, reason: 'tenant', because: 'no tenant' },
  { kid: 'en-1', change: { oid: undefined }, reason: 'subject', because: 'the subject of Entra is oid, not sub' },
  { kid: 'ok-1', change: { uid: undefined }, reason: 'subject', because: 'the configured key of a caller is missing' },
  { kid: 'ok-1', change: { at_hash: 'h' }, reason: 'typ', because: 'an ID token without a type' },
])('$kid: $because', async ({ kid, change, reason }) => {
  expect(await show(kid, change)).toMatchObject({ kind: 'refusal', status: 401, reason });
});

test('what one issuer signed says nothing about another, whatever the key is called', async () => {
  const seen = await show('kc-1', {
    iss: gate.settings.find(({ name }) => name === 'cg-1')?.issuer,
    token_use: 'access',
  });
  expect(seen).toMatchObject({ kind: 'refusal' });
});

test('a person who calls himself like a program is none', async () => {
  expect(await show('kc-1', { preferred_username: 'service-account-web' })).toMatchObject({
    ...{ isService: false, agent: null, agentVerified: false },
  });
});

test('one person of a tenant is one caller, by tokens of either version', async () => {
  const one = await show('en-1', {});
  const two = await show('en-v1', {
    ...{ aud: 'api://33333333-cccc-4ccc-8ccc-000000000003', ver: '1.0', azp: undefined, appid: 'client' },
  });
  expect(one).toMatchObject({ subject: `${TENANT}|o` });
  expect(two).toMatchObject({ subject: `${TENANT}|o`, client: 'client' });
});

test.each([
  { change: { _claim_names: { groups: 'src1' } }, because: 'the groups are elsewhere' },
  { change: { hasgroups: true }, because: 'there are groups, unsaid' },
])('too many groups are not none: $because', async ({ change }) => {
  expect(await show('en-1', change)).toMatchObject({ kind: 'refusal', status: 403, reason: 'group_overage' });
});
