/**
 * The short way in: posts to MCP doors, nearly all there is to do, go past node's HTTP server, whose parser, streams and
 * timers cost as much as everything a gateway does with a call. Only requests that nobody could read in two ways are
 * taken (plain-head.ts); every other connection, and every other request, goes to that server.
 */
import type { Server, Socket } from 'node:net';
import type { Clock } from '../../../ports/clock.ts';
import { PlainConnection, type PlainHost } from './plain-connection.ts';

export interface PlainPosts {
  /** Connections over which nothing is under way any more; of a new one the first request may be. */
  closeIdle(): void;
  closeAll(): void;
}

export interface PlainPostsDeps extends Pick<PlainHost, 'isFor' | 'maxBodyBytes' | 'stalledMs' | 'onRequest'> {
  clock: Clock;
  /** How long a connection may be idle between requests, and is said to. */
  keepAliveMs: number;
  /** Before its first. */
  firstRequestMs: number;
  /** For all of a request. */
  requestMs: number;
  /** How often that is looked at. */
  checkMs: number;
  /** A request has not come in its time. */
  onLate(socket: Socket, headersSent: boolean): void;
}

/** Before it listens. `event`: with which the server tells of a connection that HTTP is to be spoken on. */
export function takePlainPosts(
  server: Server,
  event: 'connection' | 'secureConnection',
  deps: PlainPostsDeps,
): PlainPosts {
  const { clock, checkMs } = deps;
  const connections = new Set<PlainConnection>();
  const nodes = server.listeners(event) as ((this: Server, socket: Socket) => void)[];
  const rounds = (ms: number) => Math.ceil(ms / checkMs);
  const limits = { idle: rounds(deps.keepAliveMs), first: rounds(deps.firstRequestMs), late: rounds(deps.requestMs) };
  let second = 0;
  let stays = '';
  let closing = '';

  const host: PlainHost = {
    isFor: deps.isFor,
    maxBodyBytes: deps.maxBodyBytes,
    stalledMs: deps.stalledMs,
    onRequest: deps.onRequest,
    handOver(socket, bytes) {
      for (const listener of nodes) listener.call(server, socket);
      socket.unshift(bytes);
    },
    lastLines(closes) {
      const nowMs = clock.wallMs();
      if (Math.floor(nowMs / 1000) !== second) {
        second = Math.floor(nowMs / 1000);
        const date = `date: ${new Date(nowMs).toUTCString()}\r\n`;
        stays = `${date}connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(deps.keepAliveMs / 1000)}\r\n`;
        closing = `${date}connection: close\r\n`;
      }
      return closes ? closing : stays;
    },
    onGone: connection => connections.delete(connection),
  };

  /** One round over all of them instead of a timer for each, which would be set anew with every request. */
  function check(): void {
    for (const connection of [...connections]) {
      connection.quietRounds++;
      const { socket, isIdle, isReceiving, quietRounds } = connection;
      if (isIdle && quietRounds > (connection.hasServed ? limits.idle : limits.first)) socket.destroy();
      else if (isReceiving && quietRounds > limits.late) deps.onLate(socket, connection.response?.headersSent === true);
    }
  }

  function watch(): void {
    stop = clock.after(checkMs, () => {
      check();
      watch();
    });
  }
  let stop = () => {};

  for (const listener of nodes) server.off(event, listener);
  server.on(event, (socket: Socket) => void connections.add(new PlainConnection(socket, host)));
  server.on('listening', watch);
  server.on('close', () => stop());

  return {
    closeIdle() {
      for (const { isIdle, hasServed, socket } of [...connections]) if (isIdle && hasServed) socket.destroy();
    },
    closeAll() {
      for (const { socket } of [...connections]) socket.destroy();
    },
  };
}
