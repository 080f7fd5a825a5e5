/**
 * MCP clients of both eras on the bare wire, without an SDK: ids, tokens and headers are the test's to choose, streams
 * can be dropped or left unread, and everything that arrives is kept in order.
 */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as openRequest } from 'node:http';
import { type Era, META, type Revision } from '../../src/domain/era.ts';
import { isJsonObject, type Json, type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';

export interface Event {
  id: string | null;
  data: string;
}

export interface HttpReply {
  status: number;
  headers: IncomingHttpHeaders;
  /** A JSON body, or null for a stream. */
  text: string | null;
  events: Event[];
  /** JSON-RPC messages in the order of arrival. */
  frames: JsonObject[];
  /** False: the connection ended before the response did. */
  isWhole: boolean;
}

export interface Exchange {
  /** Resolves at the response's end, however it came. Rejects when no response began. */
  readonly reply: Promise<HttpReply>;
  /** Resolves with the head. Rejects when there never was one. */
  readonly head: Promise<IncomingMessage>;
  /** What has arrived so far. */
  readonly frames: JsonObject[];
  readonly events: Event[];
  /** Cuts the connection. */
  drop(): void;
}

export interface Sending {
  method?: 'GET' | 'POST' | 'DELETE';
  headers?: Record<string, string>;
  body?: string | Buffer;
  agent?: Agent;
  onFrame?: (frame: JsonObject, event: Event | null) => void;
  /** Reads nothing of the response until it is told to. */
  paused?: boolean;
}

/** One HTTP request, its response taken apart as it arrives. */
export function exchange(url: string, sending: Sending): Exchange {
  const { method = 'POST', headers = {}, body, agent, onFrame, paused = false } = sending;
  const { promise: head, resolve: gotHead, reject: noHead } = Promise.withResolvers<IncomingMessage>();
  const frames: JsonObject[] = [];
  const events: Event[] = [];
  let drop = () => {};
  const reply = new Promise<HttpReply>((resolve, reject) => {
    const request = openRequest(url, { method, headers, ...(agent === undefined ? { agent: false } : { agent }) });
    drop = () => request.destroy();
    request.on('error', error => {
      noHead(error);
      reject(error);
    });
    request.on('response', response => {
      const isStream = response.headers['content-type']?.startsWith('text/event-stream') ?? false;
      const got: HttpReply = {
        status: response.statusCode ?? 0,
        headers: response.headers,
        text: null,
        events,
        frames,
        isWhole: false,
      };
      let rest = '';
      const take = (text: string, event: Event | null) => {
        if (text === '') return;
        const frame = JSON.parse(text) as Json;
        for (const one of Array.isArray(frame) ? frame : [frame]) {
          if (!isJsonObject(one)) continue;
          got.frames.push(one);
          onFrame?.(one, event);
        }
      };
      response.setEncoding('utf8');
      const read = (chunk: string) => {
        rest += chunk;
        if (!isStream) return;
        const blocks = rest.split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) {
          const event = readEvent(block);
          if (event === null) continue;
          got.events.push(event);
          take(event.data, event);
        }
      };
      if (!paused) response.on('data', read);
      else response.pause();
      response.on('end', () => {
        got.isWhole = true;
      });
      response.on('error', () => {});
      response.on('close', () => {
        if (!isStream && got.isWhole) {
          got.text = rest;
          if (response.headers['content-type']?.startsWith('application/json')) take(rest, null);
        }
        resolve(got);
      });
      gotHead(response);
    });
    request.end(body);
  });
  // Most want one of the two.
  reply.catch(() => {});
  head.catch(() => {});
  return { reply, head, frames, events, drop: () => drop() };
}

function readEvent(block: string): Event | null {
  let id: string | null = null;
  let data: string | null = null;
  for (const line of block.split('\n')) {
    if (line.startsWith('id: ')) id = line.slice(4);
    else if (line.startsWith('data: ')) data = (data ?? '') + line.slice(6);
    else if (line === 'data:') data ??= '';
  }
  return data === null ? null : { id, data };
}

export type Answer = (method: string, params: JsonObject) => JsonObject | null | Promise<JsonObject | null>;

export interface ClientOptions {
  /** Below the origin; `/mcp` by default. */
  path?: string;
  revision?: Revision;
  capabilities?: JsonObject;
  /** Answers questions of servers with a result; null leaves one open. */
  answer?: Answer;
  headers?: Record<string, string>;
}

