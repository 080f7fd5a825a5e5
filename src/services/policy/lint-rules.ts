/** Findings in the agents' rules file. Entries are compared as sets of names: what a deny covers no allow can grant. */
import type { WrittenAgent, WrittenRules } from '../../domain/agent-rules.ts';
import { compileNames, findCovering, findEntry } from '../../domain/name-pattern.ts';
import { formatRef } from '../../domain/verdict.ts';
import type { LintFinding, LintWorld } from './lint.ts';

type Report = (kind: LintFinding['kind'], message: string, ...path: (string | number)[]) => void;

export function lintRules({ agents }: WrittenRules, world: LintWorld): LintFinding[] {
  const findings: LintFinding[] = [];
  for (const [id, agent] of agents) {
    const report: Report = (kind, message, ...path) =>
      void findings.push({ kind, path: formatRef('agents', id, ...path), message });
    lintAgent(agent, world, report);
  }
  return findings;
}

function lintAgent(agent: WrittenAgent, world: LintWorld, report: Report): void {
  const { allow, deny } = agent;
  if (allow.servers.length === 0)
    report('grants-nothing', 'no server is allowed: this agent may do nothing', 'allow', 'servers');
  for (const side of ['allow', 'deny'] as const) {
    lintList(agent[side].servers, report, side, 'servers');
    for (const [place, server] of agent[side].servers.entries()) {
      if (!server.includes('*') && !world.servers.has(server))
        report('unknown-server', `there is no server "${server}"`, side, 'servers', place);
    }
    for (const [server, tools] of agent[side].tools) {
      lintList(tools, report, side, 'tools', server);
      lintToolNames(server, tools, world, report, side);
    }
  }

  const denied = compileNames(deny.servers);
  for (const [place, server] of allow.servers.entries()) {
    const covering = findCovering(denied, server);
    if (covering !== -1)
      report('never-matches', `deny.servers[${covering}] denies all of it`, 'allow', 'servers', place);
  }
  for (const [server, tools] of allow.tools) lintAllowedTools(agent, server, tools, report);
  for (const server of deny.tools.keys()) {
    if (server !== '*' && !isReached(agent, server))
      report('never-matches', `the server "${server}" is not allowed anyway`, 'deny', 'tools', server);
  }
  const anywhere = allow.tools.get('*');
  if (anywhere !== undefined && anywhere.length > 0) {
    for (const [server, tools] of allow.tools) {
      if (server === '*' || tools.length === 0) continue;
      const message = `counts in the place of the list under "*", not besides it`;
      report('wider-than-it-looks', message, 'allow', 'tools', server);
    }
  }
}

function lintAllowedTools({ allow, deny }: WrittenAgent, server: string, tools: readonly string[], report: Report) {
  const path = ['allow', 'tools', server];
  if (tools.length === 0) {
    const isNarrowed = server !== '*' && (allow.tools.get('*')?.length ?? 0) > 0;
    const message = isNarrowed
      ? 'is empty: the list under "*" counts'
      : 'is empty, which is no list: every tool is allowed';
    report('wider-than-it-looks', message, ...path);
    return;
  }
  if (server !== '*' && !isReached({ allow, deny }, server)) {
    report('never-matches', `the server "${server}" is not allowed`, ...path);
    return;
  }
  for (const key of server === '*' ? ['*'] : [server, '*']) {
    const denied = compileNames(deny.tools.get(key) ?? []);
    for (const [place, tool] of tools.entries()) {
      const covering = findCovering(denied, tool);
      const by = formatRef('deny', 'tools', key, covering);
      if (covering !== -1) report('never-matches', `${by} denies all of it`, ...path, place);
    }
  }
}

/** By name alone: patterns of servers may reach servers that do not exist yet. */
function isReached({ allow, deny }: WrittenAgent, server: string): boolean {
  const isNamed = findEntry(compileNames(allow.servers), server) !== -1;
  return isNamed && findEntry(compileNames(deny.servers), server) === -1;
}

/** Entries that another entry of the same list makes needless. */
function lintList(entries: readonly string[], report: Report, ...path: string[]): void {
  for (const [place, entry] of entries.entries()) {
    if (entries.indexOf(entry) < place) {
      report('duplicate', `"${entry}" is there twice`, ...path, place);
      continue;
    }
    const others = compileNames(entries.map((other, at) => (at === place || other === entry ? '' : other)));
    const covering = findCovering(others, entry);
    if (covering !== -1 && entry !== '')
      report('duplicate', `"${entries[covering]}" matches all of it`, ...path, place);
  }
}

function lintToolNames(
  server: string,
  tools: readonly string[],
  world: LintWorld,
  report: Report,
  side: 'allow' | 'deny',
): void {
  if (server !== '*' && !world.servers.has(server)) {
    report('unknown-server', `there is no server "${server}"`, side, 'tools', server);
    return;
  }
  const offered = server === '*' ? [...world.tools.values()].flat() : world.tools.get(server);
  for (const [place, tool] of tools.entries()) {
    const path = [side, 'tools', server, place];
    if (/[?[\]{}]/.test(tool))
      report('never-matches', `"${tool}" is a name here: only * stands for other characters`, ...path);
    else if (offered !== undefined && offered.length > 0) {
      const entry = compileNames([tool]);
      if (!offered.some(name => findEntry(entry, name) !== -1))
        report('unknown-tool', `no tool of ${server === '*' ? 'any server' : `"${server}"`} is called so`, ...path);
    }
  }
}
