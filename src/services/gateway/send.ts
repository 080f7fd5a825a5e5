/**
 * The last steps of the staircase, for whatever goes to a server: quarantine, decide, the server's own limits, the book,
 * and only then the bridge. Each step needs what the one before it made; nothing is sent without a permit.
 */
import { hasEffect } from '../../domain/audit.ts';
import { type Reply, withArguments } from '../../domain/call.ts';
import { type Failure, failure } from '../../domain/error.ts';
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.ts';
import type { Allowed, Limited } from '../../domain/limits.ts';
import {
  type Action,
  decide,
  evaluatedScopes,
  isInSight,
  needsArguments,
  type Permit,
  type PolicySet,
  type RuleRef,
  type Target,
} from '../../domain/policy.ts';
import { withoutSight } from '../../domain/visibility.ts';
import type { AuditLedger } from '../../ports/audit.ts';
import type { CatalogBook } from '../catalog/catalog-book.ts';
import type { Pins } from '../catalog/pins.ts';
import type { Limiter } from '../limits/limiter.ts';
import type { Quarantine } from '../limits/quarantine.ts';
import type { PolicyBook } from '../policy/policy-book.ts';
import type { Bridge } from './bridge.ts';
import { readName } from './find-route.ts';
import type { Turn } from './turn.ts';

/** A name may be as long as a body; a record is a line. */
const MAX_RECORDED_NAME = 300;

/** Said only to whoever may use the tool. */
const HELD = 'The definition of this tool has changed since it was approved; an operator has to look at it first.';

const ACTIONS: Record<string, Action> = {
  'tools/call': 'call',
  'prompts/get': 'get',
  'resources/read': 'read',
  'completion/complete': 'complete',
};

export interface Send {
  /** decide, and write down what was decided. */
  permitFor(turn: Turn, action: Action, target: Target, args?: JsonObject | null): Permit | Failure;
  /**
   * The same for a name that leads nowhere: of a server out of sight no other answer than of one that does not exist. Null:
   * nothing to object to, and nothing to send.
   */
  findDenial(turn: Turn, action: Action, target: Target): Failure | null;
  /** What leads nowhere is refused as a server's own would be: otherwise a denial would tell that the server exists. */
  deniedByName(turn: Turn, kind: 'tool' | 'prompt', name: string): Failure | null;
  /** Of a server that the caller may not use nothing is told, not even that there is none. `args`: name it as `server`. */
  denyHidden(turn: Turn, args: Json | undefined): Failure | null;
  /** `params` name things as their server knows them. `timeoutMs` null: the server's own limit. */
  send(turn: Turn, target: Target, params: JsonObject, timeoutMs: number | null): Promise<Reply | Failure> | Failure;
}

export interface SendDeps {
  catalog: Pick<CatalogBook, 'at' | 'originOf'>;
  policy: PolicyBook;
  quarantine: Quarantine;
  limiter: Limiter;
  /** What has an effect is announced here before it, and everything is written down after. */
  audit: AuditLedger;
  /** Tools that wait for an operator. */
  pins: Pick<Pins, 'isHeld'>;
}

