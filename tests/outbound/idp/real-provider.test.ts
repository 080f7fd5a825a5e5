/** Tokens of a real authorization server, found through its metadata and verified with the keys it publishes. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { toIssuerSettings } from '../../../src/config/issuer-settings.ts';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { Secret } from '../../../src/domain/secret.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createPinnedFetch } from '../../../src/outbound/fetch/pinned-fetch.ts';
import { createJwtVerifier, type JwtVerifier } from '../../../src/outbound/idp/jwt-verifier.ts';
import { originsOf } from '../../../src/outbound/idp/key-source.ts';
import { createChallenges } from '../../../src/services/identity/challenge.ts';
import { createCredentialChain, type Identify } from '../../../src/services/identity/identify.ts';
import { type AuthorizationServer, startAuthorizationServer } from '../../support/authorization-server.ts';
import { PUBLIC_URL, QUIET } from '../../support/gate-of-issuers.ts';
import { randomSecret } from '../../support/token-issuer.ts';

const KEY = 'k9vQ2mX7wLr4Tz8uYb3nHs6dFg1cJp5a';
const agent7 = { id: 'agent-7', secret: randomSecret(), groups: ['lob1'] };
const agent8 = { id: 'agent-8', secret: randomSecret(), groups: [] };

let server: AuthorizationServer;
let verifier: JwtVerifier;
let identify: Identify;

beforeAll(async () => {
  server = await startAuthorizationServer({
    clients: [agent7, agent8],
    scopes: ['mcp:tools.list', 'mcp:tools.call'],
  });
  const settings = toIssuerSettings(
    { name: 'real', issuer: server.issuer, audiences: [`${PUBLIC_URL}/mcp`], clients: [agent7.id] },
    (field, message) => {
      throw new Error(`${field} ${message}`);
    },
  );
  if (settings === null) throw new Error('no settings');
  const clock = createSystemClock();
  verifier = createJwtVerifier({
    issuers: [settings],
    publicUrl: PUBLIC_URL,
    defaultAgent: null,
    fetch: createPinnedFetch({ origins: new Set(originsOf(settings)), clock }),
    clock,
    log: QUIET,
  });
  verifier.warm();
  const noKeys: [] = [];
  ({ identify } = createCredentialChain({
    findKey: () => key,
    findNamedKeys: () => noKeys,
    vended: null,
    issuers: verifier,
    login: null,
    challenges: createChallenges({ publicUrl: PUBLIC_URL, scopes: ['mcp:tools.list'] }),
    local: LOCAL_CALLER,
    owner: { ...LOCAL_CALLER, subject: 'key', method: 'api-key' },
    isRevoked: () => false,
    clock,
  }));
});
afterAll(async () => {
  verifier.close();
  await server.close();
});

const key = new Secret(KEY);
const show = (token: string) => identify({ authorization: `Bearer ${token}` });

test('a program with its own credentials is its own agent, with its groups and scopes', async () => {
  const token = await server.token(agent7, `${PUBLIC_URL}/mcp`, 'mcp:tools.call');
  expect(await show(token)).toMatchObject({
    kind: 'identity',
    subject: `${server.issuer}|agent-7`,
    ...{ client: 'agent-7', agent: 'agent-7', agentVerified: true, isService: true, method: 'jwt', boundServer: null },
    scopes: new Set(['mcp:tools.call']),
    groups: new Set(['lob1']),
  });
  expect(show(token)).not.toBeInstanceOf(Promise);
});

test('a token asked for one server is bound to it', async () => {
  const token = await server.token(agent7, `${PUBLIC_URL}/github/mcp`, 'mcp:tools.call');
  expect(await show(token)).toMatchObject({ kind: 'identity', boundServer: 'github' });
});

test('a token for somebody else, or of a client nobody listed, is refused', async () => {
  const elsewhere = await server.token(agent7, 'https://other.example.test/mcp', 'mcp:tools.call');
  expect(await show(elsewhere)).toMatchObject({ status: 401, reason: 'audience' });
  const unlisted = await server.token(agent8, `${PUBLIC_URL}/mcp`, 'mcp:tools.call');
  expect(await show(unlisted)).toMatchObject({ status: 401, reason: 'client' });
});

test('a static key and tokens live side by side, and what is neither gets one answer', async () => {
  expect(await show(KEY)).toMatchObject({ subject: 'key' });
  expect(await show('neither')).toMatchObject({
    ...{ kind: 'challenge', status: 401, reason: 'unknown' },
    wwwAuthenticate: expect.stringMatching(/^Bearer error="invalid_token", resource_metadata="https:.*\/mcp"/),
  });
});

test('what the server says of itself can be handed on', () => {
  expect(verifier.metadata()).toMatchObject({ issuer: server.issuer, token_endpoint: `${server.issuer}/token` });
});
