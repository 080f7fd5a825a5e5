/**
 * What a reload does with each setting: it is in force at once, or waits for a restart, because what it decides was built
 * or bound at the start. One table of all there is, so that none can change without a word. Values are compared only; none
 * is told.
 */
import { Secret } from '../domain/secret.ts';
import type { Config } from './config.ts';

/** In force with the reload. */
const LIVE = Symbol('live');

/** A text: it waits for a restart, and this is the name an operator knows it by. */
type Fate<T> = typeof LIVE | string | (T extends object ? Fates<T> : never);
/** Every part, so that the compiler asks about each that is new. */
type Fates<T> = { readonly [K in keyof T]-?: Fate<NonNullable<T[K]>> };

const FATES: Fates<Config> = {
  transport: 'transport',
  listen: {
    host: 'listen.host',
    port: 'listen.port',
    corsOrigins: 'listen.corsOrigins',
    allowedHosts: 'listen.allowedHosts',
    maxBodyBytes: 'listen.maxBody',
    maxInFlight: 'listen.maxInFlight',
    tls: 'listen.tls',
    trustedProxies: 'listen.trustedProxies',
  },
  apiKey: LIVE,
  exposure: { default: LIVE, autoThreshold: LIVE, prefix: 'exposure.prefix', pinned: LIVE },
  sessions: {
    ttlMs: 'sessions.ttl',
    maxSessions: 'sessions.max',
    maxEvents: 'sessions.maxEvents',
    maxEventBytes: 'sessions.maxEventBytes',
  },
  servers: LIVE,
  serverFiles: LIVE,
  firstListWaitMs: LIVE,
  parkedTtlMs: 'parkedTtl',
  drainMs: LIVE,
  log: { level: 'log.level', format: 'log.format', slowOperationMs: 'log.slowOperation' },
  metrics: 'metrics',
  debug: 'debug',
  defaultAgent: 'defaultAgent',
  identity: {
    publicUrl: 'identity.publicUrl',
    requiredScopes: 'identity.requiredScopes',
    issuers: 'identity.issuers',
    keys: LIVE,
    login: 'identity.login',
  },
  policy: {
    enforcement: LIVE,
    conditions: LIVE,
    actAs: LIVE,
    localCaller: 'policy.localCaller',
    keyHolder: 'policy.keyHolder',
  },
  rules: LIVE,
  scopes: LIVE,
  audit: {
    enabled: 'audit.enabled',
    path: 'audit.path',
    onFailure: 'audit.onFailure',
    durability: 'audit.durability',
    maxFileBytes: 'audit.maxFileSize',
    keepFiles: 'audit.keepFiles',
    keepMs: 'audit.keepDays',
    index: 'audit.index',
  },
  limits: {
    rules: LIVE,
    inFlight: LIVE,
    sessionsPerCaller: LIVE,
    streamsPerCaller: LIVE,
    streams: LIVE,
    refusalsPerAddress: LIVE,
    quarantineFile: 'limits.quarantineFile',
  },
  tokens: {
    enabled: 'tokens.enabled',
    perHour: 'tokens.perHour',
    maxHours: 'tokens.maxHours',
    keyFile: 'tokens.keyFile',
    // Its folder is that of the keys.
    revocationsFile: 'tokens.keyFile',
  },
  definitions: { onDrift: 'definitions.onDrift' },
  health: {
    intervalMs: 'health.interval',
    concurrency: 'health.concurrency',
    failuresToUnhealthy: 'health.failuresToUnhealthy',
  },
  outbound: LIVE,
  registry: { allowCommands: 'registry.allowCommands', allowEnv: 'registry.allowEnv' },
  vault: 'GATEWAY_VAULT',
  storage: { backend: 'storage.backend', path: 'storage.path', namespace: 'storage.namespace' },
  search: {
    provider: 'search.provider',
    model: 'search.model',
    dimensions: 'search.dimensions',
    baseUrl: 'search.baseUrl',
    apiKey: 'search.apiKey',
    modelFolder: 'search.modelFolder',
    timeoutMs: 'search.timeout',
    vectorsFile: 'search.vectorsFile',
    weights: 'search.weights',
  },
  files: LIVE,
};

/** Shape: keys as in `gateway.config.yaml`, in a fixed order; empty when all of the difference is live. */
export function changedStaticKeys(before: Config, after: Config): string[] {
  return [...new Set(findChanged(FATES, before, after))];
}

function findChanged<T extends object>(fates: Fates<T>, before: T, after: T): string[] {
  const parts = Object.keys(fates) as (keyof T)[];
  return parts.flatMap(part => {
    const fate: unknown = fates[part];
    const [was, is] = [before[part], after[part]];
    if (fate === LIVE) return [];
    if (typeof fate === 'string') return word(was) === word(is) ? [] : [fate];
    return findChanged(fate as Fates<object>, was as object, is as object);
  });
}

/** Secrets as they are: to print one is refused by itself, to compare is not. */
function word(value: unknown): string | undefined {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, written) {
    const kept = this[key];
    return kept instanceof Secret ? kept.reveal() : written;
  });
}

/**
 * What a running gateway goes on with after a reload: by whom it is reached and whom it believes is as it was started, so
 * that policy is made for the door there is.
 */
export function keepStanding(started: Config, loaded: Config): Config {
  const { issuers, login } = started.identity;
  return { ...loaded, listen: started.listen, identity: { ...loaded.identity, issuers, login } };
}
