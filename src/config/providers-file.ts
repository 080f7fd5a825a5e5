/**
 * `oauth2_providers.yml` as the registry of this name wrote it: `providers: { keycloak | cognito | entra | <own>: {...} }`
 * with `${NAME}` references. What a login needs (addresses to send a browser to) is left alone here; what tells whose
 * tokens are good becomes the same settings as in gateway.config.yaml. Unknown keys are not ours to judge.
 */
import { dirname } from 'node:path';
import { z } from 'zod';
import type { IssuerSettings, ProviderKind } from '../domain/issuer.ts';
import { parseYaml } from './documents.ts';
import { type FindSecret, interpolate } from './interpolate.ts';
import { mistakeAt, type ReportMistake, toIssuerSettings, type WrittenIssuer } from './issuer-settings.ts';
import { type Mistake, type Problem, toProblem } from './problem.ts';
import { checkShape } from './schema.ts';
import { readTextFile } from './text-file.ts';

const MAX_BYTES = 1024 * 1024;

/** A list, or words in one text: environment variables can hold nothing else. */
const words = z
  .union([z.array(z.string()), z.string().transform(text => text.split(/[\s,]+/))])
  .transform(list => list.filter(word => word !== ''))
  .transform(list => (list.length === 0 ? undefined : list));
const text = z.string().transform(value => (value.trim() === '' ? undefined : value.trim()));

const Entry = z.looseObject({
  enabled: z
    .union([z.boolean(), z.string().transform(value => !/^(?:false|0|no|off)$/i.test(value.trim()))])
    .optional(),
  kind: z.enum(['keycloak', 'cognito', 'entra', 'oidc']).optional(),
  display_name: text.optional(),
  client_id: text.optional(),
  auth_url: text.optional(),
  issuer: text.optional(),
  jwks_url: text.optional(),
  jwks_uri: text.optional(),
  algorithms: words.optional(),
  audience: words.optional(),
  audiences: words.optional(),
  allowed_clients: words.optional(),
  token_types: words.optional(),
  tenant_id: text.optional(),
  accept_v1_tokens: z.union([z.boolean(), z.string().transform(value => value.trim() === 'true')]).optional(),
  user_pool_id: text.optional(),
  region: text.optional(),
  subject_claim: text.optional(),
  scope_claim: words.optional(),
  groups_claim: words.optional(),
  client_claim: words.optional(),
  agent_claim: words.optional(),
  username_claim: text.optional(),
  name_claim: text.optional(),
});
type Entry = z.output<typeof Entry>;

export interface ProvidersInput {
  /** Null: there is no such file. */
  path: string | null;
  env: Readonly<Record<string, string | undefined>>;
  findSecret?: FindSecret | undefined;
  /** Takes the files that the file refers to. */
  files?: Set<string>;
  /** Makes our endpoint a recipient that tokens may name. */
  publicUrl: string | null;
}

export interface ProvidersFinding {
  issuers: IssuerSettings[];
  problems: Problem[];
  /** Environment variables that the file refers to. */
  names: ReadonlySet<string>;
}

export function readProviders({ path, env, findSecret, files, publicUrl }: ProvidersInput): ProvidersFinding {
  const problems: Problem[] = [];
  const nothing = { issuers: [], problems, names: new Set<string>() };
  if (path === null) return nothing;
  const say = (message: string) => void problems.push({ file: path, path: '', message, hint: null });
  const read = readTextFile(path, MAX_BYTES);
  if (!read.ok) say(`cannot be read: ${read.reason}`);
  const parsed = read.ok ? parseYaml(read.text) : null;
  if (parsed?.ok === false) parsed.messages.forEach(say);
  if (parsed?.ok !== true) return nothing;

  const filled = interpolate(parsed.value, { env, findSecret, files, folder: dirname(path) });
  const providers = toMap(toMap(filled.value)?.providers);
  if (providers === null) {
    say('must hold "providers": a section with one entry per provider');
    return { ...nothing, names: filled.names };
  }
  const issuers = Object.entries(providers).flatMap(([name, written]) => {
    const at = ['providers', name];
    // What is switched off needs no values: the file names every provider there is.
    if (isOff(written)) return [];
    const unresolved = filled.mistakes.filter(mistake => isBelow(mistake.path, at) && isRead(mistake.path[2]));
    // Whatever else is wrong with an entry may follow from that.
    const { settings, mistakes } =
      unresolved.length > 0 ? { settings: [], mistakes: unresolved } : toSettings(name, written, at, publicUrl);
    problems.push(...mistakes.map(mistake => toProblem(path, mistake)));
    return settings;
  });
  return { issuers, problems, names: filled.names };
}

function toMap(value: unknown): { [key: string]: unknown } | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
}

/** A reference that cannot be resolved is no "off": what it was meant to guard would stand open without a word. */
function isOff(written: unknown): boolean {
  const enabled = toMap(written)?.enabled;
  return enabled === false || (typeof enabled === 'string' && /^(?:false|0|no|off)?$/i.test(enabled.trim()));
}

