/**
 * The right answers of the fault fixture, per method and era: lists with pages, reads, prompts, completion, tools
 * with questions (a request in the legacy era, `input_required` in the modern one), subscriptions.
 */
import { randomUUID } from 'node:crypto';
import { isAtLeast, isLegacyRevision, isLogLevel, type LogLevel, META } from '../../../../src/domain/era.ts';
import { isJsonObject, type Json, type JsonObject, objectOrEmpty, stringOrNull } from '../../../../src/domain/json.ts';
import { RPC } from '../../../../src/domain/rpc.ts';
import * as catalog from './catalog.ts';
import type { ScriptedOptions } from './engine.ts';
import type { Stats } from './stats.ts';
import { type Call, echoArguments, type Surroundings, TOOL_RUNS } from './tools.ts';
import type { Peer, Wire } from './wire.ts';

export class Refusal extends Error {
  readonly code: number;
  readonly data: Json | undefined;

  constructor(code: number, message: string, data?: Json) {
    super(message);
    this.code = code;
    this.data = data;
  }

  toError(): JsonObject {
    return { code: this.code, message: this.message, ...(this.data === undefined ? {} : { data: this.data }) };
  }
}

/** HTTP status of a modern refusal (MCP 2026-07-28, Streamable HTTP); handler errors stay in-band. */
export const STATUS_OF: Readonly<Record<number, number>> = {
  [RPC.methodNotFound]: 404,
  [RPC.headerMismatch]: 400,
  [RPC.missingClientCapability]: 400,
  [RPC.unsupportedProtocolVersion]: 400,
};

export interface Asked {
  peer: Peer;
  wire: Wire;
  method: string;
  params: JsonObject;
  modern: boolean;
  abort: AbortController;
  id: Json;
}

export interface Answers {
  answer(asked: Asked): Promise<JsonObject>;
  cancelListen(peer: Peer, id: unknown): void;
  forget(peer: Peer): void;
}

class InputNeeded extends Error {
  readonly result: JsonObject;

  constructor(result: JsonObject) {
    super('input is needed');
    this.result = result;
  }
}

interface Listen {
  peer: Peer;
  id: Json;
  filter: JsonObject;
  wire: Wire;
  finish(): void;
}

const CAPABILITIES: JsonObject = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  logging: {},
  completions: {},
  experimental: { 'example.test/unknown': { kept: true } },
};
const NEEDED_FOR: Readonly<Record<string, string>> = {
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
};
const MOST_STATES = 10_000;

