/**
 * Files, variables and command line -> one frozen Config, or every mistake in all of them at once. Precedence: command
 * line, environment, YAML, default; of two servers with the same key the servers file's wins. The only module, besides
 * the process entry, that may know the environment. Nothing is connected to or started here.
 */
import { Secret } from '../domain/secret.ts';
import type { ServerSpec } from '../domain/server.ts';
import { findKeyWeakness, isLoopbackHost, restrictsNothing, SHORTEST_KEY } from './access.ts';
import type { Config } from './config.ts';
import {
  type ReadConfigFile,
  type Reading,
  readConfigFile,
  readJson,
  readServersFile,
  readYamlServers,
} from './documents.ts';
import { findUnknownVariables, readEnvironment } from './environment.ts';
import { type Located, locateConfig, locateRules, locateServers } from './locate.ts';
import type { Problem } from './problem.ts';

export type { Problem } from './problem.ts';
export { formatProblem } from './problem.ts';

export interface LoadInput {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  home: string;
  /** The Node to run `command: node`, packages and built-in servers with; this process's own where not given. */
  execPath?: string;
  overrides?: Overrides;
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

  const configPlace = locateConfig({ ...input, ...overrides });
  const serversPlace = locateServers({ ...input, ...overrides });
  const rulesPlace = locateRules(input);
  if (configPlace.chosen === null && serversPlace.chosen === null)
    problems.push(nothingFound(configPlace, serversPlace));

  const execPath = input.execPath ?? process.execPath;
  const reading: Reading = { env: input.env, cwd: input.cwd, execPath, problems, names: new Set() };
  const file = readConfigFile(configPlace.chosen, reading);
  const start = environment.values.start ?? file.config.initStrategy ?? 'eager';
  const fromYaml = readYamlServers(file, start, reading);
  const fromServersFile = readServersFile(serversPlace.chosen, start, reading);
  const { config: written } = file;
  const env = environment.values;

  const config: Config = {
    transport: overrides.transport ?? env.transport ?? written.transport ?? 'stdio',
    listen: {
      host: withoutBrackets(overrides.host ?? env.host ?? written.listen?.host ?? '127.0.0.1'),
      port: overrides.port ?? env.port ?? written.listen?.port ?? 8000,
      corsOrigins: env.corsOrigins ?? written.listen?.corsOrigins ?? [],
      allowedHosts: written.listen?.allowedHosts ?? [],
      maxBodyBytes: written.listen?.maxBody ?? 4 * 1024 * 1024,
      maxInFlight: written.listen?.maxInFlight ?? 4096,
    },
    apiKey: toKey(env.apiKey ?? written.apiKey),
    exposure: {
      default: env.exposure ?? written.exposure?.default ?? 'auto',
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
    files: {
      config: configPlace.chosen,
      servers: serversPlace.chosen,
      watched: [configPlace, serversPlace, rulesPlace].flatMap(({ places }) => places.map(({ path }) => path)),
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
  checkLater(input, rulesPlace, problems, warnings);
  warnings.push(...findUnknownVariables(input.env, reading.names));
  if (problems.length > 0) return { ok: false, problems };
  if (config.servers.length === 0) warnings.push('no servers are configured: there is nothing to offer yet');
  return { ok: true, config: deepFreeze(config), warnings };
}

function nothingFound(config: Located, servers: Located): Problem {
  const looked = [...config.places, ...servers.places].map(place => place.path);
  return {
    file: 'configuration',
    path: '',
    message: `no file was found; looked for ${looked.join(', ')}`,
    hint: 'run "gatehouse --init" for a first one, or name yours with GATEWAY_CONFIG or GATEWAY_MCP_CONFIG',
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
  } else if (!isLoopbackHost(host) && config.apiKey === null) {
    const message = `${host} can be reached from other machines, but no credential is configured`;
    const hint = `set GATEWAY_API_KEY to a random key of at least ${SHORTEST_KEY} characters, or bind to 127.0.0.1`;
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

function toKey(key: string | undefined): Secret | null {
  return key === undefined || key === '' ? null : new Secret(key);
}

function checkKey(config: Config, file: ReadConfigFile, where: Where, problems: Problem[], warnings: string[]): void {
  if (config.apiKey === null) return;
  const weakness = findKeyWeakness(config.apiKey.reveal());
  const at = where('GATEWAY_API_KEY', 'apiKey');
  if (weakness !== null && !file.unresolved.has('apiKey')) {
    const hint = 'make one with: node -e "console.log(crypto.randomBytes(32).toString(\'base64url\'))"';
    problems.push({ ...at, message: `the key ${weakness}`, hint });
  }
  if (at.file !== 'environment' && !file.referring.has('apiKey')) {
    warnings.push(`apiKey stands in ${at.file} itself; better refer to it: \${GATEWAY_API_KEY} or \${file:/path}`);
  }
}

/** What arrives with a later version. To ignore rules would be to open what they close, so that is a mistake. */
function checkLater(input: LoadInput, rules: Located, problems: Problem[], warnings: string[]): void {
  if (rules.named) {
    problems.push({
      file: 'environment',
      path: 'GATEWAY_RULES',
      message: 'rules are not supported by this version, and to ignore them would open what they close',
      hint: 'unset it',
    });
  } else if (rules.chosen !== null && restrictsNothing(readJson(rules.chosen))) {
    warnings.push(`${rules.chosen} is ignored: this version supports no rules, and these restrict nothing`);
  } else if (rules.chosen !== null) {
    problems.push({
      file: rules.chosen,
      path: '',
      message: 'rules are not supported by this version, and to ignore them would open what they close',
      hint: 'move the file away to run without rules',
    });
  }
  if ((input.env.GATEWAY_AUDIT_LOG ?? '') !== '') {
    warnings.push('GATEWAY_AUDIT_LOG is set, but this version writes no audit log yet');
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
