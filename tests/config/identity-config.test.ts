import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type IdentityContext, IdentitySection, toIdentityConfig } from '../../src/config/identity-config.ts';
import { formatPath } from '../../src/config/problem.ts';
import { checkShape } from '../../src/config/schema.ts';

const KEY = 'k9vQ2mX7wLr4Tz8uYb3nHs6dFg1cJp5a';
const ISSUER = { issuer: 'https://id.example.test', audiences: ['https://gw.example.test/mcp'] };
const PUBLIC = { publicUrl: 'https://gw.example.test/' };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-identity-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function read(section: object, more: Partial<IdentityContext> = {}) {
  const shaped = checkShape(IdentitySection, section, ['identity']);
  if (!shaped.ok) return { config: null, mistakes: shaped.mistakes.map(({ path }) => formatPath(path)), warnings: [] };
  const context = { folder, fromProviders: [], env: {}, onLoopback: true, servesHttp: true, ...more };
  const { config, mistakes, warnings } = toIdentityConfig(shaped.value, context);
  return { config, mistakes: mistakes.map(({ path }) => formatPath(path)), warnings };
}

test('an issuer needs its name and a recipient; the rest is usual', () => {
  const { config, mistakes } = read({ ...PUBLIC, issuers: [ISSUER] });
  expect(mistakes).toEqual([]);
  expect(config).toMatchObject({
    publicUrl: 'https://gw.example.test',
    issuers: [
      {
        ...{ name: 'https://id.example.test', kind: 'oidc', keys: { kind: 'discovered' }, tokenTypes: ['at+jwt'] },
        ...{ algorithms: ['RS256', 'ES256'], skewMs: 60_000, maxLifetimeMs: 86_400_000, jwksCooldownMs: 30_000 },
      },
    ],
  });
});

test('everything can be said', () => {
  writeFileSync(join(folder, 'keys.json'), '{"keys":[{"kty":"EC"}]}');
  const issuer = {
    ...{ name: 'corp', kind: 'keycloak', issuer: 'https://kc.test/realms/a', jwksFile: 'keys.json', clients: 'one' },
    ...{ audiences: 'api', algorithms: ['ES384'], typ: 'JWT', userKey: 'uid', scopeClaim: ['a', 'b'], groupClaim: 'g' },
    ...{ claims: { client: 'c', agent: 'x', name: 'n' }, groupOverage: 'deny', maxLifetime: 'none', skew: '30s' },
    ...{ jwksMaxAge: '1h', jwksCooldown: '1m', jwksStaleFor: '2h', fetchTimeout: '2s' },
  };
  const { config, mistakes } = read({ ...PUBLIC, requiredScopes: ['a'], issuers: [issuer] });
  expect(mistakes).toEqual([]);
  expect(config?.issuers[0]).toEqual({
    ...{ name: 'corp', kind: 'keycloak', issuer: 'https://kc.test/realms/a', audiences: ['api'], clients: ['one'] },
    keys: { kind: 'pinned', jwks: { keys: [{ kty: 'EC' }] } },
    ...{ algorithms: ['ES384'], tokenTypes: ['jwt'], maxLifetimeMs: null, skewMs: 30_000, fetchTimeoutMs: 2000 },
    claims: { subject: 'uid', scopes: ['a', 'b'], groups: ['g'], client: ['c'], agent: ['x'], name: ['n'] },
    ...{ jwksMaxAgeMs: 3_600_000, jwksCooldownMs: 60_000, jwksStaleForMs: 7_200_000 },
  });
});

describe('an issuer that would open more than was meant is a mistake', () => {
  test.each([
    { change: { issuer: undefined }, at: 'issuer', because: 'no name to compare' },
    { change: { issuer: 'http://id.example.test' }, at: 'issuer', because: 'keys over plain http' },
    { change: { issuer: 'id.example.test' }, at: 'issuer', because: 'no address' },
    { change: { issuer: 'https://u:p@id.example.test' }, at: 'issuer', because: 'a password in it' },
    {
      change: { issuer: 'https://id.example.test/a|b' },
      at: 'issuer',
      because: 'a bar would blur whose subject it is',
    },
    { change: { audiences: undefined }, at: 'audiences', because: 'no recipient: a token for anybody would do' },
    { change: { audiences: [] }, at: 'audiences', because: 'an empty list' },
    { change: { audiences: [''] }, at: 'audiences', because: 'an empty name' },
    { change: { audiences: ['*'] }, at: 'audiences', because: 'everybody' },
    { change: { kind: 'cognito', audiences: undefined }, at: 'clients', because: 'an unset allow-list' },
    { change: { clients: [] }, at: 'clients', because: 'an empty allow-list' },
    { change: { algorithms: ['HS256'] }, at: 'algorithms', because: 'a shared secret' },
    { change: { algorithms: ['none'] }, at: 'algorithms', because: 'no signature' },
    { change: { algorithms: ['RS256', 'rs256'] }, at: 'algorithms', because: 'one that does not exist' },
    { change: { algorithms: [] }, at: 'algorithms', because: 'none at all' },
    { change: { jwksUri: 'http://keys.example.test' }, at: 'jwksUri', because: 'keys over plain http' },
    { change: { jwks: { keys: [] } }, at: 'jwks', because: 'no keys' },
    { change: { jwksFile: 'absent.json' }, at: 'jwksFile', because: 'no file' },
    { change: { groupOverage: 'graph' }, at: 'groupOverage', because: 'what this version cannot do' },
    { change: { userKey: 'a', claims: { subject: 'b' } }, at: 'userKey', because: 'two answers' },
    {
      change: { kind: 'entra', issuer: 'https://login.microsoftonline.com/common/v2.0' },
      at: 'issuer',
      because: 'all tenants',
    },
    { change: { audience: ['x'] }, at: 'audience', because: 'a key that does not exist' },
  ])('$because', ({ change, at }) => {
    const { mistakes } = read({ ...PUBLIC, issuers: [{ ...ISSUER, ...change }] });
    expect(mistakes).toEqual([`identity.issuers[0].${at}`]);
  });

  test('the same one twice', () => {
    expect(read({ ...PUBLIC, issuers: [ISSUER, ISSUER] }).mistakes).toEqual(['identity.issuers']);
  });
});

