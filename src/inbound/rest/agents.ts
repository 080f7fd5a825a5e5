/** `/api/agents`: A2A cards of the registry. Cards come and go in the spelling of A2A; snake_case is read too. */
import { z } from 'zod';
import type { RegisteredAgent } from '../../domain/registered-agent.ts';
import type { Agents } from '../../services/registry/agents.ts';
import { AgentCard, AgentInfo, type CardExtras, toCard, toInfo } from './agent-views.ts';
import { answer, defineRoute, noContent, type RestRoute } from './route.ts';
import { etagOf, readIfMatch } from './server-route.ts';
import { flag, list, whole } from './written.ts';

const tag = 'agents';
const Path = z.object({ path: z.string() });
const Written = z.record(z.string(), z.json());

const ListQuery = z.object({
  query: z.string().max(512).optional(),
  enabled_only: flag.optional(),
  visibility: z.enum(['public', 'private', 'group-restricted']).optional(),
  allowed_groups: list.optional(),
  limit: whole(1, 2000).default(100),
  offset: whole(0, 1_000_000).default(0),
});
const Registered = z.object({
  message: z.string(),
  agent: AgentInfo.pick({ name: true, path: true, url: true, num_skills: true, registered_at: true, is_enabled: true }),
});
const Taken = z.object({ detail: z.string(), suggestion: z.string() });
const Invalid = z.object({
  ...{ detail: z.string(), message: z.string(), errors: z.array(z.string()), warnings: z.array(z.string()) },
});
const Page = z.object({
  agents: z.array(AgentInfo),
  total_count: z.int(),
  limit: z.int(),
  offset: z.int(),
  has_next: z.boolean(),
});

