/**
 * `decide`: the one answer to "may this caller do this", for lists, searches and calls alike. Rules of agents and scopes
 * both apply, conditions come last, and what nothing grants is denied. It sees names, compared as they are, never the
 * catalog, so an answer cannot reveal what exists. Only `decide` mints a Permit. A decision keeps nothing, so a changed
 * policy is in force with the next one.
 */
import { type AgentRules, weighAnyTool, weighServer, weighTool } from './agent-rules.ts';
import { type Condition, type ConditionVerdict, hideBySubject, readsArguments, weighConditions } from './conditions.ts';
import type { Identity } from './identity.ts';
import type { JsonObject } from './json.ts';
import type { NameList } from './name-pattern.ts';
import {
  callableTools,
  effectiveScopes,
  findMissingScope,
  hasUiForAll,
  isScopedAdmin,
  REST_API,
  type ScopeRules,
  UI_ACTIONS,
  uiGrants,
  weighScopedAnyTool,
  weighScopedMethod,
  weighScopedTool,
  weighUi,
} from './scope-rules.ts';
import type { ServerKey } from './server.ts';
import { no, type RuleRef, type Verdict, yes } from './verdict.ts';
import { ownersOf, type Restrictions, sees, UNRESTRICTED, withoutSight } from './visibility.ts';

export type { RuleRef } from './verdict.ts';

/**
 * What is asked for: a method on a capability. `list` is asked once per capability to filter a list. Apart from `manage`
 * the right to a capability is one: what may be listed may be called, read, completed and subscribed to.
 */
export type Action = 'list' | 'call' | 'read' | 'get' | 'complete' | 'subscribe' | 'manage';

export type TargetKind = 'tool' | 'resource' | 'template' | 'prompt' | 'task' | 'server';

export interface Target {
  kind: TargetKind;
  server: ServerKey;
  /** The capability's own name (or URI) on its server. */
  name: string;
}

declare const minted: unique symbol;

/** Proof of a yes. Nothing is sent to a downstream without one. */
export interface Permit {
  readonly [minted]: true;
  readonly rule: RuleRef;
  readonly target: Target;
  /** Shadow enforcement: the rule that would have denied; null: allowed in earnest. */
  readonly wouldDeny: RuleRef | null;
}

export interface Denial {
  kind: 'deny';
  rule: RuleRef | null;
  /** Scopes whose absence alone decided, for a challenge; may be empty. */
  missing: readonly string[];
  /** The operator's own words to the caller, from a condition. */
  say: string | null;
}

export type Decision = { kind: 'allow'; permit: Permit } | Denial;

/** The compiled policy in force. */
export interface PolicySet {
  version: number;
  /**
   * `open`: no rules exist and the door is on loopback or behind one key, so an identified caller may do everything that
   * no condition forbids. `closed`: what is not granted is denied.
   */
  mode: 'open' | 'closed';
  /** `shadow`: what rules, scopes and conditions deny is let through and noted. What else denies still does. */
  enforcement: 'enforce' | 'shadow';
  /** Null: there is no rules file. */
  rules: AgentRules | null;
  /** Null: there is no scopes file, and no group in the registry. */
  scopes: ScopeRules | null;
  /** Servers of the registry that are not for everybody. */
  restricted: Restrictions;
  conditions: readonly Condition[];
  /** Which other agents an agent may act as; under `*` any caller that showed a credential. */
  actAs: ReadonlyMap<string, NameList>;
}

export const OPEN_POLICY: PolicySet = {
  version: 1,
  mode: 'open',
  enforcement: 'enforce',
  rules: null,
  scopes: null,
  restricted: UNRESTRICTED,
  conditions: [],
  actAs: new Map(),
};

/** One part of a decision, for whoever asks why. */
export interface Step {
  part: 'token' | 'visibility' | 'rules' | 'scopes' | 'default' | 'conditions' | 'management';
  answer: 'allow' | 'deny';
  rule: RuleRef;
}

const BOUND = no('token: bound to another server');
const OUT_OF_SIGHT = no('visibility');
const UNGRANTED = no('policy: neither rules nor scopes exist');
const OPEN = yes('open');
const OWNER = yes('owner');
const SCOPED_OUT = no('scopes: no grant');

/**
 * `args`: the arguments of a call, null where it has none; left out where they have not been read (`needsArguments` tells
 * when they must be). `steps` is filled with every part's answer; without it the first no ends the work.
 */
