import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/domain/secret.ts';
import { createIdentify, keyOwner, localCaller } from '../../../src/services/identity/identify.ts';

const KEY = 'k9vQ2mX7wLr4Tz8uYb3nHs6dFg1cJp5a';

test('without a key every caller is the local one: the configuration lets nobody else in', () => {
  const identify = createIdentify(() => null, null);
  expect(identify({})).toMatchObject({ kind: 'identity', subject: 'local', method: 'local' });
  expect(identify({ authorization: 'Bearer anything' })).toMatchObject({ subject: 'local' });
});

describe('with a key', () => {
  const identify = createIdentify(() => new Secret(KEY), null);
  const OK = { kind: 'identity', subject: 'key', method: 'api-key' };
  const MISSING = { kind: 'challenge', status: 401, wwwAuthenticate: 'Bearer realm="mcp"' };
  const WRONG = { kind: 'challenge', status: 401, wwwAuthenticate: 'Bearer realm="mcp", error="invalid_token"' };

  test.each([
    { shown: { authorization: `Bearer ${KEY}` }, is: OK, because: 'the key as a bearer token' },
    {
      shown: { authorization: `bearer  ${KEY} ` },
      is: OK,
      because: 'schemes tell no case, and white space around is none of the token',
    },
    { shown: { 'x-authorization': `Bearer ${KEY}` }, is: OK, because: 'the other name of the ingress header' },
    {
      shown: { 'x-authorization': `Bearer ${KEY}`, authorization: 'Bearer egress' },
      is: OK,
      because: 'where both are sent, X-Authorization is for us',
    },
    {
      shown: { 'x-authorization': 'Bearer wrong', authorization: `Bearer ${KEY}` },
      is: WRONG,
      because: 'the second is not tried after the first',
    },
    { shown: {}, is: MISSING, because: 'nothing shown' },
    { shown: { authorization: '' }, is: WRONG, because: 'an empty header is no credential' },
    { shown: { authorization: KEY }, is: WRONG, because: 'no scheme' },
    { shown: { authorization: `Basic ${KEY}` }, is: WRONG, because: 'another scheme' },
    { shown: { authorization: `Bearer ${KEY.slice(0, -1)}` }, is: WRONG, because: 'a part of the key' },
    { shown: { authorization: `Bearer ${KEY}x` }, is: WRONG, because: 'more than the key' },
    { shown: { authorization: `Bearer ${KEY}, Bearer ${KEY}` }, is: WRONG, because: 'two headers joined are not one' },
    { shown: { 'x-authorization': [`Bearer ${KEY}`] }, is: WRONG, because: 'a list is not one header' },
  ])('$because', ({ shown, is }) => {
    expect(identify(shown)).toMatchObject(is);
    // A connection shows the same headers again and again, and copies of them with another length.
    expect(identify(shown)).toMatchObject(is);
    expect(identify({ ...shown })).toMatchObject(is);
  });

  test('the key is in no answer', () => {
    expect(JSON.stringify([identify({ authorization: `Bearer ${KEY}` }), identify({})])).not.toContain(KEY);
  });
});

test('a key that changes, appears or goes is in force with the next request', () => {
  let key: Secret | null = null;
  const identify = createIdentify(() => key, null);
  const old = { authorization: `Bearer ${KEY}` };
  expect(identify({})).toMatchObject({ subject: 'local' });
  key = new Secret(KEY);
  expect([identify({}), identify(old)]).toMatchObject([{ status: 401 }, { subject: 'key' }]);
  key = new Secret([...KEY].reverse().join(''));
  expect(identify(old)).toMatchObject({ status: 401 });
  key = null;
  expect(identify({})).toMatchObject({ subject: 'local' });
});

test('callers without a credential of their own get what the operator gave them', () => {
  const given = { groups: ['admins'], scopes: ['read'], agent: 'team.dev' };
  expect([localCaller(given), keyOwner(given)]).toMatchObject([
    { subject: 'local', method: 'local', agent: 'team.dev', agentVerified: false, groups: new Set(['admins']) },
    { subject: 'key', method: 'api-key', agent: 'team.dev', agentVerified: false, scopes: new Set(['read']) },
  ]);
});
