/** A gateway with a registry full of servers and agents, and callers whose rights a story writes: for what each of them finds. */
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { waitFor } from './gateway-process.ts';
import { type GuardedGateway, startGuarded, tokenOf } from './guarded-gateway.ts';
import { fetchHeld } from './openapi-check.ts';

export interface SearchedGateway {
  gateway: GuardedGateway;
  /** As a caller of that name in these groups; throws unless the answer is 2xx. */
  ask(who: Who, method: string, path: string, body?: Json): Promise<JsonObject>;
  search(who: Who, query: string, more?: JsonObject): Promise<Hits>;
  stop(): Promise<void>;
}

export interface Who {
  name: string;
  groups: readonly string[];
}

export type Hits = JsonObject & Record<'servers' | 'tools' | 'agents' | 'skills', JsonObject[]>;

export const ADMIN: Who = { name: 'ada', groups: ['admins'] };
export const METHODS = ['initialize', 'notifications/initialized', 'ping', 'tools/list', 'tools/call'];

const ALL = ['all'];
const UI_ALL = {
  ...{ list_service: ALL, register_service: ALL, modify_service: ALL },
  ...{ list_agents: ALL, publish_agent: ALL, modify_agent: ALL },
};

export const tokenFor = ({ name, groups }: Who): string => tokenOf(name, { groups: [...groups] });

/** `rights`: per group, what its members may do; scopes and groups have the same names. */
export async function openSearched(setup: {
  rights: Readonly<Record<string, { ui: JsonObject; servers: JsonObject[] }>>;
  servers: readonly (JsonObject & { path: string })[];
  agents: readonly JsonObject[];
  /** Of all servers together. */
  tools: number;
}): Promise<SearchedGateway> {
  const rights = { admins: { ui: UI_ALL, servers: [{ server: '*', methods: METHODS, tools: '*' }] }, ...setup.rights };
  const groups = Object.entries(rights);
  const gateway = await startGuarded({
    scopes: {
      'UI-Scopes': Object.fromEntries(groups.map(([group, { ui }]) => [group, ui])),
      group_mappings: Object.fromEntries(groups.map(([group]) => [group, [group]])),
      ...Object.fromEntries(groups.map(([group, { servers }]) => [group, servers])),
    },
    // Every server of a test is on this machine, and every caller asks much at once.
    settings: { outbound: { allow: ['127.0.0.0/8'], allowHttp: true } },
  });

  async function ask(who: Who, method: string, path: string, body?: Json): Promise<JsonObject> {
    const reply = await fetchHeld(gateway.origin + path, {
      method,
      headers: { authorization: `Bearer ${tokenFor(who)}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path} as ${who.name}: ${reply.status} ${text}`);
    return JSON.parse(text) as JsonObject;
  }

  try {
    for (const server of setup.servers) await ask(ADMIN, 'POST', '/api/servers/register', server);
    for (const agent of setup.agents) await ask(ADMIN, 'POST', '/api/agents/register', agent);
    await waitFor(async () => {
      const { total_count: count } = await ask(ADMIN, 'GET', '/api/tool-catalog');
      return count === setup.tools ? true : null;
    }, `${setup.tools} tools`);
  } catch (cause) {
    await gateway.stop();
    throw cause;
  }
  return {
    gateway,
    ask,
    search: async (who, query, more = {}) =>
      (await ask(who, 'POST', '/api/search/semantic', { query, max_results: 50, ...more })) as Hits,
    stop: gateway.stop,
  };
}

export const agentCard = (path: string, name: string, description: string, more: JsonObject = {}): JsonObject => ({
  ...{ protocolVersion: '1.0', name, description, path, url: `https://agents.example.test${path}` },
  skills: [{ id: `${path.slice(1)}-work`, name: `Work of ${name}`, description, tags: [] }],
  ...more,
});
