/**
 * The `identity` section: our public address, the issuers whose tokens are taken, keys with names, and the operator's own
 * login from the environment. Cross-checks that need the other sections are the loader's.
 */

import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import type { IssuerSettings } from '../domain/issuer.ts';
import { isJsonObject, type JsonObject } from '../domain/json.ts';
import type { NamedKey } from '../domain/named-key.ts';
import { Secret } from '../domain/secret.ts';
import { findKeyWeakness, KEY_HINT } from './access.ts';
import { checkWebAddress, findTwins, mistakeAt, toIssuerSettings, type WrittenIssuer } from './issuer-settings.ts';
import type { Mistake } from './problem.ts';
import { readTextFile } from './text-file.ts';
import { duration } from './written-values.ts';

const texts = z.array(z.string());
/** One name or several. */
const names = z.union([z.string().transform(name => [name]), texts]);

const IssuerEntry = z.strictObject({
  name: z.string().optional(),
  kind: z.enum(['keycloak', 'cognito', 'entra', 'oidc']).optional(),
  issuer: z.string().optional(),
  jwks: z.record(z.string(), z.unknown()).optional(),
  jwksFile: z.string().optional(),
  jwksUri: z.string().optional(),
  algorithms: texts.optional(),
  audiences: names.optional(),
  clients: names.optional(),
  typ: names.optional(),
  userKey: z.string().optional(),
  scopeClaim: names.optional(),
  groupClaim: names.optional(),
  claims: z
    .strictObject({
      subject: z.string().optional(),
      scopes: names.optional(),
      groups: names.optional(),
      client: names.optional(),
      agent: names.optional(),
      name: names.optional(),
    })
    .optional(),
  groupOverage: z.enum(['deny', 'graph']).optional(),
  maxLifetime: z.union([z.literal('none'), duration(1000)]).optional(),
  skew: duration(0, 600_000).optional(),
  jwksMaxAge: duration(1000).optional(),
  jwksCooldown: duration(1000).optional(),
  jwksStaleFor: duration(0).optional(),
  fetchTimeout: duration(100, 60_000).optional(),
});
type IssuerEntry = z.output<typeof IssuerEntry>;

const KeyEntry = z.strictObject({
  name: z.string(),
  key: z.string(),
  groups: texts.optional(),
  scopes: texts.optional(),
  agent: z.string().optional(),
});
type KeyEntry = z.output<typeof KeyEntry>;

export const IdentitySection = z.strictObject({
  publicUrl: z.string().optional(),
  requiredScopes: texts.optional(),
  issuers: z.array(IssuerEntry).optional(),
  keys: z.array(KeyEntry).optional(),
  login: z.strictObject({ groups: texts.optional(), ttl: duration(60_000, 86_400_000).optional() }).optional(),
});
export type IdentitySection = z.output<typeof IdentitySection>;

export interface IdentityConfig {
  /** How clients reach us, without a slash at the end; null where no issuer needs to know. */
  publicUrl: string | null;
  /** What the first challenge asks for. */
  requiredScopes: readonly string[];
  issuers: readonly IssuerSettings[];
  keys: readonly NamedKey[];
  /** The operator's own, where one is set up. */
  login: LoginConfig | null;
}

/** Whether there are callers of different names, who may have different rights. */
export function tellsCallersApart({ issuers, keys, login }: IdentityConfig): boolean {
  return issuers.length > 0 || keys.length > 0 || login !== null;
}

export interface LoginConfig {
  user: Secret;
  password: Secret;
  /** What its rights are mapped from. */
  groups: readonly string[];
  /** How long a session lasts. */
  ttlMs: number;
}

export interface IdentityContext {
  /** Relative paths start here: the folder of the configuration file. */
  folder: string;
  /** Of the providers file. */
  fromProviders: readonly IssuerSettings[];
  /** Takes the files of pinned keys; absolute. */
  files?: Set<string>;
  /** `ADMIN_USER` and `ADMIN_PASSWORD`. */
  env: Readonly<Record<string, string | undefined>>;
  /** Whether only this machine can reach the listener. */
  onLoopback: boolean;
  /** Without HTTP there is no page to log in on. */
  servesHttp: boolean;
}

export interface IdentityFinding {
  config: IdentityConfig;
  /** Paths begin with `identity`, or are the name of a variable. */
  mistakes: Mistake[];
  warnings: string[];
}

export function toIdentityConfig(section: IdentitySection | undefined, context: IdentityContext): IdentityFinding {
  const written = section ?? {};
  const mistakes: Mistake[] = [];
  const warnings: string[] = [];
  const inYaml = (written.issuers ?? []).flatMap((entry, index) => {
    const settings = toIssuer(entry, context, ['identity', 'issuers', index], mistakes);
    return settings === null ? [] : [settings];
  });
  const issuers = [...inYaml, ...context.fromProviders];
  for (const issuer of findTwins(issuers)) {
    mistakes.push({ path: ['identity', 'issuers'], message: `${issuer} is configured twice`, hint: null });
  }
  const config: IdentityConfig = {
    publicUrl: toPublicUrl(written.publicUrl, issuers.length > 0, mistakes),
    requiredScopes: written.requiredScopes ?? [],
    issuers,
    keys: toKeys(written.keys ?? [], mistakes),
    login: toLogin(written.login, context, mistakes, warnings),
  };
  config.requiredScopes.forEach((scope, index) => {
    if (/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)) return;
    mistakes.push({ path: ['identity', 'requiredScopes', index], message: 'is no OAuth scope', hint: null });
  });
  return { config, mistakes, warnings };
}