export function decide(
  policy: PolicySet,
  who: Identity,
  action: Action,
  target: Target,
  args?: JsonObject | null,
  steps: Step[] | null = null,
): Decision {
  const { rules, scopes, conditions } = policy;
  if (who.boundServer !== null && who.boundServer !== target.server) {
    steps?.push(toStep('token', BOUND));
    return denied(BOUND.rule);
  }
  // Nothing is being tried out here either: what its owner keeps to a few is kept to them.
  if (!isInSight(policy, who, target.server)) {
    steps?.push(toStep('visibility', OUT_OF_SIGHT));
    return denied(OUT_OF_SIGHT.rule);
  }
  if (action === 'manage') return decideManagement(policy, who, target, steps);

  let allowedBy = OPEN;
  let refusal: Verdict | ConditionVerdict | null = null;
  if (rules === null && scopes === null) {
    if (policy.mode === 'closed') {
      allowedBy = isOwner(who) ? OWNER : UNGRANTED;
      steps?.push(toStep('default', allowedBy));
      // Nothing is being tried out here, so there is nothing for shadow enforcement to let through.
      if (!allowedBy.isAllowed) return denied(allowedBy.rule);
    } else if (steps !== null) steps.push(toStep('default', OPEN));
  }
  let byRules: Verdict | null = null;
  if (rules !== null) {
    byRules = weighByRules(rules, who.agent, target);
    steps?.push(toStep('rules', byRules));
    if (!byRules.isAllowed) refusal = byRules;
    allowedBy = byRules;
  }
  let isScopeMissing = false;
  if (scopes !== null && (refusal === null || steps !== null)) {
    const byScopes = weighByScopes(scopes, rules, who, target);
    steps?.push(toStep('scopes', byScopes));
    if (!byScopes.isAllowed && refusal === null) {
      refusal = byScopes;
      isScopeMissing = true;
    }
    allowedBy = byRules === null ? byScopes : { isAllowed: true, rule: `${byRules.rule} and ${byScopes.rule}` };
  }
  if (conditions.length > 0 && target.kind === 'tool' && (refusal === null || steps !== null)) {
    const isListing = action === 'list';
    const counted = scopesOf(policy, who);
    const verdict = weighConditions(conditions, who, counted, target.server, target.name, args, isListing);
    if (steps !== null) steps.push(verdict === null ? NO_CONDITION : toStep('conditions', verdict));
    refusal ??= verdict;
  }

  if (refusal === null) return { kind: 'allow', permit: mint(allowedBy.rule, target, null) };
  if (policy.enforcement === 'shadow') return { kind: 'allow', permit: mint('shadow', target, refusal.rule) };
  return {
    kind: 'deny',
    rule: refusal.rule,
    // Lists ask for thousands of names and challenge for none.
    missing: isScopeMissing && scopes !== null && action !== 'list' ? missingFor(scopes, target) : [],
    say: 'say' in refusal ? refusal.say : null,
  };
}

function mint(rule: RuleRef, target: Target, wouldDeny: RuleRef | null): Permit {
  return { rule, target, wouldDeny } as Permit;
}

function denied(rule: RuleRef, missing: readonly string[] = []): Denial {
  return { kind: 'deny', rule, missing, say: null };
}

const NO_CONDITION: Step = { part: 'conditions', answer: 'allow', rule: 'conditions: none says no' };

function toStep(part: Step['part'], { isAllowed, rule }: Verdict): Step {
  return { part, answer: isAllowed ? 'allow' : 'deny', rule };
}

/** The operator: whoever holds the one key, or has logged in with the operator's password. */
function isOwner(who: Identity): boolean {
  return who.method === 'login' || (who.method === 'api-key' && who.subject === 'key');
}

/** Scopes of a caller: those that the file knows, or whatever the credential says where there is no file. */
export function scopesOf({ scopes }: PolicySet, who: Identity): readonly string[] {
  return scopes === null ? [...who.scopes] : effectiveScopes(scopes, who);
}

function weighByRules(rules: AgentRules, agent: string | null, { kind, server, name }: Target): Verdict {
  if (kind === 'tool') return weighTool(rules, agent, server, name);
  return kind === 'task' ? weighAnyTool(rules, agent, server) : weighServer(rules, agent, server);
}

