/**
 * The HTTP listener: one node:http or node:https server with a short way in for plain posts, guards in front of every route,
 * limits, and an orderly end. MCP doors write to the response themselves (no conversion on the hot path); Hono has every
 * other route.
 * Refused here: what HTTP forbids (RFC 9112; `insecureHTTPParser` stays off), foreign hosts and origins, and more
 * than may be under way at once.
 */
import { createServer, type IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import type { ListenConfig } from '../../config/config.ts';
import { GatewayError } from '../../domain/error.ts';
import type { Challenge, Identity } from '../../domain/identity.ts';
import type { CertificateSource } from '../../ports/certificates.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { MetricsReader } from '../../ports/metrics.ts';
import { allowOrigin, answerOptions } from './cors.ts';
import type { DoorWord } from './door-words.ts';
import { type Refusal as BadHeader, createGuard, type Guard } from './guard.ts';
import type { HttpRequest, HttpResponse } from './http-message.ts';
import { takePlainPosts } from './plain/plain-posts.ts';
import { refuse, refuseUpgrade } from './problem.ts';
import { createRoutes, OPERATOR_PATHS, pathOf, type Readiness, type RouteDeps } from './routes.ts';
import { createSecureServer, demandTls } from './secure.ts';
import type { NativeRoutes, ServedRoute } from './served.ts';
import { answerUnreadable, currentResponse } from './unreadable.ts';

export interface HttpDeps {
  listen: ListenConfig;
  /** Of our public address, whose pages are ours; null or absent: not known. */
  ownOrigin?: string | null;
  /** Where `listen.tls` is set. */
  certificates?: CertificateSource | null;
  version: string;
  log: Log;
  clock: Clock;
  /** Asked in this order, before the router. */
  native: readonly NativeRoutes[];
  /** Whether those have every POST to this path. */
  takesPosts(path: string): boolean;
  /** Authorises /metrics. */
  identify(headers: IncomingHttpHeaders): Identity | Challenge | Promise<Identity | Challenge>;
  /** Documents that any page may read: no Origin is foreign to them. */
  isPublic?(path: string): boolean;
  readiness(): Readiness;
  metrics: MetricsReader | null;
  /** Which figures a caller is shown; null: all. */
  sightOf: RouteDeps['sightOf'];
  /** Adds the routes of other surfaces. */
  addRoutes?: RouteDeps['addRoutes'];
  /** Of those routes. */
  addedMethods?: readonly string[];
  /** WebSockets, after the guards. */
  sockets?: {
    isFor(path: string): boolean;
    served(): readonly ServedRoute[];
    accept(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  };
}

export interface HttpServer {
  /** Rejects when the address is taken or not ours (the error of node:net, with its code), or no certificate can be shown. */
  start(): Promise<{ host: string; port: number }>;
  /**
   * /ready says 503 and new requests are refused at once; then idle sockets are closed, requests under way get up to
   * `graceMs`, and what is left is cut. Called again, the earlier of the two deadlines holds: `stop(0)` is now.
   */
  stop(graceMs: number): Promise<void>;
  /** Takes a standing stream out of `maxInFlight`: it waits and works for nobody. It still delays `stop`. */
  holdOpen(res: HttpResponse): void;
  connections(): number;
  /** Requests whose answer is not finished, standing streams among them. */
  inFlight(): number;
  /** All that is answered here; of the router as it was added, those of other surfaces among it. */
  routes(): readonly ServedRoute[];
}

const HEADERS_TIMEOUT_MS = 15_000;
/** For the request alone; a response may stream for days. */
const REQUEST_TIMEOUT_MS = 60_000;
const TIMEOUT_CHECK_MS = 5_000;
/** Longer than the 60 s after which common proxies drop an idle connection: they must be the ones to close it. */
const KEEP_ALIVE_MS = 65_000;
/** A reader that takes nothing of what waits for it for so long is gone, or means to fill our memory. */
const STALLED_MS = 30_000;
const MAX_HEADER_BYTES = 16_384;
const MAX_CONNECTIONS = 16_384;
const BACKLOG = 4_096;

/** A response that remembers whether it holds one of the `maxInFlight` places. */
class GateResponse extends ServerResponse {
  holdsPlace = false;
}

/** Node's own, or that of a plain post. */
type Gated = HttpResponse & { holdsPlace: boolean };

const SETTINGS = {
  ServerResponse: GateResponse,
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: TIMEOUT_CHECK_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
  noDelay: true,
  // Finds peers that vanished behind a standing stream.
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  // The guard answers a missing Host itself, with a body.
  requireHostHeader: false,
};

interface No {
  reason: 'shutting_down' | 'host' | 'origin' | 'overloaded';
  status: number;
  error: DoorWord;
  headers: Readonly<Record<string, string>>;
}

const CLOSE = { connection: 'close' };
const SHUTTING_DOWN: No = {
  reason: 'shutting_down',
  status: 503,
  error: 'shutting_down',
  headers: { 'retry-after': '1', ...CLOSE },
};
const OVERLOADED: No = { reason: 'overloaded', status: 503, error: 'overloaded', headers: { 'retry-after': '1' } };

export function createHttpServer(deps: HttpDeps): HttpServer {
  const { listen, log, clock } = deps;
  let guard: Guard | null = null;
  let connections = 0;
  let inFlight = 0;
  let places = 0;
  let isDraining = false;
  let whenQuiet: (() => void) | null = null;
  let closed: Promise<void> | null = null;
  const refused = new Map<No['reason'] | 'connections' | 'unreadable', number>();

  const routes = createRoutes({
    ...deps,
    readiness: () => (isDraining ? { ready: false, reason: 'shutting down', serversConfigured: 0 } : deps.readiness()),
  });
  const served: readonly ServedRoute[] = [
    ...deps.native.flatMap(part => part.served()),
    ...(deps.sockets?.served() ?? []),
    ...routes.routes.map(({ method, path }): ServedRoute => ({ kind: 'route', method, path })),
  ];
  const methods = methodsOf(served, deps.addedMethods ?? []);
  const answerRoute = getRequestListener(routes.fetch, {
    // Only for HTTP/1.0 without Host: URLs of ours are never built from it.
    hostname: 'localhost',
    overrideGlobalObjects: false,
  });

  function onClose(this: Gated): void {
    if (this.holdsPlace) {
      this.holdsPlace = false;
      places -= 1;
    }
    inFlight -= 1;
    if (isDraining) {
      // The socket counts as idle only after this turn.
      setImmediate(closeIdle);
      if (inFlight === 0) whenQuiet?.();
    }
  }

  function front(req: HttpRequest, res: Gated, sendContinue: (() => void) | null): void {
    inFlight += 1;
    res.on('close', onClose);
    if (secure !== null) demandTls(res, req.headers.host);
    // The guard first: it brings the target into the one form that everybody below reads.
    const badHost = guard?.checkHost(req) ?? null;
    const path = pathOf(req.url);
    const isOperators = OPERATOR_PATHS.has(path);

    const no = admit(req, res, badHost, isOperators, path);
    if (no !== null) {
      refused.set(no.reason, (refused.get(no.reason) ?? 0) + 1);
      refuse(req, res, no.status, no.error, no.headers);
    } else if (req.method === 'OPTIONS') {
      answerOptions(req, res, methods);
    } else if (sendContinue !== null && Number(req.headers['content-length']) > listen.maxBodyBytes) {
      // Before the 100, so that a client that asks first is spared the upload.
      refuse(req, res, 413, 'too_large', CLOSE);
    } else {
      sendContinue?.();
      serve(req, res, path, isOperators);
    }
  }

  /** Null lets the request in and gives it its place; the order is from the broadest reason to the cheapest. */
  function admit(
    req: HttpRequest,
    res: Gated,
    badHost: BadHeader | null,
    isOperators: boolean,
    path: string,
  ): No | null {
    if (isDraining) {
      if (!isOperators) return SHUTTING_DOWN;
      res.setHeader('connection', 'close');
    }
    if (badHost !== null) return { ...badHost, reason: 'host', headers: badHost.status === 400 ? CLOSE : {} };
    const origin = req.headers.origin;
    if (origin !== undefined && deps.isPublic?.(path) !== true) {
      const badOrigin = guard?.checkOrigin(origin, req.headers.host) ?? null;
      if (badOrigin !== null) return { ...badOrigin, reason: 'origin', headers: {} };
      allowOrigin(res, origin);
    }
    if (isOperators || req.method === 'OPTIONS') return null;
    if (places >= listen.maxInFlight) return OVERLOADED;
    places += 1;
    res.holdsPlace = true;
    return null;
  }

  function serve(req: HttpRequest, res: Gated, path: string, isOperators: boolean): void {
    try {
      if (!isOperators) for (const part of deps.native) if (part.handle(req, res, path)) return;
      if (!(req instanceof IncomingMessage && res instanceof GateResponse))
        throw new Error('not a path for plain posts');
      answerRoute(req, res).catch(cause => fail(req, res, path, cause));
    } catch (cause) {
      fail(req, res, path, cause);
    }
  }

  function fail(req: HttpRequest, res: HttpResponse, path: string, cause: unknown): void {
    log.error('request failed', {
      path,
      detail: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
    });
    if (res.headersSent) res.destroy();
    else refuse(req, res, 500, 'internal_error');
  }

  /** A request to change the protocol: the same guards, and an answer by hand, because no response goes with it. */
  function onUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const badHost = guard?.checkHost(req) ?? null;
    const no = isDraining ? SHUTTING_DOWN : (badHost ?? guard?.checkOrigin(req.headers.origin) ?? null);
    if (no === null && deps.sockets?.isFor(pathOf(req.url)) === true) return deps.sockets.accept(req, socket, head);
    refuseUpgrade(socket, no?.status ?? 404, no?.error ?? 'not_found');
  }

  const onRequest = (req: HttpRequest, res: Gated): void => front(req, res, null);
  // Whoever offers another protocol that nobody here speaks is served in this one (RFC 9110, 7.8).
  const shouldUpgradeCallback = (req: IncomingMessage) => isWebSocket(req);
  const settings = { ...SETTINGS, shouldUpgradeCallback };
  const secure = listen.tls ? createSecureServer(listen.tls, requireCertificates(deps), settings, onRequest) : null;
  const server = secure?.server ?? createServer(settings, onRequest);
  const plain = takePlainPosts(server, secure === null ? 'connection' : 'secureConnection', {
    isFor: path => !OPERATOR_PATHS.has(path) && deps.takesPosts(path),
    maxBodyBytes: listen.maxBodyBytes,
    onRequest,
    clock,
    stalledMs: STALLED_MS,
    keepAliveMs: KEEP_ALIVE_MS,
    firstRequestMs: STALLED_MS,
    requestMs: REQUEST_TIMEOUT_MS,
    checkMs: TIMEOUT_CHECK_MS,
    onLate(socket, headersSent) {
      refused.set('unreadable', (refused.get('unreadable') ?? 0) + 1);
      answerUnreadable({ code: 'ERR_HTTP_REQUEST_TIMEOUT' }, socket, headersSent, clock.after);
    },
  });
  function closeIdle(): void {
    server.closeIdleConnections();
    plain.closeIdle();
  }
  server.on('upgrade', onUpgrade);
  // Headers beyond a count would be dropped without a word; the size limit bounds them and refuses.
  server.maxHeadersCount = 0;
  server.maxConnections = MAX_CONNECTIONS;
  // Node's timer of inactivity: it starts anew whenever bytes move either way. A call may be silent for hours.
  server.setTimeout(STALLED_MS, socket => {
    const isIdle = currentResponse(socket) === null;
    if (isIdle || socket.writableLength > 0) socket.destroy();
  });
  server.on('checkContinue', (req: IncomingMessage, res: GateResponse) => front(req, res, () => res.writeContinue()));
  server.on('connection', (socket: Socket) => {
    connections += 1;
    socket.on('close', () => {
      connections -= 1;
    });
  });
  server.on('drop', () => refused.set('connections', (refused.get('connections') ?? 0) + 1));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    refused.set('unreadable', (refused.get('unreadable') ?? 0) + 1);
    answerUnreadable(error, socket as Socket, currentResponse(socket as Socket)?.headersSent === true, clock.after);
  });

  const { metrics } = deps;
  if (metrics !== null) {
    metrics.gauge('gatehouse_http_connections', 'Open HTTP connections.', () => [{ labels: {}, value: connections }]);
    metrics.gauge('gatehouse_http_requests_in_flight', 'HTTP requests whose answer is not finished.', () => [
      { labels: {}, value: inFlight },
    ]);
    metrics.counter('gatehouse_http_refused_total', 'HTTP requests refused before any handler saw them.', () =>
      [...refused].map(([reason, value]) => ({ labels: { reason }, value })),
    );
  }

  async function drainAndClose(quiet: Promise<void>): Promise<void> {
    // Requests that have arrived but were not read yet belong to this side of the line.
    await nextTurn();
    closeIdle();
    if (inFlight > 0) await quiet;
    await nextTurn();
    const gone = new Promise<void>(resolve => server.close(() => resolve()));
    server.closeAllConnections();
    plain.closeAll();
    await secure?.stop();
    await gone;
    // Sockets say that they are closed a moment after the server does.
    if (secure !== null) await nextTurn();
  }

  return {
    async start() {
      await secure?.start();
      return new Promise((resolve, reject) => {
        const giveUp = (cause: Error): void => {
          void secure?.stop();
          reject(cause);
        };
        server.once('error', giveUp);
        server.listen({ host: listen.host, port: listen.port, backlog: BACKLOG }, () => {
          server.off('error', giveUp);
          server.on('error', error => log.error('listener failed', { code: (error as NodeJS.ErrnoException).code }));
          const address = server.address();
          const port = typeof address === 'object' && address !== null ? address.port : listen.port;
          resolve({ host: listen.host, port });
        });
        guard = createGuard({ ...listen, ownOrigin: deps.ownOrigin ?? null });
      });
    },

    stop(graceMs) {
      isDraining = true;
      const cut = (): void => whenQuiet?.();
      if (closed === null) {
        closed = drainAndClose(
          new Promise(resolve => {
            whenQuiet = resolve;
          }),
        );
      }
      const cancel = clock.after(graceMs, cut);
      return closed.finally(cancel);
    },

    holdOpen(res) {
      const held = res as Gated;
      if (!held.holdsPlace) return;
      held.holdsPlace = false;
      places -= 1;
    },
    connections: () => connections,
    inFlight: () => inFlight,
    routes: () => served,
  };
}

/** As browsers and `Allow` are told them. */
function methodsOf(served: readonly ServedRoute[], added: readonly string[]): string {
  const all = new Set([...served.map(({ method }) => method), ...added, 'OPTIONS']);
  all.delete('ALL');
  if (all.has('GET')) all.add('HEAD');
  return [...all].sort().join(', ');
}

function requireCertificates({ certificates }: HttpDeps): CertificateSource {
  if (certificates) return certificates;
  throw new GatewayError('INTERNAL', 'TLS without a source of certificates');
}

function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}