export interface RequestOptions {
  id?: string | number;
  meta?: JsonObject;
  progressToken?: string | number;
  /** Modern: of this request. A legacy client sets its level once. */
  logLevel?: string;
  headers?: Record<string, string>;
  onFrame?: (frame: JsonObject) => void;
  paused?: boolean;
}

export interface Reply extends HttpReply {
  /** The answer to the request: it has its id. Null when none came. */
  answer: JsonObject | null;
  /** Everything else that came on its stream. */
  others: JsonObject[];
}

export interface Started extends Omit<Exchange, 'reply'> {
  readonly id: string | number;
  readonly reply: Promise<Reply>;
}

export interface Client {
  readonly era: Era;
  readonly sessionId: string | null;
  /** One round, to its end. */
  begin(method: string, params?: JsonObject, options?: RequestOptions): Started;
  request(method: string, params?: JsonObject, options?: RequestOptions): Promise<Reply>;
  /** A tool call with as many rounds as the server's questions need. */
  call(name: string, args?: JsonObject, options?: RequestOptions): Promise<Reply>;
  tell(method: string, params?: JsonObject): Promise<HttpReply>;
  /** Messages outside of requests: the standing GET stream, or `subscriptions/listen`. Resolves once it is open. */
  listen(filter?: JsonObject, lastEventId?: string): Promise<Listening>;
  /** Ends the session, closes idle sockets. */
  close(): Promise<void>;
}

export interface Listening {
  readonly frames: JsonObject[];
  readonly events: Event[];
  readonly ended: Promise<HttpReply>;
  drop(): void;
}

export const ALL_CAPABILITIES: JsonObject = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

export const openClient = (origin: string, era: Era, options: ClientOptions = {}): Promise<Client> =>
  era === 'legacy' ? openLegacy(origin, options) : Promise.resolve(openModern(origin, options));

const BASE_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

export async function openLegacy(origin: string, options: ClientOptions = {}): Promise<Client> {
  const { path = '/mcp', revision = '2025-11-25', capabilities = ALL_CAPABILITIES, answer } = options;
  const url = origin + path;
  const agent = new Agent({ keepAlive: true });
  const hello = await exchange(url, {
    agent,
    headers: { ...BASE_HEADERS, ...options.headers },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 'hello',
      method: 'initialize',
      params: { protocolVersion: revision, capabilities, clientInfo: { name: 'story', version: '1' } },
    }),
  }).reply;
  if (hello.status !== 200) throw new Error(`initialize was answered with ${hello.status}: ${hello.text}`);
  const sessionId = String(hello.headers['mcp-session-id']);
  const headers = {
    ...BASE_HEADERS,
    ...options.headers,
    'mcp-session-id': sessionId,
    'mcp-protocol-version': revision,
  };
  const send = (message: JsonObject) =>
    exchange(url, { agent, headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) }).reply;
  /** Questions come on any stream and are answered by a request of their own. */
  const react = async (frame: JsonObject) => {
    if (typeof frame.method !== 'string' || frame.id === undefined || answer === undefined) return;
    const result = await answer(frame.method, objectOrEmpty(frame.params));
    if (result !== null) await send({ id: frame.id, result });
  };
  let lastId = 0;
  const begin: Client['begin'] = (method, params = {}, more = {}) => {
    const id = more.id ?? ++lastId;
    const meta = metaOf(more);
    const given = Object.keys(meta).length === 0 ? params : { ...params, _meta: meta };
    const started = exchange(url, {
      agent,
      headers: { ...headers, ...more.headers },
      body: JSON.stringify({ jsonrpc: '2.0', id, method, params: given }),
      paused: more.paused ?? false,
      onFrame: frame => {
        more.onFrame?.(frame);
        void react(frame);
      },
    });
    return toStarted(started, id);
  };
  const client: Client = {
    era: 'legacy',
    sessionId,
    begin,
    request: (method, params, more) => begin(method, params, more).reply,
    call: (name, args = {}, more) => begin('tools/call', { name, arguments: args }, more).reply,
    tell: (method, params = {}) => send({ method, params }),
    async listen(_filter, lastEventId) {
      const resume: Record<string, string> = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
      const { accept: _accept, ...rest } = headers;
      const started = exchange(url, {
        method: 'GET',
        agent,
        headers: { ...rest, accept: 'text/event-stream', ...resume },
        onFrame: frame => void react(frame),
      });
      return listening(started);
    },
    async close() {
      await exchange(url, { method: 'DELETE', agent, headers }).reply.catch(() => {});
      agent.destroy();
    },
  };
  await client.tell('notifications/initialized');
  return client;
}

const NAMED: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

