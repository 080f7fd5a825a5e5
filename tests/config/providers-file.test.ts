import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatProblem } from '../../src/config/problem.ts';
import { readProviders } from '../../src/config/providers-file.ts';

const TENANT = '11111111-aaaa-4aaa-8aaa-000000000001';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-providers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function read(text: string, env: Record<string, string> = {}) {
  const path = join(folder, 'oauth2_providers.yml');
  writeFileSync(path, text);
  const { issuers, problems } = readProviders({ path, env, publicUrl: 'https://gw.example.test/' });
  return { issuers, problems: problems.map(problem => formatProblem(problem).replace(`${path}: `, '')) };
}

const DOCUMENT = `
session:
  max_age_seconds: 28800
providers:
  keycloak:
    display_name: Keycloak
    client_id: "\${KEYCLOAK_CLIENT_ID}"
    client_secret: "\${KEYCLOAK_CLIENT_SECRET}"
    auth_url: "\${KEYCLOAK_URL}/realms/\${KEYCLOAK_REALM:-corp}/protocol/openid-connect/auth"
    token_url: "\${KEYCLOAK_URL}/realms/corp/protocol/openid-connect/token"
    scopes: [openid, email]
    response_type: code
    grant_type: authorization_code
    username_claim: preferred_username
    groups_claim: groups
    name_claim: name
    enabled: true
  cognito:
    client_id: 7webclient
    user_pool_id: eu-test-1_Ab12Cd34E
    groups_claim: "cognito:groups"
    enabled: "\${COGNITO_ENABLED:-true}"
  entra_id:
    client_id: 33333333-cccc-4ccc-8ccc-000000000003
    auth_url: https://login.microsoftonline.com/${TENANT}/oauth2/v2.0/authorize
    accept_v1_tokens: true
    enabled: true
  own:
    issuer: https://id.example.test
    jwks_url: https://keys.example.test/jwks
    groups_claim: https://example.test/groups
    enabled: true
  okta:
    client_id: "\${OKTA_CLIENT_ID}"
    enabled: "\${OKTA_ENABLED:-false}"
`;
const ENV = { KEYCLOAK_CLIENT_ID: 'gateway', KEYCLOAK_URL: 'https://kc.example.test' };

test('reads the document as it is written elsewhere', () => {
  const { issuers, problems } = read(DOCUMENT, ENV);
  expect(problems).toEqual([]);
  expect(issuers).toMatchObject([
    {
      ...{ name: 'keycloak', kind: 'keycloak', issuer: 'https://kc.example.test/realms/corp' },
      audiences: ['gateway', 'https://gw.example.test/mcp'],
      claims: { subject: 'sub', groups: ['groups'], name: ['preferred_username', 'name'] },
    },
    {
      ...{ name: 'cognito', issuer: 'https://cognito-idp.eu-test-1.amazonaws.com/eu-test-1_Ab12Cd34E' },
      ...{ audiences: ['https://gw.example.test/mcp'], clients: ['7webclient'] },
    },
    {
      ...{ name: 'entra_id', kind: 'entra', issuer: `https://login.microsoftonline.com/${TENANT}/v2.0` },
      claims: { subject: 'oid', scopes: ['scp', 'roles'] },
    },
    {
      ...{ name: 'entra_id v1', issuer: `https://sts.windows.net/${TENANT}/` },
      keys: { kind: 'uri', uri: `https://login.microsoftonline.com/${TENANT}/discovery/keys` },
    },
    {
      ...{ name: 'own', kind: 'oidc', keys: { kind: 'uri', uri: 'https://keys.example.test/jwks' } },
      ...{ audiences: ['https://gw.example.test/mcp'], claims: { groups: ['https://example.test/groups'] } },
    },
  ]);
  expect(issuers).toHaveLength(5);
});

