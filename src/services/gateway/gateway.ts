/**
 * The staircase: limit -> decide -> findRoute -> send, recorded once.
 * Every surface ends here. Identity comes in verified; what leaves is a value, in the era of whoever answered.
 */
import {
  type Call,
  type CallRecord,
  type Door,
  type Handled,
  type Line,
  type Reply,
  withArguments,
} from '../../domain/call.ts';
import { failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { isJsonObject, type JsonObject } from '../../domain/json.ts';
import type { ListingKind } from '../../domain/listing.ts';
import { type Action, decide, type Target } from '../../domain/policy.ts';
import { sanitiseForClient } from '../../domain/sanitise.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Downstreams, MAIN_PARTITION } from '../../ports/downstreams.ts';
import type { Recorder } from '../../ports/recorder.ts';
import type { CatalogBook } from '../catalog/catalog-book.ts';
import type { PolicyBook } from '../policy/policy-book.ts';
import { type Found, findPrompt, findReference, findResource, findTool } from './find-route.ts';
import { findGatewayTool } from './gateway-tools/definitions.ts';
import type { GatewayTools } from './gateway-tools/gateway-tools.ts';
import { answerRounds, needsInput } from './input-rounds.ts';
import type { ParkedCalls } from './parked-calls.ts';
import { closeRecord, openRecord } from './recorded.ts';
import { renameUris } from './rename-uris.ts';
import type { Subscriptions } from './subscriptions.ts';
import { readTaskId, withPublicTaskId } from './task-ids.ts';
import type { Visible } from './visible.ts';

export interface Gateway {
  /** One request, decided, routed and recorded. Never rejects. */
  handle(who: Identity, call: Call, line: Line): Promise<Handled>;
  /** Permitted ones of `uris` are watched for `subscriber` until it ends; returns those, with the server of each. */
  watch(
    who: Identity,
    door: Door,
    uris: readonly string[],
    subscriber: object,
  ): Promise<ReadonlyMap<string, ServerKey>>;
  endSubscriber(subscriber: object): void;
  inFlight(): number;
}

export interface GatewayDeps {
  catalog: CatalogBook;
  policy: PolicyBook;
  downstreams: Downstreams;
  visible: Visible;
  gatewayTools: GatewayTools;
  parked: ParkedCalls;
  subscriptions: Subscriptions;
  recorder: Recorder;
  clock: Clock;
  /** Calls under way at once, over all surfaces. */
  maxInFlight: number;
  /** Waits for servers that are still starting. */
  settled: () => Promise<void>;
  settledOne: (server: ServerKey) => Promise<void>;
  debug: boolean;
}

/** A name may be as long as a body; a record is a line. */
const MAX_RECORDED_NAME = 300;

const LISTS: Record<string, ListingKind> = {
  'tools/list': 'tools',
  'resources/list': 'resources',
  'resources/templates/list': 'templates',
  'prompts/list': 'prompts',
};

const ACTIONS: Record<string, Action> = {
  'tools/call': 'call',
  'prompts/get': 'get',
  'resources/read': 'read',
  'completion/complete': 'complete',
};

export function createGateway(deps: GatewayDeps): Gateway {
  const { catalog, policy, downstreams, visible, gatewayTools, parked, subscriptions, recorder, clock } = deps;
  let inFlight = 0;

  async function handle(who: Identity, call: Call, line: Line): Promise<Handled> {
    const record = openRecord(clock, who, call, line);
    inFlight++;
    let handled: Handled;
    try {
      handled =
        inFlight > deps.maxInFlight
          ? failure('OVERLOADED', {}, { retryAfterMs: 1000 })
          : await dispatch(who, call, line, record);
    } catch (cause) {
      handled = failure(
        'INTERNAL',
        {},
        { detail: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) },
      );
    }
    inFlight--;
    closeRecord(record, handled, call, clock, recorder);
    return handled;
  }

  function dispatch(who: Identity, call: Call, line: Line, record: CallRecord): Promise<Handled> | Handled {
    const { method, params } = call;
    switch (method) {
      case 'tools/call':
        return callTool(who, call, line, record);
      case 'tools/list':
      case 'resources/list':
      case 'resources/templates/list':
      case 'prompts/list':
        return list(who, call);
      case 'prompts/get':
        if (typeof params.name !== 'string') return missing('name');
        return getPrompt(who, call, line, record, params.name);
      case 'resources/read':
        if (typeof params.uri !== 'string') return missing('uri');
        return readResource(who, call, line, record, params.uri);
      case 'completion/complete':
        return complete(who, call, line, record);
      case 'resources/subscribe':
      case 'resources/unsubscribe':
        return subscribe(who, call, line, record);
      case 'tasks/get':
      case 'tasks/update':
      case 'tasks/cancel':
        return sendTask(who, call, line, record);
      default:
        return failure('METHOD_NOT_FOUND', {}, { say: `Method not found: ${method.slice(0, 100)}` });
    }
  }

  async function list(who: Identity, call: Call): Promise<Handled> {
    // One page holds everything, so no cursor was ever given out.
    if (call.params.cursor !== undefined) return failure('INVALID_PARAMS', {}, { say: 'Unknown cursor.' });
    await deps.settled();
    const kind = LISTS[call.method];
    return kind === undefined ? failure('METHOD_NOT_FOUND') : visible.list(who, call.door, kind, call.era);
  }

  function callTool(who: Identity, call: Call, line: Line, record: CallRecord): Promise<Handled> | Handled {
    const { params, door } = call;
    const { name } = params;
    if (typeof name !== 'string') return missing('name');
    if (params.arguments !== undefined && !isJsonObject(params.arguments)) {
      return failure('INVALID_PARAMS', {}, { say: 'Invalid parameters. arguments: must be an object.' });
    }
    const own = door.server === null ? findGatewayTool(name, deps.debug) : null;
    // What a list shows under a name is what is called by it: ours wherever our tools are listed.
    const isOurs = own !== null && visible.exposure(who, door) !== 'direct';
    const listed = door.server === null && !isOurs ? catalog.current().tools.get(name) : undefined;
    if (listed !== undefined) {
      return sendTo(
        who,
        call,
        line,
        record,
        { kind: 'tool', server: listed.server, name: listed.own },
        { ...params, name: listed.own },
        null,
      );
    }
    if (own !== null) {
      record.operation = own;
      const whole = { ...call, params: withArguments(params, call.argumentBytes), argumentBytes: null };
      const runTool = (
        target: { server: string; tool: string } | { name: string },
        inner: JsonObject,
        timeoutMs: number | null,
      ) => {
        const find = () =>
          'server' in target
            ? findTool(catalog.current(), { server: target.server, exposure: null }, target.tool)
            : findTool(catalog.current(), door, target.name);
        return sendTool(who, whole, line, record, find, 'name' in target ? target.name : target.tool, inner, timeoutMs);
      };
      const noteAgent = (agent: string) => {
        record.agent = agent;
      };
      return gatewayTools.run(own, who, whole, runTool, noteAgent).then(handled => underItsName(own, handled));
    }
    const find = () => findTool(catalog.current(), door, name);
    return sendTool(who, call, line, record, find, name, params, null);
  }

  function look<F extends Found>(find: () => F | null): F | Promise<F | null> {
    const found = find();
    return found?.listed === true ? found : lookAgain(found, find);
  }

  /** What is not listed may be a starting server's: that one is waited for where the name tells it, else all are. */
  async function lookAgain<F extends Found>(found: F | null, find: () => F | null): Promise<F | null> {
    await (found === null ? deps.settled() : deps.settledOne(found.target.server));
    return find();
  }

  /** Denied before unknown: what may not be called is refused alike whether it exists or not. */
  async function sendTool(
    who: Identity,
    call: Call,
    line: Line,
    record: CallRecord,
    find: () => Found | null,
    name: string,
    params: JsonObject,
    timeoutMs: number | null,
  ): Promise<Handled> {
    let found = find();
    const refusal = found === null ? null : note(record, who, 'call', found.target);
    if (refusal !== null) return refusal;
    if (found === null || !found.listed) {
      // Its server may still be starting; with its list a name can lead somewhere else (hashed names, no prefix).
      found = await lookAgain(found, find);
      if (found === null) return failure('TOOL_NOT_FOUND', { tool: name.slice(0, 200), server: null });
    }
    const { target } = found;
    if (!found.listed) {
      const view = catalog.current().servers.get(target.server);
      if (view === undefined)
        return failure('SERVER_UNAVAILABLE', {
          server: target.server.slice(0, 200),
          reason: 'No server of this name.',
        });
      if (view.listing !== null)
        return failure('TOOL_NOT_FOUND', { tool: target.name.slice(0, 200), server: target.server });
    }
    return sendTo(who, call, line, record, target, { ...params, name: target.name }, timeoutMs);
  }

  async function getPrompt(who: Identity, call: Call, line: Line, record: CallRecord, name: string): Promise<Handled> {
    const found = await look(() => findPrompt(catalog.current(), call.door, name));
    if (found === null) return failure('PROMPT_NOT_FOUND');
    return sendTo(who, call, line, record, found.target, { ...call.params, name: found.target.name }, null);
  }

  async function readResource(
    who: Identity,
    call: Call,
    line: Line,
    record: CallRecord,
    uri: string,
  ): Promise<Handled> {
    const found = await look(() => findResource(catalog.current(), call.door, uri));
    if (found === null) return failure('RESOURCE_NOT_FOUND', { uri });
    const reply = await sendTo(who, call, line, record, found.target, { ...call.params, uri: found.target.name }, null);
    // The two eras spell "no such resource" differently; the code is theirs, the URI is the client's.
    const absent =
      reply.kind === 'relayed' &&
      (reply.error.code === -32002 ||
        (reply.error.code === -32602 && isJsonObject(reply.error.data) && 'uri' in reply.error.data));
    return absent && reply.kind === 'relayed'
      ? failure('RESOURCE_NOT_FOUND', { uri }, { say: sanitiseForClient(reply.error.message) })
      : reply;
  }

  async function complete(who: Identity, call: Call, line: Line, record: CallRecord): Promise<Handled> {
    const { ref } = call.params;
    if (!isJsonObject(ref)) return missing('ref');
    const found = await look(() => findReference(catalog.current(), call.door, ref));
    if (found === null) return failure('INVALID_PARAMS', {}, { say: 'Nothing is known under this reference.' });
    return sendTo(who, call, line, record, found.target, { ...call.params, ref: found.ownRef }, null);
  }

  async function subscribe(who: Identity, call: Call, line: Line, record: CallRecord): Promise<Handled> {
    const { uri } = call.params;
    if (typeof uri !== 'string') return missing('uri');
    if (line.subscriber === null) return failure('METHOD_NOT_FOUND');
    if (call.method === 'resources/unsubscribe') {
      await subscriptions.remove(line.subscriber, uri);
    } else {
      const found = await look(() => findResource(catalog.current(), call.door, uri));
      if (found === null) return failure('RESOURCE_NOT_FOUND', { uri });
      const refusal = note(record, who, 'subscribe', found.target);
      if (refusal !== null) return refusal;
      await subscriptions.add(line.subscriber, { server: found.target.server, own: found.target.name, uri });
    }
    return { kind: 'answer', era: call.era, result: {}, bytes: null };
  }

  function sendTask(who: Identity, call: Call, line: Line, record: CallRecord): Promise<Handled> | Handled {
    const task = readTaskId(call.params.taskId);
    if (task === null || !catalog.current().servers.has(task.server)) return failure('TASK_NOT_FOUND');
    const target: Target = { kind: 'task', server: task.server, name: task.own };
    return sendTo(who, call, line, record, target, { ...call.params, taskId: task.own }, null);
  }

  /** decide, and write down what was decided. */
  function note(record: CallRecord, who: Identity, action: Action, target: Target): Handled | null {
    record.server = target.server;
    record.target = target.name.slice(0, MAX_RECORDED_NAME);
    const decision = decide(policy.current(), who, action, target);
    if (decision.kind === 'allow') {
      record.rule = decision.permit.rule;
      return null;
    }
    record.rule = decision.rule;
    return failure('DENIED_BY_POLICY', { agent_id: who.agent, operation: record.operation, rule: decision.rule });
  }

  function sendTo(
    who: Identity,
    call: Call,
    line: Line,
    record: CallRecord,
    target: Target,
    params: JsonObject,
    timeoutMs: number | null,
  ): Promise<Reply> | Reply {
    record.server = target.server;
    record.target = target.name.slice(0, MAX_RECORDED_NAME);
    const decision = decide(policy.current(), who, ACTIONS[call.method] ?? 'call', target);
    if (decision.kind === 'deny') {
      record.rule = decision.rule;
      return failure('DENIED_BY_POLICY', { agent_id: who.agent, operation: record.operation, rule: decision.rule });
    }
    record.rule = decision.permit.rule;
    const route = { permit: decision.permit, server: target.server, partition: partitionOf(target.server, who, line) };
    const { argumentBytes } = call;
    const send = (given: JsonObject, on: Line) =>
      downstreams.send(route, call.method, given, on, { timeoutMs, argumentBytes });
    const serverEra = catalog.current().servers.get(target.server)?.facts?.era;
    if (line.era === 'modern') {
      if (serverEra === 'modern') return finish(send(params, line), target.server, call.door);
      // A parked call is known by its parameters, so they must all be there.
      const whole = withArguments(params, argumentBytes);
      const sendWhole = (given: JsonObject, on: Line) =>
        downstreams.send(route, call.method, given, on, { timeoutMs, argumentBytes: null });
      return finish(parked.run(who, target.server, call.method, whole, line, sendWhole), target.server, call.door);
    }
    const reply = send(params, line);
    if (serverEra === 'legacy') return finish(reply, target.server, call.door);
    return finish(
      reply.then(first => (needsInput(first) ? answerRounds(first, params, line, again => send(again, line)) : first)),
      target.server,
      call.door,
    );
  }

  /** URIs that had to be renamed, and ids of tasks, in the words the client knows. Nothing to do for most servers. */
  function finish(reply: Promise<Reply>, server: ServerKey, door: Door): Promise<Reply> {
    // Behind its own door a server's URIs are its own.
    const renamed = door.server === null ? catalog.current().renamedUris.get(server) : undefined;
    const modern = catalog.current().servers.get(server)?.facts?.era === 'modern';
    if (renamed === undefined && !modern) return reply;
    return reply.then(settled => {
      if (settled.kind !== 'answer') return settled;
      let { result } = settled;
      if (renamed !== undefined) result = renameUris(result, renamed);
      if (modern) result = withPublicTaskId(server, result);
      return result === settled.result ? settled : { ...settled, result, bytes: null };
    });
  }

  /** The local caller and the holder of the one key are the gateway's own principal. */
  function partitionOf(server: ServerKey, who: Identity, line: Line): string {
    const sharing = catalog.current().servers.get(server)?.sharing ?? 'shared';
    if (sharing === 'per-session' && line.sessionId !== null) return `session ${line.sessionId}`;
    if (sharing === 'shared' || who.method === 'local' || who.method === 'api-key') return MAIN_PARTITION;
    return `subject ${who.subject}`;
  }

  return {
    handle,
    inFlight: () => inFlight,
    async watch(who, door, uris, subscriber) {
      const honoured = new Map<string, ServerKey>();
      // Of a server that is still starting nothing is known yet.
      if (uris.length > 0) await deps.settled();
      for (const uri of uris) {
        const found = findResource(catalog.current(), door, uri);
        if (found === null || decide(policy.current(), who, 'subscribe', found.target).kind === 'deny') continue;
        honoured.set(uri, found.target.server);
        void subscriptions.add(subscriber, { server: found.target.server, own: found.target.name, uri });
      }
      return honoured;
    },
    endSubscriber(subscriber) {
      void subscriptions.removeAll(subscriber);
    },
  };
}

/** What timed out is, to the caller, the operation it asked for. */
function underItsName(operation: string, handled: Handled): Handled {
  if (handled.kind !== 'failure' || handled.code !== 'TIMEOUT') return handled;
  return { ...handled, data: { ...handled.data, operation } };
}

function missing(field: string): Handled {
  return failure('INVALID_PARAMS', {}, { say: `Invalid parameters. ${field}: required.` });
}
