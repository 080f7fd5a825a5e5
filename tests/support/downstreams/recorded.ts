/**
 * A real server behind a wire-tap: a proxy on a port of its own that keeps every request whole, as it came, and passes it
 * on to the fault fixture. What a server behind the gateway gets to see is read here.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isJsonObject, stringOrNull } from '../../../src/domain/json.ts';
import { type ScriptedSetup, startScripted } from './start.ts';

export interface SeenRequest {
  verb: string;
  /** The JSON-RPC method, null where there is none. */
  method: string | null;
  /** Names lower-case; what came twice is joined, so nothing hides. */
  headers: Record<string, string>;
  /** Request line, headers and body as text. */
  whole: string;
}

export interface RecordedServer {
  url: string;
  seen: SeenRequest[];
  /** Those of one JSON-RPC method. */
  of(method: string): SeenRequest[];
  close(): Promise<void>;
}

export async function startRecorded(setup: ScriptedSetup): Promise<RecordedServer> {
  const behind = await startScripted(setup);
  const target = new URL(behind.url);
  const seen: SeenRequest[] = [];
  const server = createServer((req, res) => void pass(req, res, target, seen));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${target.pathname}`,
    seen,
    of: method => seen.filter(one => one.method === method),
    async close() {
      server.closeAllConnections();
      await new Promise<void>(resolve => server.close(() => resolve()));
      await behind.close();
    },
  };
}

async function pass(req: IncomingMessage, res: ServerResponse, target: URL, seen: SeenRequest[]): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  seen.push(describe(req, body.toString('latin1')));
  const { host, ...headers } = req.headers;
  const onward = request(new URL(req.url ?? '/', target), { method: req.method ?? 'GET', headers }, answer => {
    res.writeHead(answer.statusCode ?? 500, answer.headers);
    res.flushHeaders();
    answer.on('error', () => res.destroy()).pipe(res);
  });
  onward.on('error', () => res.destroy());
  res.on('close', () => onward.destroy());
  onward.end(body);
}

function describe(req: IncomingMessage, body: string): SeenRequest {
  const headers: Record<string, string> = {};
  const lines = [`${req.method} ${req.url}`];
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const name = (req.rawHeaders[i] ?? '').toLowerCase();
    const value = req.rawHeaders[i + 1] ?? '';
    headers[name] = name in headers ? `${headers[name]} AND ${value}` : value;
    lines.push(`${name}: ${value}`);
  }
  return { verb: req.method ?? '', method: methodOf(body), headers, whole: [...lines, '', body].join('\n') };
}

function methodOf(body: string): string | null {
  try {
    const parsed: unknown = JSON.parse(body);
    return isJsonObject(parsed) ? stringOrNull(parsed.method) : null;
  } catch {
    return null;
  }
}
