/**
 * Peer: a bare reverse proxy on node:http with a keep-alive agent. Reads nothing of MCP, checks nothing.
 * What Node's own HTTP stack costs, and so the base of the processor figures.
 */
import type { IncomingHttpHeaders } from 'node:http';
import http from 'node:http';

const { port, downstreams } = JSON.parse(process.argv[2] ?? '{}') as { port: number; downstreams: { url: string }[] };
const target = new URL(downstreams[0]?.url ?? '');
const agent = new http.Agent({ keepAlive: true, maxSockets: 512, maxFreeSockets: 512 });
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'host']);

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const kept: IncomingHttpHeaders = {};
  for (const name in headers) if (!HOP_BY_HOP.has(name)) kept[name] = headers[name];
  return kept;
}

const server = http.createServer((request, response) => {
  const onward = http.request(
    {
      agent,
      host: target.hostname,
      port: target.port,
      path: target.pathname,
      method: request.method,
      headers: endToEnd(request.headers),
    },
    answer => {
      response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
      answer.pipe(response);
    },
  );
  onward.on('error', () => {
    if (!response.headersSent) response.writeHead(502);
    response.end();
  });
  request.pipe(onward);
});
server.listen({ host: '127.0.0.1', port, backlog: 4096 });
process.on('SIGTERM', () => process.exit(0));
