/** The health of servers, put together: who watches, who is told, and over what. */
import type { IncomingMessage } from 'node:http';
import type { HealthConfig } from '../config/definitions-config.ts';
import type { Challenge, Identity } from '../domain/identity.ts';
import type { ServerKey } from '../domain/server.ts';
import { createHealthEvents } from '../inbound/events/health-events.ts';
import { createWebSockets, type WebSocketDeps, type WebSockets } from '../inbound/events/web-sockets.ts';
import { healthRoutes } from '../inbound/rest/health.ts';
import type { RestRoute } from '../inbound/rest/route.ts';
import type { Clock } from '../ports/clock.ts';
import type { Downstreams } from '../ports/downstreams.ts';
import type { HealthRepository } from '../ports/health-repository.ts';
import type { Log } from '../ports/log.ts';
import { createTickets } from '../services/identity/tickets.ts';
import { createHealthWatch, type HealthWatch, type Watched } from '../services/registry/health.ts';

export interface WatchingParts {
  health: HealthWatch;
  sockets: WebSockets;
  routes: RestRoute[];
  start(): Promise<void>;
  /** Before the listener stops: it waits for what is open. */
  stop(): void;
}

export interface WatchingDeps extends Pick<WebSocketDeps, 'findSession' | 'stillValid' | 'isShutOut' | 'limiter'> {
  servers(): readonly Watched[];
  server(key: ServerKey): Watched | null;
  mayList(who: Identity, path: string): boolean;
  countTools(who: Identity, path: string): number;
  identify(headers: IncomingMessage['headers'], path: string): Identity | Challenge | Promise<Identity | Challenge>;
  refused(req: IncomingMessage, path: string, challenge: Challenge): void;
  downstreams: Downstreams;
  store: HealthRepository;
  clock: Clock;
  log: Log;
}

export const HEALTH_PATHS = ['/ws/health_status', '/api/health/ws/health_status'];

export function createWatchingParts(settings: HealthConfig, deps: WatchingDeps): WatchingParts {
  const { clock, log, downstreams, store, servers, server } = deps;
  const health = createHealthWatch({ servers, server, downstreams, store, settings, clock, log, random: Math.random });
  const events = createHealthEvents({ health, mayList: deps.mayList, countTools: deps.countTools, clock });
  const tickets = createTickets(clock);
  const streams = new Map(HEALTH_PATHS.map(path => [path, events]));
  const sockets = createWebSockets({ ...deps, streams, tickets });
  return {
    health,
    sockets,
    routes: healthRoutes({ events, tickets, connections: sockets.size }),
    start: health.start,
    stop() {
      events.stop();
      sockets.close();
      health.stop();
    },
  };
}
