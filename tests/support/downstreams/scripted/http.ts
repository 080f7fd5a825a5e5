/**
 * The fault fixture over HTTP: Streamable HTTP at `/mcp` (legacy sessions or modern requests) or, with `sse`, the
 * transport of 2024-11-05 at `/sse`. `GET /__stats` tells what was seen, `POST /__script` sets the rules.
 * Strict about what a correct client must send: a gateway that forgets a header is to be found out here.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { isLegacyRevision, META } from '../../../../src/domain/era.ts';
import { isJsonObject, type Json, type JsonObject, objectOrEmpty, stringOrNull } from '../../../../src/domain/json.ts';
import { RPC } from '../../../../src/domain/rpc.ts';
import { createEngine, type Engine, type ScriptedOptions } from './engine.ts';
import { createHttpWire, eventFrame, SSE_HEADERS } from './http-wire.ts';
import { parseRules } from './script.ts';
import type { Peer } from './wire.ts';

export interface ScriptedServer {
  url: string;
  engine: Engine;
  /** Cuts every connection and stops listening; what `die` does. */
  crash(): void;
  close(): Promise<void>;
}

interface Session {
  peer: Peer;
  stream: ServerResponse | null;
}

const MOST_BODY_BYTES = 64 * 1024 * 1024;

