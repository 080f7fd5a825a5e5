/**
 * Would this message be let through? Asked by a proxy that carries it to a server itself, and answered by the questions
 * that the doors ask: quarantine, pinned definitions, rules, scopes, conditions. Nothing is sent, and nobody learns
 * more than a yes or a no.
 */
import type { Catalog } from '../../domain/catalog.ts';
import type { Identity } from '../../domain/identity.ts';
import { isJsonObject, type JsonObject } from '../../domain/json.ts';
import { type Action, decide, findMethodDenial, isInSight, type PolicySet, type Target } from '../../domain/policy.ts';
import { REST_API } from '../../domain/scope-rules.ts';
import { type ServerKey, versionKey } from '../../domain/server.ts';
import type { RuleRef } from '../../domain/verdict.ts';
import { withoutSight } from '../../domain/visibility.ts';
import type { Pins } from '../catalog/pins.ts';
import type { Quarantine } from '../limits/quarantine.ts';
import { asActing } from './acting-caller.ts';
import { findPrompt, findResource, findTool, readName } from './find-route.ts';
import { findGatewayTool } from './gateway-tools/definitions.ts';
import { findToolDenial } from './registry-tools/registry-tool.ts';
import { findRegistryTool } from './registry-tools/registry-tools.ts';

export interface CallQuestion {
  /** By its own door; null: by the door to everything. */
  server: string | null;
  /** Of MCP, or a verb of HTTP for the server `api`. */
  method: string;
  params: JsonObject;
}

export type CallVerdict =
  | { kind: 'allowed'; server: string | null; tool: string | null; rule: RuleRef | null }
  | { kind: 'denied'; server: string | null; tool: string | null; rule: RuleRef | null; missing: readonly string[] };

export interface MayCallDeps {
  policy(): PolicySet;
  catalog(): Catalog;
  quarantine: Pick<Quarantine, 'isBlocked'>;
  pins: Pick<Pins, 'isHeld'>;
  /** Waits for a server that was not listed yet. */
  settledOne(server: ServerKey): Promise<void>;
  defaultAgent: string | null;
  debug: boolean;
}

const UNKNOWN = 'names nothing that is known';

export type MayCall = (who: Identity, question: CallQuestion) => Promise<CallVerdict>;

/** Methods that mean one capability, and what is asked for it. */
const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ['tools/call', 'call'],
  ['prompts/get', 'get'],
  ['resources/read', 'read'],
  ['resources/subscribe', 'subscribe'],
  ['resources/unsubscribe', 'subscribe'],
]);

export function createMayCall(deps: MayCallDeps): MayCall {
  const denied = (server: string | null, tool: string | null, rule: RuleRef | null, missing: readonly string[] = []) =>
    ({ kind: 'denied', server, tool, rule, missing }) as const;

  return async (who, question) => {
    const verdict = judge(who, question);
    if (verdict.kind !== 'unread') return verdict;
    await deps.settledOne(verdict.server);
    const then = judge(who, question);
    return then.kind === 'unread' ? denied(then.server, then.tool, UNKNOWN) : then;
  };

  /** `unread`: nobody knows yet whether the tool still says what was approved. */
  function judge(
    who: Identity,
    { server, method, params }: CallQuestion,
  ): CallVerdict | { kind: 'unread'; server: ServerKey; tool: string } {
    const policy = deps.policy();
    if (server === REST_API) {
      const denial = findMethodDenial(policy, who, REST_API, method);
      if (denial !== null) return denied(server, null, denial.rule, denial.missing);
      return { kind: 'allowed', server, tool: null, rule: null };
    }
    const acting = asActing(policy, who, deps.defaultAgent);
    // Of a server out of sight no other answer than of one that does not exist.
    const told = withoutSight(policy);
    const isThere = (key: string) => deps.catalog().servers.has(key) && isInSight(policy, acting, key);
    const named = method === 'tools/call' && typeof params.name === 'string' ? params.name : null;
    if (server !== null) {
      if (deps.quarantine.isBlocked(acting, server, null)) return denied(server, named, 'quarantine');
      const denial = findMethodDenial(told, acting, server, method);
      if (denial !== null) return denied(server, named, denial.rule, denial.missing);
      if (!isThere(server)) return denied(server, named, UNKNOWN);
    }
    const action = ACTIONS.get(method);
    // What asks for no capability in particular: lists show what may be used, and tell nothing more.
    if (action === undefined) return { kind: 'allowed', server, tool: null, rule: null };
    // Our own tools decide for what they are asked to call.
    if (server === null && named !== null && findGatewayTool(named, deps.debug) !== null) {
      return { kind: 'allowed', server, tool: named, rule: null };
    }
    const ofRegistry = server === null && named !== null ? findRegistryTool(named) : null;
    if (ofRegistry !== null && !deps.catalog().tools.has(ofRegistry.name)) {
      const isShutOut = deps.quarantine.isBlocked(who, REST_API, null);
      const rule = isShutOut ? 'quarantine' : findToolDenial(policy, who, ofRegistry);
      if (rule !== null) return denied(null, named, rule);
      return { kind: 'allowed', server: null, tool: named, rule: null };
    }
    const mayKnow = (target: Target) => decide(policy, acting, 'list', target).kind === 'allow';
    const target = findTarget(deps.catalog(), server, method, params, mayKnow);
    if (target === null) return denied(server, named, UNKNOWN);
    const tool = target.kind === 'tool' ? target.name : null;
    if (deps.quarantine.isBlocked(acting, target.server, tool)) return denied(target.server, tool, 'quarantine');
    const args = isJsonObject(params.arguments) ? params.arguments : null;
    const decision = decide(told, acting, action, target, args);
    if (decision.kind === 'deny') return denied(target.server, tool, decision.rule, decision.missing);
    if (!isThere(target.server)) return denied(target.server, tool, UNKNOWN);
    const { version, listing = null } = deps.catalog().servers.get(target.server) ?? {};
    if (tool !== null && listing === null) return { kind: 'unread', server: target.server, tool };
    const isListed = tool === null || deps.catalog().ownTools.get(target.server)?.has(tool) === true;
    if (!isListed) return denied(target.server, tool, UNKNOWN);
    if (tool !== null && deps.pins.isHeld(versionKey(target.server, version), tool)) {
      return denied(target.server, tool, 'definition: changed since it was approved');
    }
    return { kind: 'allowed', server: target.server, tool, rule: decision.permit.rule };
  }
}

function findTarget(
  catalog: Catalog,
  server: string | null,
  method: string,
  { name, uri }: JsonObject,
  mayKnow: (target: Target) => boolean,
): Target | null {
  const door = { server, exposure: null };
  if (method === 'tools/call') {
    if (typeof name !== 'string') return null;
    return findTool(catalog, door, name, mayKnow)?.target ?? readName('tool', name);
  }
  if (method === 'prompts/get')
    return typeof name === 'string' ? (findPrompt(catalog, door, name, mayKnow)?.target ?? null) : null;
  return typeof uri === 'string' ? (findResource(catalog, door, uri, mayKnow)?.target ?? null) : null;
}
