/** Finding in the registry in plain words, as far as the caller may see and use it: servers, tools, agents and their skills. */
import { z } from 'zod';
import type { JsonObject } from '../../../domain/json.ts';
import { DOCUMENT_KINDS } from '../../../domain/search/document.ts';
import { PLAIN } from '../../../domain/search/offered.ts';
import { splitTagWords } from '../../../domain/search/tag-words.ts';
import { done } from '../../registry/desk.ts';
import type { Found, FoundTool, Withheld } from '../../search/finder.ts';
import type { Ranked } from '../../search/server-lift.ts';
import { defineTool, nameList, type RegistryTool } from './registry-tool.ts';

export const SEARCH_TOOLS: readonly RegistryTool[] = [
  defineTool({
    ...{ name: 'search_registry', title: 'Search the registry', needs: { kind: 'caller' } },
    description:
      'Searches the registry in plain words: servers, tools with their input schemas, agents and their skills; of each kind the best first; confidence none means that nothing fits well. Call a tool that it finds with invoke_mcp_tool; an agent is asked at its own url.',
    args: z.strictObject({
      query: z.string().trim().min(1).max(2000).describe('What you want to do, in plain words.'),
      max_results: z.int().min(1).max(50).default(10).describe('How many to return, of all kinds together.'),
      kinds: z.array(z.enum(DOCUMENT_KINDS)).min(1).optional().describe('Only these; all of them if absent.'),
      tags: nameList.optional().describe('Only what has all of these tags: a tool has those of its server.'),
      include_discovery_receipt: z
        .boolean()
        .default(false)
        .describe('Also tell what fits and was left out: beyond max_results, drafts, deprecated, switched off.'),
    }),
    async run({ search }, { who }, args) {
      const { query, max_results: limit, kinds = DOCUMENT_KINDS, tags = [], include_discovery_receipt: receipt } = args;
      const asked = splitTagWords(query);
      const wanted = [...new Set([...asked.tags, ...tags.map(tag => tag.toLowerCase())])];
      const wish = { text: asked.text, kinds: [...new Set(kinds)], tags: wanted, limit, include: PLAIN, receipt };
      const found = await search.find(who, wish);
      if ('code' in found) return found;
      const told = receipt ? { discovery_receipt: toReceipt(found.withheld) } : {};
      return done({ query, status: 'ok', ...describe(found), ...told });
    },
  }),
];

/** Of each sort: a receipt is looked through, not searched. */
const MAX_RECEIPT = 10;

function toReceipt(withheld: readonly Withheld[]): JsonObject {
  const isWorse = ({ why }: Withheld) => why === 'max_results';
  const worse = withheld.filter(isWorse).slice(0, MAX_RECEIPT);
  const others = withheld.filter(each => !isWorse(each)).slice(0, MAX_RECEIPT);
  return {
    withheld: [...worse, ...others].map(({ document: { kind, id, name }, why }) => ({ kind, id, name, reason: why })),
    total_withheld: withheld.length,
  };
}

function describe({ confidence, servers, tools, agents, skills }: Found): JsonObject {
  return {
    confidence,
    servers: servers.map(({ view: { card, numTools }, tools: matching, hit }) => ({
      ...{ path: card.path, server_name: card.name, description: card.description, tags: [...card.tags] },
      ...{ num_tools: numTools, matching_tools: matching.map(({ entry }) => entry.own), ...toScore(hit) },
    })),
    tools: tools.map(describeTool),
    agents: agents.map(({ agent, hit }) => ({
      ...{ path: agent.path, agent_name: agent.name, description: agent.description, url: agent.url },
      ...{ tags: [...agent.tags], skills: agent.skills.map(({ name }) => name), ...toScore(hit) },
    })),
    skills: skills.map(({ agent, skill, hit }) => ({
      ...{ skill_id: skill.id, skill_name: skill.name, description: skill.description, tags: [...skill.tags] },
      ...{ agent_path: agent.path, agent_name: agent.name, ...toScore(hit) },
    })),
    total_results: servers.length + tools.length + agents.length + skills.length,
  };
}

function describeTool({ entry: { own, ownItem }, path, serverName, hit }: FoundTool): JsonObject {
  const { description = '', inputSchema = {} } = ownItem;
  return { server_path: path, server_name: serverName, tool_name: own, description, inputSchema, ...toScore(hit) };
}

const toScore = ({ relevance }: Ranked) => ({ relevance_score: relevance });
