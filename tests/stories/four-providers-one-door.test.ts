/**
 * Tokens of four kinds of provider at one door, configured by `oauth2_providers.yml` and nothing else: whoever is in a group
 * has that group's rights whichever provider says so, a service account as a person, and a token that is not quite right is
 * no token.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { type GuardedGateway, startGuarded } from '../support/guarded-gateway.ts';
import { errorOf, exchange, resultOf } from '../support/mcp-client.ts';
import {
  createRsaKey,
  encode,
  type KeyServer,
  signToken,
  signWithSecret,
  startKeyServer,
} from '../support/token-issuer.ts';

const TENANT = '11111111-2222-3333-4444-555555555555';
const OBJECT_ID = '4c46ec66-0000-4000-8000-000000000001';
const POOL = 'us-east-1_AbCdEfGhI';
const SCOPES = {
  group_mappings: { lob1: ['lob1'], [OBJECT_ID]: ['lob1'] },
  lob1: [{ server: 'echo', methods: ['tools/list', 'tools/call'], tools: ['add', 'echo'] }],
};

const keys = createRsaKey('current');
const strange = createRsaKey('current');

let server: StartedScripted;
let keyServer: KeyServer;
let gateway: GuardedGateway;
let folder: string;

/** What each provider says of somebody in the group, a person and a program. */
interface Kind {
  issuer: () => string;
  claims: JsonObject;
  program: JsonObject;
  /** What makes it one for somebody else. */
  elsewhere: JsonObject;
  typ?: string;
}
const KINDS: Record<string, Kind> = {
  keycloak: {
    issuer: () => `${keyServer.origin}/realms/house`,
    claims: { aud: 'gatehouse', azp: 'web', typ: 'Bearer', preferred_username: 'ann', groups: ['lob1'] },
    program: {
      aud: 'gatehouse',
      azp: 'bot',
      typ: 'Bearer',
      preferred_username: 'service-account-bot',
      groups: ['lob1'],
    },
    elsewhere: { aud: 'another-client' },
  },
  cognito: {
    issuer: () => `https://cognito-idp.us-east-1.amazonaws.com/${POOL}`,
    claims: { client_id: 'gatehouse', token_use: 'access', username: 'ann', 'cognito:groups': ['lob1'] },
    program: { client_id: 'gatehouse', token_use: 'access', scope: 'lob1' },
    elsewhere: { client_id: 'another-client' },
  },
  entra: {
    issuer: () => `https://login.microsoftonline.com/${TENANT}/v2.0`,
    claims: { ...{ aud: 'gatehouse', tid: TENANT, oid: 'o-1', ver: '2.0', azp: 'web' }, scp: 'x', groups: [OBJECT_ID] },
    program: {
      ...{ aud: 'gatehouse', tid: TENANT, oid: 'o-2', ver: '2.0', azp: 'bot' },
      idtyp: 'app',
      groups: [OBJECT_ID],
    },
    elsewhere: { aud: 'another-client' },
  },
  company: {
    issuer: () => 'https://sso.company.example',
    claims: { aud: ['gatehouse', 'other'], teams: ['lob1'], nick: 'ann' },
    program: { aud: 'gatehouse', teams: 'lob1' },
    elsewhere: { aud: 'another-client' },
  },
};

beforeAll(async () => {
  server = await startScripted();
  keyServer = await startKeyServer();
  keyServer.sets.set('/keys', [keys.jwk]);
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-providers-'));
  const file = join(folder, 'oauth2_providers.yml');
  const jwks = { jwks_url: `${keyServer.origin}/keys`, client_id: 'gatehouse', client_secret: 'not used here' };
  const address = `${keyServer.origin}/realms/house/protocol/openid-connect/auth`;
  writeFileSync(
    file,
    JSON.stringify({
      providers: {
        keycloak: { ...jwks, auth_url: address, audiences: ['gatehouse'], username_claim: 'preferred_username' },
        cognito: { ...jwks, user_pool_id: POOL, region: 'us-east-1', allowed_clients: ['gatehouse'] },
        entra: { ...jwks, tenant_id: TENANT, audiences: ['gatehouse'] },
        company: { ...jwks, issuer: 'https://sso.company.example', audiences: ['gatehouse'], groups_claim: 'teams' },
      },
    }),
  );
  gateway = await startGuarded({
    servers: { echo: { url: server.url } },
    scopes: SCOPES,
    issuer: false,
    env: { GATEWAY_PROVIDERS: file },
  });
}, 60_000);

