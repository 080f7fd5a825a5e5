/**
 * The composition root: Config -> a gateway that can be started, reloaded and stopped. The only file that knows both
 * what calls us and what we call; it picks implementations and hands each its slice, and decides nothing else.
 */
import { randomUUID } from 'node:crypto';
import { openBook } from './app/book.ts';
import { createCallerRoutes } from './app/caller-routes.ts';
import { createDefinitionParts } from './app/definitions.ts';
import { createFinderParts } from './app/finder.ts';
import { createIdentityParts } from './app/identity.ts';
import { createInstance } from './app/instance.ts';
import { createNewsParts } from './app/news.ts';
import { createOutboundParts } from './app/outbound.ts';
import { requirePolicy } from './app/policy.ts';
import { createRegistryParts, type RegistryMeans } from './app/registry.ts';
import { createReloading } from './app/reloading.ts';
import { createRest } from './app/rest.ts';
import { createSearch } from './app/search.ts';
import { followServers, type ServerProgress } from './app/server-progress.ts';
import { describeStatus, readinessOf } from './app/status.ts';
import { openStorage } from './app/storage.ts';
import { openSealer } from './app/vault-desk.ts';
import { createWatchingParts } from './app/watching.ts';
import type { Config } from './config/config.ts';
import type { LoadResult } from './config/load.ts';
import type { Identity } from './domain/identity.ts';
import { URL_REFUSED } from './domain/outbound-rules.ts';
import { isOwnUrl, type OwnAddress } from './domain/own-url.ts';
import { REST_API } from './domain/scope-rules.ts';
import { originOf, type ServerSpec } from './domain/server.ts';
import { createFindClientAddress } from './inbound/http/client-address.ts';
import type { ServedRoute } from './inbound/http/served.ts';
import { createHttpServer } from './inbound/http/server.ts';
import type { McpDeps } from './inbound/mcp/deps.ts';
import { createKeepAlive } from './inbound/mcp/keep-alive.ts';
import { mostVerbose } from './inbound/mcp/legacy-dispatch.ts';
import { createMcpDoors } from './inbound/mcp/mcp.ts';
import { createSessionTable } from './inbound/mcp/session-table.ts';
import { type StdioDoor, serveStdio } from './inbound/mcp/stdio.ts';
import type { RestRoute } from './inbound/rest/route.ts';
import { countAncestorsAlike } from './outbound/ancestors.ts';
import { createSystemClock } from './outbound/clock.ts';
import { forwardableHeaders } from './outbound/downstream/caller-headers.ts';
import { createDownstreams } from './outbound/downstream/pool.ts';
import { diffSpecs, findReplaced } from './outbound/downstream/same-spec.ts';
import { createCertificateFiles } from './outbound/files/certificate-files.ts';
import { createMemoryLimits } from './outbound/limits/memory-limits.ts';
import { createQuarantineFile } from './outbound/limits/quarantine-file.ts';
import { offerGatewayGauges } from './outbound/telemetry/gateway-gauges.ts';
import { createLog } from './outbound/telemetry/log.ts';
import { createMetrics } from './outbound/telemetry/metrics.ts';
import { offerProcessGauges } from './outbound/telemetry/process-gauges.ts';
import { createRecorder } from './outbound/telemetry/recorder.ts';
import { createSeal } from './outbound/vault/seal.ts';
import { createCatalogBook } from './services/catalog/catalog-book.ts';
import { createCatalogRefresh, describeCollision } from './services/catalog/refresh.ts';
import { createGateway } from './services/gateway/gateway.ts';
import { gatewayToolItems } from './services/gateway/gateway-tools/definitions.ts';
import { createGatewayTools } from './services/gateway/gateway-tools/gateway-tools.ts';
import { createToolFinder } from './services/gateway/gateway-tools/tool-finder.ts';
import { createParkedCalls } from './services/gateway/parked-calls.ts';
import { createRefuseDoor } from './services/gateway/refuse-door.ts';
import { createRegistryTools, registryToolItems } from './services/gateway/registry-tools/registry-tools.ts';
import { createTurnedAway } from './services/gateway/turned-away.ts';
import { createVisible } from './services/gateway/visible.ts';
import { createLimiter } from './services/limits/limiter.ts';
import { createQuarantine } from './services/limits/quarantine.ts';
import { createPolicyBook } from './services/policy/policy-book.ts';
import { mayList } from './services/registry/access.ts';
import { createAgents } from './services/registry/agents.ts';
import { figuresSight } from './services/registry/figures-sight.ts';

export type { ServerProgress } from './app/server-progress.ts';

