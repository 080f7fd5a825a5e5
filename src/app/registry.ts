/**
 * The registry in the running gateway: what is registered is connected beside the servers of the files, and counts for
 * every decision, from the moment its change is stored.
 */
import type { Config } from '../config/config.ts';
import type { Identity } from '../domain/identity.ts';
import { decide, type PolicySet } from '../domain/policy.ts';
import { type RegisteredServer, serverKeyOf } from '../domain/registered-server.ts';
import { keyOfPath, pathOfKey } from '../domain/registry-path.ts';
import { isOffered } from '../domain/search/offered.ts';
import { Secret } from '../domain/secret.ts';
import type { ServerKey, ServerSpec } from '../domain/server.ts';
import { findServerEndpoint } from '../domain/server-endpoint.ts';
import { fileOf, NO_FILES } from '../domain/server-files.ts';
import type { ServerHealth } from '../domain/server-health.ts';
import { toRestrictions } from '../domain/visibility.ts';
import type { FindVersion } from '../inbound/mcp/pinned-door.ts';
import { createMemoryRegistry } from '../outbound/memory/registry-storage.ts';
import type { Clock } from '../ports/clock.ts';
import type { Downstreams } from '../ports/downstreams.ts';
import type { Log } from '../ports/log.ts';
import type { RegistryStorage } from '../ports/registry-storage.ts';
import type { Sealer } from '../ports/vault.ts';
import type { CatalogBook } from '../services/catalog/catalog-book.ts';
import type { Pins } from '../services/catalog/pins.ts';
import type { CatalogRefresh } from '../services/catalog/refresh.ts';
import { asActing } from '../services/gateway/acting-caller.ts';
import type { Quarantine } from '../services/limits/quarantine.ts';
import { mayList } from '../services/registry/access.ts';
import type { LiveServers } from '../services/registry/desk.ts';
import type { Watched } from '../services/registry/health.ts';
import { createRegistry, type Registry } from '../services/registry/registry.ts';
import { createToSpecs } from '../services/registry/to-spec.ts';
import { type RegistryRights, requirePolicy } from './policy.ts';

export interface RegistryParts {
  registry: Registry;
  /** What to connect to: of these files and of the registry. */
  specs(config: Config): ServerSpec[];
  /** Versions that are not active, to be connected when somebody asks for one. */
  versionSpecs(config: Config): ServerSpec[];
  rights(): RegistryRights;
  findVersion: FindVersion;
  /** Of a file or registered, switched on or off. */
  knows(server: ServerKey): boolean;
  /** As it is kept; null: there is none that this caller may list. */
  find(who: Identity, server: ServerKey): RegisteredServer | null;
  /** Whether searches find it; a server that the registry does not know is found. */
  isOffered(server: ServerKey): boolean;
  /** How many tools of a server in the registry a caller may know of. */
  countTools(who: Identity, path: string): number;
  /** Every server of the registry, for whoever watches them. */
  watched(): Watched[];
  watchedServer(key: ServerKey): Watched | null;
  /** Reads what is stored and takes in the servers of the files. Rejects where that is impossible. */
  start(): Promise<void>;
  /**
   * After a reload: takes in the servers of its files. Those that are new are connected from then on, since what the
   * registry keeps of them is found only then. Where that is impossible it is in the log, and tried again.
   */
  follow(config: Config): Promise<void>;
  stop(): Promise<void>;
}

/** What registered servers are kept in, sealed with, and judged by. */
export interface RegistryMeans {
  /** Absent: in memory, forgotten at the end. */
  storage: RegistryStorage;
  /** Absent: credentials cannot be kept. */
  sealer: Sealer;
  /** Null: the URL may be called; else what to say. Absent: every http and https URL may be. */
  checkUrl(url: string): Promise<string | null>;
}

export interface RegistryPartsDeps {
  means: Partial<RegistryMeans>;
  env: Readonly<Record<string, string | undefined>>;
  /** The configuration in force. */
  config(): Config;
  policy(): PolicySet;
  quarantine: Quarantine;
  downstreams: Downstreams;
  catalog: CatalogBook;
  refresh: CatalogRefresh;
  pins: Pick<Pins, 'catchUp' | 'moved'>;
  /** How a server was found when somebody last looked. */
  health(path: string): ServerHealth | null;
  /** Looks now. */
  check(path: string): Promise<unknown>;
  /** Puts the files in force that were written since they were last read. */
  reloadIfChanged(): Promise<void>;
  defaultAgent: string | null;
  /** The servers changed, and with `rights` what is granted on them too: to be put in force. */
  changed(rights: boolean): void;
  clock: Clock;
  log: Log;
}