export function createAnswers(options: ScriptedOptions, stats: Stats, peers: ReadonlySet<Peer>): Answers {
  const listens = new Set<Listen>();
  const states = new Set<string>();
  const tools =
    typeof options.tools === 'number'
      ? catalog.genericTools(options.tools)
      : [...(options.tools ?? catalog.DEFAULT_TOOLS)];
  let version = 1;
  let extra = false;
  let asked = 0;

  const tellChange = (
    method: string,
    wanted: (filter: JsonObject) => boolean,
    params: JsonObject,
    uri?: string,
  ): void => {
    for (const peer of peers) {
      if (uri === undefined || peer.watched.has(uri)) peer.push({ jsonrpc: '2.0', method, params });
    }
    for (const { filter, id, wire } of listens) {
      const _meta = { ...objectOrEmpty(params._meta), [META.subscriptionId]: id };
      if (wanted(filter)) wire.send({ jsonrpc: '2.0', method, params: { ...params, _meta } });
    }
  };

  const around: Surroundings = {
    touch() {
      version += 1;
      const uri = catalog.WATCHED;
      const wanted = (filter: JsonObject) =>
        Array.isArray(filter.resourceSubscriptions) && filter.resourceSubscriptions.includes(uri);
      tellChange('notifications/resources/updated', wanted, { uri }, uri);
      return version;
    },
    toggle() {
      extra = !extra;
      tellChange('notifications/tools/list_changed', filter => filter.toolsListChanged === true, {});
      return extra;
    },
    record: (tool, key) => stats.count('effects', `${tool} ${key}`),
    stats: () => stats.read(),
    describeCaller: ({ peer, wire, meta }) => ({
      headers:
        wire.headers === null ? null : Object.fromEntries(Object.entries(wire.headers).map(([k, v]) => [k, String(v)])),
      environment: Object.keys(process.env).sort(),
      peer: peer.id,
      pid: process.pid,
      revision: peer.revision,
      clientInfo: peer.clientInfo,
      clientCapabilities: peer.clientCapabilities,
      meta,
    }),
  };

  const page = (member: string, items: readonly JsonObject[], { cursor }: JsonObject): JsonObject => {
    if (options.pageSize === null) return { [member]: [...items] };
    const start = cursor === undefined ? 0 : Number(Buffer.from(String(cursor), 'base64url').toString());
    if (!Number.isInteger(start) || start < 0 || start > items.length)
      throw new Refusal(RPC.invalidParams, 'Bad cursor');
    const end = start + options.pageSize;
    const more = end < items.length ? { nextCursor: Buffer.from(String(end)).toString('base64url') } : {};
    return { [member]: items.slice(start, end), ...more };
  };

  const callFor = ({ peer, wire, params, modern, abort }: Asked): Call => {
    const meta = objectOrEmpty(params._meta);
    const declared = modern ? objectOrEmpty(meta[META.clientCapabilities]) : peer.clientCapabilities;
    const asksFor = modern ? meta[META.logLevel] : peer.logLevel;
    return {
      args: objectOrEmpty(params.arguments),
      peer,
      wire,
      meta,
      signal: abort.signal,
      progress(progress, total) {
        if (meta.progressToken === undefined) return;
        const about = { progressToken: meta.progressToken, progress, ...(total === undefined ? {} : { total }) };
        wire.send({ jsonrpc: '2.0', method: 'notifications/progress', params: about });
      },
      log(level, data) {
        if (!isLogLevel(asksFor) || !isAtLeast(level as LogLevel, asksFor)) return;
        wire.send({ jsonrpc: '2.0', method: 'notifications/message', params: { level, logger: options.name, data } });
      },
      async ask(key, method, question) {
        const needed = NEEDED_FOR[method] ?? method;
        if (declared[needed] === undefined) {
          throw new Refusal(RPC.missingClientCapability, `The client lacks ${needed}`, {
            requiredCapabilities: { [needed]: {} },
          });
        }
        if (modern) return answeredOrNeeded(key, method, question, params, states);
        asked += 1;
        const id = `ask-${asked}`;
        const reply = await new Promise<JsonObject>((resolve, reject) => {
          peer.waiting.set(id, resolve);
          abort.signal.addEventListener('abort', () => reject(new Error('cancelled')), { once: true });
          wire.send({ jsonrpc: '2.0', id, method, params: question });
        });
        if (isJsonObject(reply.result)) return reply.result;
        throw new Error(`the client refused: ${JSON.stringify(reply.error)}`);
      },
    };
  };

  const callTool = async (request: Asked): Promise<JsonObject> => {
    const name = String(request.params.name);
    const listed = tools.some(tool => tool.name === name);
    const run = TOOL_RUNS[name] ?? (listed ? echoArguments : undefined);
    if (run === undefined || (name === 'extra' && !extra))
      throw new Refusal(RPC.invalidParams, `Unknown tool: ${name}`);
    try {
      return await run(callFor(request), around);
    } catch (error) {
      if (error instanceof InputNeeded) return error.result;
      if (request.modern && error instanceof Refusal) throw error;
      if (request.abort.signal.aborted) throw error;
      const message = error instanceof Error ? error.message : String(error);
      return { content: [{ type: 'text', text: message }], isError: true };
    }
  };

  const listen = ({ peer, wire, params, id, abort }: Asked): Promise<JsonObject> => {
    const filter = objectOrEmpty(params.notifications);
    const _meta = { [META.subscriptionId]: id };
    const acknowledged = 'notifications/subscriptions/acknowledged';
    wire.send({ jsonrpc: '2.0', method: acknowledged, params: { notifications: filter, _meta } });
    stats.add('listens');
    return new Promise(resolve => {
      const entry: Listen = {
        peer,
        id,
        filter,
        wire,
        finish: () => {
          if (!listens.delete(entry)) return;
          stats.add('listens', -1);
          resolve({ _meta });
        },
      };
      listens.add(entry);
      abort.signal.addEventListener('abort', entry.finish, { once: true });
    });
  };

  const both = async (request: Asked): Promise<JsonObject> => {
    const { method, params } = request;
    switch (method) {
      case 'tools/list':
        return page('tools', extra ? [...tools, catalog.EXTRA_TOOL] : tools, params);
      case 'tools/call':
        return callTool(request);
      case 'resources/list':
        return page('resources', catalog.RESOURCES, params);
      case 'resources/templates/list':
        return page('resourceTemplates', catalog.TEMPLATES, params);
      case 'prompts/list':
        return page('prompts', catalog.PROMPTS, params);
      case 'resources/read': {
        const uri = String(params.uri);
        const contents = catalog.readContents(uri, version);
        if (contents !== null) return { contents: [contents] };
        throw new Refusal(request.modern ? RPC.invalidParams : RPC.resourceNotFound, 'Resource not found', { uri });
      }
      case 'prompts/get': {
        if (!catalog.PROMPTS.some(prompt => prompt.name === params.name))
          throw new Refusal(RPC.invalidParams, 'Unknown prompt');
        const whom = stringOrNull(objectOrEmpty(params.arguments).name) ?? 'world';
        const content = { type: 'text', text: params.name === 'greet' ? `Greet ${whom}.` : 'Say something.' };
        return { description: String(params.name), messages: [{ role: 'user', content }], 'x-unknown-member': 1 };
      }
      case 'completion/complete':
        return catalog.complete(stringOrNull(objectOrEmpty(params.argument).value) ?? '');
      default:
        return request.modern ? modernOnly(request) : legacyOnly(request);
    }
  };

  const modernOnly = async (request: Asked): Promise<JsonObject> => {
    switch (request.method) {
      case 'server/discover':
        return {
          supportedVersions: options.era === 'dual' ? ['2026-07-28', options.revision] : ['2026-07-28'],
          capabilities: CAPABILITIES,
          instructions: `This is ${options.name}.`,
        };
      case 'subscriptions/listen':
        return listen(request);
      default:
        throw new Refusal(RPC.methodNotFound, 'Method not found');
    }
  };

  const legacyOnly = async ({ method, params, peer }: Asked): Promise<JsonObject> => {
    switch (method) {
      case 'initialize': {
        const wanted = params.protocolVersion;
        peer.revision = isLegacyRevision(wanted) && wanted <= options.revision ? wanted : options.revision;
        peer.clientInfo = objectOrEmpty(params.clientInfo);
        peer.clientCapabilities = objectOrEmpty(params.capabilities);
        return {
          protocolVersion: peer.revision,
          capabilities: CAPABILITIES,
          serverInfo: { name: options.name, version: '1.0.0', 'x-unknown-member': true },
          instructions: `This is ${options.name}.`,
        };
      }
      case 'ping':
        return {};
      case 'logging/setLevel':
        peer.logLevel = String(params.level);
        return {};
      case 'resources/subscribe':
        peer.watched.add(String(params.uri));
        return {};
      case 'resources/unsubscribe':
        peer.watched.delete(String(params.uri));
        return {};
      default:
        throw new Refusal(RPC.methodNotFound, 'Method not found');
    }
  };

  return {
    async answer(request) {
      const { modern, method, params, peer } = request;
      if (modern) {
        checkEnvelope(params);
        const meta = objectOrEmpty(params._meta);
        peer.revision = String(meta[META.protocolVersion]);
        peer.clientInfo = objectOrEmpty(meta[META.clientInfo]);
        peer.clientCapabilities = objectOrEmpty(meta[META.clientCapabilities]);
        return complete(method, await both(request), options.name);
      }
      if (options.era === 'modern') throw notModern(method, params);
      return both(request);
    },
    cancelListen(peer, id) {
      for (const entry of listens) if (entry.peer === peer && entry.id === id) entry.finish();
    },
    forget(peer) {
      for (const entry of listens) if (entry.peer === peer) entry.finish();
    },
  };
}

