/**
 * `scopes.yml`, compiled: group -> scopes, scope -> servers with methods and tools, scope -> actions of the registry.
 * Grants add up and nothing else does: no scope takes away, an empty list is nobody, what is not granted is denied.
 * `*` and `all` stand for every name and only by themselves. A tool may be called where one entry names both it and
 * `tools/call`. The REST API is the server `api`, which a `*` does not mean.
 */
import type { Identity } from './identity.ts';
import { formatRef, no, type Verdict, yes } from './verdict.ts';

export interface WrittenGrant {
  /** Slashes trimmed; null: every server. */
  readonly server: string | null;
  readonly methods: readonly string[] | 'all';
  readonly tools: readonly string[] | 'all';
  /** Place of the entry below its scope. */
  readonly place: number;
}

export interface WrittenUiGrant {
  readonly action: string;
  readonly resources: readonly string[] | 'all';
  /** The path of the grant in the file. */
  readonly path: readonly (string | number)[];
}

export interface WrittenScopes {
  readonly mappings: ReadonlyMap<string, readonly string[]>;
  readonly servers: ReadonlyMap<string, readonly WrittenGrant[]>;
  readonly ui: ReadonlyMap<string, readonly WrittenUiGrant[]>;
}

/** What a caller may do on one server. */
export interface ServerRights {
  readonly methods: ReadonlyMap<string, Verdict>;
  readonly anyMethod: Verdict | null;
  readonly tools: ReadonlyMap<string, Verdict>;
  readonly anyTool: Verdict | null;
}

interface UiRight {
  readonly resources: ReadonlyMap<string, Verdict>;
  readonly any: Verdict | null;
}

/** What all scopes of a caller come to. */
export interface Rights {
  /** In the order of mappings, then of the credential; each once. */
  readonly scopes: readonly string[];
  readonly byServer: ReadonlyMap<string, ServerRights>;
  readonly elsewhere: ServerRights;
  readonly ui: ReadonlyMap<string, UiRight>;
}

export interface ScopeRules {
  readonly written: WrittenScopes;
  /** By groups and scopes of an identity, which its credential keeps; nothing else of a caller counts. */
  readonly byCaller: WeakMap<ReadonlySet<string>, WeakMap<ReadonlySet<string>, Rights>>;
  /** Callers with the same scopes share their rights. Bounded. */
  readonly byScopes: Map<string, Rights>;
}

export const REST_API = 'api';
const MAX_KEPT = 1000;
const NO_GRANT = no('scopes: no grant');
const NO_GROUPS: ReadonlySet<string> = new Set();

export function compileScopeRules(written: WrittenScopes): ScopeRules {
  return { written, byCaller: new WeakMap(), byScopes: new Map() };
}

/** Scopes that count for a caller: those its groups map to and its own, as far as the file knows them. */
export function effectiveScopes(rules: ScopeRules, who: Identity): readonly string[] {
  return rightsOf(rules, who).scopes;
}

export function rightsOf(rules: ScopeRules, who: Identity): Rights {
  // A token of ours was given out for some of its owner's scopes; their groups would bring back the rest.
  const groups = who.method === 'vended' ? NO_GROUPS : who.groups;
  let byScopes = rules.byCaller.get(groups);
  if (byScopes === undefined) {
    byScopes = new WeakMap();
    rules.byCaller.set(groups, byScopes);
  }
  let rights = byScopes.get(who.scopes);
  if (rights === undefined) {
    rights = findRights(rules, namesOf(rules.written, groups, who.scopes));
    byScopes.set(who.scopes, rights);
  }
  return rights;
}

function namesOf(
  { mappings, servers, ui }: WrittenScopes,
  groups: ReadonlySet<string>,
  own: ReadonlySet<string>,
): string[] {
  const names = new Set<string>();
  for (const [group, scopes] of mappings) {
    if (groups.has(group)) for (const scope of scopes) names.add(scope);
  }
  for (const scope of own) names.add(scope);
  return [...names].filter(name => servers.has(name) || ui.has(name));
}