/** So long at most until one process follows what another changed. */
const LOOK_MS = 500;

export function createRegistryParts(deps: RegistryPartsDeps): RegistryParts {
  const { means, config, policy, clock, log } = deps;
  const { storage = createMemoryRegistry(), sealer = null, checkUrl = async () => null } = means;
  const { allowCommands, allowEnv } = config().registry;
  const findVariable = (name: string) => {
    const value = deps.env[name];
    return value === undefined ? null : new Secret(value);
  };
  const toSpecs = createToSpecs({ sealer, findVariable, allowCommands, allowEnv, log });
  const live = createLiveServers(deps);
  const registry = createRegistry({
    ...{ storage, policy, sealer, checkUrl, allowCommands, allowEnv, clock, log },
    policyWith: groups => requirePolicy(config(), policy().version, { ...rights(), groups }),
    scopesOfFile() {
      const { scopes, files } = config();
      if (scopes === null) return null;
      return { file: files.scopes ?? '', names: new Set([...scopes.servers.keys(), ...scopes.ui.keys()]) };
    },
    live,
  });
  const rights = (): RegistryRights => {
    const { groups, servers } = registry.current();
    return { groups, restricted: toRestrictions(servers.values()) };
  };
  /** Files that could not be taken in yet. */
  let missed: Config | null = null;
  /** Files that are. */
  let followed = NO_FILES;
  /** Paths that nothing is kept under any more, since the last look. */
  const gone = new Set<string>();
  let stamp = 0;
  /** Up to which revision what others wrote was read. */
  let readUpTo = 0;
  /** What kept the files from being taken in, as it was last told. */
  let trouble = '';
  let isStopped = false;
  let cancelLook = () => {};

  /** Whatever another process takes away must not stay callable here. */
  function look(): void {
    void followOthers()
      .catch(cause =>
        log.error('what other processes changed in the registry cannot be read', { detail: String(cause) }),
      )
      .then(() => {
        if (!isStopped) cancelLook = clock.after(LOOK_MS, look);
      });
  }

  async function followOthers(): Promise<void> {
    const suspects = [...gone];
    gone.clear();
    // What is to be made up for, or is gone, may be so by files that say something else by now.
    if (missed !== null || suspects.length > 0) await deps.reloadIfChanged();
    for (const path of suspects) warnIfGone(path);
    const now = await storage.stamp();
    if (now !== stamp) {
      const revision = await storage.revision();
      await registry.catchUp();
      await deps.pins.catchUp(readUpTo);
      readUpTo = revision;
    }
    stamp = now;
    const again = missed;
    if (again === null || !(await takeIn(again))) return;
    if (missed === again) missed = null;
    deps.changed(false);
  }

  /** Of two gateways that read one file, one is always first: only what is still so at the next look is worth a word. */
  function warnIfGone(path: string): void {
    const file = fileOf(config().serverFiles, keyOfPath(path));
    if (file === null || registry.current().servers.has(path)) return;
    const what =
      'another gateway found that a file does not name this server: it is not offered until that is read again';
    const hint =
      'where a reload was refused here, mend what it names; ' +
      'gateways that read different files at one path need a storage.namespace each';
    log.warn(what, { server: path, file, hint });
  }

  /** False: it was impossible. */
  async function takeIn({ serverFiles, servers }: Config): Promise<boolean> {
    const before = followed;
    const movers = servers.filter(({ key }) => fileOf(before, key) !== fileOf(serverFiles, key));
    // Before and after: whatever is read in between may have been read here or there.
    for (const { key } of movers) deps.pins.moved(key);
    try {
      await registry.followFiles(serverFiles, servers);
    } catch (cause) {
      // Tried again and again: the same is said once.
      const detail = String(cause);
      if (detail !== trouble) log.error('the servers of the files cannot be taken into the registry yet', { detail });
      trouble = detail;
      return false;
    }
    trouble = '';
    followed = serverFiles;
    // What was approved of them may be something else there.
    for (const { key } of movers) {
      deps.pins.moved(key);
      const isListed = (deps.catalog.current().servers.get(key)?.listing ?? null) !== null;
      if (isListed) void deps.refresh.refresh(key);
    }
    return true;
  }

  function toWatched(server: RegisteredServer): Watched {
    const { path, enabled, deployment, source, launch, numTools } = server;
    const key = keyOfPath(path);
    const hasAddress = source.kind === 'file' || launch !== null || findServerEndpoint(server) !== null;
    const listed = deps.catalog.current().ownTools.get(key)?.size ?? numTools;
    return { path, key, enabled, isLocal: deployment === 'local', hasAddress, numTools: listed };
  }

  const isTakenIn = (server: ServerKey) => fileOf(followed, server) !== null;

  let rightsInForce = '';
  let isStarted = false;
  /** A policy that says the same is no other: with each, every view is made anew and every session told. */
  function putInForce(): void {
    const { groups, restricted } = rights();
    const kept = [...restricted].map(([server, { owner, groups: members }]) => [server, owner, [...members]]);
    const now = JSON.stringify([groups.map(({ scopeName, revision }) => [scopeName, revision]), kept]);
    const areOther = now !== rightsInForce;
    rightsInForce = now;
    deps.changed(areOther);
  }
  registry.onChange(changes => {
    for (const change of isStarted ? changes : []) if (change.kind === 'server.removed') gone.add(change.path);
    // Nothing of what was refreshed is another connection or another right.
    if (isStarted && changes.some(({ kind }) => kind !== 'server.refreshed')) putInForce();
  });

  return {
    registry,
    rights,
    findVersion(who, server, version) {
      const found = registry.versions.find(who, pathOfKey(server), version);
      if (found === null) return null;
      if (deps.catalog.current().servers.get(server)?.version !== undefined) return { version };
      // It is a file's that is connected: of the registry's own versions none counts.
      return found.source.kind === 'file' ? { version: null } : null;
    },
    knows: server =>
      config().servers.some(({ key }) => key === server) || registry.current().servers.has(pathOfKey(server)),
    find(who, server) {
      const found = registry.current().servers.get(pathOfKey(server));
      return found !== undefined && mayList(policy(), who, found) ? found : null;
    },
    isOffered: server => isOffered(registry.current().servers.get(pathOfKey(server)) ?? null),
    countTools(who, path) {
      const found = registry.current().servers.get(path);
      return found === undefined ? 0 : live.countTools(who, found);
    },
    watched: () => Array.from(registry.current().servers.values(), toWatched),
    watchedServer(key) {
      const found = registry.current().servers.get(pathOfKey(key));
      return found === undefined ? null : toWatched(found);
    },
    specs: ({ servers }) => toSpecs.active(servers, registry.current(), isTakenIn),
    versionSpecs: ({ servers }) => toSpecs.inactive(servers, registry.current()),
    async start() {
      // First: what others write from now on is read again.
      stamp = await storage.stamp();
      readUpTo = await storage.revision();
      const { serverFiles, servers } = config();
      await registry.start(serverFiles, servers);
      followed = serverFiles;
      isStarted = true;
      putInForce();
      cancelLook = clock.after(LOOK_MS, look);
    },
    async follow(next) {
      missed = null;
      trouble = '';
      if (!(await takeIn(next))) missed = next;
    },
    async stop() {
      isStopped = true;
      cancelLook();
      await storage.close();
    },
  };
}

