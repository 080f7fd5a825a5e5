/** Bytes on a socket, for requests that no HTTP client would send, and a server to send them to. */
import { connect, type Socket } from 'node:net';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { NativeRoutes } from '../../../src/inbound/http/served.ts';
import { createHttpServer, type HttpDeps, type HttpServer } from '../../../src/inbound/http/server.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import type { Log } from '../../../src/ports/log.ts';

export interface Answer {
  status: number;
  headers: Map<string, string>;
  body: string;
  /** Everything that arrived, for counting answers. */
  raw: string;
}

export const silent: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silent,
};

export interface Running extends HttpServer {
  port: number;
  url: string;
}

/** Starts a server on a free loopback port whose MCP door is `/mcp` and answers 200 `{}` unless told otherwise. */
export async function startServer(
  listen: Partial<HttpDeps['listen']> = {},
  { mcp = answerMcp, ...more }: Partial<Omit<HttpDeps, 'listen'>> & { mcp?: NativeRoutes['handle'] } = {},
): Promise<Running> {
  const server = createHttpServer({
    listen: {
      host: '127.0.0.1',
      port: 0,
      corsOrigins: [],
      allowedHosts: [],
      maxBodyBytes: 4_194_304,
      maxInFlight: 64,
      ...listen,
    },
    version: '9.9.9',
    log: silent,
    clock: createSystemClock(),
    native: [{ handle: mcp, served: () => [{ kind: 'door', method: 'POST', path: '/mcp' }] }],
    takesPosts: path => path === '/mcp',
    identify: () => LOCAL_CALLER,
    readiness: () => ({ ready: true, reason: null, serversConfigured: 3 }),
    metrics: null,
    sightOf: () => null,
    ...more,
  });
  const { port } = await server.start();
  return { ...server, port, url: `http://127.0.0.1:${port}` };
}

const answerMcp: NativeRoutes['handle'] = (req, res, path) => {
  if (path !== '/mcp') return false;
  req.resume();
  req.on('end', () => {
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': '2' });
    res.end('{}');
  });
  return true;
};

/** Writes bytes and gives back what the server said until it closed the connection or `enough` was content. */
export function exchange(
  port: number,
  bytes: string | Buffer,
  enough: (raw: string) => boolean = () => false,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let raw = '';
    let done = false;
    const finish = (): void => {
      if (done) return;
      done = true;
      socket.destroy();
      if (raw === '') reject(new Error('closed without an answer'));
      else resolve(parse(raw));
    };
    socket.setEncoding('latin1');
    socket.on('data', chunk => {
      raw += chunk;
      if (enough(raw)) finish();
    });
    socket.on('error', finish);
    socket.on('close', finish);
    socket.write(bytes);
  });
}

export function parse(raw: string): Answer {
  const [head = '', ...rest] = raw.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: new Map(
      lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    ),
    body: rest.join('\r\n\r\n'),
    raw,
  };
}

/** One request with `connection: close`, read to its end. */
export function ask(
  port: number,
  headers: Record<string, string> = {},
  line = 'GET /health HTTP/1.1',
): Promise<Answer> {
  const all: Record<string, string> = { host: `127.0.0.1:${port}`, connection: 'close', ...headers };
  const text = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return exchange(port, `${line}\r\n${text.join('')}\r\n`);
}

export function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
  });
}

export async function eventually(holds: () => boolean, because: string): Promise<void> {
  const until = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > until) throw new Error(`never came true: ${because}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