export function agentRoutes(agents: Agents): RestRoute[] {
  const extrasOf = async (agent: RegisteredAgent): Promise<CardExtras> => ({ ratings: await agents.ratingsOf(agent) });
  const card = async (agent: RegisteredAgent) =>
    answer(200, toCard(agent, await extrasOf(agent)), etagOf(agent.revision));
  const described = { 200: { says: 'The card.', schema: AgentCard, etag: 'always' } } as const;
  const invalid = { 422: { says: 'The card is not valid: every mistake, and what else is odd.', schema: Invalid } };
  const ui = (action: string) => ({ kind: 'ui', action }) as const;

  return [
    defineRoute({
      ...{ method: 'POST', path: '/api/agents/register', operation: 'agents/register', tag },
      summary: 'Register an agent by its card',
      ...{ access: ui('publish_agent'), body: Written },
      answers: {
        201: { says: 'It is registered.', schema: Registered, etag: 'always' },
        409: { says: 'There is an agent at this path already.', schema: Taken },
        ...invalid,
      },
      async run({ who, body, note }) {
        const result = await agents.register(who, body);
        if (result.kind === 'failure') return result;
        const { value } = result;
        note({ target: value.path });
        const { name, path, url, num_skills, registered_at, is_enabled } = toInfo(value, { ratings: [] });
        const agent = { name, path, url, num_skills, registered_at, is_enabled };
        return answer(201, { message: 'Agent registered successfully', agent }, etagOf(value.revision));
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/api/agents', operation: 'agents/list', tag, access: ui('list_agents') },
      summary: 'List the agents that the caller may see',
      query: ListQuery,
      answers: { 200: { says: 'One page, by path.', schema: Page } },
      async run({ who, query: { query, enabled_only, visibility, allowed_groups, limit, offset } }) {
        const filter = {
          ...(query === undefined ? {} : { query }),
          ...(enabled_only === true ? { enabled: true } : {}),
          ...(visibility === undefined ? {} : { visibility }),
        };
        // Groups narrow a list that holds only what the caller may see anyway.
        const isOf = (agent: RegisteredAgent) =>
          allowed_groups === undefined || agent.allowedGroups.some(group => allowed_groups.includes(group));
        const everything = { limit: Number.MAX_SAFE_INTEGER, offset: 0 };
        const all = (await agents.list(who, filter, everything)).items.filter(isOf);
        const shown = all.slice(offset, offset + limit);
        return answer(200, {
          agents: await Promise.all(shown.map(async agent => toInfo(agent, await extrasOf(agent)))),
          ...{ total_count: all.length, limit, offset, has_next: offset + shown.length < all.length },
        });
      },
    }),
    defineRoute({
      ...{ method: 'POST', path: '/api/agents/discover', operation: 'agents/discover', tag },
      summary: 'Find agents by the skills they have',
      ...{ access: ui('list_agents'), hasEffect: false },
      query: z.object({ max_results: whole(1, 100).default(10) }),
      body: z.object({
        skills: z.array(z.string().min(1).max(256)).min(1, 'name at least one skill').max(100),
        tags: z.array(z.string().max(256)).max(100).default([]),
      }),
      answers: {
        200: {
          says: 'Best first.',
          schema: z.object({
            agents: z.array(z.looseObject({ relevance_score: z.number() })),
            query: z.looseObject({}),
          }),
        },
      },
      async run({ who, query, body }) {
        const matches = await agents.discover(who, body, query.max_results);
        const found = matches.map(async ({ agent, relevance, matchedSkills }) => ({
          ...toInfo(agent, await extrasOf(agent)),
          ...{ relevance_score: relevance, matched_skills: matchedSkills },
        }));
        return answer(200, { agents: await Promise.all(found), query: body });
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/api/agents/{path+}', operation: 'agents/get', tag, access: ui('get_agent') },
      ...{ summary: 'Read the card of an agent', params: Path, answers: described, fails: ['NOT_FOUND'] },
      async run({ who, params: { path }, note }) {
        note({ target: `/${path}` });
        const found = await agents.find(who, path);
        return found.kind === 'failure' ? found : card(found.value);
      },
    }),
    ...(['PUT', 'PATCH'] as const).map(method =>
      defineRoute({
        ...{
          method,
          path: '/api/agents/{path+}',
          operation: 'agents/update',
          tag,
          access: { kind: 'caller' } as const,
        },
        summary: method === 'PUT' ? 'Put a card in the place of the one there is' : 'Change members of a card',
        ...{ params: Path, body: Written, answers: { ...described, ...invalid }, fails: ['NOT_FOUND', 'STALE'] },
        takesRevision: true,
        async run({ who, params: { path }, body, headers, note }) {
          note({ target: `/${path}` });
          const change = agents[method === 'PUT' ? 'replace' : 'change'];
          const changed = await change(who, path, body, readIfMatch(headers));
          return changed.kind === 'failure' ? changed : card(changed.value);
        },
      }),
    ),
    defineRoute({
      ...{ method: 'DELETE', path: '/api/agents/{path+}', operation: 'agents/delete', tag, access: { kind: 'caller' } },
      ...{ summary: 'Remove an agent', params: Path, answers: { 204: { says: 'It is gone.', schema: null } } },
      ...{ fails: ['NOT_FOUND', 'STALE'], takesRevision: true },
      async run({ who, params: { path }, headers, note }) {
        note({ target: `/${path}` });
        const removed = await agents.remove(who, path, readIfMatch(headers));
        return removed.kind === 'failure' ? removed : noContent();
      },
    }),
    defineRoute({
      ...{ method: 'POST', path: '/api/agents/{path+}/toggle', operation: 'agents/toggle', tag },
      ...{ access: { kind: 'caller' }, summary: 'Switch an agent on or off', params: Path },
      query: z.object({ enabled: flag }),
      answers: {
        200: {
          says: 'How it is now.',
          schema: z.object({ message: z.string(), path: z.string(), is_enabled: z.boolean() }),
        },
      },
      ...{ fails: ['NOT_FOUND', 'STALE'], takesRevision: true },
      async run({ who, params: { path }, query: { enabled }, headers, note }) {
        note({ target: `/${path}` });
        const toggled = await agents.toggle(who, path, enabled, readIfMatch(headers));
        if (toggled.kind === 'failure') return toggled;
        const message = `Agent ${enabled ? 'enabled' : 'disabled'} successfully`;
        return answer(200, { message, path: toggled.value.path, is_enabled: toggled.value.enabled });
      },
    }),
  ];
}
