/**
 * The agents' rules file, compiled: per agent which servers and which of their tools. The order is fixed. Server: any
 * deny, any allow, else no. Tool: deny by name, deny by pattern, allow by name, allow by pattern, no allow list at all
 * (every tool), else no. Lists under the server key `*`: a deny adds to every server's own; an allow counts for the
 * servers that have no list of their own. Tools are all that the rules tell apart: a server that may be used may be
 * used for its prompts and resources. Unknown agents are never let in here; who acts as whom is settled before.
 */
import { compileNames, EMPTY_LIST, findCovering, findEntry, findPattern, type NameList } from './name-pattern.ts';
import { formatRef, no, type Verdict, yes } from './verdict.ts';

export const AGENT_ID = /^[A-Za-z0-9_.-]+$/;
/** Longer ones are nobody's. */
export const MAX_AGENT_ID = 200;

/** As written and checked: entries are names or patterns of `name-pattern.ts`, `tools` is by server key or `*`. */
export interface WrittenSection {
  readonly servers: readonly string[];
  readonly tools: ReadonlyMap<string, readonly string[]>;
}

export interface WrittenAgent {
  readonly allow: WrittenSection;
  readonly deny: WrittenSection;
}

export interface WrittenRules {
  readonly agents: ReadonlyMap<string, WrittenAgent>;
  /** True: a call must name its agent. False: the default agent stands in. */
  readonly denyOnMissingAgent: boolean;
}

/** A list with the verdict of each of its entries. */
interface Ruled {
  readonly list: NameList;
  readonly verdicts: readonly Verdict[];
}

/** One direction of an agent's tool rules. */
interface ToolRules {
  readonly byServer: ReadonlyMap<string, Ruled>;
  /** Under the server key `*`. */
  readonly anywhere: Ruled;
}

export interface CompiledAgent {
  readonly denyServers: Ruled;
  readonly allowServers: Ruled;
  readonly noServer: Verdict;
  readonly denyTools: ToolRules;
  readonly allowTools: ToolRules;
  /** What is said where an allow list exists and holds no entry that matches. */
  readonly noTool: ReadonlyMap<string, Verdict>;
  readonly noToolAnywhere: Verdict;
}

export interface AgentRules {
  readonly written: WrittenRules;
  readonly agents: ReadonlyMap<string, CompiledAgent>;
  readonly denyOnMissingAgent: boolean;
}

const NOTHING_RULED: Ruled = { list: EMPTY_LIST, verdicts: [] };
const NO_AGENT = no('agents: no agent is named');
const UNKNOWN_AGENT = no('agents: not an agent of the rules');

export function compileAgentRules(written: WrittenRules): AgentRules {
  const agents = new Map<string, CompiledAgent>();
  for (const [id, { allow, deny }] of written.agents) agents.set(id, compileAgent(id, allow, deny));
  return { written, agents, denyOnMissingAgent: written.denyOnMissingAgent };
}

function compileAgent(id: string, allow: WrittenSection, deny: WrittenSection): CompiledAgent {
  const rule = (written: readonly string[], verdict: (ref: string) => Verdict, ...path: string[]): Ruled => ({
    list: compileNames(written),
    verdicts: written.map((_, place) => verdict(formatRef('agents', id, ...path, place))),
  });
  const tools = (section: WrittenSection, verdict: (ref: string) => Verdict, side: 'allow' | 'deny'): ToolRules => {
    const byServer = new Map<string, Ruled>();
    let anywhere = NOTHING_RULED;
    for (const [server, entries] of section.tools) {
      if (entries.length === 0) continue;
      const ruled = rule(entries, verdict, side, 'tools', server);
      if (server === '*') anywhere = ruled;
      else byServer.set(server, ruled);
    }
    return { byServer, anywhere };
  };
  const none = (...path: string[]) => no(`${formatRef('agents', id, ...path)}: no allow entry`);
  return {
    denyServers: rule(deny.servers, no, 'deny', 'servers'),
    allowServers: rule(allow.servers, yes, 'allow', 'servers'),
    noServer: none('allow', 'servers'),
    denyTools: tools(deny, no, 'deny'),
    allowTools: tools(allow, yes, 'allow'),
    noTool: new Map([...allow.tools.keys()].map(server => [server, none('allow', 'tools', server)])),
    noToolAnywhere: none('allow', 'tools', '*'),
  };
}