function toIssuer(
  entry: IssuerEntry,
  { folder, files }: IdentityContext,
  at: readonly (string | number)[],
  mistakes: Mistake[],
): IssuerSettings | null {
  const report = mistakeAt(at, mistakes);
  const { claims = {} } = entry;
  for (const [short, long] of [
    ['userKey', 'subject'],
    ['scopeClaim', 'scopes'],
    ['groupClaim', 'groups'],
  ] as const) {
    if (entry[short] !== undefined && claims[long] !== undefined) report(short, `says the same as claims.${long}`);
  }
  if (entry.groupOverage === 'graph') {
    const hint = 'leave it at deny, and have the application emit the groups assigned to it only';
    report('groupOverage', 'looking groups up at Microsoft Graph is not supported by this version', hint);
  }
  const keyFile = entry.jwksFile === undefined ? null : resolveIn(folder, entry.jwksFile);
  if (keyFile !== null) files?.add(keyFile);
  const pinned = keyFile === null ? entry.jwks : readKeyFile(keyFile);
  if (keyFile !== null && pinned === null) {
    report('jwksFile', 'cannot be read as a JSON key set');
    return null;
  }
  if (entry.jwksFile !== undefined && entry.jwks !== undefined) report('jwksFile', 'stands beside jwks');
  const all: WrittenIssuer = {
    ...entry,
    jwks: (pinned ?? undefined) as JsonObject | undefined,
    tokenTypes: entry.typ,
    subject: entry.userKey ?? claims.subject,
    scopes: entry.scopeClaim ?? claims.scopes,
    groups: entry.groupClaim ?? claims.groups,
    client: claims.client,
    agent: claims.agent,
    displayName: claims.name,
    maxLifetimeMs: entry.maxLifetime === 'none' ? null : entry.maxLifetime,
    skewMs: entry.skew,
    jwksMaxAgeMs: entry.jwksMaxAge,
    jwksCooldownMs: entry.jwksCooldown,
    jwksStaleForMs: entry.jwksStaleFor,
    fetchTimeoutMs: entry.fetchTimeout,
  };
  return toIssuerSettings(all, report);
}

const MAX_KEY_FILE = 1024 * 1024;

function readKeyFile(path: string): JsonObject | null {
  const read = readTextFile(path, MAX_KEY_FILE);
  if (!read.ok) return null;
  try {
    const value: unknown = JSON.parse(read.text);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}

function resolveIn(folder: string, path: string): string {
  return isAbsolute(path) ? path : resolve(folder, path);
}

function toPublicUrl(written: string | undefined, isNeeded: boolean, mistakes: Mistake[]): string | null {
  const report = mistakeAt(['identity'], mistakes);
  if (written === undefined || written === '') {
    const hint = 'how clients reach this gateway: https://mcp.example.com';
    if (isNeeded) report('publicUrl', 'is required where tokens of issuers are taken', hint);
    return null;
  }
  if (!checkWebAddress('publicUrl', written, report)) return null;
  const { origin, pathname, search, hash } = new URL(written);
  if (search !== '' || hash !== '') report('publicUrl', 'must be an address without a query or a fragment');
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}

const KEY_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const AGENT_ID = /^[A-Za-z0-9_.-]{1,256}$/;

function toKeys(entries: readonly KeyEntry[], mistakes: Mistake[]): NamedKey[] {
  return entries.map(({ name, key, groups, scopes, agent }, index) => {
    const report = mistakeAt(['identity', 'keys', index], mistakes);
    const weakness = findKeyWeakness(key);
    if (weakness !== null) report('key', `the key ${weakness}`, KEY_HINT);
    const hint = 'small letters, digits, underscores and hyphens, up to 64';
    if (!KEY_NAME.test(name)) report('name', 'is not usable as the name of a key', hint);
    if (entries.findIndex(other => other.name === name) !== index) report('name', 'is given twice');
    if (entries.findIndex(other => other.key === key) !== index) report('key', 'is the key of another entry too');
    if (agent !== undefined && !AGENT_ID.test(agent)) report('agent', 'is not an agent id');
    return { name, key: new Secret(key), groups: groups ?? [], scopes: scopes ?? [], agent: agent ?? null };
  });
}

/** Short passwords are for a desk; what others can reach is guessed at. */
const SHORTEST_PASSWORD = 12;

const USUAL_USER = 'admin';
/** As the group of administrators is called in files of scopes, older and newer ones. */
const USUAL_GROUPS = ['registry-admins', 'mcp-registry-admin'];
const USUAL_TTL_MS = 8 * 3_600_000;

function toLogin(
  written: IdentitySection['login'],
  { env, onLoopback, servesHttp }: IdentityContext,
  mistakes: Mistake[],
  warnings: string[],
): LoginConfig | null {
  const { ADMIN_USER: user = '', ADMIN_PASSWORD: password = '' } = env;
  if (!servesHttp || (user === '' && password === '')) return null;
  const report = (message: string, hint: string) =>
    void mistakes.push({ path: ['ADMIN_PASSWORD'], message, hint: `${hint}, or unset both ADMIN_USER and it` });
  if (password === '') {
    if (onLoopback) warnings.push('ADMIN_USER is set without ADMIN_PASSWORD: there is no login');
    else report('is not set, but ADMIN_USER is and others can reach this gateway', 'set a password');
    return null;
  }
  if (!onLoopback && password.length < SHORTEST_PASSWORD) {
    report(`is shorter than ${SHORTEST_PASSWORD} characters, and others can reach this gateway`, 'set a longer one');
    return null;
  }
  return {
    user: new Secret(user === '' ? USUAL_USER : user),
    password: new Secret(password),
    groups: written?.groups ?? USUAL_GROUPS,
    ttlMs: written?.ttl ?? USUAL_TTL_MS,
  };
}
