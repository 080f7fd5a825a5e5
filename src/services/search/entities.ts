/**
 * Servers, agents and skills on their way into the index: all of them at the start, and each change once it is stored and
 * before whoever made it is answered, so that the very next search knows of it. Drafts and what is switched off are in it
 * too: whether they are wanted is said with each search.
 */
import type { AgentSkill, RegisteredAgent } from '../../domain/registered-agent.ts';
import { agentDocument, serverDocument, skillDocument, skillId } from '../../domain/search/entity-documents.ts';
import type { AgentRepository } from '../../ports/agent-repository.ts';
import type { SearchIndex } from '../../ports/search-index.ts';
import type { Agents } from '../registry/agents.ts';
import type { Registry } from '../registry/registry.ts';

export interface Entities {
  /** Takes in what is stored; before the first search. */
  start(): Promise<void>;
  findAgent(path: string): RegisteredAgent | null;
  findSkill(id: string): { agent: RegisteredAgent; skill: AgentSkill } | null;
  agents(): Iterable<RegisteredAgent>;
}

const PAGE = 500;

export function createEntities(deps: {
  index: SearchIndex;
  registry: Pick<Registry, 'current' | 'onChange'>;
  agents: Pick<Agents, 'onChange'>;
  stored: Pick<AgentRepository, 'list'>;
}): Entities {
  const { index, registry, stored } = deps;
  const agents = new Map<string, RegisteredAgent>();
  const skills = new Map<string, { agent: RegisteredAgent; skill: AgentSkill }>();

  function keep(agent: RegisteredAgent): void {
    dropSkills(agent.path, new Set(agent.skills.map(({ id }) => id)));
    agents.set(agent.path, agent);
    for (const skill of agent.skills) skills.set(skillId(agent.path, skill), { agent, skill });
    index.upsert([agentDocument(agent), ...agent.skills.map(skill => skillDocument(agent, skill))]);
  }

  function forget(path: string): void {
    dropSkills(path, new Set());
    agents.delete(path);
    index.remove('agent', [path]);
  }

  function dropSkills(path: string, kept: ReadonlySet<string>): void {
    const gone = (agents.get(path)?.skills ?? []).filter(({ id }) => !kept.has(id)).map(skill => skillId(path, skill));
    for (const id of gone) skills.delete(id);
    index.remove('skill', gone);
  }

  registry.onChange(changes => {
    index.remove(
      'server',
      changes.flatMap(change => (change.kind === 'server.removed' ? change.path : [])),
    );
    index.upsert(changes.flatMap(change => ('server' in change ? serverDocument(change.server) : [])));
  });
  deps.agents.onChange(change => {
    if (change.kind === 'agent.removed') return forget(change.path);
    // Of two changes at once the later one may be told first.
    if ((agents.get(change.agent.path)?.revision ?? 0) > change.agent.revision) return;
    keep(change.agent);
  });

  return {
    async start() {
      index.replace('server', Array.from(registry.current().servers.values(), serverDocument));
      for (let after: string | null = null; ; ) {
        const { items } = await stored.list({}, { after, limit: PAGE });
        for (const agent of items) keep(agent);
        after = items.at(-1)?.path ?? null;
        if (items.length < PAGE) return;
      }
    },
    findAgent: path => agents.get(path) ?? null,
    findSkill: id => skills.get(id) ?? null,
    agents: () => agents.values(),
  };
}
