/**
 * A verifier in front of seven example issuers, one per kind of provider, whose key sets a local server publishes: the door
 * that the token corpora are written for.
 */
import { toIssuerSettings, type WrittenIssuer } from '../../src/config/issuer-settings.ts';
import type { Identity } from '../../src/domain/identity.ts';
import type { IssuerSettings } from '../../src/domain/issuer.ts';
import { createSystemClock } from '../../src/outbound/clock.ts';
import { createPinnedFetch } from '../../src/outbound/fetch/pinned-fetch.ts';
import { createJwtVerifier, type JwtVerifier } from '../../src/outbound/idp/jwt-verifier.ts';
import type { Log } from '../../src/ports/log.ts';
import type { Refusal } from '../../src/ports/token-verifier.ts';
import { digestOf } from '../../src/services/identity/bearer.ts';
import { createFrozenClock, type FrozenClock } from './frozen-clock.ts';
import { createEcKey, createRsaKey, type KeyServer, type SigningKey, startKeyServer } from './token-issuer.ts';

export const PUBLIC_URL = 'https://gw.example.test';
const RESOURCE = `${PUBLIC_URL}/mcp`;
const TENANT = '11111111-aaaa-4aaa-8aaa-000000000001';
const API = '33333333-cccc-4ccc-8ccc-000000000003';

/** A made-up JWKS path is filled in for each. */
export const ISSUERS: Readonly<Record<string, WrittenIssuer>> = {
  'kc-1': { kind: 'keycloak', issuer: 'https://kc.example.test/realms/corp', audiences: [RESOURCE] },
  'cg-1': {
    kind: 'cognito',
    issuer: 'https://cognito-idp.eu-test-1.amazonaws.com/eu-test-1_Ab12Cd34E',
    clients: ['7webclient', '7m2m'],
  },
  'en-1': { kind: 'entra', issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`, audiences: [API] },
  'en-v1': { kind: 'entra', issuer: `https://sts.windows.net/${TENANT}/`, audiences: [`api://${API}`] },
  'g-1': { kind: 'oidc', issuer: 'https://id.example.test', audiences: [RESOURCE], algorithms: ['ES256'] },
  'ok-1': {
    ...{ kind: 'oidc', issuer: 'https://id.example.test/oauth2/default', audiences: [RESOURCE] },
    ...{ tokenTypes: ['none', 'at+jwt'], subject: 'uid' },
  },
  'a0-1': {
    ...{ kind: 'oidc', issuer: 'https://id.example.test/', audiences: [RESOURCE] },
    groups: ['https://example.test/groups'],
  },
};

export const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => QUIET };

export interface Gate {
  clock: FrozenClock;
  server: KeyServer;
  verifier: JwtVerifier;
  keys: ReadonlyMap<string, SigningKey>;
  settings: readonly IssuerSettings[];
  verify(token: string): Promise<Identity | Refusal>;
  close(): Promise<void>;
}

export interface GateOptions {
  /** Laid over every issuer. */
  more?: WrittenIssuer;
  only?: readonly string[];
  isRevoked?: (who: Identity) => boolean;
  log?: Log;
  maxTokens?: number;
  origins?: (server: KeyServer) => ReadonlySet<string>;
}

const keys = new Map<string, SigningKey>();

export async function openGate(options: GateOptions = {}): Promise<Gate> {
  const server = await startKeyServer();
  const clock = createFrozenClock();
  const settings: IssuerSettings[] = [];
  for (const [kid, written] of Object.entries(ISSUERS)) {
    if (options.only?.includes(kid) === false) continue;
    // RSA keys are slow to make; one set per test file is enough.
    if (!keys.has(kid)) keys.set(kid, kid === 'g-1' ? createEcKey(kid) : createRsaKey(kid));
    server.sets.set(`/${kid}`, [keys.get(kid)?.jwk ?? {}]);
    const all = { ...written, name: kid, jwksUri: `${server.origin}/${kid}`, ...options.more };
    const made = toIssuerSettings(all, (field, message) => {
      throw new Error(`${kid}: ${field} ${message}`);
    });
    if (made !== null) settings.push(made);
  }
  const verifier = createJwtVerifier({
    issuers: settings,
    publicUrl: PUBLIC_URL,
    defaultAgent: null,
    fetch: createPinnedFetch({
      origins: options.origins?.(server) ?? new Set([server.origin]),
      clock: createSystemClock(),
    }),
    clock,
    log: options.log ?? QUIET,
    ...(options.isRevoked === undefined ? {} : { isRevoked: options.isRevoked }),
    ...(options.maxTokens === undefined ? {} : { maxTokens: options.maxTokens }),
  });
  return {
    clock,
    server,
    verifier,
    keys,
    settings,
    verify: async token => verifier.verify(token, digestOf(token)),
    async close() {
      verifier.close();
      await server.close();
    },
  };
}

/** `NOW+300` and `NOW-30` in a sample become Unix seconds. */
export function withTimes<T>(value: T, nowMs: number): T {
  return JSON.parse(
    JSON.stringify(value).replace(/"NOW([+-]\d+)"/g, (_, offset: string) =>
      String(Math.floor(nowMs / 1000) + Number(offset)),
    ),
  );
}

/** The base of every mutation: an access token as RFC 9068 wants it. */
export function sampleClaims(nowMs: number): Record<string, unknown> {
  const now = Math.floor(nowMs / 1000);
  return {
    ...{ iat: now - 30, exp: now + 300, iss: 'https://id.example.test', sub: 'u-1', aud: RESOURCE },
    ...{ client_id: 'cli-1', scope: 'mcp:tools.list mcp:tools.call', groups: ['eng'], jti: 'j-1' },
  };
}

export const SAMPLE_HEADER = { alg: 'ES256', typ: 'at+jwt', kid: 'g-1' };