function findRights(rules: ScopeRules, scopes: readonly string[]): Rights {
  const key = JSON.stringify(scopes);
  const kept = rules.byScopes.get(key);
  if (kept !== undefined) return kept;
  if (rules.byScopes.size >= MAX_KEPT) rules.byScopes.clear();
  const rights = compileRights(rules.written, scopes);
  rules.byScopes.set(key, rights);
  return rights;
}

interface Draft {
  methods: Map<string, Verdict>;
  anyMethod: Verdict | null;
  tools: Map<string, Verdict>;
  anyTool: Verdict | null;
}

const draft = (): Draft => ({ methods: new Map(), anyMethod: null, tools: new Map(), anyTool: null });

function compileRights(written: WrittenScopes, scopes: readonly string[]): Rights {
  const elsewhere = draft();
  const byServer = new Map<string, Draft>();
  const everywhere: [grant: WrittenGrant, verdict: Verdict][] = [];
  const ui = new Map<string, { resources: Map<string, Verdict>; any: Verdict | null }>();
  for (const scope of scopes) {
    for (const grant of written.servers.get(scope) ?? []) {
      const verdict = yes(formatRef('scopes', scope, grant.place));
      if (grant.server === null) {
        everywhere.push([grant, verdict]);
        continue;
      }
      let rights = byServer.get(grant.server);
      if (rights === undefined) {
        rights = draft();
        byServer.set(grant.server, rights);
      }
      addGrant(rights, grant, verdict);
    }
    for (const { action, resources, path } of written.ui.get(scope) ?? []) {
      const verdict = yes(formatRef('scopes', ...path));
      const right = ui.get(action) ?? { resources: new Map<string, Verdict>(), any: null };
      ui.set(action, right);
      if (resources === 'all') right.any ??= verdict;
      else for (const resource of resources) addOnce(right.resources, trimSlashes(resource), verdict);
    }
  }
  for (const [grant, verdict] of everywhere) {
    addGrant(elsewhere, grant, verdict);
    for (const [server, rights] of byServer) if (server !== REST_API) addGrant(rights, grant, verdict);
  }
  return { scopes, byServer, elsewhere, ui };
}

function addGrant(rights: Draft, { methods, tools }: WrittenGrant, verdict: Verdict): void {
  if (methods === 'all') rights.anyMethod ??= verdict;
  else for (const method of methods) addOnce(rights.methods, method, verdict);
  if (methods !== 'all' && !methods.includes('tools/call')) return;
  if (tools === 'all') rights.anyTool ??= verdict;
  else for (const tool of tools) addOnce(rights.tools, tool, verdict);
}

function addOnce(verdicts: Map<string, Verdict>, name: string, verdict: Verdict): void {
  if (!verdicts.has(name)) verdicts.set(name, verdict);
}

const NOTHING: ServerRights = draft();

function serverRights(rules: ScopeRules, who: Identity, server: string): ServerRights {
  const { byServer, elsewhere } = rightsOf(rules, who);
  return byServer.get(server) ?? (server === REST_API ? NOTHING : elsewhere);
}

export function weighScopedTool(rules: ScopeRules, who: Identity, server: string, tool: string): Verdict {
  const { tools, anyTool } = serverRights(rules, who, server);
  return tools.get(tool) ?? anyTool ?? NO_GRANT;
}

/** Every tool (`all`), or the names of those that may be called; empty: none. */
export function callableTools(rules: ScopeRules, who: Identity, server: string): 'all' | Iterable<string> {
  const { tools, anyTool } = serverRights(rules, who, server);
  return anyTool === null ? tools.keys() : 'all';
}

export function weighScopedAnyTool(rules: ScopeRules, who: Identity, server: string): Verdict {
  const { tools, anyTool } = serverRights(rules, who, server);
  return anyTool ?? tools.values().next().value ?? NO_GRANT;
}