export interface App {
  /** Rejects when the address cannot be listened on. `url` is what clients connect to, null without HTTP. */
  start(): Promise<{ url: string | null }>;
  /** Drains: what is under way finishes within `graceMs`, no child process is left. A second call shortens the wait. */
  stop(graceMs?: number): Promise<void>;
  reload(): Promise<{ ok: boolean; problems: string[] }>;
  /** Called whenever a server's status or number of tools changes. */
  onServer(listener: (server: ServerProgress) => void): void;
  /** What is served: the REST API as its table, and everything else that the listener answers. */
  routes(): { rest: readonly RestRoute[]; http: readonly ServedRoute[] };
  /** Resolves when the stdio client is done; never without stdio. */
  readonly finished: Promise<void>;
}

export interface AppOptions {
  config: Config;
  serve: { http: boolean; stdio: boolean };
  version: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Of the configuration, to be logged. */
  warnings: readonly string[];
  loadAgain: () => Promise<LoadResult>;
  /** What registered servers are kept in, sealed with, and judged by. */
  registry?: Partial<RegistryMeans>;
}

export function createApp(options: AppOptions): App {
  const { serve, version, env, config: started } = options;
  let config = started;
  const clock = createSystemClock();
  const log = createLog({ level: config.log.level, format: config.log.format });
  for (const warning of options.warnings) log.warn('configuration', { warning });
  const metrics = createMetrics({ clock });
  const recorder = createRecorder({ metrics, log, slowMs: config.log.slowOperationMs, clock });
  const auditBook = openBook(config.audit, { clock, log, metrics });
  const audit = auditBook.ledger;
  const limiter = createLimiter({ store: createMemoryLimits(clock), rules: config.limits });
  const quarantine = createQuarantine({
    ...{ store: createQuarantineFile({ path: config.limits.quarantineFile, clock }), clock, log },
  });
  const outbound = createOutboundParts({ rules: () => config.outbound, clock, log });
  const instance = createInstance({
    ...{ env, files: started.files, servesStdio: serve.stdio, version, log, countAncestors: countAncestorsAlike },
  });
  const downstreams = createDownstreams({
    ...{ specs: config.servers, guard: outbound.guard, clock, log, baseEnv: instance.childEnv },
    ...{ clientInfo: instance.clientInfo, instance: instance.id },
  });
  const policy = createPolicyBook(requirePolicy(config, 1));
  const catalog = createCatalogBook(config.exposure.prefix, collision =>
    log.warn('two servers claim one name', { collision: describeCollision(collision) }),
  );
  const storage = options.registry?.storage ?? openStorage(config.storage);
  const sealer = openSealer(config.vault);
  const checkUrl = async (url: string) => ((await outbound.guard.mayReach(url, 'registration')) ? null : URL_REFUSED);
  const pins = createDefinitionParts(config.definitions, {
    ...{ store: storage.definitions, catalog, audit, metrics, clock, log },
  });
  const refresh = createCatalogRefresh({ downstreams, book: catalog, pins, clock, log });
  const settled = () => refresh.settled(config.firstListWaitMs);
  const settledOne = (server: string) => refresh.settledOne(server, config.firstListWaitMs);
  const { defaultAgent } = started;
  const exposure = () => config.exposure;
  const { news, subscriptions, rightsChanged, stopRelay } = createNewsParts({
    ...{ catalog, policy, quarantine, downstreams, exposure, defaultAgent, clock },
  });
  const visible = createVisible({
    catalog,
    policy,
    quarantine,
    rules: exposure,
    gatewayTools: gatewayToolItems(config.debug),
    registryTools: caller => registryToolItems(policy.current(), caller),
    listed: news.listGiven,
  });
  const parked = createParkedCalls(clock, config.parkedTtlMs);
  const search = createSearch({ config: started.search, catalog, cwd: process.cwd(), metrics, clock, log });

  const registered = createRegistryParts({
    ...{ means: { storage, sealer, checkUrl, ...options.registry }, env, config: () => config, policy: policy.current },
    ...{ quarantine, downstreams, catalog, refresh, pins, defaultAgent, clock, log },
    ...{ health: path => watching.health.find(path), check: path => watching.health.check(path) },
    reloadIfChanged: () => reloadIfChanged(),
    changed(rights) {
      if (rights) policy.swap(requirePolicy(config, policy.current().version + 1, registered.rights()));
      if (rights) rightsChanged.ofEverybody();
      connect();
    },
  });
  let forwardable = forwardableHeaders(config.servers);
  let isUp = false;
  let connected: readonly ServerSpec[] = config.servers;
  /** To the servers of the files and of the registry as they are now, and to no other. */
  function connect(): void {
    const specs = registered.specs(config);
    forwardable = forwardableHeaders(specs);
    const before = connected;
    connected = [...specs, ...registered.versionSpecs(config)];
    pins.keepOnly(new Set(connected.map(originOf)));
    // Before the start nobody is connected, and nobody is told that a server waits which does not.
    if (isUp) refresh.follow(connected, findReplaced(before, connected));
    downstreams.apply(connected);
  }
  const { reload, watch, reloadIfChanged } = createReloading({
    ...{ started, servesHttp: serve.http, loadAgain: options.loadAgain, clock, log },
    async apply(next) {
      // One step, no await: no request sees half of it. What is taken away is gone with it, however busy the registry is.
      const nextPolicy = requirePolicy(next, policy.current().version + 1, registered.rights());
      config = next;
      policy.swap(nextPolicy);
      limiter.apply(next.limits);
      rightsChanged.ofEverybody();
      const before = connected;
      connect();
      await registered.follow(next);
      connect();
      return diffSpecs(before, connected);
    },
  });

  const toolFinder = createToolFinder({ catalog, visible, search: search.tools, registered, settled });
  const agents = createAgents({ storage, policy: policy.current, clock });
  const finder = createFinderParts({
    ...{ search, registry: registered.registry, agents, storage, catalog, visible },
    ...{ policy: policy.current, defaultAgent, settled },
  });
  let listening: OwnAddress['listening'] = null;
  const gatewayTools = createGatewayTools({
    ...{ catalog, visible, downstreams, finder: toolFinder, settledOne },
    isOwnUrl: url => isOwnUrl(url, { publicUrl: started.identity.publicUrl, listening }),
    reloadIfChanged,
    status: describeStatus({
      ...{
        catalog,
        downstreams,
        policy: policy.current,
        config: () => config,
        servers: () => registered.specs(config),
        reloads: () => reload.status(),
      },
      ...{ search: search.index.status, sessions: () => sessions.size(), isVisible: visible.isServerVisible },
    }),
  });
  const gateway = createGateway({
    ...{ catalog, policy, downstreams, visible, gatewayTools, instance: instance.id },
    registryTools: createRegistryTools({
      ...{ registry: registered.registry, agents, finder: toolFinder, search: finder, policy: policy.current },
      ...{ defaultAgent, servers: () => catalog.current().servers.keys(), quarantine, audit },
    }),
    ...{ parked, subscriptions, recorder, audit, limiter, quarantine, pins },
    seal: createSeal(clock),
    stateTtlMs: config.parkedTtlMs,
    defaultAgent,
    clock,
    maxInFlight: config.listen.maxInFlight,
    settled,
    settledOne,
    debug: config.debug,
  });

  const sessions = createSessionTable({
    clock,
    ttlMs: config.sessions.ttlMs,
    maxSessions: config.sessions.maxSessions,
    limiter,
    onRightsChanged: rightsChanged.of,
    onEnd(session) {
      gateway.endSubscriber(session);
      downstreams.release(`session ${session.id}`);
      if (session.logLevel !== null) downstreams.setLogLevel(mostVerbose(mcpDeps, null));
    },
  });
  const keepAlive = createKeepAlive(clock);
  const turnedAway = createTurnedAway({ clock, recorder, audit, limiter });
  const findAddress = createFindClientAddress(config.listen.trustedProxies ?? []);
  const who = createIdentityParts(started, () => config, {
    clock,
    log,
    hasServer: server => catalog.current().servers.has(server),
    knowsServer: registered.knows,
    policy: policy.current,
    recorder,
    audit,
  });
  const { identify, stillValid, challenges, wellKnown } = who;
  const mcpDeps: McpDeps = {
    gateway,
    catalog,
    news,
    downstreams,
    identify,
    stillValid,
    challenges,
    findVersion: registered.findVersion,
    refuseDoor: createRefuseDoor({ policy: policy.current, defaultAgent, recorder, audit, clock }),
    refused: (req, path, { reason }, id) =>
      turnedAway.stranger({ id: id ?? mcpDeps.nextRequestId(), address: findAddress(req), path }, reason),
    turnedAway: turnedAway.request,
    addressOf: findAddress,
    forwardable: () => forwardable,
    sessions,
    limits: config.sessions,
    limiter,
    keepAlive,
    clock,
    log,
    version,
    maxBodyBytes: config.listen.maxBodyBytes,
    // Told to clients: a counter would tell each of them how much the others do.
    nextRequestId: randomUUID,
  };
  const isShutOut = (caller: Identity) => quarantine.isBlocked(caller, REST_API, null);
  const watching = createWatchingParts(config.health, {
    ...{ servers: registered.watched, server: registered.watchedServer },
    ...{ countTools: (caller, path) => registered.countTools(caller, path) },
    mayList: (caller, path) => mayList(policy.current(), caller, { path }),
    ...{ identify, stillValid, findSession: who.findSession, isShutOut, limiter, refused: mcpDeps.refused },
    ...{ downstreams, store: storage.health, clock, log },
  });
  catalog.onChange(watching.health.follow);
  pins.onApproved(server => void refresh.refresh(server));
  const rest = createRest({
    ...{ version, auditIndex: auditBook.index, quarantine, isShutOut, catalog, local: who.local },
    ...{ policy: policy.current, identify, challenges, limiter, refused: mcpDeps.refused, addressOf: findAddress },
    ...{ recorder, audit, clock, log, findSession: who.findSession, vouch: who.vouch, defaultAgent },
    callers: createCallerRoutes({
      ...{ config: started, who, policy: policy.current, catalog, quarantine, pins, settledOne },
    }),
    ...{ pins, agents, finder, health: watching.routes },
    ...{ registry: registered.registry, publicUrl: started.identity.publicUrl },
    reload: () => reload.now(),
    servers: () => registered.specs(config).map(({ key }) => key),
  });
  const doors = createMcpDoors(mcpDeps, res => http.holdOpen(res));
  const http = createHttpServer({
    listen: config.listen,
    ownOrigin: config.identity.publicUrl && new URL(config.identity.publicUrl).origin,
    version,
    log,
    clock,
    native: [wellKnown, doors],
    takesPosts: path => doors.takesPosts(path),
    isPublic: wellKnown.isPublic,
    certificates: config.listen.tls ? createCertificateFiles({ ...config.listen.tls, clock, log }) : null,
    identify,
    readiness: () =>
      readinessOf({
        ...{ specs: registered.specs(config), restricted: policy.current().restricted },
        ...{ issuersWithoutKeys: who.issuersWithoutKeys(), isAuditRefusing: audit.isRefusing() },
      }),
    metrics: config.metrics ? metrics : null,
    sightOf: caller => figuresSight(policy.current(), caller, key => catalog.current().servers.has(key)),
    sockets: watching.sockets,
    addRoutes: rest.mount,
    addedMethods: rest.table.map(({ method }) => method),
  });
  offerGatewayGauges(
    metrics,
    { sessions: () => sessions.size(), parkedCalls: () => parked.size(), callsInFlight: () => gateway.inFlight() },
    downstreams,
  );
  const stopProcessGauges = offerProcessGauges(metrics, clock);

  const onServer = followServers(catalog);

  let stdio: StdioDoor | null = null;
  let finish = () => {};
  const finished = new Promise<void>(resolve => {
    finish = resolve;
  });

  return {
    finished,
    onServer,
    routes: () => ({ rest: rest.table, http: http.routes() }),
    async start() {
      auditBook.start();
      await quarantine.start();
      who.start();
      await registered.start();
      await watching.start();
      await finder.start();
      const address = serve.http ? await http.start() : null;
      instance.startServers(downstreams);
      isUp = true;
      connect();
      if (serve.stdio) {
        // Whoever launched us over stdio is the local caller: there is no other way in to that pipe.
        stdio = serveStdio(mcpDeps, who.local, { input: process.stdin, output: process.stdout });
        doors.adopt(stdio.session);
        void stdio.finished.then(finish);
      }
      if (address === null) return { url: null };
      const host = address.host.includes(':') ? `[${address.host}]` : address.host;
      listening = { ...address, scheme: config.listen.tls ? 'https' : 'http' };
      return { url: `${listening.scheme}://${host}:${address.port}/mcp` };
    },
    async stop(graceMs = config.drainMs) {
      const deadlineMs = clock.monotonicMs() + graceMs;
      watching.stop();
      const closing = serve.http ? http.stop(graceMs) : Promise.resolve();
      doors.finish();
      stdio?.finish();
      const late = new Promise<void>(resolve => clock.after(graceMs, resolve));
      await Promise.all([closing, Promise.race([stdio?.quiet(), late])]);
      stopRelay();
      sessions.stop();
      stdio?.session.end('shutting down');
      keepAlive.stop();
      stopProcessGauges();
      news.stop();
      refresh.stop();
      await search.stop();
      await Promise.all([watch.close(), downstreams.close(Math.max(0, deadlineMs - clock.monotonicMs()))]);
      await Promise.all([quarantine.stop(), outbound.fetch.close()]);
      who.stop();
      await registered.stop();
      // Last: whatever ended until now is in the book.
      await auditBook.stop();
    },
    async reload() {
      const { ok, problems } = await reload.now();
      return { ok, problems: [...problems] };
    },
  };
}
