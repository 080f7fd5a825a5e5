/**
 * One HTTP response as a Wire: JSON while only the answer is sent, an event stream as soon as something comes
 * before it. Also the queue behind GET and SSE streams.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JsonObject } from '../../../../src/domain/json.ts';
import type { Stats } from './stats.ts';
import type { Wire } from './wire.ts';

export interface HttpWire extends Wire {
  /** A header for every way of answering, e.g. the session id. */
  setHeader(name: string, value: string): void;
}

export const SSE_HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };

export function eventFrame(message: JsonObject): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`;
}

export function createHttpWire(request: IncomingMessage, response: ServerResponse, stats: Stats): HttpWire {
  let mode: 'json' | 'sse' | null = null;

  const begin = (as: 'json' | 'sse'): void => {
    if (mode !== null) return;
    mode = as;
    response.writeHead(200, as === 'sse' ? SSE_HEADERS : { 'content-type': 'application/json' });
    response.flushHeaders();
  };

  const wire: HttpWire = {
    headers: request.headers,
    begin,
    setHeader: (name, value) => {
      response.setHeader(name, value);
    },
    frame: message => (mode === 'sse' ? eventFrame(message) : JSON.stringify(message)),
    send(message) {
      if (response.writableEnded || response.destroyed) return;
      begin('sse');
      response.write(eventFrame(message));
    },
    answer(message) {
      if (response.writableEnded || response.destroyed) return;
      if (mode === 'sse') {
        response.end(eventFrame(message));
        return;
      }
      const body = JSON.stringify(message);
      if (mode === null) {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
      }
      response.end(body);
    },
    raw: text => write(response, text, stats),
    end: () => {
      response.end();
    },
    drop: () => {
      request.socket.destroy();
    },
    respond(status, headers, body) {
      if (response.headersSent) response.destroy();
      else response.writeHead(status, headers).end(body);
    },
    answerWithTrailers(message) {
      response.writeEarlyHints({ link: '</nothing>; rel=preload' });
      response.writeHead(200, { 'content-type': 'application/json', trailer: 'x-checksum' });
      response.write(JSON.stringify(message));
      response.addTrailers({ 'x-checksum': 'none' });
      response.end();
    },
    onGone(hear) {
      response.once('close', () => {
        if (!response.writableFinished) hear();
      });
    },
  };
  return wire;
}

/** Writes and, when the reader is slow, waits for it; false when it left. */
function write(response: ServerResponse, text: string, stats: Stats): Promise<boolean> {
  if (response.destroyed || response.writableEnded) return Promise.resolve(false);
  if (response.write(text)) return Promise.resolve(true);
  stats.add('pauses');
  return new Promise(resolve => {
    const settle = (more: boolean) => () => {
      response.off('drain', drained);
      response.off('close', closed);
      resolve(more);
    };
    const drained = settle(true);
    const closed = settle(false);
    response.once('drain', drained);
    response.once('close', closed);
  });
}