function weighByScopes(scopes: ScopeRules, rules: AgentRules | null, who: Identity, target: Target): Verdict {
  const { kind, server, name } = target;
  switch (kind) {
    case 'tool':
      return weighScopedTool(scopes, who, server, name);
    case 'task':
      return weighScopedAnyTool(scopes, who, server);
    case 'prompt':
      return weighScopedMethod(scopes, who, server, 'prompts/get');
    case 'resource':
    case 'template':
      return weighScopedMethod(scopes, who, server, 'resources/read');
    case 'server':
      return weighAnything(scopes, rules, who, server);
  }
}

/** A server is there for whoever may use anything on it, by rules and scopes together. */
function weighAnything(scopes: ScopeRules, rules: AgentRules | null, who: Identity, server: string): Verdict {
  for (const method of ['resources/read', 'prompts/get']) {
    const verdict = weighScopedMethod(scopes, who, server, method);
    if (verdict.isAllowed) return verdict;
  }
  const tools = callableTools(scopes, who, server);
  if (tools === 'all') {
    const isAllowed = rules === null || weighAnyTool(rules, who.agent, server).isAllowed;
    return isAllowed ? weighScopedAnyTool(scopes, who, server) : SCOPED_OUT;
  }
  for (const tool of tools) {
    if (rules === null || weighTool(rules, who.agent, server, tool).isAllowed)
      return weighScopedTool(scopes, who, server, tool);
  }
  return SCOPED_OUT;
}

function missingFor(scopes: ScopeRules, { kind, server, name }: Target): readonly string[] {
  switch (kind) {
    case 'tool':
      return findMissingScope(scopes, server, 'tools/call', name);
    case 'prompt':
      return findMissingScope(scopes, server, 'prompts/get', null);
    case 'resource':
    case 'template':
      return findMissingScope(scopes, server, 'resources/read', null);
    default:
      return findMissingScope(scopes, server, 'tools/call', null);
  }
}

/** The right to use is no right to change: rules of agents grant none of it, and shadow enforcement lets none through. */
function decideManagement(policy: PolicySet, who: Identity, target: Target, steps: Step[] | null): Decision {
  const verdict = weighManagement(policy, who, 'modify_service', target.server);
  steps?.push(toStep('management', verdict));
  return verdict.isAllowed ? { kind: 'allow', permit: mint(verdict.rule, target, null) } : denied(verdict.rule);
}

function weighManagement(policy: PolicySet, who: Identity, action: string, resource: string | null): Verdict {
  if (policy.mode === 'open') return OPEN;
  if (policy.scopes !== null) return weighUi(policy.scopes, who, action, resource);
  return isOwner(who) ? OWNER : UNGRANTED;
}

/**
 * Whether a caller may do something in the registry (`list_service`, `toggle_service`, `get_agent` ...) to a resource, by
 * name or path; null: to some resource or other.
 */
export function mayUi(policy: PolicySet, who: Identity, action: string, resource: string | null): boolean {
  if (who.boundServer !== null && who.boundServer !== resource) return false;
  return weighManagement(policy, who, action, resource).isAllowed;
}

/** What a caller may do in the registry, action by action, to which resources; `all` stands by itself. */
export function listUiGrants(policy: PolicySet, who: Identity): ReadonlyMap<string, readonly string[]> {
  if (policy.mode === 'closed' && policy.scopes !== null) return uiGrants(policy.scopes, who);
  const actions = UI_ACTIONS.filter(action => mayUi(policy, who, action, null));
  return new Map(actions.map(action => [action, ['all']]));
}

/** Whether a caller may change everything of some kind, and so may see to the gateway itself. */
export function mayAdminister(policy: PolicySet, who: Identity): boolean {
  if (who.boundServer !== null) return false;
  if (policy.mode === 'open') return true;
  return policy.scopes === null ? isOwner(who) : isScopedAdmin(policy.scopes, who);
}

/** Whether a caller may do something in the registry to whatever there is. */
export function mayUiToAll(policy: PolicySet, who: Identity, action: string): boolean {
  if (who.boundServer !== null) return false;
  if (policy.mode === 'open') return true;
  return policy.scopes === null ? isOwner(who) : hasUiForAll(policy.scopes, who, action);
}

/**
 * Whether a server is there for a caller at all: it is public, the caller's own, kept to a group of the caller's, or the
 * caller may change every server. `decide` asks first of all, so what is out of sight is neither listed nor called.
 */
