/**
 * The official client, our door and a real authorization server: from a 401 to a token that opens it, with nothing handed
 * over but the address. What is behind the door is not looked at here.
 */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { auth, type OAuthClientProvider } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toIssuerSettings } from '../../src/config/issuer-settings.ts';
import { LOCAL_CALLER } from '../../src/domain/identity.ts';
import { refuseChallenged } from '../../src/inbound/mcp/http-refusals.ts';
import { createWellKnown } from '../../src/inbound/well-known/well-known.ts';
import { createSystemClock } from '../../src/outbound/clock.ts';
import { createPinnedFetch } from '../../src/outbound/fetch/pinned-fetch.ts';
import { createJwtVerifier, type JwtVerifier } from '../../src/outbound/idp/jwt-verifier.ts';
import { originsOf } from '../../src/outbound/idp/key-source.ts';
import { createChallenges } from '../../src/services/identity/challenge.ts';
import { createCredentialChain, type Identify } from '../../src/services/identity/identify.ts';
import { type AuthorizationServer, startAuthorizationServer } from '../support/authorization-server.ts';
import { QUIET } from '../support/gate-of-issuers.ts';

const SCOPES = ['mcp:tools.list', 'mcp:tools.call'];
let authority: AuthorizationServer;
let verifier: JwtVerifier;
let door: Server;
let publicUrl: string;

beforeAll(async () => {
  authority = await startAuthorizationServer({
    clients: [],
    scopes: SCOPES,
    people: new Map([['alice', ['/eng/platform']]]),
  });
  let answer: (...of: Parameters<Parameters<typeof createServer>[1] & object>) => void = () => {};
  door = createServer((req, res) => answer(req, res));
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  publicUrl = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  const settings = toIssuerSettings({ issuer: authority.issuer, audiences: [`${publicUrl}/mcp`] }, (field, message) => {
    throw new Error(`${field} ${message}`);
  });
  if (settings === null) throw new Error('no settings');
  const clock = createSystemClock();
  const fetchJson = createPinnedFetch({ origins: new Set(originsOf(settings)), clock });
  verifier = createJwtVerifier({
    ...{ issuers: [settings], publicUrl, defaultAgent: null, fetch: fetchJson, clock, log: QUIET },
  });
  const wellKnown = createWellKnown({
    publicUrl,
    issuers: [authority.issuer],
    scopes: SCOPES,
    issuerMetadata: () => verifier.metadata(),
  });
  const { identify } = createCredentialChain({
    findKey: () => null,
    findNamedKeys: () => [],
    vended: null,
    issuers: verifier,
    login: null,
    challenges: createChallenges({ publicUrl, scopes: SCOPES }),
    local: LOCAL_CALLER,
    owner: { ...LOCAL_CALLER, subject: 'key', method: 'api-key' },
    isRevoked: () => false,
    clock,
  });
  answer = (req, res) => {
    if (wellKnown.handle(req, res, req.url ?? '/')) return;
    void tell(identify, req.headers, req.url ?? '/').then(who => {
      if (who.kind === 'challenge') refuseChallenged({ req, res, id: 'r-1' }, who);
      else res.end(JSON.stringify({ ...who, scopes: [...who.scopes], groups: [...who.groups] }));
    });
  };
});
afterAll(async () => {
  verifier.close();
  door.closeAllConnections();
  door.close();
  await authority.close();
});

const tell = async (identify: Identify, ...shown: Parameters<Identify>) => identify(...shown);

/** A client as programs are: it keeps what it is given, and opens a browser when it is told to. */
function createProvider() {
  let information: unknown;
  let tokens: unknown;
  let verifierText = '';
  const seen: { authorization: URL | null } = { authorization: null };
  const provider: OAuthClientProvider = {
    redirectUrl: 'http://127.0.0.1:1/callback',
    clientMetadata: {
      client_name: 'visitor',
      redirect_uris: ['http://127.0.0.1:1/callback'],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => information as ReturnType<OAuthClientProvider['clientInformation']>,
    saveClientInformation: given => {
      information = given;
    },
    tokens: () => tokens as ReturnType<OAuthClientProvider['tokens']>,
    saveTokens: given => {
      tokens = given;
    },
    redirectToAuthorization: url => {
      seen.authorization = url;
    },
    saveCodeVerifier: text => {
      verifierText = text;
    },
    codeVerifier: () => verifierText,
  };
  return { provider, seen, accessToken: () => (tokens as { access_token?: string } | undefined)?.access_token ?? '' };
}

async function findTheWayIn(path: string): Promise<string> {
  const serverUrl = `${publicUrl}${path}`;
  const refused = await fetch(serverUrl, { method: 'POST' });
  const challenge = refused.headers.get('www-authenticate') ?? '';
  expect([refused.status, refused.headers.get('content-type')]).toEqual([401, 'application/json']);
  expect(challenge).not.toContain('error=');
  const metadata = new URL(/resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? '');
  const scope = /scope="([^"]+)"/.exec(challenge)?.[1] ?? '';

  const { provider, seen, accessToken } = createProvider();
  const options = { serverUrl, resourceMetadataUrl: metadata, scope };
  expect(await auth(provider, options)).toBe('REDIRECT');
  if (seen.authorization === null) throw new Error('no browser was opened');
  const callback = await authority.signIn(seen.authorization, 'alice');
  const authorizationCode = callback.searchParams.get('code') ?? '';
  const iss = callback.searchParams.get('iss');
  expect(await auth(provider, { ...options, authorizationCode, ...(iss === null ? {} : { iss }) })).toBe('AUTHORIZED');
  return accessToken();
}

const show = (token: string, path: string) =>
  fetch(`${publicUrl}${path}`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });

test('a client that knows only the address gets in, as the person who signed in', async () => {
  const response = await show(await findTheWayIn('/mcp'), '/mcp');
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    ...{ subject: `${authority.issuer}|alice`, method: 'jwt', boundServer: null, isService: false },
    ...{ groups: ['/eng/platform'], scopes: SCOPES },
  });
});

test('a client of one server gets a token for that server alone', async () => {
  const response = await show(await findTheWayIn('/github/mcp'), '/github/mcp');
  expect(await response.json()).toMatchObject({ subject: `${authority.issuer}|alice`, boundServer: 'github' });
});