afterAll(async () => {
  await gateway.stop();
  await keyServer.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function claimsOf({ issuer }: Kind, more: JsonObject): JsonObject {
  const now = Math.floor(Date.now() / 1000);
  return { iss: issuer(), sub: 'subject-1', iat: now, exp: now + 600, ...more };
}
const tokenOf = (kind: Kind, more: JsonObject, key = keys, kid = key.kid) =>
  signToken({ alg: 'RS256', kid, typ: 'JWT' }, claimsOf(kind, more), key.privateKey, 'RS256');

describe.each(Object.entries(KINDS))('a token of %s', (name, kind) => {
  test.each(['claims', 'program'] as const)('(%s) has the rights of its group and no others', async of => {
    const client = await gateway.open('modern', tokenOf(kind, kind[of]));
    const listed = resultOf(await client.request('tools/list'));
    expect((listed.tools as { name: string }[]).map(tool => tool.name)).toEqual(['echo__echo', 'echo__add']);
    expect(resultOf(await client.call('echo__add', { a: 20, b: 22 })).content).toEqual([{ type: 'text', text: '42' }]);
    const refused = await client.call('echo__delete_all');
    expect([refused.status, errorOf(refused).data]).toMatchObject([200, { code: 'DENIED_BY_POLICY' }]);
    await client.close();
  });

  test.each([
    ['for somebody else', () => tokenOf(kind, { ...kind.claims, ...kind.elsewhere })],
    ['of another issuer', () => tokenOf(kind, { ...kind.claims, iss: `${kind.issuer()}/other` })],
    ['of the issuer with a slash more', () => tokenOf(kind, { ...kind.claims, iss: `${kind.issuer()}/` })],
    ['signed by a key of the same name', () => tokenOf(kind, kind.claims, strange)],
    ['signed by a key nobody publishes', () => tokenOf(kind, kind.claims, strange, 'unheard-of')],
    ['that has expired', () => tokenOf(kind, { ...kind.claims, exp: Math.floor(Date.now() / 1000) - 600 })],
    ['without a signature', () => `${encode({ alg: 'none' })}.${encode(claimsOf(kind, kind.claims))}.`],
    [
      'signed with the public key as a secret',
      () =>
        signWithSecret(
          { alg: 'HS256', kid: keys.kid, typ: 'JWT' },
          claimsOf(kind, kind.claims),
          keys.publicKey.export({ type: 'spki', format: 'pem' }),
        ),
    ],
  ])('%s is refused, and told no more than that', async (_, make) => {
    const before = JSON.stringify(server.stats().calls);
    const reply = await exchange(`${gateway.origin}/mcp`, {
      headers: {
        authorization: `Bearer ${make()}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        // What a caller says of where its keys are is not listened to.
        'x-keycloak-url': 'http://127.0.0.1:1',
        'x-keycloak-realm': name,
        'x-user-pool-id': 'us-east-1_Evil',
        'x-tenant-id': 'common',
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    }).reply;
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([
      401,
      'Bearer error="invalid_token", resource_metadata="https://gw.example.test/.well-known/oauth-protected-resource/mcp"',
    ]);
    expect(JSON.stringify(server.stats().calls)).toBe(before);
  });
});

test('all of that took few looks at the keys, and none anywhere else', () => {
  expect([...keyServer.fetches.keys()]).toEqual(['/keys']);
  // One issuer each, and once more for a key that nobody had heard of.
  expect(keyServer.total()).toBeLessThanOrEqual(8);
});