export function openModern(origin: string, options: ClientOptions = {}): Client {
  const { path = '/mcp', capabilities = ALL_CAPABILITIES, answer } = options;
  const url = origin + path;
  const agent = new Agent({ keepAlive: true });
  let lastId = 0;
  const begin: Client['begin'] = (method, params = {}, more = {}) => {
    const id = more.id ?? ++lastId;
    const envelope = {
      [META.protocolVersion]: '2026-07-28',
      [META.clientCapabilities]: capabilities,
      [META.clientInfo]: { name: 'story', version: '1' },
      ...(more.logLevel === undefined ? {} : { [META.logLevel]: more.logLevel }),
    };
    const named = NAMED[method];
    const started = exchange(url, {
      agent,
      headers: {
        ...BASE_HEADERS,
        ...options.headers,
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(named === undefined ? {} : { 'mcp-name': headerText(String(params[named])) }),
        ...more.headers,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id,
        method,
        params: { ...params, _meta: { ...objectOrEmpty(params._meta), ...metaOf(more), ...envelope } },
      }),
      paused: more.paused ?? false,
      ...(more.onFrame === undefined ? {} : { onFrame: more.onFrame }),
    });
    return toStarted(started, id);
  };
  return {
    era: 'modern',
    sessionId: null,
    begin,
    request: (method, params, more) => begin(method, params, more).reply,
    async call(name, args = {}, more = {}) {
      const params = { name, arguments: args };
      let reply = await begin('tools/call', params, more).reply;
      for (let round = 0; round < 10 && answer !== undefined; round += 1) {
        const result = objectOrEmpty(reply.answer?.result);
        if (result.resultType !== 'input_required') return reply;
        const inputResponses: JsonObject = {};
        for (const [key, question] of Object.entries(objectOrEmpty(result.inputRequests))) {
          const { method, params: asked } = objectOrEmpty(question);
          const given = await answer(String(method), objectOrEmpty(asked));
          if (given !== null) inputResponses[key] = given;
        }
        const { id: _id, ...again } = more;
        const state = result.requestState === undefined ? {} : { requestState: result.requestState };
        reply = await begin('tools/call', { ...params, inputResponses, ...state }, again).reply;
      }
      return reply;
    },
    tell: (method, params = {}) =>
      exchange(url, {
        agent,
        headers: { ...BASE_HEADERS, 'mcp-protocol-version': '2026-07-28', 'mcp-method': method },
        body: JSON.stringify({ jsonrpc: '2.0', method, params }),
      }).reply,
    listen: (filter = {}) => listening(begin('subscriptions/listen', { notifications: filter })),
    async close() {
      agent.destroy();
    },
  };
}

function toStarted(started: Exchange, id: string | number): Started {
  const reply = started.reply.then(whole => withAnswer(whole, id));
  reply.catch(() => {});
  return { ...started, id, reply };
}

async function listening({ head, reply, frames, events, drop }: Exchange): Promise<Listening> {
  const opened = await head;
  if (opened.statusCode === 200) return { frames, events, ended: reply, drop };
  const { status, text } = await reply;
  throw new Error(`the stream was refused with ${status}: ${text}`);
}

function metaOf({ meta, progressToken }: RequestOptions): JsonObject {
  return { ...meta, ...(progressToken === undefined ? {} : { progressToken }) };
}

function withAnswer(reply: HttpReply, id: string | number): Reply {
  const isAnswer = (frame: JsonObject) => frame.id === id && frame.method === undefined;
  return {
    ...reply,
    answer: reply.frames.find(isAnswer) ?? null,
    others: reply.frames.filter(frame => !isAnswer(frame)),
  };
}

/** MCP 2026-07-28: what no header may hold travels encoded. */
function headerText(text: string): string {
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith('=?')
    ? text
    : `=?base64?${Buffer.from(text).toString('base64')}?=`;
}

/** The first text of a tool's answer, or `error <code>`, or what else came. */
export function textOf(reply: Reply): string {
  const error = reply.answer?.error;
  if (isJsonObject(error)) return `error ${error.code}`;
  const { content } = objectOrEmpty(reply.answer?.result);
  const first = Array.isArray(content) ? objectOrEmpty(content[0]) : {};
  return typeof first.text === 'string' ? first.text : JSON.stringify(reply.answer ?? reply.text);
}

export const errorOf = (reply: Reply): JsonObject => objectOrEmpty(reply.answer?.error);
export const resultOf = (reply: Reply): JsonObject => objectOrEmpty(reply.answer?.result);
