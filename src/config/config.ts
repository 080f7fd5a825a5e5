/**
 * Config: everything an operator can decide, read once, frozen, and handed out in slices.
 * Units are in the names. The schema and the files are config/schema.ts and config/load.ts.
 */
import type { WrittenRules } from '../domain/agent-rules.ts';
import type { Exposure } from '../domain/exposure.ts';
import type { PrefixStyle } from '../domain/names.ts';
import type { OutboundRules } from '../domain/outbound-rules.ts';
import type { WrittenScopes } from '../domain/scope-rules.ts';
import type { Secret } from '../domain/secret.ts';
import type { ServerSpec } from '../domain/server.ts';
import type { ServerFiles } from '../domain/server-files.ts';
import type { AuditConfig } from './audit-config.ts';
import type { DefinitionsConfig, HealthConfig } from './definitions-config.ts';
import type { IdentityConfig } from './identity-config.ts';
import type { LimitsConfig } from './limits-config.ts';
import type { LocatedVault } from './locate.ts';
import type { PolicyConfig } from './policy-config.ts';
import type { RegistryConfig } from './registry-config.ts';
import type { SearchConfig } from './search-config.ts';
import type { StorageConfig } from './storage-config.ts';
import type { TokensConfig } from './tokens-config.ts';

export interface ListenConfig {
  host: string;
  port: number;
  /** Exact origins; empty: only loopback origins, and only on a loopback bind. */
  corsOrigins: readonly string[];
  /** Host header values besides our own address; empty on loopback: localhost forms only. */
  allowedHosts: readonly string[];
  maxBodyBytes: number;
  /** Requests being handled at once over the whole process; beyond it 503 with Retry-After. */
  maxInFlight: number;
  /** Absent or null: plain HTTP. */
  tls?: TlsConfig | null;
  /** Addresses and CIDR ranges of proxies whose `X-Forwarded-For` is believed. */
  trustedProxies?: readonly string[];
}

export interface TlsConfig {
  /** Absolute. */
  certPath: string;
  keyPath: string;
  minVersion: '1.2' | '1.3';
}

export interface SessionConfig {
  ttlMs: number;
  maxSessions: number;
  /** Kept per session for `Last-Event-ID`. */
  maxEvents: number;
  maxEventBytes: number;
}

export interface ExposureConfig {
  default: Exposure;
  autoThreshold: number;
  prefix: PrefixStyle;
  /** Public names that stay listed in `discovery`. */
  pinned: readonly string[];
}

export interface LogConfig {
  level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** `auto`: pretty on a terminal, JSON otherwise. */
  format: 'auto' | 'json' | 'pretty';
  slowOperationMs: number;
}

export interface Config {
  /** What the bare command serves: GATEWAY_TRANSPORT. */
  transport: 'stdio' | 'http' | 'both';
  listen: ListenConfig;
  apiKey: Secret | null;
  exposure: ExposureConfig;
  sessions: SessionConfig;
  servers: readonly ServerSpec[];
  /** The servers file before the configuration. */
  serverFiles: ServerFiles;
  /** How long the first list may wait for servers that are still starting. */
  firstListWaitMs: number;
  /** How long a parked (modern client, legacy server) call waits for its answer. */
  parkedTtlMs: number;
  drainMs: number;
  log: LogConfig;
  metrics: boolean;
  debug: boolean;
  defaultAgent: string | null;
  identity: IdentityConfig;
  policy: PolicyConfig;
  /** The agents' rules as written; null: there is no file of them. */
  rules: WrittenRules | null;
  /** Scopes and group mappings as written; null: there is no file of them. */
  scopes: WrittenScopes | null;
  audit: AuditConfig;
  limits: LimitsConfig;
  tokens: TokensConfig;
  definitions: DefinitionsConfig;
  health: HealthConfig;
  /** What may be called where somebody else wrote the URL. */
  outbound: OutboundRules;
  registry: RegistryConfig;
  /** Where secrets are sealed, and with what. */
  vault: LocatedVault;
  storage: StorageConfig;
  search: SearchConfig;
  /**
   * Files this was read from, absolute; null where none was found. `watched`: every place that was looked at, whether
   * there is a file yet or not.
   */
  files: {
    config: string | null;
    servers: string | null;
    rules: string | null;
    scopes: string | null;
    providers: string | null;
    /** What those refer to: `${file:...}`, keys of issuers. */
    referred: readonly string[];
    watched: readonly string[];
  };
}
