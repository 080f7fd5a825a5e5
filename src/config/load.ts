/**
 * Files, variables and command line -> one frozen Config, or every mistake in all of them at once. Precedence: command
 * line, environment, YAML, default; of two servers with the same key the servers file's wins. The only module, besides
 * the process entry, that may know the environment. Nothing is connected to or started here.
 */
import { dirname } from 'node:path';
import { Secret } from '../domain/secret.ts';
import type { ServerSpec } from '../domain/server.ts';
import type { ServerFiles } from '../domain/server-files.ts';
import { findKeyWeakness, isLoopbackHost, KEY_HINT, SHORTEST_KEY } from './access.ts';
import { toAuditConfig } from './audit-config.ts';
import type { Config } from './config.ts';
import { toDefinitionsConfig, toHealthConfig } from './definitions-config.ts';
import {
  type ReadConfigFile,
  type Reading,
  readConfigFile,
  readServersFile,
  readYamlServers,
  withoutUnresolved,
} from './documents.ts';
import { findUnknownVariables, readEnvironment } from './environment.ts';
import { tellsCallersApart, toIdentityConfig } from './identity-config.ts';
import type { FindSecret } from './interpolate.ts';
import { toLimitsConfig } from './limits-config.ts';
import { findProxyMistakes, toTlsConfig } from './listen-config.ts';
import {
  type Located,
  locateConfig,
  locateProviders,
  locateRules,
  locateScopes,
  locateServers,
  locateVault,
} from './locate.ts';
import { toOutboundConfig } from './outbound-config.ts';
import { toPolicyConfig } from './policy-config.ts';
import { type Mistake, type Problem, toProblem } from './problem.ts';
import { readProviders } from './providers-file.ts';
import { toRegistryConfig } from './registry-config.ts';
import { readRulesFile, warnAboutServers } from './rules-file.ts';
import { readScopesFile } from './scopes-file.ts';
import { toSearchConfig } from './search-config.ts';
import { toStorageConfig } from './storage-config.ts';
import { toTokensConfig } from './tokens-config.ts';

export type { Problem } from './problem.ts';
export { formatProblem } from './problem.ts';

export interface LoadInput {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  home: string;
  /** The Node to run `command: node`, packages and built-in servers with; this process's own where not given. */
  execPath?: string;
  overrides?: Overrides;
  /** Nothing is to be started: where there is a rules or scopes file, no servers have to be named. */
  policyAlone?: boolean;
  /** What `${vault:NAME}` stands for. Without it there are no secrets. */
  vault?: KeptSecrets;
}

export interface KeptSecrets {
  find: FindSecret;
  /** Why a vault that is there does not open: then nothing starts, whether it is referred to or not. */
  problem: Problem | null;
}

/** What the command line says; it wins over everything. */
export interface Overrides {
  host?: string | undefined;
  port?: number | undefined;
  transport?: Config['transport'] | undefined;
  configPath?: string | undefined;
  serversPath?: string | undefined;
  debug?: boolean | undefined;
}

export type LoadResult = { ok: true; config: Config; warnings: string[] } | { ok: false; problems: Problem[] };

const AGENT_ID = /^[A-Za-z0-9_.-]+$/;

