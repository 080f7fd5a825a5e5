/** A server on bare sockets that does exactly what a test says, a handler that remembers what it was told, and a pool. */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import { createSystemClock } from '../../../../src/outbound/clock.ts';
import type { HttpController, HttpHandler, ResponseHeaders } from '../../../../src/outbound/downstream/http-handler.ts';
import {
  type Post,
  SocketPool,
  type SocketPoolOptions,
} from '../../../../src/outbound/downstream/http1/socket-pool.ts';

export interface Asked {
  head: string;
  body: string;
  /** Counted from 0, per server. */
  socketId: number;
  socket: Socket;
}

export interface RawServer {
  url: URL;
  asked: Asked[];
  sockets: Socket[];
  readonly open: number;
}

export type Respond = (asked: Asked, nth: number) => void;

export function answerWith(body: string, more = ''): string {
  const type = 'content-type: application/json\r\n';
  return `HTTP/1.1 200 OK\r\n${type}${more}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export async function startRaw(respond: Respond, tls: { key: string; cert: string } | null = null): Promise<RawServer> {
  const sockets: Socket[] = [];
  const asked: Asked[] = [];
  const serve = (socket: Socket): void => {
    const socketId = sockets.push(socket) - 1;
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', chunk => {
      text += chunk.toString('latin1');
      for (;;) {
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = text.slice(0, end);
        const total = end + 4 + Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
        if (text.length < total) return;
        const body = Buffer.from(text.slice(end + 4, total), 'latin1').toString('utf8');
        text = text.slice(total);
        const one = { head, body, socketId, socket };
        respond(one, asked.push(one));
      }
    });
  };
  const server: Server = tls === null ? createServer(serve) : createTlsServer(tls, serve);
  if (tls !== null) server.on('tlsClientError', () => undefined);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return {
    url: new URL(`${tls === null ? 'http' : 'https'}://127.0.0.1:${address.port}/mcp`),
    asked,
    sockets,
    get open() {
      return sockets.filter(socket => !socket.destroyed).length;
    },
  };
}

export class Remembering implements HttpHandler {
  readonly told: string[] = [];
  readonly over = Promise.withResolvers<void>();
  readonly begun = Promise.withResolvers<void>();
  controller: HttpController | null = null;
  status = 0;
  body = '';
  error: (Error & { code?: string }) | null = null;
  isUnwanted = false;

  get isStarted(): boolean {
    return this.told.includes('start');
  }

  onRequestWaiting(controller: HttpController): void {
    this.told.push('waiting');
    this.controller = controller;
  }

  onRequestStart(controller: HttpController): void {
    this.told.push('start');
    this.controller = controller;
    if (this.isUnwanted) controller.abort(new Error('unwanted'));
  }

  onResponseStart(_controller: HttpController, status: number, _headers: ResponseHeaders): void {
    this.told.push('head');
    this.status = status;
  }

  onResponseData(_controller: HttpController, chunk: Buffer): void {
    this.body += chunk.toString('utf8');
    this.begun.resolve();
  }

  onResponseEnd(): void {
    this.told.push('end');
    this.over.resolve();
  }

  onResponseError(_controller: HttpController | null, error: Error): void {
    this.told.push('error');
    this.error = error;
    this.over.resolve();
  }
}

const HEADERS: readonly string[] = ['content-type', 'application/json'];

export function post(body: Post['body'], more: Partial<Post> = {}): Post {
  return { path: '/mcp', headers: HEADERS, extra: null, body, headersTimeoutMs: 0, ...more };
}

export function openSockets(url: URL, more: Partial<SocketPoolOptions> = {}): SocketPool {
  const pool = new SocketPool({
    url,
    clock: createSystemClock(),
    maxConnections: 8,
    connectTimeoutMs: 10_000,
    ...more,
  });
  onTestFinished(() => pool.close());
  return pool;
}

export function send(pool: SocketPool, ...request: Parameters<typeof post>): Remembering {
  const handler = new Remembering();
  pool.send(post(...request), handler);
  return handler;
}

export async function ask(pool: SocketPool, ...request: Parameters<typeof post>): Promise<Remembering> {
  const handler = send(pool, ...request);
  await handler.over.promise;
  return handler;
}