/** Any method but `tools/call`, which is a question of tools. */
export function weighScopedMethod(rules: ScopeRules, who: Identity, server: string, method: string): Verdict {
  const { methods, anyMethod } = serverRights(rules, who, server);
  return methods.get(method) ?? anyMethod ?? NO_GRANT;
}

/** An action of the registry; `resource` is a name or path, null for an action on none in particular. */
export function weighUi(rules: ScopeRules, who: Identity, action: string, resource: string | null): Verdict {
  const right = rightsOf(rules, who).ui.get(action);
  if (right === undefined) return NO_GRANT;
  if (right.any !== null) return right.any;
  if (resource === null) return right.resources.values().next().value ?? NO_GRANT;
  return right.resources.get(trimSlashes(resource)) ?? NO_GRANT;
}

/** Whether an action of the registry is granted on everything there is. */
export function hasUiForAll(rules: ScopeRules, who: Identity, action: string): boolean {
  return (rightsOf(rules, who).ui.get(action)?.any ?? null) !== null;
}

/** What can be done in the registry, for whoever may do everything. A file of scopes may know more. */
export const UI_ACTIONS = [
  ...['list_service', 'register_service', 'health_check_service', 'toggle_service', 'modify_service', 'delete_service'],
  'change_lifecycle_status',
  ...['list_agents', 'get_agent', 'publish_agent', 'modify_agent', 'delete_agent'],
] as const;

/** Action -> resources as they are written, or `all` alone. Shape: in the order of the caller's scopes, each once. */
export function uiGrants(rules: ScopeRules, who: Identity): ReadonlyMap<string, readonly string[]> {
  const { scopes, ui } = rightsOf(rules, who);
  const grants = new Map<string, Set<string>>();
  for (const scope of scopes) {
    for (const { action, resources } of rules.written.ui.get(scope) ?? []) {
      const named = grants.get(action) ?? new Set();
      if (resources !== 'all') for (const resource of resources) named.add(resource);
      grants.set(action, named);
    }
  }
  return new Map([...grants].map(([action, named]) => [action, ui.get(action)?.any ? ['all'] : [...named]]));
}

const CHANGING = /^(?:register|modify|toggle|delete|publish|create)_/;

/** An administrator may change everything of some kind. The right to use every server does not make one. */
export function isScopedAdmin(rules: ScopeRules, who: Identity): boolean {
  for (const [action, { any }] of rightsOf(rules, who).ui) if (any !== null && CHANGING.test(action)) return true;
  return false;
}

/**
 * The one scope to ask for that would have been enough: of those that grant it the one which grants least. Empty where
 * none does. `tool` null: the method itself.
 */
export function findMissingScope(
  { written }: ScopeRules,
  server: string,
  method: string,
  tool: string | null,
): readonly string[] {
  let best: string | null = null;
  let bestWidth = Number.POSITIVE_INFINITY;
  for (const [scope, grants] of written.servers) {
    if (!grants.some(grant => grantsIt(grant, server, method, tool))) continue;
    const width = grants.reduce((sum, grant) => sum + widthOf(grant), 0);
    if (width >= bestWidth) continue;
    best = scope;
    bestWidth = width;
  }
  return best === null ? [] : [best];
}

function grantsIt(grant: WrittenGrant, server: string, method: string, tool: string | null): boolean {
  if (grant.server === null ? server === REST_API : grant.server !== server) return false;
  if (grant.methods !== 'all' && !grant.methods.includes(method)) return false;
  return tool === null || grant.tools === 'all' || grant.tools.includes(tool);
}

function widthOf({ server, methods, tools }: WrittenGrant): number {
  const names = (list: readonly string[] | 'all') => (list === 'all' ? 1000 : list.length);
  return (server === null ? 1_000_000 : 1) + names(methods) + names(tools);
}

export function trimSlashes(name: string): string {
  let from = 0;
  let to = name.length;
  while (from < to && name[from] === '/') from++;
  while (to > from && name[to - 1] === '/') to--;
  return name.slice(from, to);
}
