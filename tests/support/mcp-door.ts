/** The MCP doors on a real node:http server, with the real services over fake downstreams behind them. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { META } from '../../src/domain/era.ts';
import type { Identity } from '../../src/domain/identity.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { Secret } from '../../src/domain/secret.ts';
import type { ServerKey } from '../../src/domain/server.ts';
import { createFindClientAddress, type FindClientAddress } from '../../src/inbound/http/client-address.ts';
import type { HttpResponse } from '../../src/inbound/http/http-message.ts';
import { takePlainPosts } from '../../src/inbound/http/plain/plain-posts.ts';
import type { McpDeps } from '../../src/inbound/mcp/deps.ts';
import { createKeepAlive } from '../../src/inbound/mcp/keep-alive.ts';
import { createMcpDoors } from '../../src/inbound/mcp/mcp.ts';
import { createSessionTable } from '../../src/inbound/mcp/session-table.ts';
import { createSystemClock } from '../../src/outbound/clock.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { createChallenges } from '../../src/services/identity/challenge.ts';
import { createIdentify, type Identify } from '../../src/services/identity/identify.ts';
import type { FakeServer } from './fake-downstreams.ts';
import { createFrozenClock } from './frozen-clock.ts';
import { createFreeLimiter } from './quiet-house.ts';
import { createStaircase, type StaircaseOptions, settle } from './staircase.ts';

export const MODERN = '2026-07-28';
export const BOTH = 'application/json, text/event-stream';

export interface DoorOptions extends StaircaseOptions {
  apiKey?: string;
  clock?: Clock;
  ttlMs?: number;
  maxSessions?: number;
  maxEvents?: number;
  maxEventBytes?: number;
  maxBodyBytes?: number;
  /** In place of one key for everybody. */
  identify?: Identify;
  forwardable?: ReadonlySet<string>;
  stillValid?: (who: Identity) => boolean;
  limiter?: McpDeps['limiter'];
  addressOf?: FindClientAddress;
  refused?: McpDeps['refused'];
  refuseDoor?: McpDeps['refuseDoor'];
}

export interface Answered {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; of an event stream, the last message. */
  json: JsonObject;
  /** All messages of an event stream, in order. */
  messages: JsonObject[];
}

export interface Event {
  id: string | null;
  name: string | null;
  data: string;
  message: JsonObject | null;
}

export interface EventReader {
  status: number;
  headers: Headers;
  /** The next event that says something (no priming, no comment); rejects when the stream ended. */
  next(): Promise<Event>;
  /** The next event of any kind, the priming one too. */
  nextRaw(): Promise<Event>;
  readonly ended: Promise<void>;
  close(): void;
}

