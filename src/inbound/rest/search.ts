/** Searching in plain words: everything that the caller may see at once, agents alone, and the tags that narrow a search. */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { LIFECYCLES } from '../../domain/registered.ts';
import { AgentSkill, type RegisteredAgent, TRUST_LEVELS } from '../../domain/registered-agent.ts';
import { keyOfPath } from '../../domain/registry-path.ts';
import { CONFIDENCES } from '../../domain/search/confidence.ts';
import type { DocumentKind } from '../../domain/search/document.ts';
import { PLAIN } from '../../domain/search/offered.ts';
import { splitTagWords } from '../../domain/search/tag-words.ts';
import type { Agents } from '../../services/registry/agents.ts';
import type { Finder, Found, FoundTool } from '../../services/search/finder.ts';
import type { Ranked } from '../../services/search/server-lift.ts';
import { AgentCard, toCard } from './agent-views.ts';
import { answer, defineRoute, type RestCall, type RestOutcome, type RestRoute } from './route.ts';
import { flag, list, whole } from './written.ts';

const KINDS = { mcp_server: 'server', tool: 'tool', a2a_agent: 'agent', skill: 'skill' } as const;
/** A kind that is known and has nothing to show. */
const EMPTY_KIND = 'virtual_server';
const ENTITY_TYPES = ['mcp_server', 'tool', 'a2a_agent', 'skill', EMPTY_KIND] as const;

const text = z
  .string()
  .max(512)
  .refine(written => written.trim() !== '', 'must say what is looked for');

const SearchBody = z.strictObject({
  query: text,
  entity_types: z.array(z.enum(ENTITY_TYPES)).min(1).max(ENTITY_TYPES.length).nullish(),
  tags: list.nullish(),
  max_results: z.int().min(1).max(50).default(10),
  include_draft: flag.default(false),
  include_deprecated: flag.default(false),
  include_disabled: flag.default(false),
});

const scores = {
  relevance_score: z.number().min(0).max(1),
  lexical_score: z.number(),
  vector_score: z.number().nullable(),
  match_context: z.string(),
};
const MatchingTool = z.object({
  tool_name: z.string(),
  description: z.string(),
  inputSchema: z.looseObject({}),
  ...scores,
});
const ServerHit = z.object({
  path: z.string(),
  server_name: z.string(),
  description: z.string(),
  tags: z.array(z.string()),
  num_tools: z.int(),
  is_enabled: z.boolean(),
  status: z.enum(LIFECYCLES),
  matching_tools: z.array(MatchingTool),
  endpoint_url: z.string().nullable(),
  supported_transports: z.array(z.string()),
  ...scores,
});
const ToolHit = z.object({
  server_path: z.string(),
  server_name: z.string(),
  public_name: z.string(),
  endpoint_url: z.string(),
  ...MatchingTool.shape,
});
const AgentHit = z.object({
  path: z.string(),
  agent_name: z.string(),
  description: z.string(),
  url: z.string(),
  tags: z.array(z.string()),
  skills: z.array(AgentSkill),
  is_enabled: z.boolean(),
  status: z.enum(LIFECYCLES),
  trust_level: z.enum(TRUST_LEVELS),
  ...scores,
});
const SkillHit = z.object({
  skill_id: z.string(),
  skill_name: z.string(),
  description: z.string(),
  tags: z.array(z.string()),
  agent_path: z.string(),
  agent_name: z.string(),
  ...scores,
});
const nothing = z.array(z.never());
const SearchAnswer = z.object({
  query: z.string(),
  search_mode: z.enum(['hybrid', 'lexical-only']),
  confidence: z
    .enum(CONFIDENCES)
    .describe('How sure it is that the best hit fits; none: the hits are only the nearest there are.'),
  servers: z.array(ServerHit),
  tools: z.array(ToolHit),
  agents: z.array(AgentHit),
  skills: z.array(SkillHit),
  virtual_servers: nothing,
  custom: nothing,
  total_servers: z.int(),
  total_tools: z.int(),
  total_agents: z.int(),
  total_skills: z.int(),
  total_virtual_servers: z.int(),
  total_custom: z.int(),
});
const AgentsAnswer = z.object({
  agents: z.array(AgentCard.extend({ relevance_score: z.number() })),
  query: z.string(),
});

/** What of it all a caller sees is settled document by document; whoever may see nothing finds nothing. */
const access = { kind: 'caller' } as const;