/** The agent's own rules, or the verdict over an agent that has none. */
function findAgent(rules: AgentRules, agent: string | null): CompiledAgent | Verdict {
  if (agent === null) return NO_AGENT;
  return rules.agents.get(agent) ?? UNKNOWN_AGENT;
}

export function weighServer(rules: AgentRules, agent: string | null, server: string): Verdict {
  const found = findAgent(rules, agent);
  return 'rule' in found ? found : serverVerdict(found, server);
}

export function weighTool(rules: AgentRules, agent: string | null, server: string, tool: string): Verdict {
  const found = findAgent(rules, agent);
  if ('rule' in found) return found;
  const reached = serverVerdict(found, server);
  return reached.isAllowed ? toolVerdict(found, reached, server, tool) : reached;
}

/** Whether any tool of the server may be called, whatever it is called: tasks belong to a call of one. */
export function weighAnyTool(rules: AgentRules, agent: string | null, server: string): Verdict {
  const found = findAgent(rules, agent);
  if ('rule' in found) return found;
  const reached = serverVerdict(found, server);
  if (!reached.isAllowed) return reached;
  const { denyTools, allowTools } = found;
  const allowed = allowTools.byServer.get(server) ?? allowTools.anywhere;
  const wanted = allowed.list.written.length === 0 ? ['*'] : allowed.list.written;
  const denies = [denyTools.byServer.get(server) ?? NOTHING_RULED, denyTools.anywhere];
  let denial: Verdict | null = null;
  for (const entry of wanted) {
    const covering = denies.map(({ list, verdicts }) => at(verdicts, findCovering(list, entry))).find(Boolean);
    if (covering === undefined) return reached;
    denial ??= covering;
  }
  return denial ?? found.noToolAnywhere;
}

function serverVerdict({ denyServers, allowServers, noServer }: CompiledAgent, server: string): Verdict {
  return verdictOn(denyServers, server) ?? verdictOn(allowServers, server) ?? noServer;
}

function toolVerdict(agent: CompiledAgent, reached: Verdict, server: string, tool: string): Verdict {
  const { denyTools, allowTools } = agent;
  const denied = denyTools.byServer.get(server);
  const { anywhere } = denyTools;
  if (denied !== undefined || anywhere !== NOTHING_RULED) {
    const verdict =
      (denied && byName(denied, tool)) ??
      byName(anywhere, tool) ??
      (denied && byPattern(denied, tool)) ??
      byPattern(anywhere, tool);
    if (verdict !== undefined) return verdict;
  }
  const own = allowTools.byServer.get(server);
  const allowed = own ?? allowTools.anywhere;
  // Without a list the right to the server is the right to every tool on it.
  if (allowed === NOTHING_RULED) return reached;
  const verdict = verdictOn(allowed, tool);
  if (verdict !== undefined) return verdict;
  return own === undefined ? agent.noToolAnywhere : (agent.noTool.get(server) ?? agent.noToolAnywhere);
}

function verdictOn({ list, verdicts }: Ruled, name: string): Verdict | undefined {
  return verdicts.length === 0 ? undefined : at(verdicts, findEntry(list, name));
}

function byName({ list, verdicts }: Ruled, name: string): Verdict | undefined {
  return at(verdicts, list.exact.get(name) ?? -1);
}

function byPattern({ list, verdicts }: Ruled, name: string): Verdict | undefined {
  return at(verdicts, findPattern(list, name));
}

/** To read an array at -1 is to look for a member of that name, which is slow. */
function at(verdicts: readonly Verdict[], place: number): Verdict | undefined {
  return place === -1 ? undefined : verdicts[place];
}
