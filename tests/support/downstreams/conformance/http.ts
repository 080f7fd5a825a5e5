/**
 * The fixture over Streamable HTTP on loopback: modern requests one by one, legacy ones in sessions with a GET
 * stream and resumability. Refuses foreign Host and Origin, as every local server must.
 */
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { JsonObject } from '../../../../src/domain/json.ts';
import { createEventStore } from './event-store.ts';
import { refuseBadParamHeaders } from './param-headers.ts';
import { createFixtureServer } from './server.ts';
import { createWorld, type World } from './world.ts';

export type FixtureEra = 'legacy' | 'modern' | 'dual';

export interface RunningFixture {
  url: string;
  close(): Promise<void>;
}

type Serve = (request: Request) => Promise<Response>;

export async function startFixtureHttp(era: FixtureEra, port = 0): Promise<RunningFixture> {
  const world = createWorld();
  const legacy = serveLegacy(world);
  const modern = serveModern(world);
  const answer: Serve = async request => {
    if (new URL(request.url).pathname !== '/mcp') return new Response('Not found', { status: 404 });
    const refusal =
      hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
      originValidationResponse(request, localhostAllowedOrigins());
    if (refusal !== undefined) return refusal;
    if (era === 'legacy') return legacy.serve(request);
    if (era === 'dual' && (await isLegacyRequest(request))) return legacy.serve(request);
    return modern.serve(request);
  };
  const server = createAdaptorServer({ fetch: answer });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${bound}/mcp`,
    async close() {
      await modern.close();
      await legacy.close();
      await new Promise<void>(resolve => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      });
    },
  };
}

function serveModern(world: World): { serve: Serve; close(): Promise<void> } {
  const handler = createMcpHandler(() => createFixtureServer(world, 'modern'), { legacy: 'reject' });
  const stop = world.listen(change => {
    if (change === 'tools') handler.notify.toolsChanged();
    else if (change === 'prompts') handler.notify.promptsChanged();
    else handler.notify.resourceUpdated(change.resource);
  });
  return {
    serve: async request => (await refuseBadParamHeaders(request, world)) ?? handler.fetch(request),
    close: async () => {
      stop();
      await handler.close();
    },
  };
}

interface Session {
  transport: WebStandardStreamableHTTPServerTransport;
  revision: string | null;
}

const MOST_SESSIONS = 500;

function serveLegacy(world: World): { serve: Serve; close(): Promise<void> } {
  const sessions = new Map<string, Session>();

  const open = async (): Promise<Session> => {
    const session: Session = {
      revision: null,
      transport: new WebStandardStreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        eventStore: createEventStore(),
        retryInterval: 100,
        onsessioninitialized: id => {
          sessions.set(id, session);
          if (sessions.size > MOST_SESSIONS) void evictOldest();
        },
        onsessionclosed: id => {
          sessions.delete(id);
        },
      }),
    };
    await createFixtureServer(world, 'legacy').connect(session.transport);
    return session;
  };

  const evictOldest = async () => {
    const [id, oldest] = sessions.entries().next().value ?? [];
    if (id === undefined) return;
    sessions.delete(id);
    await oldest?.transport.close();
  };

  return {
    async serve(request) {
      const id = request.headers.get('mcp-session-id');
      if (id !== null) {
        const session = sessions.get(id);
        if (session === undefined) return refuse(404, -32001, 'Session not found');
        return session.transport.handleRequest(await withNegotiatedRevision(request, session));
      }
      const body = request.method === 'POST' ? await peek(request) : null;
      if (body?.method !== 'initialize') return refuse(400, -32000, 'Bad Request: no session id');
      const session = await open();
      session.revision = String((body.params as JsonObject | undefined)?.protocolVersion ?? '');
      return session.transport.handleRequest(request, { parsedBody: body });
    },
    async close() {
      await Promise.all([...sessions.values()].map(({ transport }) => transport.close()));
      sessions.clear();
    },
  };
}

/**
 * The SDK decides by the header whether a stream may be primed; a session's revision was settled at the handshake
 * and does not change, and some clients send an older header.
 */
async function withNegotiatedRevision(request: Request, session: Session): Promise<Request> {
  const named = request.headers.get('mcp-protocol-version');
  if (session.revision !== '2025-11-25' || named !== '2025-03-26') return request;
  const headers = new Headers(request.headers);
  headers.set('mcp-protocol-version', session.revision);
  const body = request.method === 'POST' ? await request.text() : null;
  return new Request(request.url, { method: request.method, headers, body, signal: request.signal });
}

async function peek(request: Request): Promise<JsonObject | null> {
  try {
    return (await request.json()) as JsonObject;
  } catch {
    return null;
  }
}

function refuse(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: '2.0', error: { code, message }, id: null }, { status });
}
