/** Findings in the scopes file: names that nobody has, scopes that nobody gets, lists that show what cannot be used. */
import {
  REST_API,
  trimSlashes,
  type WrittenGrant,
  type WrittenScopes,
  type WrittenUiGrant,
} from '../../domain/scope-rules.ts';
import { formatRef } from '../../domain/verdict.ts';
import type { LintFinding, LintWorld } from './lint.ts';

/** A right to a list, and the right to use what is in it. */
const USES: readonly (readonly [list: string, use: string])[] = [
  ['tools/list', 'tools/call'],
  ['resources/list', 'resources/read'],
  ['resources/templates/list', 'resources/read'],
  ['prompts/list', 'prompts/get'],
];

export function lintScopes(written: WrittenScopes, world: LintWorld): LintFinding[] {
  const { mappings, servers, ui } = written;
  const findings: LintFinding[] = [];
  const report = (kind: LintFinding['kind'], path: string, message: string) =>
    void findings.push({ kind, path, message });

  for (const [group, scopes] of mappings) {
    for (const [place, scope] of scopes.entries()) {
      const path = formatRef('scopes', 'group_mappings', group, place);
      if (!servers.has(scope) && !ui.has(scope)) report('never-applies', path, `there is no scope "${scope}"`);
      else if (scopes.indexOf(scope) < place) report('duplicate', path, `"${scope}" is there twice`);
    }
  }
  for (const group of mappings.keys()) {
    const path = formatRef('scopes', 'group_mappings', group);
    for (const message of lintHalves(written, group)) report('granted-by-halves', path, message);
  }
  for (const [scope, grants] of servers) {
    for (const grant of grants) {
      const path = formatRef('scopes', scope, grant.place);
      if (grant.server !== null && grant.server !== REST_API && !world.servers.has(grant.server))
        report('unknown-server', path, `there is no server "${grant.server}"`);
      for (const [kind, message] of lintGrant(grant, grants, world)) report(kind, path, message);
    }
  }
  if (world.servers.has(REST_API))
    report('wider-than-it-looks', 'scopes', `"${REST_API}" means the REST API here, and a server is called so too`);
  return findings;
}

/**
 * Cards and tools are granted apart. A group with tools and no cards is a machine, one with cards and no tools an auditor;
 * in a group with both, a server with one half alone was probably forgotten. One that is kept and not used is neither.
 */
function* lintHalves({ mappings, servers, ui }: WrittenScopes, group: string): Generator<string> {
  const scopes = mappings.get(group) ?? [];
  const grants = scopes.flatMap(scope => servers.get(scope) ?? []).filter(({ server }) => server !== REST_API);
  const used = new Set(grants.filter(grantsUse).map(({ server }) => server));
  const wishes = scopes.flatMap(scope => ui.get(scope) ?? []);
  const listed = toResources(wishes.filter(({ action }) => action === 'list_service'));
  const kept = toResources(wishes.filter(({ action }) => KEEPING.has(action)));
  if (used.size === 0 || listed === 'all' || listed.size === 0) return;

  for (const server of used) {
    if (server === null) yield 'may use every server and lists only some';
    else if (!listed.has(server)) yield `may use "${server}" and does not list it`;
  }
  if (used.has(null) || kept === 'all') return;
  for (const server of listed) {
    if (!used.has(server) && !kept.has(server)) yield `lists "${server}" and may use nothing of it`;
  }
}

/** What is done to a server by whoever looks after it. */
const KEEPING = new Set([
  ...['register_service', 'modify_service', 'toggle_service', 'health_check_service', 'delete_service'],
  'change_lifecycle_status',
]);

const USE_METHODS = new Set(['resources/read', 'prompts/get']);

const grantsUse = ({ methods, tools }: WrittenGrant) =>
  methods === 'all' ||
  methods.some(method => USE_METHODS.has(method)) ||
  (methods.includes('tools/call') && (tools === 'all' || tools.length > 0));

function toResources(grants: readonly WrittenUiGrant[]): 'all' | ReadonlySet<string> {
  const named = new Set<string>();
  for (const { resources } of grants) {
    if (resources === 'all') return 'all';
    for (const resource of resources) named.add(trimSlashes(resource));
  }
  return named;
}

function* lintGrant(
  grant: WrittenGrant,
  all: readonly WrittenGrant[],
  world: LintWorld,
): Generator<[LintFinding['kind'], string]> {
  const { server, methods, tools } = grant;
  if (server === REST_API) return;
  const grantsHere = (method: string) =>
    all.some(
      other =>
        (other.server === server || other.server === null) &&
        (other.methods === 'all' || other.methods.includes(method)),
    );
  for (const [list, use] of USES) {
    if (methods !== 'all' && methods.includes(list) && !grantsHere(use))
      yield ['visible-not-callable', `grants ${list} without ${use}: by this scope alone the list stays empty`];
  }
  const mayCall = methods === 'all' || methods.includes('tools/call');
  if (mayCall && tools !== 'all' && tools.length === 0)
    yield ['visible-not-callable', 'grants tools/call and names no tool: none may be called'];
  if (!mayCall && tools !== 'all' && tools.length > 0)
    yield ['visible-not-callable', 'names tools but does not grant tools/call: none of them may be called'];
  if (methods === 'all' && tools === 'all' && server === null)
    yield ['wider-than-it-looks', 'grants everything on every server, also on those added later'];
  const offered = server === null ? undefined : world.tools.get(server);
  if (tools === 'all' || offered === undefined) return;
  for (const tool of tools) {
    if (!offered.includes(tool)) yield ['unknown-tool', `no tool of "${server}" is called "${tool}"`];
  }
}