export function isInSight(policy: PolicySet, who: Identity, server: ServerKey): boolean {
  const restriction = policy.restricted.get(server);
  return restriction === undefined || sees(restriction, who) || mayUiToAll(policy, who, 'modify_service');
}

/** Whether lists of this caller may differ from those of others with the same rights: for whose they are, not for what. */
export function looksAtSubject({ conditions, restricted }: PolicySet, { subject }: Identity): boolean {
  return hideBySubject(conditions) || ownersOf(restricted).has(subject);
}

/** Methods that only keep a conversation going: whoever may use anything on a server may use these. */
const CONVERSATION: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'logging/setLevel',
  'subscriptions/listen',
]);

/** What a method is a right to, where that is another's. */
const RIGHT_OF: ReadonlyMap<string, string> = new Map([
  ['resources/subscribe', 'resources/read'],
  ['resources/unsubscribe', 'resources/read'],
  ['tasks/get', 'tools/call'],
  ['tasks/update', 'tools/call'],
  ['tasks/cancel', 'tools/call'],
  ['tasks/result', 'tools/call'],
  ['tasks/list', 'tools/call'],
]);

/**
 * Why a method may not be used at all on one server's own door, or null where it may: a look before the capability is
 * known, which `decide` still has to allow. The server `api` is the REST API and its methods are the verbs of HTTP.
 */
export function findMethodDenial(policy: PolicySet, who: Identity, server: ServerKey, method: string): Denial | null {
  if (server === REST_API) return findVerbDenial(policy, who, method);
  if (!isInSight(policy, who, server)) {
    // In the words for a name that no server has, where there are any.
    return findMethodDenial(withoutSight(policy), who, server, method) ?? denied(OUT_OF_SIGHT.rule);
  }
  const target: Target = { kind: 'server', server, name: server };
  const seen = decide(policy, who, 'list', target);
  if (seen.kind === 'deny' && (policy.scopes === null || seen.rule !== SCOPED_OUT.rule)) return seen;
  const { scopes } = policy;
  if (scopes === null || policy.enforcement === 'shadow') return null;
  const asked = RIGHT_OF.get(method) ?? method;
  const isTalk = CONVERSATION.has(asked) || asked.startsWith('notifications/');
  let verdict: Verdict;
  if (asked === 'tools/call') verdict = weighScopedAnyTool(scopes, who, server);
  else if (asked === 'completion/complete') verdict = weighEither(scopes, who, server, 'prompts/get', 'resources/read');
  else verdict = weighScopedMethod(scopes, who, server, asked);
  if (verdict.isAllowed || (isTalk && seen.kind === 'allow')) return null;
  return denied(verdict.rule, findMissingScope(scopes, server, asked, null));
}

/** Agents' rules know MCP servers only, so they have no say here; neither has shadow enforcement. */
function findVerbDenial(policy: PolicySet, who: Identity, verb: string): Denial | null {
  if (who.boundServer !== null) return denied(BOUND.rule);
  if (policy.mode === 'open') return null;
  const { scopes } = policy;
  if (scopes === null) return isOwner(who) ? null : denied(UNGRANTED.rule);
  const verdict = weighScopedMethod(scopes, who, REST_API, verb);
  return verdict.isAllowed ? null : denied(verdict.rule, findMissingScope(scopes, REST_API, verb, null));
}

export function mayMethod(policy: PolicySet, who: Identity, server: ServerKey, method: string): boolean {
  return findMethodDenial(policy, who, server, method) === null;
}

function weighEither(scopes: ScopeRules, who: Identity, server: string, one: string, other: string): Verdict {
  const verdict = weighScopedMethod(scopes, who, server, one);
  return verdict.isAllowed ? verdict : weighScopedMethod(scopes, who, server, other);
}

/** Whether `decide` on this call wants its arguments; where not, they may stay unread bytes. */
export function needsArguments(policy: PolicySet, who: Identity, { kind, server, name }: Target): boolean {
  if (policy.conditions.length === 0 || kind !== 'tool') return false;
  return readsArguments(policy.conditions, who, scopesOf(policy, who), server, name);
}

/** Scopes that a decision on this caller counts, for the record; may be empty. */
export function evaluatedScopes({ scopes }: PolicySet, who: Identity): readonly string[] {
  return scopes === null ? [] : effectiveScopes(scopes, who);
}