test('a name that people read never becomes the key of a caller', () => {
  const { issuers } = read(DOCUMENT, ENV);
  expect(issuers.map(({ claims }) => claims.subject)).toEqual(['sub', 'sub', 'oid', 'oid', 'sub']);
});

test('what a login needs may be unset, what tells whose tokens are good may not', () => {
  const { problems } = read(DOCUMENT);
  expect(problems.map(problem => problem.split(': ')[0])).toEqual([
    ...['providers.keycloak.client_id', 'providers.keycloak.auth_url'],
  ]);
});

test.each([
  { text: 'providers: { own: { enabled: true } }', says: 'providers.own.issuer' },
  { text: 'providers: { keycloak: { client_id: a } }', says: 'providers.keycloak.issuer' },
  { text: 'providers: { cognito: { user_pool_id: a_b } }', says: 'providers.cognito.allowed_clients' },
  { text: 'providers: { a: { issuer: "https://a.test", algorithms: HS256 } }', says: 'providers.a.algorithms' },
  { text: 'providers: { a: { issuer: "https://a.test", jwks_url: "http://a.test" } }', says: 'providers.a.jwks_url' },
  { text: 'providers: { a: 1 }', says: 'providers.a' },
  { text: 'providers: []', says: 'must hold "providers"' },
  { text: 'providers: {', says: 'line 1' },
])('says where it is wrong: $text', ({ text, says }) => {
  const { issuers, problems } = read(text);
  expect(issuers).toEqual([]);
  expect(problems.length).toBeGreaterThan(0);
  expect(problems[0]).toMatch(new RegExp(`^${says.replace(/[[\]]/g, '\\$&')}`));
});

test.each([
  { enabled: 'false', is: 0 },
  { enabled: '""', is: 0 },
  { enabled: `"\${ON:-no}"`, is: 0 },
  { enabled: `"\${ON:-yes}"`, is: 1 },
  { enabled: 'true', is: 1 },
])('an entry with enabled: $enabled counts $is times', ({ enabled, is }) => {
  expect(read(`providers: { a: { issuer: "https://a.test", enabled: ${enabled} } }`).issuers).toHaveLength(is);
});

test('a switch that cannot be read is a mistake, not off', () => {
  const { problems } = read(`providers: { a: { issuer: "https://a.test", enabled: "\${ON}" } }`);
  expect(problems[0]).toMatch(/^providers\.a\.enabled: /);
});

test('the example reads as it stands, and with everything switched on', () => {
  const example = readFileSync(new URL('../../config/oauth2_providers.example.yml', import.meta.url), 'utf8');
  expect(read(example)).toEqual({ issuers: [], problems: [] });
  const { issuers, problems } = read(example, {
    ...{ KEYCLOAK_ENABLED: 'true', KEYCLOAK_CLIENT_ID: 'a', KEYCLOAK_URL: 'https://kc.example.test' },
    ...{ COGNITO_ENABLED: 'true', COGNITO_CLIENT_ID: 'b', COGNITO_USER_POOL_ID: 'eu-test-1_A' },
    ...{ ENTRA_ENABLED: 'true', ENTRA_CLIENT_ID: 'c', ENTRA_TENANT_ID: TENANT },
    ...{ OIDC_ENABLED: 'true', OIDC_ISSUER: 'https://id.example.test', OIDC_AUDIENCE: 'd' },
  });
  expect(problems).toEqual([]);
  expect(issuers.map(({ kind, issuer }) => `${kind} ${issuer}`)).toEqual([
    'keycloak https://kc.example.test/realms/mcp-gateway',
    'cognito https://cognito-idp.us-east-1.amazonaws.com/eu-test-1_A',
    `entra https://login.microsoftonline.com/${TENANT}/v2.0`,
    'oidc https://id.example.test',
  ]);
});

test('no file is no providers', () => {
  expect(readProviders({ path: null, env: {}, publicUrl: null })).toMatchObject({ issuers: [], problems: [] });
});