test('issuers on this machine may speak plain http', () => {
  expect(read({ ...PUBLIC, issuers: [{ ...ISSUER, issuer: 'http://127.0.0.1:8080/realms/a' }] }).mistakes).toEqual([]);
});

test.each([
  { publicUrl: undefined, because: 'it has to be known' },
  { publicUrl: 'http://gw.example.test', because: 'plain http' },
  { publicUrl: 'https://gw.example.test/?a', because: 'a query' },
  { publicUrl: 'gw', because: 'no address' },
])('where issuers are, our own address is checked: $because', ({ publicUrl }) => {
  expect(read({ publicUrl, issuers: [ISSUER] }).mistakes).toEqual(['identity.publicUrl']);
});

describe('keys with names', () => {
  test('become what they may do', () => {
    const { config } = read({ keys: [{ name: 'ci', key: KEY, groups: ['lob1'], scopes: ['s'], agent: 'bot' }] });
    expect(config?.keys).toMatchObject([{ name: 'ci', groups: ['lob1'], scopes: ['s'], agent: 'bot' }]);
    expect(config?.keys[0]?.key.matches(KEY)).toBe(true);
    expect(JSON.stringify(config)).not.toContain(KEY);
  });

  test.each([
    { keys: [{ name: 'ci', key: 'short' }], at: ['identity.keys[0].key'], because: 'it can be guessed' },
    { keys: [{ name: 'C I', key: KEY }], at: ['identity.keys[0].name'], because: 'the name is none' },
    {
      keys: [
        { name: 'a', key: KEY },
        { name: 'a', key: [...KEY].reverse().join('') },
      ],
      at: ['identity.keys[0].name', 'identity.keys[1].name'].slice(1),
      because: 'two have one name',
    },
    {
      keys: [
        { name: 'a', key: KEY },
        { name: 'b', key: KEY },
      ],
      at: ['identity.keys[1].key'],
      because: 'two have one key',
    },
  ])('are refused where $because', ({ keys, at }) => {
    const seen = read({ keys });
    expect(seen.mistakes).toEqual(at);
  });
});

describe('the login of the operator', () => {
  const env = { ADMIN_USER: 'root', ADMIN_PASSWORD: 'a long enough one' };

  test('is there when both are set', () => {
    const { config } = read({}, { env, onLoopback: false });
    expect(config?.login).toMatchObject({ groups: ['registry-admins', 'mcp-registry-admin'], ttlMs: 28_800_000 });
    expect(config?.login?.user.reveal()).toBe('root');
    expect(config?.login?.password.matches(env.ADMIN_PASSWORD)).toBe(true);
    expect(JSON.stringify(config)).not.toContain(env.ADMIN_PASSWORD);
  });

  test('is of "admin" where only the password is set, with the rights that the file says', () => {
    const { config, warnings } = read({ login: { groups: ['ops'], ttl: '1h' } }, { env: { ADMIN_PASSWORD: 'short' } });
    expect([config?.login?.user.reveal(), warnings]).toEqual(['admin', []]);
    expect(config?.login).toMatchObject({ groups: ['ops'], ttlMs: 3_600_000 });
  });

  test('is none where no page is served, so that a pipe is not shut by a variable meant for something else', () => {
    const { config, mistakes, warnings } = read({}, { env, onLoopback: false, servesHttp: false });
    expect([config?.login, mistakes, warnings]).toEqual([null, [], []]);
  });

  test('lasts a day at most', () => {
    expect(read({ login: { ttl: '25h' } }, { env }).mistakes).toEqual(['identity.login.ttl']);
  });

  test.each([
    { env: { ADMIN_USER: 'root' }, because: 'no password' },
    { env: { ADMIN_USER: 'root', ADMIN_PASSWORD: '' }, because: 'an empty password' },
    { env: { ADMIN_USER: 'root', ADMIN_PASSWORD: 'admin' }, because: 'a short password' },
    { env: { ADMIN_PASSWORD: 'elevenchars' }, because: 'a short password and no name' },
  ])('does not start where others can reach it with $because', ({ env }) => {
    expect(read({}, { env, onLoopback: false }).mistakes).toEqual(['ADMIN_PASSWORD']);
  });

  test('is only warned about on loopback', () => {
    const { config, mistakes, warnings } = read({}, { env: { ADMIN_USER: 'root' } });
    expect([config?.login, mistakes, warnings.length]).toEqual([null, [], 1]);
  });
});