/** The members every modern result must have; what an answer already says stays. */
function complete(method: string, result: JsonObject, name: string): JsonObject {
  const cacheable = method.endsWith('/list') || method === 'resources/read' || method === 'server/discover';
  const _meta = { [META.serverInfo]: { name, version: '1.0.0' }, ...objectOrEmpty(result._meta) };
  return { resultType: 'complete', ...(cacheable ? { ttlMs: 0, cacheScope: 'public' } : {}), ...result, _meta };
}

function checkEnvelope(params: JsonObject): void {
  const meta = objectOrEmpty(params._meta);
  const requested = meta[META.protocolVersion] ?? null;
  if (!isJsonObject(meta[META.clientCapabilities]))
    throw new Refusal(RPC.invalidParams, 'The envelope lacks clientCapabilities');
  if (requested !== '2026-07-28') {
    throw new Refusal(RPC.unsupportedProtocolVersion, 'Unsupported protocol version', {
      supported: ['2026-07-28'],
      requested,
    });
  }
}

function notModern(method: string, params: JsonObject): Refusal {
  const data = { supported: ['2026-07-28'], requested: params.protocolVersion ?? null };
  if (method === 'initialize') return new Refusal(RPC.unsupportedProtocolVersion, 'Unsupported protocol version', data);
  return new Refusal(RPC.invalidParams, 'The envelope is missing');
}

/** A state is good for one retry, exactly as it was given; anything else is refused. */
function answeredOrNeeded(
  key: string,
  method: string,
  question: JsonObject,
  params: JsonObject,
  states: Set<string>,
): JsonObject {
  const answer = objectOrEmpty(params.inputResponses)[key];
  if (isJsonObject(answer)) {
    if (!states.delete(String(params.requestState))) throw new Refusal(RPC.invalidParams, 'Unknown request state');
    return answer;
  }
  // Characters that a careless hop would change.
  const requestState = `state/+= é"\\${randomUUID()}`;
  states.add(requestState);
  const oldest = states.values().next().value;
  if (states.size > MOST_STATES && oldest !== undefined) states.delete(oldest);
  const { elicitationId: _legacyOnly, ...asked } = question;
  throw new InputNeeded({
    resultType: 'input_required',
    inputRequests: { [key]: { method, params: asked } },
    requestState,
  });
}