export async function startScriptedHttp(
  transport: 'http' | 'sse',
  options: Partial<ScriptedOptions>,
  port = 0,
  onDie?: (exitCode: number) => void,
): Promise<ScriptedServer> {
  const sockets = new Set<Socket>();
  let server: Server | null = null;
  const crash = (): void => {
    server?.close();
    for (const socket of sockets) socket.destroy();
  };
  const engine = createEngine(options, onDie ?? crash);
  const sessions = new Map<string, Session>();
  const serve = transport === 'sse' ? serveSse(engine, sessions) : serveStreamable(engine, sessions);
  server = createServer((request, response) => {
    answerHttp(engine, serve, request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  });
  server.keepAliveTimeout = 60_000;
  server.on('connection', socket => {
    sockets.add(socket);
    engine.stats.add('connections');
    engine.stats.add('opened');
    socket.once('close', () => {
      sockets.delete(socket);
      engine.stats.add('connections', -1);
    });
  });
  const listening = server;
  await new Promise<void>((resolve, reject) => {
    listening.once('error', reject);
    listening.listen(port, '127.0.0.1', resolve);
  });
  const { port: bound } = listening.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${bound}${transport === 'sse' ? '/sse' : '/mcp'}`,
    engine,
    crash,
    close: () =>
      new Promise(resolve => {
        if (listening.listening) listening.close(() => resolve());
        else resolve();
        for (const socket of sockets) socket.destroy();
      }),
  };
}

type Serve = (request: IncomingMessage, response: ServerResponse, path: URL) => Promise<void>;

async function answerHttp(
  engine: Engine,
  serve: Serve,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (path.pathname === '/__stats') return sendJson(response, 200, engine.stats.read());
  if (path.pathname === '/__script' && request.method === 'POST') {
    engine.setScript(parseRules(await readText(request)));
    return sendJson(response, 200, {});
  }
  return serve(request, response, path);
}

function serveStreamable(engine: Engine, sessions: Map<string, Session>): Serve {
  return async (request, response, path) => {
    if (path.pathname !== '/mcp') return sendJson(response, 404, {});
    const id = stringOrNull(request.headers['mcp-session-id']);
    if (request.method === 'GET' || request.method === 'DELETE') {
      if (engine.options.era === 'modern') return sendJson(response, 405, {});
      const session = id === null ? undefined : sessions.get(id);
      if (session === undefined)
        return refuse(engine, response, id === null ? 400 : 404, RPC.invalidRequest, 'No such session', null);
      return request.method === 'GET'
        ? openStream(engine, session, response)
        : endSession(engine, sessions, id, response);
    }
    if (request.method !== 'POST') return sendJson(response, 405, {});
    const body = parse(await readText(request));
    if (!isAcceptable(request))
      return refuse(engine, response, 406, RPC.invalidRequest, 'Accept must name JSON and SSE', null);
    if (!request.headers['content-type']?.startsWith('application/json')) {
      return refuse(engine, response, 415, RPC.invalidRequest, 'Content-Type must be application/json', null);
    }
    if (!isJsonObject(body)) return refuse(engine, response, 400, RPC.parseError, 'Not a JSON object', null);
    const isModern = engine.options.era !== 'legacy' && isModernRequest(request, body);
    return isModern
      ? modernPost(engine, request, response, body)
      : legacyPost(engine, sessions, id, request, response, body);
  };
}

async function modernPost(
  engine: Engine,
  request: IncomingMessage,
  response: ServerResponse,
  body: JsonObject,
): Promise<void> {
  const wrong = body.id === undefined ? null : findWrongHeader(request, body);
  if (wrong !== null) return refuse(engine, response, 400, wrong.code, wrong.message, body.id ?? null);
  const wire = createHttpWire(request, response, engine.stats);
  const peer = engine.openPeer(randomUUID(), () => undefined);
  try {
    await engine.receive(peer, body, wire);
    if (body.id === undefined) response.writeHead(202).end();
  } finally {
    engine.closePeer(peer);
  }
}

async function legacyPost(
  engine: Engine,
  sessions: Map<string, Session>,
  id: string | null,
  request: IncomingMessage,
  response: ServerResponse,
  body: JsonObject,
): Promise<void> {
  const version = stringOrNull(request.headers['mcp-protocol-version']);
  if (version !== null && !isLegacyRevision(version)) {
    return refuse(engine, response, 400, RPC.invalidRequest, 'Unsupported MCP-Protocol-Version', body.id ?? null);
  }
  const wire = createHttpWire(request, response, engine.stats);
  if (body.method === 'initialize') {
    const session = openSession(engine, sessions);
    wire.setHeader('mcp-session-id', session.peer.id);
    return engine.receive(session.peer, body, wire);
  }
  const session = id === null ? undefined : sessions.get(id);
  if (session === undefined) {
    return refuse(engine, response, id === null ? 400 : 404, RPC.invalidRequest, 'No such session', body.id ?? null);
  }
  if (body.method === undefined || body.id === undefined) response.writeHead(202).end();
  return engine.receive(session.peer, body, wire);
}

function openSession(engine: Engine, sessions: Map<string, Session>): Session {
  const id = randomUUID();
  const session: Session = {
    stream: null,
    // Without a stream the message has nowhere to go; the protocol lets a server drop it.
    peer: engine.openPeer(id, message => session.stream?.write(eventFrame(message))),
  };
  sessions.set(id, session);
  engine.stats.add('sessions');
  return session;
}

function endSession(engine: Engine, sessions: Map<string, Session>, id: string | null, response: ServerResponse): void {
  const session = id === null ? undefined : sessions.get(id);
  if (session !== undefined && id !== null) {
    sessions.delete(id);
    engine.closePeer(session.peer);
    session.stream?.end();
    engine.stats.add('sessions', -1);
  }
  sendJson(response, 200, {});
}

function openStream(engine: Engine, session: Session, response: ServerResponse): void {
  const rule = engine.match('GET');
  if (rule?.do === 'http-status') {
    sendJson(response, rule.status ?? 405, {});
    return;
  }
  if (rule?.do === 'close') {
    response.destroy();
    return;
  }
  session.stream?.end();
  session.stream = response;
  response.writeHead(200, SSE_HEADERS);
  response.write(': open\n\n');
  response.once('close', () => {
    if (session.stream === response) session.stream = null;
  });
}

/** HTTP+SSE of 2024-11-05: the GET stream names the address to post to and carries every message back. */
function serveSse(engine: Engine, sessions: Map<string, Session>): Serve {
  return async (request, response, path) => {
    if (path.pathname === '/sse' && request.method === 'GET') {
      const session = openSession(engine, sessions);
      session.stream = response;
      response.writeHead(200, SSE_HEADERS);
      response.write(`event: endpoint\ndata: /messages?sessionId=${session.peer.id}\n\n`);
      response.once('close', () => {
        sessions.delete(session.peer.id);
        engine.closePeer(session.peer);
        engine.stats.add('sessions', -1);
      });
      return;
    }
    const session = sessions.get(path.searchParams.get('sessionId') ?? '');
    if (path.pathname !== '/messages' || request.method !== 'POST') return sendJson(response, 404, {});
    const body = parse(await readText(request));
    if (session?.stream == null) return refuse(engine, response, 404, RPC.invalidRequest, 'No such session', null);
    if (!isJsonObject(body)) return refuse(engine, response, 400, RPC.parseError, 'Not a JSON object', null);
    response.writeHead(202).end('Accepted');
    // Everything goes over the stream: it is opened already, so nothing here writes a head.
    const wire = createHttpWire(request, session.stream, engine.stats);
    wire.begin = () => undefined;
    wire.frame = eventFrame;
    wire.send = message => void session.stream?.write(eventFrame(message));
    wire.answer = wire.send;
    wire.end = () => undefined;
    wire.drop = () => void session.stream?.destroy();
    wire.respond = null;
    wire.answerWithTrailers = null;
    // The stream outlives the request: only the session's end is a leave, and that is told to the peer.
    wire.onGone = () => undefined;
    await engine.receive(session.peer, body, wire);
  };
}

function isModernRequest(request: IncomingMessage, body: JsonObject): boolean {
  const claims = objectOrEmpty(objectOrEmpty(body.params)._meta)[META.protocolVersion] !== undefined;
  return claims || request.headers['mcp-protocol-version'] === '2026-07-28';
}

/** MCP 2026-07-28, Streamable HTTP: the mirrored headers must be there and agree with the body. */
function findWrongHeader(request: IncomingMessage, body: JsonObject): { code: number; message: string } | null {
  const params = objectOrEmpty(body.params);
  const claimed = objectOrEmpty(params._meta)[META.protocolVersion];
  if (claimed === undefined) return { code: RPC.invalidParams, message: 'The envelope is missing' };
  const named = body.method === 'resources/read' ? params.uri : params.name;
  const mirrors: [string, Json | undefined][] = [
    ['mcp-protocol-version', claimed],
    ['mcp-method', body.method],
  ];
  if (['tools/call', 'prompts/get', 'resources/read'].includes(String(body.method))) mirrors.push(['mcp-name', named]);
  for (const [header, value] of mirrors) {
    const sent = stringOrNull(request.headers[header]);
    if (sent === null || decode(sent) !== value)
      return { code: RPC.headerMismatch, message: `${header} does not agree with the body` };
  }
  return null;
}

function decode(value: string): string {
  const encoded = /^=\?base64\?([A-Za-z0-9+/=]*)\?=$/.exec(value)?.[1];
  return encoded === undefined ? value : Buffer.from(encoded, 'base64').toString();
}

function isAcceptable(request: IncomingMessage): boolean {
  const accept = request.headers.accept ?? '';
  return accept.includes('application/json') && accept.includes('text/event-stream');
}

function refuse(
  engine: Engine,
  response: ServerResponse,
  status: number,
  code: number,
  message: string,
  id: Json,
): void {
  engine.stats.add('refused');
  sendJson(response, status, { jsonrpc: '2.0', id, error: { code, message } });
}

function sendJson(response: ServerResponse, status: number, body: JsonObject): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MOST_BODY_BYTES) throw new Error('body too large');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