export async function loadConfig(input: LoadInput): Promise<LoadResult> {
  const overrides = input.overrides ?? {};
  const problems: Problem[] = [];
  const warnings: string[] = [];

  const environment = readEnvironment(input.env);
  problems.push(...environment.problems);
  const vault = input.vault ?? null;
  if (vault !== null && vault.problem !== null) problems.push(vault.problem);
  const findSecret = vault?.find;

  const configPlace = locateConfig({ ...input, ...overrides });
  const serversPlace = locateServers({ ...input, ...overrides });
  const rulesPlace = locateRules(input);
  const scopesPlace = locateScopes(input);
  const providersPlace = locateProviders(input);
  const namesServers = configPlace.chosen !== null || serversPlace.chosen !== null;
  const policyPath = rulesPlace.chosen ?? scopesPlace.chosen;
  if (!namesServers && !(input.policyAlone === true && policyPath !== null))
    problems.push(nothingFound(configPlace, serversPlace, adviceFor(input.policyAlone === true, policyPath)));

  const execPath = input.execPath ?? process.execPath;
  const found = { names: new Set<string>(), files: new Set<string>() };
  const reading: Reading = { env: input.env, findSecret, cwd: input.cwd, execPath, problems, ...found };
  const file = readConfigFile(configPlace.chosen, reading);
  const start = environment.values.start ?? file.config.initStrategy ?? 'eager';
  const fromYaml = readYamlServers(file, start, reading);
  const fromServersFile = readServersFile(serversPlace.chosen, start, reading);
  const { config: written } = file;
  const env = environment.values;
  const folder = configPlace.chosen === null ? null : dirname(configPlace.chosen);
  const inFile = (mistakes: readonly Mistake[]) => {
    const place = configPlace.chosen ?? 'environment';
    problems.push(...withoutUnresolved(mistakes, file.unresolved).map(mistake => toProblem(place, mistake)));
  };

  const transport = overrides.transport ?? env.transport ?? written.transport ?? 'stdio';
  const host = withoutBrackets(overrides.host ?? env.host ?? written.listen?.host ?? '127.0.0.1');
  const providers = readProviders({
    path: providersPlace.chosen,
    env: input.env,
    findSecret,
    files: reading.files,
    publicUrl: written.identity?.publicUrl ?? null,
  });
  problems.push(...providers.problems);
  for (const name of providers.names) reading.names.add(name);
  const identity = toIdentityConfig(written.identity, {
    folder: folder ?? input.cwd,
    fromProviders: providers.issuers,
    files: reading.files,
    env: input.env,
    onLoopback: isLoopbackHost(host),
    servesHttp: transport !== 'stdio',
  });
  inFile(identity.mistakes);
  warnings.push(...identity.warnings);
  const policy = toPolicyConfig(written.policy);
  inFile(policy.mistakes);
  const outbound = toOutboundConfig(written.outbound);
  inFile(outbound.mistakes);
  const registry = toRegistryConfig(written.registry);
  inFile(registry.mistakes);
  const rules = rulesPlace.chosen === null ? null : readRulesFile(rulesPlace.chosen);
  const scopes = scopesPlace.chosen === null ? null : readScopesFile(scopesPlace.chosen);
  for (const file of [rules, scopes]) {
    if (file?.ok === false) problems.push(...file.problems);
    else if (file !== null) warnings.push(...file.warnings);
  }
  const audit = toAuditConfig(written.audit, {
    variable: env.auditLog,
    home: input.home,
    cwd: input.cwd,
    folder,
  });
  const search = toSearchConfig(written.search, {
    variables: env.embeddings,
    folder: folder ?? input.cwd,
    auditPath: audit.path,
  });
  inFile(search.mistakes);
  warnings.push(...search.warnings);

  const config: Config = {
    transport,
    listen: {
      host,
      port: overrides.port ?? env.port ?? written.listen?.port ?? 8000,
      corsOrigins: env.corsOrigins ?? written.listen?.corsOrigins ?? [],
      allowedHosts: written.listen?.allowedHosts ?? [],
      maxBodyBytes: written.listen?.maxBody ?? 4 * 1024 * 1024,
      maxInFlight: written.listen?.maxInFlight ?? 4096,
      tls: toTlsConfig(written.listen?.tls, folder ?? input.cwd),
      trustedProxies: written.listen?.trustedProxies ?? [],
    },
    apiKey: toKey(env.apiKey ?? written.apiKey),
    exposure: {
      // Where the rules of agents are in use, so are the tools that carry an agent's id.
      default: env.exposure ?? written.exposure?.default ?? (rules === null ? 'auto' : 'agent'),
      autoThreshold: written.exposure?.autoThreshold ?? 40,
      prefix: env.prefix ?? written.exposure?.prefix ?? 'server',
      pinned: written.exposure?.pinned ?? [],
    },
    sessions: {
      ttlMs: written.sessions?.ttl ?? 3_600_000,
      maxSessions: written.sessions?.max ?? 10_000,
      maxEvents: written.sessions?.maxEvents ?? 1024,
      maxEventBytes: written.sessions?.maxEventBytes ?? 1024 * 1024,
    },
    servers: mergeServers(fromYaml, fromServersFile, warnings),
    serverFiles: toServerFiles([
      [serversPlace.chosen, fromServersFile],
      [configPlace.chosen, fromYaml],
    ]),
    firstListWaitMs: written.firstListWait ?? 5000,
    parkedTtlMs: written.parkedTtl ?? 600_000,
    drainMs: written.drain ?? 10_000,
    log: {
      level: env.logLevel ?? written.log?.level ?? 'info',
      format: written.log?.format ?? 'auto',
      slowOperationMs: written.log?.slowOperation ?? 2000,
    },
    metrics: written.metrics ?? true,
    debug: overrides.debug ?? env.debug ?? written.debug ?? false,
    defaultAgent: env.defaultAgent ?? written.defaultAgent ?? null,
    identity: identity.config,
    policy: policy.policy,
    rules: rules?.ok === true ? rules.rules : null,
    scopes: scopes?.ok === true ? scopes.scopes : null,
    audit,
    limits: toLimitsConfig(written.limits, { folder, cwd: input.cwd, auditPath: audit.path }),
    definitions: toDefinitionsConfig(written.definitions),
    health: toHealthConfig(written.health),
    registry: registry.registry,
    vault: locateVault(input),
    tokens: toTokensConfig(written.tokens, {
      folder: folder ?? input.cwd,
      auditPath: audit.path,
      hasCallers: tellsCallersApart(identity.config),
    }),
    outbound: outbound.config,
    storage: toStorageConfig(written.storage, {
      variable: env.storageBackend,
      folder: folder ?? input.cwd,
      auditPath: audit.path,
    }),
    search: search.config,
    files: {
      config: configPlace.chosen,
      servers: serversPlace.chosen,
      rules: rulesPlace.chosen,
      scopes: scopesPlace.chosen,
      providers: providersPlace.chosen,
      referred: [...reading.files].sort(),
      watched: [
        ...[configPlace, serversPlace, rulesPlace, scopesPlace].flatMap(({ places }) => places.map(({ path }) => path)),
        locateVault(input).path,
      ],
    },
  };
  if (config.debug && env.logLevel === undefined && written.log?.level === undefined) config.log.level = 'debug';

  const where: Where = (variable, path, option) => origin(input, configPlace, variable, path, option);
  checkListen(config, where, problems, warnings);
  checkKey(config, file, where, problems, warnings);
  if (config.defaultAgent !== null && !AGENT_ID.test(config.defaultAgent)) {
    const message = 'may hold letters, digits, dots, underscores and hyphens only';
    problems.push({ ...where('GATEWAY_DEFAULT_AGENT', 'defaultAgent'), message, hint: null });
  }
  if (config.identity.login !== null && isOnlyLogin(config)) warnings.push(ONLY_LOGIN);
  if (config.rules !== null && namesServers) {
    warnings.push(
      ...warnAboutServers(
        config.rules,
        config.servers.map(({ key }) => key),
      ),
    );
  }
  inFile(findProxyMistakes(config.listen.trustedProxies ?? [], ['listen', 'trustedProxies']));
  if (config.storage.backend === 'memory')
    warnings.push('the registry is kept in memory: what is registered is gone when the gateway ends');
  warnings.push(...findUnknownVariables(input.env, reading.names));
  if (problems.length > 0) return { ok: false, problems };
  if (config.servers.length === 0 && namesServers)
    warnings.push('no servers are configured: there is nothing to offer yet');
  return { ok: true, config: deepFreeze(config), warnings };
}

