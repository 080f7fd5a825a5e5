/**
 * The staircase: limit -> decide -> findRoute -> send, recorded once.
 * Every surface ends here. Identity comes in verified; what leaves is a value, in the era of whoever answered.
 */
import { type Call, type Door, type Handled, type Line, type Subscriber, withArguments } from '../../domain/call.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { isJsonObject, type JsonObject, stringOrNull } from '../../domain/json.ts';
import type { Allowed, Limited } from '../../domain/limits.ts';
import type { ListingKind } from '../../domain/listing.ts';
import { decide, evaluatedScopes, findMethodDenial, isInSight, type Target } from '../../domain/policy.ts';
import { type ServerKey, serverOfVersion } from '../../domain/server.ts';
import { withoutSight } from '../../domain/visibility.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Downstreams } from '../../ports/downstreams.ts';
import type { Recorder } from '../../ports/recorder.ts';
import type { Seal } from '../../ports/seal.ts';
import type { CatalogBook } from '../catalog/catalog-book.ts';
import { resolveAgent } from '../policy/resolve-agent.ts';
import { asActing, claimedAgent } from './acting-caller.ts';
import { createAddressed } from './addressed.ts';
import { createBridge } from './bridge.ts';
import { type Found, findPrompt, findTool, tellsItself } from './find-route.ts';
import { findGatewayTool } from './gateway-tools/definitions.ts';
import type { GatewayTools } from './gateway-tools/gateway-tools.ts';
import type { ParkedCalls } from './parked-calls.ts';
import { closeRecord, openRecord } from './recorded.ts';
import { findRegistryTool, type RegistryTools } from './registry-tools/registry-tools.ts';
import { createSend, limitedFailure, missing, refuseDenied, type SendDeps } from './send.ts';
import { createShowPath, type ShowPath } from './show-path.ts';
import type { Subscriptions } from './subscriptions.ts';
import { readTaskId } from './task-ids.ts';
import type { Turn } from './turn.ts';
import type { Visible } from './visible.ts';

export interface Gateway {
  /** One request, decided, routed and recorded. Never rejects. */
  handle(who: Identity, call: Call, line: Line): Promise<Handled>;
  /** Permitted ones of `uris` are watched for `subscriber` until it ends; returns those, with the server of each. */
  watch(
    who: Identity,
    door: Door,
    uris: readonly string[],
    subscriber: Subscriber,
  ): Promise<ReadonlyMap<string, ServerKey>>;
  endSubscriber(subscriber: Subscriber): void;
  isWatching(subscriber: Subscriber, server: ServerKey, uri: string): boolean;
  /** Whether what a server says to nobody in particular may reach a caller. */
  mayHear(who: Identity, server: ServerKey): boolean;
  /** Whether lists show a tool to a caller. */
  mayKnow(who: Identity, tool: Target): boolean;
  /** Adds, for another Gatehouse, which gateways are behind a door; to any other client the result is what it was. */
  showPath: ShowPath;
  /** No such server is there for the caller, who might use one of that name. */
  isAbsent(who: Identity, server: ServerKey): boolean;
  inFlight(): number;
}

export interface GatewayDeps extends SendDeps {
  catalog: CatalogBook;
  downstreams: Downstreams;
  visible: Visible;
  gatewayTools: GatewayTools;
  registryTools: RegistryTools;
  parked: ParkedCalls;
  seal: Seal;
  /** How long a modern server's `requestState` may take to come back. */
  stateTtlMs: number;
  /** What other gateways know this one by. */
  instance: string;
  subscriptions: Subscriptions;
  recorder: Recorder;
  clock: Clock;
  /** Of callers that name no agent. */
  defaultAgent: string | null;
  /** Calls under way at once, over all surfaces. */
  maxInFlight: number;
  /** Waits for servers that are still starting. */
  settled: () => Promise<void>;
  settledOne: (server: ServerKey) => Promise<void>;
  debug: boolean;
}

const LISTS: Record<string, ListingKind> = {
  'tools/list': 'tools',
  'resources/list': 'resources',
  'resources/templates/list': 'templates',
  'prompts/list': 'prompts',
};