function createLiveServers(
  deps: RegistryPartsDeps,
): LiveServers & { countTools(who: Identity, server: RegisteredServer): number } {
  const { catalog, refresh, policy, quarantine } = deps;
  const toolsOf = (server: ServerKey) => catalog.current().servers.get(server)?.listing?.tools ?? null;

  function mayUse(who: Identity, server: ServerKey, tool: string): boolean {
    const acting = asActing(policy(), who, deps.defaultAgent);
    return (
      !quarantine.isBlocked(acting, server, tool) &&
      decide(policy(), acting, 'list', { kind: 'tool', server, name: tool }).kind === 'allow'
    );
  }

  /** Of a server that is connected nobody learns of a tool that it may not use, not even that there is one. */
  function countTools(who: Identity, server: RegisteredServer): number {
    const key = serverKeyOf(server);
    const listed = server.enabled ? toolsOf(key) : null;
    return listed?.filter(({ name }) => typeof name === 'string' && mayUse(who, key, name)).length ?? server.numTools;
  }

  return {
    tools: toolsOf,
    countTools,
    health(who, server): ServerHealth {
      const numTools = countTools(who, server);
      const found = deps.health(server.path);
      const { status = 'unknown', checkedAtMs = null } = found ?? {};
      return { path: server.path, status, checkedAtMs, numTools };
    },
    async refresh(server) {
      await refresh.refresh(server);
      await deps.check(pathOfKey(server));
    },
    mayUse,
  };
}