/** `policyPath`: a rules or scopes file, where one was found. */
function adviceFor(policyAlone: boolean, policyPath: string | null): string {
  if (policyAlone)
    return 'a rules or scopes file would do: give --rules, or name one with GATEWAY_RULES or GATEWAY_SCOPES';
  const alone = policyPath === null ? '' : `; "gatehouse policy lint" checks ${policyPath} by itself`;
  return `run "gatehouse --init" for a first one, or name yours with GATEWAY_CONFIG or GATEWAY_MCP_CONFIG${alone}`;
}

function nothingFound(config: Located, servers: Located, hint: string): Problem {
  const looked = [...config.places, ...servers.places].map(place => place.path);
  return {
    file: 'configuration',
    path: '',
    message: `no file was found; looked for ${looked.join(', ')}`,
    hint,
  };
}

function mergeServers(fromYaml: ServerSpec[], fromFile: ServerSpec[], warnings: string[]): ServerSpec[] {
  const merged = new Map(fromYaml.map(spec => [spec.key, spec]));
  for (const spec of fromFile) {
    if (merged.has(spec.key))
      warnings.push(`server "${spec.key}" is in both files; the one in the servers file is used`);
    merged.set(spec.key, spec);
  }
  return [...merged.values()];
}

type Spot = Pick<Problem, 'file' | 'path'>;
type Where = (variable: string, path: string, option?: 'host') => Spot;

