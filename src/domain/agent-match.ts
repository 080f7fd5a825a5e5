/**
 * How well an agent fits what is asked for by skill and tag: 0.6 of the skills asked for that it has, 0.2 of the tags, 0.2
 * of how far it is trusted. Words are compared whole, whatever the case.
 */
import type { RegisteredAgent, TrustLevel } from './registered-agent.ts';

export interface AgentMatch {
  agent: RegisteredAgent;
  /** 0 to 1. */
  relevance: number;
  /** Of those asked for, as they were asked for. */
  matchedSkills: readonly string[];
}

const TRUST: Readonly<Record<TrustLevel, number>> = { unverified: 0, community: 0.2, verified: 0.5, trusted: 1 };
const WEIGHTS = { skills: 0.6, tags: 0.2, trust: 0.2 } as const;

/** Shape: best first, then by path; only agents that have a skill asked for. */
export function rankAgents(
  agents: readonly RegisteredAgent[],
  wanted: { skills: readonly string[]; tags: readonly string[] },
): AgentMatch[] {
  const matches = agents.flatMap(agent => {
    const has = new Set(agent.skills.flatMap(({ id, name }) => [id.toLowerCase(), name.toLowerCase()]));
    const matchedSkills = wanted.skills.filter(skill => has.has(skill.toLowerCase()));
    if (matchedSkills.length === 0) return [];
    const tagged = new Set(agent.tags.map(tag => tag.toLowerCase()));
    const matchedTags = wanted.tags.filter(tag => tagged.has(tag.toLowerCase()));
    const relevance =
      WEIGHTS.skills * share(matchedSkills, wanted.skills) +
      WEIGHTS.tags * share(matchedTags, wanted.tags) +
      WEIGHTS.trust * TRUST[agent.trustLevel];
    return [{ agent, relevance, matchedSkills }];
  });
  return matches.sort((a, b) => b.relevance - a.relevance || (a.agent.path < b.agent.path ? -1 : 1));
}

function share(matched: readonly string[], wanted: readonly string[]): number {
  return wanted.length === 0 ? 0 : matched.length / wanted.length;
}