export function createSend(deps: SendDeps & { bridge: Bridge }): Send {
  const { catalog, policy, quarantine, limiter, audit, pins, bridge } = deps;

  const permitFor = (turn: Turn, action: Action, target: Target, args?: JsonObject | null) =>
    permitBy(policy.current(), turn, action, target, args);

  function findDenial(turn: Turn, action: Action, target: Target): Failure | null {
    const permit = permitBy(withoutSight(policy.current()), turn, action, target);
    if ('kind' in permit) return permit;
    if (!isInSight(policy.current(), turn.who, target.server)) {
      // For the book alone.
      turn.record.code = 'DENIED_BY_POLICY';
      turn.record.rule = 'visibility';
    }
    return null;
  }

  function permitBy(
    inForce: PolicySet,
    turn: Turn,
    action: Action,
    target: Target,
    args?: JsonObject | null,
  ): Permit | Failure {
    const { who, record } = turn;
    record.server = target.server;
    record.target = target.name.slice(0, MAX_RECORDED_NAME);
    const version = catalog.at(turn.call.door).servers.get(target.server)?.version;
    if (version !== undefined) record.metadata = { ...record.metadata, version };
    record.evaluatedScopes = evaluatedScopes(inForce, who);
    const block = quarantine.isEmpty()
      ? null
      : quarantine.findBlock(who, target.server, target.kind === 'tool' ? target.name : null);
    if (block !== null) return refuseDenied(turn, `quarantine.${block.kind}`, [], null);
    const decision = decide(inForce, who, action, target, args);
    if (decision.kind === 'deny') return refuseDenied(turn, decision.rule, decision.missing, decision.say);
    const origin = catalog.originOf(turn.call.door, target.server);
    if (target.kind === 'tool' && action === 'call' && pins.isHeld(origin, target.name))
      return refuseDenied(turn, 'definition: changed since it was approved', [], HELD);
    record.rule = decision.permit.rule;
    record.wouldDeny = decision.permit.wouldDeny;
    return decision.permit;
  }

  function send(
    turn: Turn,
    target: Target,
    params: JsonObject,
    timeoutMs: number | null,
  ): Promise<Reply | Failure> | Failure {
    const { who, call } = turn;
    const args = needsArguments(policy.current(), who, target) ? argumentsOf(params, call.argumentBytes) : undefined;
    const permit = permitFor(turn, ACTIONS[call.method] ?? 'call', target, args);
    if ('kind' in permit) return permit;
    if (call.door.server !== null) return announce(turn, permit, params, timeoutMs);
    const operation = { method: call.method, server: target.server, tool: target.kind === 'tool' ? target.name : null };
    const taken = limiter.takeOnServer(who, operation);
    if (taken instanceof Promise) return taken.then(verdict => sendTaken(turn, permit, params, timeoutMs, verdict));
    return sendTaken(turn, permit, params, timeoutMs, taken);
  }

  function sendTaken(
    turn: Turn,
    permit: Permit,
    params: JsonObject,
    timeoutMs: number | null,
    taken: Allowed | Limited,
  ): Promise<Reply | Failure> | Failure {
    if (taken.kind === 'limited') return limitedFailure(taken);
    const reply = announce(turn, permit, params, timeoutMs);
    return taken.slot === 0 ? reply : reply.finally(() => limiter.release(taken.slot));
  }

  /** In the book first, where it has an effect. */
  function announce(turn: Turn, permit: Permit, params: JsonObject, timeoutMs: number | null): Promise<Reply> {
    const { who, call, line, record } = turn;
    const going = hasEffect(call.method) ? audit.intend(record) : null;
    if (going === null) return bridge.send(permit, who, call, line, params, timeoutMs);
    return going.then(mayGo =>
      mayGo
        ? bridge.send(permit, who, call, line, params, timeoutMs)
        : failure('AUDIT_UNAVAILABLE', {}, { retryAfterMs: 1000 }),
    );
  }

  function deniedByName(turn: Turn, kind: 'tool' | 'prompt', name: string): Failure | null {
    const target = readName(kind, name);
    if (target === null) return null;
    const no = findDenial(turn, kind === 'tool' ? 'call' : 'get', target);
    if (no !== null || turn.record.code !== null) return no;
    turn.record.server = null;
    turn.record.target = null;
    return null;
  }

  function denyHidden(turn: Turn, args: Json | undefined): Failure | null {
    const server = isJsonObject(args) ? args.server : null;
    if (typeof server !== 'string') return null;
    const no = findDenial(turn, 'list', { kind: 'server', server, name: server });
    turn.record.target = null;
    return no;
  }

  return { permitFor, findDenial, deniedByName, denyHidden, send };
}

/** The parameters' arguments, whichever way they are kept. */
function argumentsOf(params: JsonObject, argumentBytes: Uint8Array | null): JsonObject | null {
  const { arguments: args } = withArguments(params, argumentBytes);
  return isJsonObject(args) ? args : null;
}

/** The rule goes into the record as well as to the caller. */
export function refuseDenied(
  { who, record }: Turn,
  rule: RuleRef | null,
  missing: readonly string[],
  say: string | null,
): Failure {
  record.rule = rule;
  const scopes = missing.length === 0 ? {} : { missing_scopes: [...missing] };
  const data = { agent_id: who.agent, operation: record.operation, rule, ...scopes };
  return failure('DENIED_BY_POLICY', data, say === null ? {} : { say });
}

export function limitedFailure({ scope, limit, remaining, retryAfterMs, resetMs }: Limited): Failure {
  return failure('RATE_LIMITED', { scope, limit, remaining, reset_ms: resetMs }, { retryAfterMs });
}

export function missing(field: string): Failure {
  return failure('INVALID_PARAMS', {}, { say: `Invalid parameters. ${field}: required.` });
}