/** Who said it: the command line, the variable when it is set, else the file. */
function origin(input: LoadInput, place: Located, variable: string, path: string, option?: 'host'): Spot {
  if (option !== undefined && input.overrides?.[option] !== undefined)
    return { file: 'command line', path: `--${option}` };
  const fromVariable = (input.env[variable] ?? '') !== '' || place.chosen === null;
  return fromVariable ? { file: 'environment', path: variable } : { file: place.chosen ?? '', path };
}

function checkListen(config: Config, where: Where, problems: Problem[], warnings: string[]): void {
  const { host, corsOrigins } = config.listen;
  if (host === '' || /[\s/]|:\/\//.test(host)) {
    const hint = 'for example 127.0.0.1; the port has its own setting';
    problems.push({
      ...where('GATEWAY_HTTP_HOST', 'listen.host', 'host'),
      message: 'must be a host name or address',
      hint,
    });
  } else if (!isLoopbackHost(host) && !hasCredential(config)) {
    const message = `${host} can be reached from other machines, but no credential is configured`;
    const hint = `set GATEWAY_API_KEY to a random key of at least ${SHORTEST_KEY} characters, configure identity.issuers or identity.keys, or bind to 127.0.0.1`;
    if (config.transport === 'stdio') warnings.push(`${message}: HTTP would refuse to start; ${hint}`);
    else problems.push({ ...where('GATEWAY_HTTP_HOST', 'listen.host', 'host'), message, hint });
  }
  for (const written of corsOrigins) {
    if (isOrigin(written)) continue;
    const message = `${JSON.stringify(written)} is not an origin`;
    const hint = 'scheme, host and port only, one by one: https://app.example.com';
    problems.push({ ...where('GATEWAY_CORS_ORIGINS', 'listen.corsOrigins'), message, hint });
  }
}

/** RFC 6454, section 6.2: scheme, host and port, as browsers send them. */
function isOrigin(written: string): boolean {
  return URL.canParse(written) && new URL(written).origin === written.toLowerCase();
}

/** Something that a caller has to show. */
export function hasCredential({ apiKey, identity }: Config): boolean {
  return apiKey !== null || tellsCallersApart(identity);
}

const ONLY_LOGIN =
  'ADMIN_PASSWORD is the only credential, so MCP clients are refused until GATEWAY_API_KEY, identity.keys or identity.issuers give them one of their own, or scopes.yml gives rights to the tokens that whoever logs in can get';

function isOnlyLogin({ apiKey, identity, scopes }: Config): boolean {
  return apiKey === null && identity.issuers.length === 0 && identity.keys.length === 0 && scopes === null;
}

function toKey(key: string | undefined): Secret | null {
  return key === undefined || key === '' ? null : new Secret(key);
}

function checkKey(config: Config, file: ReadConfigFile, where: Where, problems: Problem[], warnings: string[]): void {
  if (config.apiKey === null) return;
  const weakness = findKeyWeakness(config.apiKey.reveal());
  const at = where('GATEWAY_API_KEY', 'apiKey');
  if (weakness !== null && !file.unresolved.has('apiKey'))
    problems.push({ ...at, message: `the key ${weakness}`, hint: KEY_HINT });
  if (at.file !== 'environment' && !file.referring.has('apiKey')) {
    warnings.push(
      `apiKey stands in ${at.file} itself; better refer to it: \${GATEWAY_API_KEY}, \${vault:NAME} or \${file:/path}`,
    );
  }
}

function withoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

function deepFreeze<T>(value: T): T {
  // Maps cannot be frozen; their type is read-only.
  if (typeof value !== 'object' || value === null || value instanceof Map || Object.isFrozen(value)) return value;
  for (const item of Object.values(value)) deepFreeze(item);
  return Object.freeze(value);
}

/** `read`: the file that counts first; null: there was none. */
function toServerFiles(read: readonly [file: string | null, servers: readonly ServerSpec[]][]): ServerFiles {
  return new Map(
    read.flatMap(([file, servers]) => (file === null ? [] : [[file, new Set(servers.map(({ key }) => key))]])),
  );
}
