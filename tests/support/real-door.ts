/** The MCP doors over real servers, for several callers told apart by the token they show. Put together as app.ts does. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createNewsParts } from '../../src/app/news.ts';
import type { Identity } from '../../src/domain/identity.ts';
import type { ServerSpec } from '../../src/domain/server.ts';
import { createFindClientAddress } from '../../src/inbound/http/client-address.ts';
import { createKeepAlive } from '../../src/inbound/mcp/keep-alive.ts';
import { createMcpDoors } from '../../src/inbound/mcp/mcp.ts';
import { createSessionTable } from '../../src/inbound/mcp/session-table.ts';
import { createSystemClock } from '../../src/outbound/clock.ts';
import { forwardableHeaders } from '../../src/outbound/downstream/caller-headers.ts';
import { createDownstreams } from '../../src/outbound/downstream/pool.ts';
import { createSeal } from '../../src/outbound/vault/seal.ts';
import { createCatalogBook } from '../../src/services/catalog/catalog-book.ts';
import { createCatalogRefresh } from '../../src/services/catalog/refresh.ts';
import { createGateway } from '../../src/services/gateway/gateway.ts';
import { gatewayToolItems } from '../../src/services/gateway/gateway-tools/definitions.ts';
import { createGatewayTools } from '../../src/services/gateway/gateway-tools/gateway-tools.ts';
import { createParkedCalls } from '../../src/services/gateway/parked-calls.ts';
import { createVisible } from '../../src/services/gateway/visible.ts';
import { findToken } from '../../src/services/identity/bearer.ts';
import { createChallenges } from '../../src/services/identity/challenge.ts';
import type { Identify } from '../../src/services/identity/identify.ts';
import { createPolicyBook } from '../../src/services/policy/policy-book.ts';
import { createEmptyQuarantine, createFreeLimiter, createKeptBook, createOpenPins } from './quiet-house.ts';
import { createSmallRegistry, listedFor } from './small-registry.ts';
import { createKeptLog, INSTANCE, wordSearch } from './staircase.ts';

export interface RealDoorOptions {
  specs: readonly ServerSpec[];
  /** By token. A token that is taken out is not good any more. */
  callers: Map<string, Identity>;
}

const UNKNOWN = { kind: 'challenge', status: 401, wwwAuthenticate: 'Bearer realm="mcp"', reason: 'unknown' } as const;

export async function startRealDoor({ specs, callers }: RealDoorOptions) {
  const clock = createSystemClock();
  const log = createKeptLog();
  const downstreams = createDownstreams({
    specs,
    clock,
    log,
    baseEnv: process.env,
    clientInfo: { name: 'gatehouse-test', version: '0' },
    instance: INSTANCE,
  });
  const policy = createPolicyBook();
  const catalog = createCatalogBook('server', () => {});
  const refresh = createCatalogRefresh({ downstreams, book: catalog, pins: createOpenPins(), clock, log });
  const settled = () => refresh.settled(20_000);
  const settledOne = (server: string) => refresh.settledOne(server, 20_000);
  const rules = { default: 'direct', autoThreshold: 40, pinned: [] } as const;
  const quarantine = createEmptyQuarantine();
  const { news, subscriptions, rightsChanged, stopRelay } = createNewsParts({
    ...{ catalog, policy, quarantine, downstreams, exposure: () => rules, defaultAgent: null, clock },
  });
  const visible = createVisible({
    catalog,
    policy,
    quarantine,
    rules: () => rules,
    gatewayTools: gatewayToolItems(false),
    registryTools: listedFor(policy),
    listed: news.listGiven,
  });
  const audit = createKeptBook();
  const desk = createSmallRegistry({ catalog, visible, policy, search: wordSearch, settled, audit, clock, log });
  const gatewayTools = createGatewayTools({
    catalog,
    visible,
    downstreams,
    finder: desk.finder,
    isOwnUrl: url => new URL(url).host === 'gateway.test',
    settledOne,
    reloadIfChanged: async () => {},
    status: () => ({}),
  });
  const gateway = createGateway({
    catalog,
    policy,
    downstreams,
    visible,
    gatewayTools,
    registryTools: desk.registryTools,
    parked: createParkedCalls(clock, 60_000),
    seal: createSeal(clock),
    stateTtlMs: 60_000,
    instance: INSTANCE,
    subscriptions,
    recorder: { record: () => {} },
    clock,
    maxInFlight: 1_000,
    settled,
    settledOne,
    audit,
    limiter: createFreeLimiter(),
    quarantine,
    pins: createOpenPins(),
    defaultAgent: null,
    debug: false,
  });
  const sessions = createSessionTable({
    clock,
    ttlMs: 3_600_000,
    maxSessions: 1_000,
    onEnd: session => gateway.endSubscriber(session),
    onRightsChanged: rightsChanged.of,
  });
  const keepAlive = createKeepAlive(clock);
  const identify: Identify = shown => {
    const token = findToken(shown);
    return (typeof token === 'string' ? callers.get(token) : undefined) ?? UNKNOWN;
  };
  let requests = 0;
  const doors = createMcpDoors(
    {
      gateway,
      catalog,
      news,
      downstreams,
      identify,
      refuseDoor: () => null,
      findVersion: () => null,
      stillValid: who => [...callers.values()].includes(who),
      refused: () => null,
      turnedAway: () => {},
      challenges: createChallenges({ publicUrl: null, scopes: [] }),
      addressOf: createFindClientAddress([]),
      forwardable: () => forwardableHeaders(specs),
      sessions,
      limiter: createFreeLimiter(),
      limits: { maxEvents: 100, maxEventBytes: 1_000_000 },
      keepAlive,
      clock,
      log,
      version: '9.9.9',
      maxBodyBytes: 4_194_304,
      nextRequestId: () => `r${++requests}`,
    },
    () => {},
  );
  const server = createServer((req, res) => {
    if (!doors.handle(req, res, (req.url ?? '/').split('?')[0] ?? '/')) res.writeHead(404).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  refresh.follow(specs);
  downstreams.start();
  await settled();

  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    catalog,
    policy,
    rightsChanged,
    downstreams,
    async close() {
      doors.finish();
      stopRelay();
      sessions.stop();
      keepAlive.stop();
      news.stop();
      refresh.stop();
      server.closeAllConnections();
      await new Promise<void>(resolve => server.close(() => resolve()));
      await downstreams.close(500);
    },
  };
}