function isBelow(path: readonly (string | number)[], at: readonly string[]): boolean {
  return at.every((segment, index) => path[index] === segment);
}

/** Secrets and addresses of the login are not read here, so that they may be unset. */
function isRead(key: string | number | undefined): boolean {
  return typeof key === 'string' && Object.hasOwn(Entry.shape, key);
}

const KINDS: ReadonlyMap<string, ProviderKind> = new Map([
  ['keycloak', 'keycloak'],
  ['cognito', 'cognito'],
  ['entra', 'entra'],
  ['entra_id', 'entra'],
]);

function toSettings(
  name: string,
  written: unknown,
  at: readonly string[],
  publicUrl: string | null,
): { settings: IssuerSettings[]; mistakes: Mistake[] } {
  const shaped = checkShape(Entry, written, at);
  if (!shaped.ok) return { settings: [], mistakes: shaped.mistakes };
  const entry = shaped.value;
  const mistakes: Mistake[] = [];
  const report = mistakeAt(at, mistakes);
  // What is required is asked for under the names of this file.
  const inThisFile: ReportMistake = (field, message, hint) => report(SPELLINGS.get(field) ?? field, message, hint);
  const kind = entry.kind ?? KINDS.get(name) ?? 'oidc';
  const usual = toWritten(name, kind, entry, publicUrl);
  const settings = [toIssuerSettings({ ...usual, issuer: findIssuer(kind, entry, report) ?? undefined }, inThisFile)];
  if (kind === 'entra' && entry.accept_v1_tokens === true) {
    const issuer = `https://sts.windows.net/${findTenant(entry) ?? ''}/`;
    settings.push(toIssuerSettings({ ...usual, name: `${name} v1`, issuer, jwksUri: undefined }, inThisFile));
  }
  return { settings: settings.filter(found => found !== null), mistakes };
}

const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ['jwksUri', 'jwks_url'],
  ['clients', 'allowed_clients'],
]);

function toWritten(name: string, kind: ProviderKind, entry: Entry, publicUrl: string | null): WrittenIssuer {
  const { client_id: client } = entry;
  const own = publicUrl === null ? [] : [`${publicUrl.replace(/\/+$/, '')}/mcp`];
  const names = [entry.username_claim, entry.name_claim].filter(claim => claim !== undefined);
  const audiences = entry.audiences ?? entry.audience ?? usualAudiences(kind, client, own);
  return {
    name,
    kind,
    jwksUri: entry.jwks_url ?? entry.jwks_uri,
    algorithms: entry.algorithms,
    audiences: audiences.length === 0 ? undefined : audiences,
    clients: entry.allowed_clients ?? (kind === 'cognito' && client !== undefined ? [client] : undefined),
    // Few providers mark their access tokens; ID tokens are told by their claims and by their recipient.
    tokenTypes: entry.token_types ?? (kind === 'oidc' ? ['at+jwt', 'jwt', 'none'] : undefined),
    // `username_claim` is what people read. It can be changed by its owner, so it names nobody.
    subject: entry.subject_claim,
    scopes: entry.scope_claim,
    groups: entry.groups_claim,
    client: entry.client_claim,
    agent: entry.agent_claim,
    displayName: names.length === 0 ? undefined : names,
  };
}

function usualAudiences(kind: ProviderKind, client: string | undefined, own: readonly string[]): readonly string[] {
  if (client === undefined || kind === 'oidc' || kind === 'cognito') return own;
  if (kind === 'keycloak') return [client, ...own];
  return [client, `api://${client}`, ...own];
}

/** The issuer as written, or made of what each kind of entry says anyway. */
function findIssuer(kind: ProviderKind, entry: Entry, report: ReportMistake): string | null {
  if (entry.issuer !== undefined) return entry.issuer;
  if (kind === 'keycloak') {
    const realm = /^(https?:\/\/.+\/realms\/[^/]+)\/protocol\//.exec(entry.auth_url ?? '')?.[1];
    if (realm !== undefined) return realm;
  }
  if (kind === 'cognito' && entry.user_pool_id !== undefined) {
    const region = entry.region ?? /^([a-z0-9-]+)_/.exec(entry.user_pool_id)?.[1];
    if (region !== undefined) return `https://cognito-idp.${region}.amazonaws.com/${entry.user_pool_id}`;
    report('region', 'is required: the pool id does not hold it');
  }
  const tenant = kind === 'entra' ? findTenant(entry) : null;
  return tenant === null ? null : `https://login.microsoftonline.com/${tenant}/v2.0`;
}

function findTenant({ tenant_id: tenant, auth_url: url }: Entry): string | null {
  return tenant ?? /^https:\/\/login\.microsoftonline\.com\/([^/]+)\//.exec(url ?? '')?.[1] ?? null;
}
