/**
 * From a record of the registry to what the gateway connects to, beside the servers of the operator's files. A server
 * whose secrets cannot be read is left out: without them its requests would be another caller's. What runs on the machine
 * of whoever uses it is never started here.
 */
import { type RegisteredServer, serverKeyOf } from '../../domain/registered-server.ts';
import { pathOfKey, readRegistryPath } from '../../domain/registry-path.ts';
import type { Secret } from '../../domain/secret.ts';
import {
  type HttpAddress,
  type ServerKey,
  type ServerSpec,
  type StdioLaunch,
  versionKey,
} from '../../domain/server.ts';
import { findServerEndpoint } from '../../domain/server-endpoint.ts';
import type { Log } from '../../ports/log.ts';
import type { Sealer } from '../../ports/vault.ts';
import type { RegistrySnapshot } from './desk.ts';
import { isOffInFile } from './operate.ts';
import { openRequestHeaders } from './server-secrets.ts';

const COMMON = {
  enabled: true,
  era: 'auto',
  sharing: 'per-principal',
  start: 'eager',
  connectTimeoutMs: 30_000,
  listTimeoutMs: 10_000,
  callTimeoutMs: null,
  maxQueued: 1024,
} as const;

export interface SpecDeps {
  sealer: Sealer | null;
  /** Of the gateway's own environment. */
  findVariable(name: string): Secret | null;
  allowCommands: readonly string[];
  allowEnv: readonly string[];
  log: Log;
}

/**
 * The servers to connect to. A file's server is dropped while it is switched off in the registry, or not in it although it
 * could be: another gateway has read the file since, and what was kept of the server is gone. Where a file and the registry
 * both name one, the file's counts, from the moment it says so.
 */
export interface ToSpecs {
  /** `isTakenIn`: whether the registry knows of it as a file's; until then it is not connected. */
  active(
    ofFiles: readonly ServerSpec[],
    registry: RegistrySnapshot,
    isTakenIn?: (server: ServerKey) => boolean,
  ): ServerSpec[];
  /** The versions that are not active, of servers that are switched on: started when they are asked for. */
  inactive(ofFiles: readonly ServerSpec[], registry: RegistrySnapshot): ServerSpec[];
}

export function createToSpecs(deps: SpecDeps): ToSpecs {
  const known = new WeakMap<RegisteredServer, ServerSpec | null>();

  function specOf(server: RegisteredServer): ServerSpec | null {
    let spec = known.get(server);
    if (spec === undefined) {
      spec = findSpec(server, deps);
      known.set(server, spec);
    }
    return spec;
  }

  /** Of the registry alone: not of a file, and not behind one that has the same name. */
  const isOwn = (ofFiles: readonly ServerSpec[]) => {
    const keys = new Set(ofFiles.map(({ key }) => key));
    return (server: RegisteredServer) =>
      server.enabled && server.source.kind !== 'file' && !keys.has(serverKeyOf(server));
  };

  return {
    active(ofFiles, { servers }, isTakenIn = () => true) {
      const kept = ofFiles.flatMap(spec => {
        if (!isTakenIn(spec.key)) return [];
        if (!spec.enabled || !readRegistryPath(pathOfKey(spec.key)).ok) return [spec];
        const record = servers.get(pathOfKey(spec.key));
        if (record === undefined) return [];
        if (record.enabled) return [spec];
        // Its file has only just switched it on: until that is stored it stays what it was, and nothing of it is forgotten.
        return isOffInFile(record) ? [{ ...spec, enabled: false }] : [];
      });
      const registered = [...servers.values()].filter(isOwn(ofFiles)).flatMap(server => specOf(server) ?? []);
      return [...kept, ...registered];
    },
    inactive(ofFiles, { servers, inactive }) {
      const versions = [...servers.values()].filter(isOwn(ofFiles)).flatMap(({ path }) => inactive.get(path) ?? []);
      return versions.flatMap(version => specOf(version) ?? []);
    },
  };
}

function findSpec(server: RegisteredServer, deps: SpecDeps): ServerSpec | null {
  if (server.deployment === 'local') return null;
  const link = server.launch === null ? findAddress(server, deps) : findLaunch(server, deps);
  if (link === null) return null;
  const description = server.description === '' ? null : server.description;
  const maxInFlight = link.kind === 'http' ? 256 : 64;
  const { version } = server;
  const key = serverKeyOf(server);
  if (server.isActiveVersion) return { ...COMMON, key, description, link, maxInFlight, version };
  const aside = { key: versionKey(key, version), versionOf: key, start: 'lazy' } as const;
  return { ...COMMON, ...aside, description, link, maxInFlight, version };
}

function findAddress(server: RegisteredServer, { sealer, log }: SpecDeps): HttpAddress | null {
  const endpoint = findServerEndpoint(server);
  if (endpoint === null) return null;
  const headers = openRequestHeaders(sealer, server);
  if (headers === null) {
    log.error('the secrets of a registered server cannot be read, so it is not offered', { server: server.path });
    return null;
  }
  // Somebody else wrote the address: it is judged at every new connection.
  return { kind: 'http', ...endpoint, headers, isForeign: true };
}

/** What an operator no longer allows is not started, whenever it was registered. */
function findLaunch({ launch, path }: RegisteredServer, deps: SpecDeps): StdioLaunch | null {
  if (launch === null) return null;
  const { command, args } = launch;
  if (!deps.allowCommands.includes(command)) {
    deps.log.warn('a registered server is not started: registry.allowCommands does not name its command', { path });
    return null;
  }
  const env = new Map<string, Secret>();
  for (const name of launch.env) {
    const value = deps.allowEnv.includes(name) ? deps.findVariable(name) : null;
    if (value !== null) env.set(name, value);
  }
  return { kind: 'stdio', command, args, env, cwd: null };
}
