/**
 * Peer: the same proxy with undici below: the body is read whole, dispatched on a pool, and the answer is
 * written as it comes. What a Node proxy can reach without node:http's client.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import http from 'node:http';
import type { Dispatcher } from 'undici';
import { Pool } from 'undici';

const { port, downstreams } = JSON.parse(process.argv[2] ?? '{}') as { port: number; downstreams: { url: string }[] };
const target = new URL(downstreams[0]?.url ?? '');
const pool = new Pool(target.origin, { connections: 256, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 0 });
const REQUEST_ONLY_HERE = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-length',
]);
const ANSWER_ONLY_HERE = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade']);

function without(headers: IncomingHttpHeaders, dropped: ReadonlySet<string>): IncomingHttpHeaders {
  const kept: IncomingHttpHeaders = {};
  for (const name in headers) if (!dropped.has(name)) kept[name] = headers[name];
  return kept;
}

function relayTo(response: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart() {},
    onResponseStart(_controller, status, headers) {
      if (status >= 200) response.writeHead(status, without(headers as IncomingHttpHeaders, ANSWER_ONLY_HERE));
    },
    onResponseData(_controller, chunk) {
      response.write(chunk);
    },
    onResponseEnd() {
      response.end();
    },
    onResponseError() {
      if (!response.headersSent) response.writeHead(502);
      response.end();
    },
  };
}

const server = http.createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const body = parts.length === 0 ? null : Buffer.concat(parts);
    const method = (request.method ?? 'GET') as Dispatcher.HttpMethod;
    const headers = without(request.headers, REQUEST_ONLY_HERE);
    pool.dispatch({ path: target.pathname, method, headers, body }, relayTo(response));
  });
});
server.listen({ host: '127.0.0.1', port, backlog: 4096 });
process.on('SIGTERM', () => process.exit(0));