export async function startDoor(servers: Record<ServerKey, FakeServer>, options: DoorOptions = {}) {
  const clock = options.clock ?? createSystemClock();
  const newsClock = createFrozenClock();
  const house = await createStaircase(servers, { ...options, clock, newsClock });
  newsClock.advance(1_000);
  const keepAlive = createKeepAlive(clock);
  const apiKey = options.apiKey === undefined ? null : new Secret(options.apiKey);
  const ended: string[] = [];
  const held = new Set<HttpResponse>();
  const sessions = createSessionTable({
    clock,
    ttlMs: options.ttlMs ?? 3_600_000,
    maxSessions: options.maxSessions ?? 1_000,
    onRightsChanged: house.rightsChanged.of,
    onEnd(session) {
      ended.push(session.id);
      house.gateway.endSubscriber(session);
    },
  });
  let requests = 0;
  const deps: McpDeps = {
    gateway: house.gateway,
    catalog: house.catalog,
    news: house.news,
    downstreams: house.downstreams,
    findVersion: () => null,
    refuseDoor: options.refuseDoor ?? (() => null),
    stillValid: options.stillValid ?? (() => true),
    refused: options.refused ?? (() => null),
    turnedAway: house.turnedAway.request,
    challenges: createChallenges({ publicUrl: null, scopes: [] }),
    identify: options.identify ?? createIdentify(() => apiKey, null),
    addressOf: options.addressOf ?? createFindClientAddress([]),
    forwardable: () => options.forwardable ?? null,
    sessions,
    limiter: options.limiter ?? createFreeLimiter(),
    limits: { maxEvents: options.maxEvents ?? 100, maxEventBytes: options.maxEventBytes ?? 1_000_000 },
    keepAlive,
    clock,
    log: house.log,
    version: '9.9.9',
    maxBodyBytes: options.maxBodyBytes ?? 4_194_304,
    nextRequestId: () => `r${++requests}`,
  };
  const doors = createMcpDoors(deps, res => void held.add(res));
  const server = createServer((req, res) => {
    if (!doors.handle(req, res, (req.url ?? '/').split('?')[0] ?? '/')) res.writeHead(404).end();
  });
  // As in the gateway, where nearly every post goes this way.
  const plain = takePlainPosts(server, 'connection', {
    isFor: doors.takesPosts,
    maxBodyBytes: deps.maxBodyBytes,
    stalledMs: 30_000,
    onRequest: (req, res) => void doors.handle(req, res, req.url.split('?')[0] ?? ''),
    clock: createSystemClock(),
    ...{ keepAliveMs: 5_000, firstRequestMs: 5_000, requestMs: 60_000, checkMs: 5_000, onLate: () => {} },
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function send(path: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Answered> {
    const res = await fetch(url + path, init);
    const text = await res.text();
    const isStream = res.headers.get('content-type') === 'text/event-stream';
    const messages = isStream ? parseEvents(text).flatMap(({ message }) => (message === null ? [] : [message])) : [];
    const json = (isStream ? messages.at(-1) : text === '' ? {} : tryParse(text)) ?? {};
    return { status: res.status, headers: res.headers, text, json, messages };
  }

  const post = (body: Json, headers: Record<string, string> = {}, path = '/mcp') =>
    send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: BOTH, ...headers },
      body: JSON.stringify(body),
    });

  return {
    ...house,
    url,
    sessions,
    ended,
    held,
    /** Lets the news desk tell what it gathered. */
    async tellNews() {
      await settle();
      newsClock.advance(1_000);
    },
    doors,
    deps,
    keepAlive,
    send,
    post,
    rpc: (
      method: string,
      params: JsonObject = {},
      headers: Record<string, string> = {},
      path = '/mcp',
      id: string | number = 1,
    ) => post({ jsonrpc: '2.0', id, method, params }, headers, path),
    notify: (method: string, params: JsonObject, headers: Record<string, string>, path = '/mcp') =>
      post({ jsonrpc: '2.0', method, params }, headers, path),
    /** Shakes hands; gives the headers every further request of this session carries. */
    async initialize(
      more: { version?: string; capabilities?: JsonObject; path?: string; headers?: Record<string, string> } = {},
    ): Promise<Record<string, string>> {
      const version = more.version ?? '2025-11-25';
      const params = {
        protocolVersion: version,
        capabilities: more.capabilities ?? {},
        clientInfo: { name: 'test', version: '1' },
      };
      const res = await post({ jsonrpc: '2.0', id: 0, method: 'initialize', params }, more.headers, more.path);
      const session = res.headers.get('mcp-session-id');
      if (session === null) throw new Error(`no session: ${res.status} ${res.text}`);
      return { 'mcp-session-id': session, 'mcp-protocol-version': version, ...more.headers };
    },
    /** A modern request with the headers and envelope it needs. */
    modern(
      method: string,
      params: JsonObject = {},
      more: {
        headers?: Record<string, string>;
        meta?: JsonObject;
        capabilities?: JsonObject;
        path?: string;
        id?: string | number;
      } = {},
    ) {
      const name = params.name ?? params.uri ?? params.taskId;
      const headers = {
        'mcp-protocol-version': MODERN,
        'mcp-method': method,
        ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
        ...more.headers,
      };
      const _meta = {
        [META.protocolVersion]: MODERN,
        [META.clientCapabilities]: more.capabilities ?? {},
        ...more.meta,
      };
      return post({ jsonrpc: '2.0', id: more.id ?? 1, method, params: { ...params, _meta } }, headers, more.path);
    },
    /** Opens an event stream and reads it as it comes. */
    async stream(path: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<EventReader> {
      const stop = new AbortController();
      const res = await fetch(url + path, { ...init, signal: stop.signal });
      return readEvents(res, () => stop.abort());
    },
    async close() {
      doors.finish();
      house.stop();
      sessions.stop();
      keepAlive.stop();
      server.closeAllConnections();
      plain.closeAll();
      await new Promise<void>(resolve => server.close(() => resolve()));
    },
  };
}

export type DoorKit = Awaited<ReturnType<typeof startDoor>>;

function parseEvents(text: string): Event[] {
  return text
    .split('\n\n')
    .filter(block => block.split('\n').some(line => line.startsWith('data:')))
    .map(block => {
      const fields = new Map(
        block.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      const data = fields.get('data') ?? '';
      return { id: fields.get('id') ?? null, name: fields.get('event') ?? null, data, message: tryParse(data) };
    });
}

function tryParse(text: string): JsonObject | null {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return null;
  }
}

function readEvents(res: Response, close: () => void): EventReader {
  const waiting: Event[] = [];
  let wake = () => {};
  let over = false;
  let end = () => {};
  const ended = new Promise<void>(resolve => {
    end = resolve;
  });
  void (async () => {
    let text = '';
    try {
      for await (const chunk of res.body ?? []) {
        text += Buffer.from(chunk).toString();
        const at = text.lastIndexOf('\n\n');
        if (at < 0) continue;
        waiting.push(...parseEvents(text.slice(0, at + 2)));
        text = text.slice(at + 2);
        wake();
      }
    } catch {
      // A stream we closed ourselves.
    }
    over = true;
    wake();
    end();
  })();
  const nextRaw = async (): Promise<Event> => {
    for (;;) {
      const event = waiting.shift();
      if (event !== undefined) return event;
      if (over) throw new Error('the stream ended');
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
  };
  return {
    status: res.status,
    headers: res.headers,
    ended,
    close,
    nextRaw,
    async next() {
      for (;;) {
        const event = await nextRaw();
        if (event.data !== '') return event;
      }
    },
  };
}
