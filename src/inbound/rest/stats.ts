/** Which gateway this is, and how much of everything there is for whoever asks: the totals of the lists, and no other. */
import { z } from 'zod';
import type { Clock } from '../../ports/clock.ts';
import type { Agents } from '../../services/registry/agents.ts';
import type { Registry } from '../../services/registry/registry.ts';
import { answer, defineRoute, type RestRoute } from './route.ts';

const Version = z.object({ version: z.string(), service: z.string() });
const Counted = z.object({ total: z.int(), enabled: z.int() });
const Stats = z.object({
  servers: Counted,
  tools: z.int(),
  agents: Counted,
  /** Null for whoever may not list them. */
  groups: z.int().nullable(),
  uptime_seconds: z.number(),
});

const tag = 'health';
const ALL = { offset: 0, limit: Number.MAX_SAFE_INTEGER };

export function statsRoutes(deps: {
  version: string;
  registry: Pick<Registry, 'read' | 'groups'>;
  agents: Pick<Agents, 'list'>;
  clock: Clock;
}): RestRoute[] {
  const { version, registry, agents, clock } = deps;
  const startedMs = clock.monotonicMs();
  return [
    defineRoute({
      // `/health` says as much to anybody.
      ...{ method: 'GET', path: '/api/version', operation: 'gateway/version', tag, access: { kind: 'public' } },
      summary: 'Read which version of the gateway answers',
      answers: { 200: { says: 'Its version and name.', schema: Version } },
      run: () => answer(200, { version, service: 'mcp-gatehouse' }),
    }),
    defineRoute({
      // What is counted is settled one by one; for whoever may see nothing there is nothing.
      ...{ method: 'GET', path: '/api/stats', operation: 'gateway/stats', tag, access: { kind: 'caller' } },
      summary: 'Count the servers, tools, agents and groups that the caller may see',
      answers: { 200: { says: 'The counts; groups only for whoever may list them.', schema: Stats } },
      async run({ who }) {
        const [{ servers }, { items }] = await Promise.all([
          registry.read.list(who, {}, ALL),
          agents.list(who, {}, ALL),
        ]);
        const groups = registry.groups.list(who);
        return answer(200, {
          servers: { total: servers.length, enabled: servers.filter(({ card }) => card.enabled).length },
          tools: servers.reduce((sum, { tools }) => sum + (tools?.length ?? 0), 0),
          agents: { total: items.length, enabled: items.filter(({ enabled }) => enabled).length },
          groups: groups.kind === 'failure' ? null : groups.value.length,
          uptime_seconds: Math.floor((clock.monotonicMs() - startedMs) / 1000),
        });
      },
    }),
  ];
}
