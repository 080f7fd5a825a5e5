/** Findings in the scopes file: names that nobody has, scopes that nobody gets, lists that show what cannot be used. */
import { REST_API, type WrittenGrant, type WrittenScopes } from '../../domain/scope-rules.ts';
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
