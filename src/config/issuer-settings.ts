/**
 * One issuer as written, whichever file it stands in, to IssuerSettings: what is usual for its kind of provider, and the
 * checks that keep a slip from becoming an open door. A recipient is always asked for: a signature alone says who wrote a
 * token, not for whom.
 */
import { type IssuerSettings, isJwsAlgorithm, type KeyLocation, type ProviderKind } from '../domain/issuer.ts';
import type { JsonObject } from '../domain/json.ts';
import { isLoopbackHost } from './access.ts';
import type { Mistake } from './problem.ts';

/** What both files can say. Absent: what is usual for the kind. */
export interface WrittenIssuer {
  name?: string | undefined;
  kind?: ProviderKind | undefined;
  issuer?: string | undefined;
  jwks?: JsonObject | undefined;
  jwksUri?: string | undefined;
  algorithms?: readonly string[] | undefined;
  audiences?: readonly string[] | undefined;
  clients?: readonly string[] | undefined;
  tokenTypes?: readonly string[] | undefined;
  subject?: string | undefined;
  scopes?: readonly string[] | undefined;
  groups?: readonly string[] | undefined;
  client?: readonly string[] | undefined;
  agent?: readonly string[] | undefined;
  displayName?: readonly string[] | undefined;
  maxLifetimeMs?: number | null | undefined;
  skewMs?: number | undefined;
  jwksMaxAgeMs?: number | undefined;
  jwksCooldownMs?: number | undefined;
  jwksStaleForMs?: number | undefined;
  fetchTimeoutMs?: number | undefined;
}

export type ReportMistake = (field: string, message: string, hint?: string | null) => void;

type KindDefaults = Pick<IssuerSettings, 'algorithms' | 'tokenTypes' | 'claims'>;

const DEFAULTS: Readonly<Record<ProviderKind, KindDefaults>> = {
  keycloak: {
    algorithms: ['RS256'],
    tokenTypes: ['jwt', 'at+jwt'],
    claims: {
      ...{ subject: 'sub', scopes: ['scope'], groups: ['groups'], agent: [] },
      ...{ client: ['azp', 'client_id'], name: ['preferred_username', 'name'] },
    },
  },
  cognito: {
    algorithms: ['RS256'],
    tokenTypes: ['jwt', 'none'],
    claims: {
      ...{ subject: 'sub', scopes: ['scope'], groups: ['cognito:groups'], agent: [] },
      ...{ client: ['client_id'], name: ['username'] },
    },
  },
  entra: {
    algorithms: ['RS256'],
    tokenTypes: ['jwt'],
    claims: {
      // `sub` differs per application; application roles are what programs have in the place of scopes.
      ...{ subject: 'oid', scopes: ['scp', 'roles'], groups: ['groups'], agent: [] },
      ...{ client: ['azp', 'appid'], name: ['name', 'preferred_username'] },
    },
  },
  oidc: {
    algorithms: ['RS256', 'ES256'],
    tokenTypes: ['at+jwt'],
    claims: {
      ...{ subject: 'sub', scopes: ['scope', 'scp'], groups: ['groups'], agent: [] },
      ...{ client: ['client_id', 'cid', 'azp'], name: ['name', 'preferred_username'] },
    },
  },
};

const HOUR_MS = 3_600_000;

