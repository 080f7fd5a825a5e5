/**
 * Modern messages (2026-07-28): every request stands alone, with its own envelope. The same for HTTP and stdio;
 * what only HTTP has (headers, status codes) is the transport's.
 */
import type { Call, Door, Handled, Subscriber } from '../../domain/call.ts';
import { META, MODERN_REVISIONS, TASKS_EXTENSION } from '../../domain/era.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { isJsonObject, type JsonObject, objectOrEmpty } from '../../domain/json.ts';
import type { RpcId } from '../../domain/rpc.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { Gateway } from '../../services/gateway/gateway.ts';
import type { News } from '../../services/gateway/news.ts';
import { composeWelcome } from '../../services/gateway/welcome.ts';
import type { Arrival } from './arrival.ts';
import type { Envelope } from './classify.ts';
import type { McpDeps } from './deps.ts';
import { notificationText } from './frames.ts';
import type { Outlet } from './outlet.ts';
import { RequestLine } from './request-line.ts';
import { toFrame } from './respond.ts';

/** Methods this revision deleted: not found, whoever would still know them. */
const LEGACY_ONLY = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
  'tasks/result',
  'tasks/list',
]);

export interface ModernRequest {
  id: RpcId;
  method: string;
  /** Without envelope keys and progress token. */
  params: JsonObject;
  envelope: Envelope;
  progressToken: RpcId | null;
  argumentBytes: Uint8Array | null;
  arrival: Arrival;
  who: Identity;
  door: Door;
}

/** Something that can be told to stop: a call (its cancellation) or a listen stream (its end). */
export interface Running {
  cancel(reason: string): void;
  /** The gateway stops: a listen stream ends with its empty result. */
  finish(): void;
}

const DONE: Running = { cancel: () => {}, finish: () => {} };

/** `onFinished` is called once, when the request is answered. */
export function dispatchModern(deps: McpDeps, request: ModernRequest, outlet: Outlet, onFinished: () => void): Running {
  const { id, method, params, envelope } = request;
  const answer = (handled: Handled) => {
    onFinished();
    outlet.answer(toFrame('modern', id, method, handled), handled);
  };
  const no = LEGACY_ONLY.has(method) ? failure('METHOD_NOT_FOUND') : findMissingCapability(request);
  if (no !== null) {
    deps.turnedAway({ ...request.arrival, who: request.who, method }, no);
    answer(no);
    return DONE;
  }
  if (method === 'server/discover') {
    const denied = deps.refuseDoor(request.who, request.door, method, request.arrival);
    answer(denied ?? discover(deps, request));
    return DONE;
  }
  if (method === 'subscriptions/listen') return listen(deps, request, outlet, onFinished);
  const line = new RequestLine(id, envelope, outlet, request.progressToken, request.arrival);
  const call: Call = {
    id: request.arrival.id,
    method,
    params,
    argumentBytes: request.argumentBytes,
    door: request.door,
    era: 'modern',
    receivedAtMs: deps.clock.monotonicMs(),
  };
  void deps.gateway.handle(request.who, call, line).then(answer);
  return { cancel: reason => line.cancel(reason), finish: () => {} };
}

function findMissingCapability({ method, envelope }: ModernRequest): Failure | null {
  const { extensions } = envelope.clientCapabilities;
  if (!method.startsWith('tasks/') || TASKS_EXTENSION in objectOrEmpty(extensions)) return null;
  return failure('MISSING_CAPABILITY', { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } });
}

function discover(deps: McpDeps, { who, door, envelope }: ModernRequest): Handled {
  const { serverInfo, capabilities, instructions } = composeWelcome(
    deps.catalog.at(door),
    door,
    'modern',
    deps.version,
    server => deps.gateway.mayHear(who, server),
  );
  const told: JsonObject = {
    resultType: 'complete',
    supportedVersions: [...MODERN_REVISIONS],
    capabilities,
    instructions,
    ttlMs: 0,
    cacheScope: 'private',
    _meta: { [META.serverInfo]: serverInfo },
  };
  const result = deps.gateway.showPath(told, who, door, envelope.clientInfo);
  return { kind: 'answer', era: 'modern', result, bytes: null };
}

interface Filter {
  toolsListChanged: boolean;
  promptsListChanged: boolean;
  resourcesListChanged: boolean;
  resourceSubscriptions: string[];
}

/** A listen stream holds at most this many resources. */
const MAX_WATCHED = 1000;

function listen(deps: McpDeps, request: ModernRequest, outlet: Outlet, onFinished: () => void): Running {
  const { id, who, door } = request;
  const filter = readFilter(request.params.notifications);
  const subscriber = { who };
  let stopNews = () => {};
  let open = true;

  const tag = (params: JsonObject): JsonObject => ({
    ...params,
    _meta: { ...objectOrEmpty(params._meta), [META.subscriptionId]: id },
  });

  function close(): boolean {
    if (!open) return false;
    open = false;
    stopNews();
    deps.gateway.endSubscriber(subscriber);
    return true;
  }

  void (async () => {
    const watched = await deps.gateway.watch(who, door, filter.resourceSubscriptions, subscriber);
    if (!open) return;
    const honoured: JsonObject = {
      ...(filter.toolsListChanged ? { toolsListChanged: true } : {}),
      ...(filter.promptsListChanged ? { promptsListChanged: true } : {}),
      ...(filter.resourcesListChanged ? { resourcesListChanged: true } : {}),
      ...(watched.size > 0 ? { resourceSubscriptions: [...watched.keys()] } : {}),
    };
    outlet.message(notificationText('notifications/subscriptions/acknowledged', tag({ notifications: honoured })));
    stopNews = deps.news.subscribe(news => {
      const told = toldOf(deps.gateway, news, filter, watched, subscriber, door);
      if (told !== null) outlet.message(notificationText(told.method, tag(told.params)));
    });
  })();

  return {
    cancel() {
      if (close()) onFinished();
    },
    finish() {
      if (!close()) return;
      onFinished();
      const end: Handled = {
        kind: 'answer',
        era: 'modern',
        result: { resultType: 'complete', _meta: { [META.subscriptionId]: id } },
        bytes: null,
      };
      outlet.answer(toFrame('modern', id, 'subscriptions/listen', end), end);
    },
  };
}

function readFilter(given: unknown): Filter {
  const filter = isJsonObject(given) ? given : {};
  const uris = Array.isArray(filter.resourceSubscriptions) ? filter.resourceSubscriptions : [];
  return {
    toolsListChanged: filter.toolsListChanged === true,
    promptsListChanged: filter.promptsListChanged === true,
    resourcesListChanged: filter.resourcesListChanged === true,
    resourceSubscriptions: uris.filter(uri => typeof uri === 'string').slice(0, MAX_WATCHED),
  };
}

function toldOf(
  gateway: Gateway,
  news: News,
  filter: Filter,
  watched: ReadonlyMap<string, ServerKey>,
  subscriber: Subscriber,
  door: Door,
): { method: string; params: JsonObject } | null {
  if (news.kind === 'list-changed') {
    if (!filter[`${news.what}ListChanged`] || news.concerns?.(subscriber.who, door) === false) return null;
    return { method: `notifications/${news.what}/list_changed`, params: {} };
  }
  if (news.kind !== 'resource-updated' || watched.get(news.uri) !== news.server) return null;
  // It may have been ended since: rights change.
  return gateway.isWatching(subscriber, news.server, news.uri)
    ? { method: 'notifications/resources/updated', params: news.params }
    : null;
}
