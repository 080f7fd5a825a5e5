/**
 * WebSockets (RFC 6455) for events: who may open one, and what one may cost. The same credentials as everywhere, a
 * login session only with an Origin that was checked, or a one-time ticket in the query; never a token there. Whoever
 * shows none is told so by close code 1008. Frames are small, nothing is compressed, who reads too slowly or does not
 * answer is cut, and whose credential has ended is sent away.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Challenge, Identity } from '../../domain/identity.ts';
import type { Allowed, Limited } from '../../domain/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Tickets } from '../../services/identity/tickets.ts';
import { pathOf } from '../http/routes.ts';
import type { ServedRoute } from '../http/served.ts';

/** One open socket, as events see it. */
export interface EventSocket {
  readonly who: Identity;
  /** Cuts a reader that has too much waiting. */
  send(message: unknown): void;
}

/** What is spoken on a path. */
export interface EventStream {
  opened(socket: EventSocket): void;
  closed(socket: EventSocket): void;
}

export interface WebSocketDeps {
  streams: ReadonlyMap<string, EventStream>;
  identify(headers: IncomingMessage['headers'], path: string): Identity | Challenge | Promise<Identity | Challenge>;
  findSession(cookie: string | undefined): { who: Identity } | null;
  tickets: Pick<Tickets, 'take'>;
  stillValid(who: Identity): boolean;
  isShutOut(who: Identity): boolean;
  limiter: { hold(what: 'stream', who: Identity): Allowed | Limited; release(slot: number): void };
  /** A refused credential, for the book. */
  refused(req: IncomingMessage, path: string, challenge: Challenge): void;
  clock: Clock;
}

export interface WebSockets {
  isFor(path: string): boolean;
  served(): readonly ServedRoute[];
  /** After the guards of the listener have let the request in. */
  accept(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  size(): number;
  close(): void;
}

const MAX_FRAME = 64 * 1024;
const MAX_WAITING_BYTES = 1024 * 1024;
const HEARTBEAT_MS = 25_000;
const FAREWELL_MS = 500;
const POLICY_VIOLATION = 1008;
const GOING_AWAY = 1001;
const TRY_AGAIN_LATER = 1013;

interface Open extends EventSocket {
  stream: EventStream;
  socket: WebSocket;
  answered: boolean;
  slot: number;
}

export function createWebSockets(deps: WebSocketDeps): WebSockets {
  const { streams, clock } = deps;
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME, perMessageDeflate: false });
  const open = new Set<Open>();
  let cancelBeat = clock.after(HEARTBEAT_MS, beat);

  function beat(): void {
    cancelBeat = clock.after(HEARTBEAT_MS, beat);
    for (const one of open) {
      if (!one.answered) one.socket.terminate();
      else if (!deps.stillValid(one.who) || deps.isShutOut(one.who))
        one.socket.close(POLICY_VIOLATION, 'credential ended');
      else {
        one.answered = false;
        one.socket.ping();
      }
    }
  }

  async function authenticate(req: IncomingMessage, path: string): Promise<Identity | null> {
    const { authorization, cookie, origin } = req.headers;
    const shown = authorization ?? req.headers['x-authorization'];
    const ticket = new URLSearchParams((req.url ?? '').slice(path.length)).get('ticket');
    if (shown === undefined && ticket !== null) return deps.tickets.take(ticket);
    // A browser sends cookies for any page; that the page is ours is said by its Origin alone.
    const session = shown === undefined && origin !== undefined ? deps.findSession(cookie) : null;
    if (session !== null) return session.who;
    const who = await deps.identify(req.headers, path);
    if (who.kind === 'identity') return who;
    deps.refused(req, path, who);
    return null;
  }

  function admit(socket: WebSocket, who: Identity | null, stream: EventStream): void {
    if (who === null) return socket.close(POLICY_VIOLATION, 'authentication required');
    if (who.boundServer !== null || deps.isShutOut(who)) return socket.close(POLICY_VIOLATION, 'access denied');
    const held = deps.limiter.hold('stream', who);
    if (held.kind === 'limited') return socket.close(TRY_AGAIN_LATER, 'too many open streams');
    const one: Open = {
      ...{ who, stream, socket, answered: true, slot: held.slot },
      send(message) {
        if (socket.bufferedAmount > MAX_WAITING_BYTES) socket.terminate();
        else socket.send(JSON.stringify(message));
      },
    };
    open.add(one);
    socket.on('pong', () => {
      one.answered = true;
    });
    socket.on('close', () => {
      open.delete(one);
      deps.limiter.release(one.slot);
      stream.closed(one);
    });
    stream.opened(one);
  }

  return {
    isFor: path => streams.has(path),
    served: () => [...streams.keys()].map(path => ({ kind: 'socket', method: 'GET', path })),
    accept(req, socket, head) {
      const path = pathOf(req.url);
      const stream = streams.get(path);
      if (stream === undefined) return void socket.destroy();
      server.handleUpgrade(req, socket, head, client => {
        // A peer that breaks the protocol ends its own socket and nothing else.
        client.on('error', () => client.terminate());
        authenticate(req, path).then(
          who => admit(client, who, stream),
          () => client.close(POLICY_VIOLATION, 'authentication required'),
        );
      });
    },
    size: () => open.size,
    close() {
      cancelBeat();
      for (const { socket } of open) socket.close(GOING_AWAY, 'shutting down');
      // Who does not answer to that does not hold up the end.
      clock.after(FAREWELL_MS, () => {
        for (const { socket } of open) socket.terminate();
      });
      server.close();
    },
  };
}