/** Null after something was reported. */
export function toIssuerSettings(written: WrittenIssuer, report: ReportMistake): IssuerSettings | null {
  let isGood = true;
  const no: ReportMistake = (field, message, hint = null) => {
    isGood = false;
    report(field, message, hint);
  };
  const kind = written.kind ?? 'oidc';
  const usual = DEFAULTS[kind];
  const issuer = written.issuer ?? '';
  if (issuer === '') no('issuer', 'is required: it is compared with the `iss` of every token');
  else checkIssuer(issuer, kind, no);
  const algorithms = checkAlgorithms(written.algorithms, usual.algorithms, no);
  checkRecipients(written, kind, no);
  const keys = toKeyLocation(written, issuer, no);
  if (!isGood || keys === null) return null;
  return {
    name: written.name ?? issuer,
    issuer,
    kind,
    keys,
    algorithms,
    audiences: written.audiences ?? [],
    clients: written.clients ?? [],
    tokenTypes: written.tokenTypes?.map(type => type.toLowerCase().replace(/^application\//, '')) ?? usual.tokenTypes,
    claims: {
      subject: written.subject ?? usual.claims.subject,
      scopes: written.scopes ?? usual.claims.scopes,
      groups: written.groups ?? usual.claims.groups,
      client: written.client ?? usual.claims.client,
      agent: written.agent ?? usual.claims.agent,
      name: written.displayName ?? usual.claims.name,
    },
    maxLifetimeMs: written.maxLifetimeMs === undefined ? 24 * HOUR_MS : written.maxLifetimeMs,
    skewMs: written.skewMs ?? 60_000,
    jwksMaxAgeMs: written.jwksMaxAgeMs ?? 600_000,
    jwksCooldownMs: written.jwksCooldownMs ?? 30_000,
    jwksStaleForMs: written.jwksStaleForMs ?? HOUR_MS,
    fetchTimeoutMs: written.fetchTimeoutMs ?? 5000,
  };
}

function checkIssuer(issuer: string, kind: ProviderKind, no: ReportMistake): void {
  if (!checkWebAddress('issuer', issuer, no)) return;
  // A bar parts issuer and subject in the key of a caller.
  if (/[?#|]/.test(issuer)) no('issuer', 'must be an address without a query, a fragment or a bar');
  const tenant = new URL(issuer).pathname.split('/')[1] ?? '';
  if (kind === 'entra' && (tenant === '' || /^(?:common|organizations|consumers)$/i.test(tenant)))
    no('issuer', 'must name one tenant: the shared addresses speak for everybody', 'https://…/<tenant id>/v2.0');
}

/** True when what is written can be asked for. Plain http is for what runs on this machine. */
export function checkWebAddress(field: string, written: string, no: ReportMistake): boolean {
  if (!URL.canParse(written)) no(field, 'is not a valid address');
  else {
    const url = new URL(written);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (url.username !== '' || url.password !== '') no(field, 'must not hold a user name or password');
    else if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(host))) return true;
    else no(field, 'must begin with https:// (http:// is for this machine alone)');
  }
  return false;
}

function checkAlgorithms(
  written: readonly string[] | undefined,
  usual: IssuerSettings['algorithms'],
  no: ReportMistake,
): IssuerSettings['algorithms'] {
  if (written === undefined) return usual;
  const good = written.filter(isJwsAlgorithm);
  if (good.length === 0 || good.length < written.length) {
    const hint =
      'RS256, PS256, ES256, EdDSA and their longer ones; never none, and no HS256: who checks it could sign it';
    no('algorithms', 'must be a list of algorithms with a public key', hint);
  }
  return good;
}

function checkRecipients({ audiences, clients }: WrittenIssuer, kind: ProviderKind, no: ReportMistake): void {
  for (const [field, list] of [
    ['audiences', audiences],
    ['clients', clients],
  ] as const) {
    if (list?.some(name => name.trim() === '' || name === '*')) no(field, 'must name each one: neither empty nor "*"');
    else if (list?.length === 0) no(field, 'is empty, so that nobody could get in', 'leave it out or name some');
  }
  if (kind === 'cognito' && clients === undefined) {
    const hint = 'the ids of the app clients that may use this gateway: its access tokens name no other recipient';
    no('clients', 'is required', hint);
  } else if (audiences === undefined && clients === undefined) {
    no('audiences', 'is required: a token must be meant for this gateway', 'what its tokens say in `aud`');
  }
}

function toKeyLocation(written: WrittenIssuer, issuer: string, no: ReportMistake): KeyLocation | null {
  const { jwks, jwksUri } = written;
  if (jwks !== undefined && jwksUri !== undefined) no('jwksUri', 'stands beside pinned keys: only one of them counts');
  if (jwks !== undefined) {
    if (Array.isArray(jwks.keys) && jwks.keys.length > 0) return { kind: 'pinned', jwks };
    no('jwks', 'must be a key set: { keys: [...] } with at least one key');
    return null;
  }
  if (jwksUri !== undefined) return checkWebAddress('jwksUri', jwksUri, no) ? { kind: 'uri', uri: jwksUri } : null;
  // Version 1 of Entra publishes its keys on another host than its name.
  const tenant = /^https:\/\/sts\.windows\.net\/([^/]+)\/$/.exec(issuer)?.[1];
  if (tenant !== undefined) return { kind: 'uri', uri: `https://login.microsoftonline.com/${tenant}/discovery/keys` };
  return { kind: 'discovered' };
}

/** Two entries for one issuer would be two answers to one token. */
export function findTwins(issuers: readonly IssuerSettings[]): string[] {
  const names = issuers.map(({ issuer }) => issuer);
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

export function mistakeAt(at: readonly (string | number)[], mistakes: Mistake[]): ReportMistake {
  return (field, message, hint = null) => void mistakes.push({ path: [...at, field], message, hint });
}
