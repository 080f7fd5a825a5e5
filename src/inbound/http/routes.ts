/**
 * The routes an operator and an orchestrator ask: /health, /ready, /metrics, and the page
 * a person sees who opens the address in a browser. All but metrics need no credential and tell nothing about the
 * configuration. Everything else that reaches this router is not found.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import type { Challenge, Identity } from '../../domain/identity.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { FiguresSight, MetricsReader } from '../../ports/metrics.ts';
import { doorSays } from './door-words.ts';
import { hasBody, SECURITY_HEADERS } from './problem.ts';

export interface Readiness {
  ready: boolean;
  /** A sentence fit for anybody: no path, host or name. */
  reason: string | null;
  serversConfigured: number;
}

export interface RouteDeps {
  version: string;
  clock: Clock;
  log: Log;
  identify(headers: IncomingHttpHeaders): Identity | Challenge | Promise<Identity | Challenge>;
  readiness(): Readiness;
  metrics: MetricsReader | null;
  /** Which figures a caller is shown; null: all. */
  sightOf(who: Identity): FiguresSight | null;
  /** Adds the routes of other surfaces. */
  addRoutes?: ((routes: Hono<{ Bindings: HttpBindings }>) => void) | undefined;
}

/** Answered even while calls are refused for overload or shutdown: who watches must see most when it burns. */
export const OPERATOR_PATHS: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

const EXPOSITION = 'text/plain; version=0.0.4; charset=utf-8';

export function createRoutes(deps: RouteDeps): Hono<{ Bindings: HttpBindings }> {
  const { clock, metrics } = deps;
  const startedMs = clock.monotonicMs();
  const routes = new Hono<{ Bindings: HttpBindings }>({
    // The bytes the guards have judged, not a URL made of them: `/%2e%2e/metrics` is one path to everybody.
    getPath: (_request, options) => pathOf(options?.env?.incoming.url),
  });

  routes.use(async (c, next) => {
    await next();
    // A page of ours says itself what it may load, and what may be kept.
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) if (!c.res.headers.has(name)) c.header(name, value);
    if (!c.res.headers.has('x-request-id')) c.header('x-request-id', randomUUID());
  });

  for (const path of OPERATOR_PATHS) {
    routes.use(path, async (c, next) => {
      if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
        return c.json(doorSays('method_not_allowed'), 405, { allow: 'GET, HEAD' });
      }
      // A GET that carries a body is somebody trying out where two hops disagree (RFC 9110, 9.3.1).
      if (hasBody(c.env.incoming)) return c.json(doorSays('unsupported_media_type'), 415);
      return next();
    });
  }

  routes.get('/health', c =>
    c.json({
      status: 'healthy',
      service: 'mcp-gatehouse',
      version: deps.version,
      uptime_seconds: seconds(clock.monotonicMs() - startedMs),
      deployment_mode: 'with-gateway',
      registry_mode: 'full',
    }),
  );

  routes.get('/ready', c => {
    const { ready, reason, serversConfigured } = deps.readiness();
    return ready
      ? c.json({ status: 'ready', servers_configured: serversConfigured })
      : c.json({ status: 'not_ready', reason: reason ?? 'not ready' }, 503);
  });

  routes.get('/metrics', async c => {
    const who = await deps.identify(c.env.incoming.headers);
    if (who.kind === 'challenge') {
      const error = who.status === 401 ? 'unauthorized' : 'forbidden';
      return c.json(doorSays(error), who.status, { 'www-authenticate': who.wwwAuthenticate });
    }
    // A token for one server is for nothing else.
    if (who.boundServer !== null) return c.json(doorSays('forbidden'), 403);
    if (metrics === null) return c.json(doorSays('metrics_off'), 503);
    const sight = deps.sightOf(who);
    return wantsText(c.req.query('format'), c.env.incoming.headers.accept)
      ? c.body(metrics.prometheus(sight), 200, { 'content-type': EXPOSITION })
      : c.json(metrics.json(sight));
  });

  routes.get('/', c => c.text(forPeople(deps.version)));

  deps.addRoutes?.(routes);

  routes.notFound(c => c.json(doorSays('not_found'), 404));
  routes.onError((cause, c) => {
    deps.log.error('request failed', { path: c.req.path, detail: String(cause.stack ?? cause) });
    return c.json(doorSays('internal_error'), 500);
  });
  return routes;
}

function forPeople(version: string): string {
  return [
    `Gatehouse ${version}: one door to every MCP server.`,
    '',
    'MCP clients connect to   /mcp',
    'Is it alive, is it ready /health  /ready',
    'What it does             /metrics',
    '',
  ].join('\n');
}

/** The target without its query: the one reading of it. */
export function pathOf(target: string | undefined): string {
  if (target === undefined) return '/';
  const queryAt = target.indexOf('?');
  return queryAt === -1 ? target : target.slice(0, queryAt);
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}

/**
 * Text for whoever names `text/plain` or OpenMetrics (every scraper does; a scraper takes the older text
 * format from a server that speaks no other). Somebody who names JSON no later and no less (axios does) gets JSON.
 */
export function wantsText(format: string | undefined, accept: string | undefined): boolean {
  if (format === 'prometheus') return true;
  if (format === 'json' || accept === undefined) return false;
  let text = 0;
  let json = 0;
  let jsonFirst = false;
  for (const part of accept.slice(0, 1024).toLowerCase().split(',')) {
    const [type, ...parameters] = part.split(';').map(piece => piece.trim());
    const quality = parameters.find(parameter => parameter.startsWith('q='));
    const weight = quality === undefined ? 1 : Number(quality.slice(2)) || 0;
    if (type === 'text/plain' || type === 'application/openmetrics-text') text = Math.max(text, weight);
    else if (type === 'application/json') {
      json = Math.max(json, weight);
      jsonFirst ||= text === 0;
    }
  }
  return text > 0 && (text > json || (text === json && !jsonFirst));
}