/** `publicUrl` null: clients come the way they asked. */
export function searchRoutes(finder: Finder, agents: Pick<Agents, 'ratingsOf'>, publicUrl: string | null): RestRoute[] {
  const discover = {
    ...{ path: '/api/agents/discover/semantic', operation: 'agents/discover', tag: 'agents', hasEffect: false },
    ...{ access: { kind: 'ui', action: 'list_agents' } as const, summary: 'Find agents in plain words' },
    query: z.object({ query: text, max_results: whole(1, 100).default(10) }),
    answers: { 200: { says: 'Best first.', schema: AgentsAnswer } },
    run: findAgents,
  };

  async function findAgents({
    who,
    query: { query, max_results: limit },
  }: RestCall<unknown, { query: string; max_results: number }, unknown>): Promise<RestOutcome> {
    const found = await finder.find(who, { ...splitTagWords(query), kinds: ['agent'], limit, include: PLAIN });
    if ('code' in found) return found;
    const cards = found.agents.map(async ({ agent, hit }) => ({
      ...toCard(agent, { ratings: await agents.ratingsOf(agent) }),
      relevance_score: hit.relevance,
    }));
    return answer(200, { agents: await Promise.all(cards), query });
  }

  return [
    defineRoute({
      ...{ method: 'POST', path: '/api/search/semantic', operation: 'search/semantic', tag: 'search', access },
      summary: 'Find servers, tools, agents and skills in plain words',
      ...{ body: SearchBody, hasEffect: false },
      answers: {
        200: {
          says: 'Of each kind the best first; no kind has more than 60 % of the places while others have something.',
          schema: SearchAnswer,
        },
      },
      async run({ who, body, headers }): Promise<RestOutcome> {
        const { query, entity_types: types, tags, max_results: limit } = body;
        const asked = splitTagWords(query);
        const found = await finder.find(who, {
          ...{ text: asked.text, kinds: toKinds(types ?? ENTITY_TYPES), limit },
          tags: [...new Set([...asked.tags, ...(tags ?? []).map(written => written.toLowerCase())])],
          include: {
            draft: body.include_draft,
            deprecated: body.include_deprecated,
            disabled: body.include_disabled,
          },
        });
        if ('code' in found) return found;
        return answer(200, toAnswer(query, found, publicUrl ?? baseOf(headers)));
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/api/search/tags', operation: 'search/tags', tag: 'search', access },
      summary: 'List the tags of what the caller may see',
      answers: {
        200: {
          says: 'Each once, by name.',
          schema: z.object({ tags: z.array(z.string()), total_tags: z.int() }),
        },
      },
      run({ who }) {
        const tags = finder.tags(who);
        return answer(200, { tags, total_tags: tags.length });
      },
    }),
    defineRoute({ method: 'POST', ...discover }),
    defineRoute({ method: 'GET', ...discover }),
  ];
}

const baseOf = ({ host }: IncomingHttpHeaders): string => `http://${host ?? 'localhost'}`;

function toKinds(types: readonly (typeof ENTITY_TYPES)[number][]): DocumentKind[] {
  return [...new Set(types.flatMap(type => (type === EMPTY_KIND ? [] : [KINDS[type]])))];
}

function toAnswer(query: string, found: Found, base: string): z.output<typeof SearchAnswer> {
  const doorOf = (path: string) => `${base}/${keyOfPath(path)}/mcp`;
  const servers = found.servers.map(({ view: { card, numTools }, tools: matching, hit }) => ({
    ...{ path: card.path, server_name: card.name, description: card.description, tags: card.tags },
    ...{ num_tools: numTools, is_enabled: card.enabled, status: card.status },
    matching_tools: matching.map(toMatchingTool),
    endpoint_url: card.deployment === 'local' ? null : doorOf(card.path),
    supported_transports: card.supportedTransports,
    ...toScores(hit),
  }));
  const tools = found.tools.map(tool => ({
    ...{ server_path: tool.path, server_name: tool.serverName, public_name: tool.entry.name },
    ...{ endpoint_url: doorOf(tool.path), ...toMatchingTool(tool) },
  }));
  const agents = found.agents.map(({ agent, hit }) => ({ ...toAgent(agent), ...toScores(hit) }));
  const skills = found.skills.map(({ agent, skill, hit }) => ({
    ...{ skill_id: skill.id, skill_name: skill.name, description: skill.description, tags: skill.tags },
    ...{ agent_path: agent.path, agent_name: agent.name, ...toScores(hit) },
  }));
  return {
    ...{ query, search_mode: found.mode, confidence: found.confidence },
    ...{ servers, tools, agents, skills, virtual_servers: [], custom: [] },
    ...{ total_servers: servers.length, total_tools: tools.length, total_agents: agents.length },
    ...{ total_skills: skills.length, total_virtual_servers: 0, total_custom: 0 },
  };
}

function toMatchingTool({ entry: { own, ownItem }, hit }: FoundTool): z.output<typeof MatchingTool> {
  const { description, inputSchema } = ownItem;
  return {
    tool_name: own,
    description: typeof description === 'string' ? description : '',
    inputSchema: (inputSchema ?? {}) as Record<string, unknown>,
    ...toScores(hit),
  };
}

function toAgent({ path, name, description, url, tags, skills, enabled, status, trustLevel }: RegisteredAgent) {
  return {
    path,
    agent_name: name,
    description,
    url,
    tags,
    skills,
    is_enabled: enabled,
    status,
    trust_level: trustLevel,
  };
}

function toScores({ relevance, lexicalScore, vectorScore, matchContext }: Ranked) {
  return {
    ...{ relevance_score: relevance, lexical_score: lexicalScore, vector_score: vectorScore },
    match_context: matchContext,
  };
}