export function createGateway(deps: GatewayDeps): Gateway {
  const { catalog, policy, visible, gatewayTools, registryTools, subscriptions, recorder, clock, audit, limiter } =
    deps;
  const steps = createSend({ ...deps, bridge: createBridge(deps) });
  const { findDenial, deniedByName, denyHidden, send } = steps;
  const addressed = createAddressed({ ...deps, ...steps, look, settled: settledBehind });
  const mayHear = (who: Identity, server: ServerKey) =>
    visible.isServerVisible(asActing(policy.current(), who, deps.defaultAgent), serverOfVersion(server));
  const showPath = createShowPath({ catalog, mayHear, instance: deps.instance });
  let inFlight = 0;

  async function handle(who: Identity, call: Call, line: Line): Promise<Handled> {
    const record = openRecord(clock, who, call, line);
    inFlight++;
    let handled: Handled;
    try {
      handled = await admit({ who, caller: who, call, line, record });
    } catch (cause) {
      handled = failure(
        'INTERNAL',
        {},
        { detail: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) },
      );
    }
    inFlight--;
    closeRecord(record, handled, call, clock, recorder);
    const written = audit.conclude(record);
    // What a caller was told is in the book.
    if (written !== null) await written;
    return handled;
  }

  /** limit: over all surfaces, before anything is looked up. */
  function admit(turn: Turn): Promise<Handled> | Handled {
    const { who, call } = turn;
    if (inFlight > deps.maxInFlight) return failure('OVERLOADED', {}, { retryAfterMs: 1000 });
    const taken = limiter.take(who, { method: call.method, server: call.door.server, tool: null });
    if (taken instanceof Promise) return taken.then(verdict => admitted(turn, verdict));
    return admitted(turn, taken);
  }

  function admitted(turn: Turn, taken: Allowed | Limited): Promise<Handled> | Handled {
    if (taken.kind === 'limited') return limitedFailure(taken);
    if (taken.slot === 0) return dispatch(turn);
    return release(taken.slot, dispatch(turn));
  }

  async function release(slot: number, handled: Promise<Handled> | Handled): Promise<Handled> {
    try {
      return await handled;
    } finally {
      limiter.release(slot);
    }
  }

  /** Whom the rules take the caller for. The record says who acts, and for whom. */
  function actAs(turn: Turn, claimed: string | null): Failure | null {
    const { caller, record } = turn;
    const acting = resolveAgent(policy.current(), caller, claimed, deps.defaultAgent, record.operation);
    if (acting.kind === 'failure') {
      if (acting.code === 'DENIED_BY_POLICY') record.rule = stringOrNull(acting.data.rule);
      return acting;
    }
    become(turn, acting);
    return null;
  }

  function become(turn: Turn, acting: Identity): void {
    turn.who = acting;
    turn.record.agent = acting.agent;
    turn.record.agentVerified = acting.agentVerified;
    turn.record.actingFor = acting.actingAgent ?? null;
  }

  /** What has no effect is not announced, but nothing is given away that nobody can write down. */
  function unwritten(): Failure | null {
    return audit.isRefusing() ? failure('AUDIT_UNAVAILABLE', {}, { retryAfterMs: 1000 }) : null;
  }

  /** One server's own door: a method nobody granted on it is refused before anything is looked up. */
  function atDoor(turn: Turn, server: ServerKey): Failure | null {
    const who = asActing(policy.current(), turn.caller, deps.defaultAgent);
    const no = findMethodDenial(policy.current(), who, server, turn.call.method);
    if (no === null) return null;
    turn.record.server = server;
    turn.record.evaluatedScopes = evaluatedScopes(policy.current(), who);
    return refuseDenied(turn, no.rule, no.missing, no.say);
  }

  function dispatch(turn: Turn): Promise<Handled> | Handled {
    const { method, params } = turn.call;
    if (turn.call.door.server !== null) {
      const no = atDoor(turn, turn.call.door.server);
      if (no !== null) return no;
    }
    // The gateway's own tools carry the agent's id among their arguments.
    if (LISTS[method] !== undefined) become(turn, asActing(policy.current(), turn.caller, deps.defaultAgent));
    else if (method !== 'tools/call') {
      const no = actAs(turn, null) ?? unwritten();
      if (no !== null) return no;
    }
    switch (method) {
      case 'tools/call':
        return callTool(turn);
      case 'tools/list':
      case 'resources/list':
      case 'resources/templates/list':
      case 'prompts/list':
        return list(turn);
      case 'prompts/get':
        if (typeof params.name !== 'string') return missing('name');
        return getPrompt(turn, params.name);
      case 'resources/read':
        if (typeof params.uri !== 'string') return missing('uri');
        return addressed.read(turn, params.uri);
      case 'completion/complete':
        return addressed.complete(turn);
      case 'resources/subscribe':
      case 'resources/unsubscribe':
        return addressed.subscribe(turn);
      case 'tasks/get':
      case 'tasks/update':
      case 'tasks/cancel':
        return sendTask(turn);
      default:
        return failure('METHOD_NOT_FOUND', {}, { say: `Method not found: ${method.slice(0, 100)}` });
    }
  }

  async function list({ who, caller, call, line }: Turn): Promise<Handled> {
    // One page holds everything, so no cursor was ever given out.
    if (call.params.cursor !== undefined) return failure('INVALID_PARAMS', {}, { say: 'Unknown cursor.' });
    await settledBehind(call.door);
    const kind = LISTS[call.method];
    if (kind === undefined) return failure('METHOD_NOT_FOUND');
    const listed = visible.list(who, call.door, kind, call.era);
    const result = showPath(listed.result, caller, call.door, kind === 'tools' ? line.clientInfo : null);
    return result === listed.result ? listed : { ...listed, result, bytes: null };
  }

  const knownTo = (turn: Turn) => (target: Target) =>
    decide(policy.current(), turn.who, 'list', target).kind === 'allow';
  const sees = ({ who }: Turn, server: ServerKey) => isInSight(policy.current(), who, server);
  /** What is out of sight is not there: a public name leads to it as little as one that nobody has. */
  const seen = <F extends Found>(turn: Turn, found: F | null) =>
    found !== null && sees(turn, found.target.server) ? found : null;

  function callTool(turn: Turn): Promise<Handled> | Handled {
    const { who, call, record } = turn;
    const { params, door } = call;
    const { name } = params;
    if (typeof name !== 'string') return missing('name');
    if (params.arguments !== undefined && !isJsonObject(params.arguments)) {
      return failure('INVALID_PARAMS', {}, { say: 'Invalid parameters. arguments: must be an object.' });
    }
    const [own, ofRegistry] =
      door.server === null ? [findGatewayTool(name, deps.debug), findRegistryTool(name)] : [null, null];
    const exposure = own === null && ofRegistry === null ? 'direct' : visible.exposure(who, door);
    // What a list shows under a name is what is called by it: ours wherever our tools are listed.
    const isOurs = exposure === 'registry' || (exposure !== 'direct' && own !== null);
    const named = door.server === null && !isOurs ? catalog.current().tools.get(name) : undefined;
    const listed: Target | null = named ? { kind: 'tool', server: named.server, name: named.own } : null;
    const isSeen = listed !== null && sees(turn, listed.server);
    if (ofRegistry !== null && exposure !== 'direct' && !isSeen) {
      // Rights in the registry are the caller's own, as they are over REST: no agent is asked for.
      return registryTools.run(ofRegistry, turn, withArguments(params, call.argumentBytes).arguments);
    }
    const no = own === null ? actAs(turn, null) : null;
    if (no !== null) return no;
    // Names of ours are no secret. Others that do not tell their server lead on, below, for those who may use the tool.
    if (isSeen && (tellsItself(name, listed) || ofRegistry !== null || knownTo(turn)(listed)))
      return send(turn, listed, { ...params, name: listed.name }, null);
    if (own !== null) {
      record.operation = own;
      const whole = { ...call, params: withArguments(params, call.argumentBytes), argumentBytes: null };
      const claimed = claimedAgent(whole.params.arguments);
      const unknown = typeof claimed === 'string' || claimed === null ? actAs(turn, claimed) : claimed;
      if (unknown !== null) return unknown;
      const hidden = own === 'get_server_tools' ? denyHidden(turn, whole.params.arguments) : null;
      if (hidden !== null) return hidden;
      const runTool = (
        target: { server: string; tool: string } | { name: string },
        inner: JsonObject,
        timeoutMs: number | null,
      ) => {
        const find = () =>
          'server' in target
            ? findTool(catalog.current(), { server: target.server, exposure: null }, target.tool, knownTo(turn))
            : seen(turn, findTool(catalog.current(), door, target.name, knownTo(turn)));
        return sendTool({ ...turn, call: whole }, find, 'name' in target ? target.name : target.tool, inner, timeoutMs);
      };
      return gatewayTools.run(own, turn.who, whole, runTool).then(handled => underItsName(own, handled));
    }
    const find = () => {
      const found = findTool(catalog.at(door), door, name, knownTo(turn));
      return door.server === null ? seen(turn, found) : found;
    };
    return sendTool(turn, find, name, params, null);
  }

  /** Every server, or the one version a door is pinned to: nobody else starts that. */
  function settledBehind(door: Door): Promise<void> {
    if (door.server === null) return deps.settled();
    const connection = catalog.connectionOf(door, door.server);
    return connection === door.server ? deps.settled() : deps.settledOne(connection);
  }

  function look<F extends Found>(door: Door, find: () => F | null): F | Promise<F | null> {
    const found = find();
    return found?.listed === true ? found : lookAgain(door, found, find);
  }

  /** What is not listed may be a starting server's: that one is waited for where the name tells it, else all are. */
  async function lookAgain<F extends Found>(door: Door, found: F | null, find: () => F | null): Promise<F | null> {
    await (found === null ? settledBehind(door) : deps.settledOne(catalog.connectionOf(door, found.target.server)));
    return find();
  }

  /** Denied before unknown: what may not be called is refused alike whether it exists or not. */
  async function sendTool(
    turn: Turn,
    find: () => Found | null,
    name: string,
    params: JsonObject,
    timeoutMs: number | null,
  ): Promise<Handled> {
    let found = find();
    const isHidden = found !== null && !sees(turn, found.target.server);
    if (found === null || !found.listed || isHidden) {
      const no = found === null ? null : findDenial(turn, 'call', found.target);
      if (no !== null) return no;
      if (found !== null && isHidden) return noServer(found.target.server);
      // Its server may still be starting; with its list a name can lead somewhere else (hashed names, no prefix).
      found = await lookAgain(turn.call.door, found, find);
      if (found === null)
        return (
          deniedByName(turn, 'tool', name) ?? failure('TOOL_NOT_FOUND', { tool: name.slice(0, 200), server: null })
        );
    }
    const { target } = found;
    if (!found.listed) {
      const view = catalog.at(turn.call.door).servers.get(target.server);
      if (view === undefined) return noServer(target.server);
      // Before its list is read nobody knows whether the tool still says what was approved.
      const { listing, reason } = view;
      if (listing === null)
        return failure('SERVER_UNAVAILABLE', { server: target.server, reason: reason ?? NOT_READ }, SOON);
      return failure('TOOL_NOT_FOUND', { tool: target.name.slice(0, 200), server: target.server });
    }
    return send(turn, target, { ...params, name: target.name }, timeoutMs);
  }

  async function getPrompt(turn: Turn, name: string): Promise<Handled> {
    const { call } = turn;
    const { door } = call;
    const found = await look(door, () => {
      const prompt = findPrompt(catalog.at(door), door, name, knownTo(turn));
      return door.server === null ? seen(turn, prompt) : prompt;
    });
    if (found === null) return deniedByName(turn, 'prompt', name) ?? failure('PROMPT_NOT_FOUND');
    return send(turn, found.target, { ...call.params, name: found.target.name }, null);
  }

  function sendTask(turn: Turn): Promise<Handled> | Handled {
    const { call } = turn;
    const task = readTaskId(deps.seal, turn.who.subject, call.params.taskId);
    const server = task === null ? null : serverOfVersion(task.server);
    const isThere = server !== null && catalog.at(call.door).servers.has(server);
    // Another version's tasks are not this one's.
    if (task === null || !isThere || catalog.originOf(call.door, server) !== task.server)
      return failure('TASK_NOT_FOUND');
    const target: Target = { kind: 'task', server, name: task.own };
    return send(turn, target, { ...call.params, taskId: task.own }, null);
  }

  return {
    handle,
    inFlight: () => inFlight,
    watch: addressed.watch,
    endSubscriber(subscriber) {
      void subscriptions.removeAll(subscriber);
    },
    isWatching: (subscriber, server, uri) => subscriptions.has(subscriber, server, uri),
    isAbsent(who, server) {
      const acting = asActing(policy.current(), who, deps.defaultAgent);
      const isThere = catalog.current().servers.has(server) && isInSight(policy.current(), acting, server);
      return !isThere && visible.isServerVisible(acting, server, withoutSight(policy.current()));
    },
    ...{ mayHear, showPath },
    mayKnow: (who, tool) =>
      decide(policy.current(), asActing(policy.current(), who, deps.defaultAgent), 'list', tool).kind === 'allow',
  };
}

const SOON = { retryAfterMs: 1000 };
const NOT_READ = 'Its list of tools is not read yet.';

/** To ask again would not help, and the table's sentence sounds as if it might. */
function noServer(key: ServerKey): Failure {
  const server = key.slice(0, 200);
  const say = `There is no server ${server}: name it as find_tools, intelligent_tool_finder or list_servers does.`;
  return failure('SERVER_UNAVAILABLE', { server, reason: 'No server of this name.' }, { say });
}

/** What timed out is, to the caller, the operation it asked for. */
function underItsName(operation: string, handled: Handled): Handled {
  if (handled.kind !== 'failure' || handled.code !== 'TIMEOUT') return handled;
  return { ...handled, data: { ...handled.data, operation } };
}
