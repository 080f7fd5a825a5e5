/** The tool for agents of the registry: which there are, by the question that their list over REST asks. */
import { z } from 'zod';
import type { JsonObject } from '../../../domain/json.ts';
import type { RegisteredAgent } from '../../../domain/registered-agent.ts';
import { done } from '../../registry/desk.ts';
import { defineTool, type RegistryTool } from './registry-tool.ts';

const MAX_AGENTS = 200;

export const AGENT_TOOLS: readonly RegistryTool[] = [
  defineTool({
    ...{ name: 'list_agents', title: 'List agents', needs: { kind: 'ui', action: 'list_agents' } },
    description:
      'Lists the agents of the registry that you may see: path, name, description, the url where each is asked, its skills and tags, and whether it is switched on. To find one by what it does, use search_registry instead.',
    args: z.strictObject({
      query: z.string().max(512).optional().describe('Only agents that say something like this of themselves.'),
      enabled_only: z.boolean().default(false).describe('Only those that are switched on.'),
      limit: z.int().min(1).max(MAX_AGENTS).default(100).describe('How many to return.'),
      offset: z.int().min(0).max(1_000_000).default(0).describe('How many to pass over.'),
    }),
    async run({ agents }, { who }, { query, enabled_only: isOnWanted, limit, offset }) {
      const filter = {
        ...(query === undefined || query.trim() === '' ? {} : { query }),
        ...(isOnWanted ? { enabled: true } : {}),
      };
      const { items, total } = await agents.list(who, filter, { limit, offset });
      const page = { total_count: total, limit, offset, has_next: offset + items.length < total };
      return done({ agents: items.map(showAgent), ...page });
    },
  }),
];

function showAgent(agent: RegisteredAgent): JsonObject {
  const { path, name, description, url, version, tags, skills, visibility, status } = agent;
  return {
    ...{ path, name, description, url, version, tags: [...tags], visibility, status },
    skills: skills.map(skill => ({ id: skill.id, name: skill.name, description: skill.description })),
    ...{ is_enabled: agent.enabled, trust_level: agent.trustLevel },
  };
}
