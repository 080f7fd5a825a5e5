/**
 * How the gateway introduces itself: capabilities, instructions and name, for `initialize` and `server/discover`.
 * Answered from memory, at once, whatever the servers do: a client takes silence here for an outage.
 */
import type { Door } from '../../domain/call.ts';
import type { Catalog, ServerView } from '../../domain/catalog.ts';
import { type Era, TASKS_EXTENSION } from '../../domain/era.ts';
import { GATEHOUSE } from '../../domain/gateway-path.ts';
import { isJsonObject, type JsonObject, objectOrEmpty } from '../../domain/json.ts';
import type { ServerKey } from '../../domain/server.ts';

const MAX_INSTRUCTIONS_PER_SERVER = 600;
const MAX_INSTRUCTIONS = 8000;
const UI_EXTENSION = 'io.modelcontextprotocol/ui';

const OF_THE_REGISTRY =
  'Gatehouse is a registry of MCP servers. Find a tool for a task with intelligent_tool_finder and call it with invoke_mcp_tool; the other tools look after the registry itself. Servers:';

export interface Welcome {
  serverInfo: JsonObject;
  capabilities: JsonObject;
  instructions: string;
}

/** `isVisible`: whether the one who is welcomed may know of a server. */
export function composeWelcome(
  catalog: Catalog,
  door: Door,
  era: Era,
  version: string,
  isVisible: (server: ServerKey) => boolean,
): Welcome {
  const views = viewsBehind(catalog, door, isVisible);
  return {
    serverInfo: { name: GATEHOUSE, title: 'Gatehouse', version },
    capabilities: {
      // Declared whole: a server that comes up later brings its kinds without a new handshake.
      tools: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      prompts: { listChanged: true },
      completions: {},
      logging: {},
      ...extensions(views, era),
    },
    instructions: composeInstructions(views, door, catalog),
  };
}

/** Servers behind a door that somebody may know of. */
export function viewsBehind(
  catalog: Catalog,
  door: Door,
  isVisible: (server: ServerKey) => boolean,
): readonly ServerView[] {
  return [...catalog.servers.values()].filter(
    ({ key }) => (door.server === null || key === door.server) && isVisible(key),
  );
}

/** Extensions we can carry and some server speaks. Tasks only where both sides are modern. */
function extensions(views: readonly ServerView[], era: Era): JsonObject {
  const found: JsonObject = {};
  for (const { facts } of views) {
    if (facts === null) continue;
    for (const [name, settings] of Object.entries(objectOrEmpty(facts.capabilities.extensions))) {
      const carried = name === UI_EXTENSION || (name === TASKS_EXTENSION && era === 'modern' && facts.era === 'modern');
      if (carried && isJsonObject(settings)) found[name] = settings;
    }
  }
  return Object.keys(found).length > 0 ? { extensions: found } : {};
}

function composeInstructions(views: readonly ServerView[], door: Door, catalog: Catalog): string {
  if (door.server !== null) return views[0]?.facts?.instructions ?? '';
  const lines = views.map(({ key, description, facts }) => {
    const about = description ?? facts?.instructions ?? null;
    return about === null
      ? `- ${key}`
      : `- ${key}: ${about.replace(/\s+/g, ' ').trim().slice(0, MAX_INSTRUCTIONS_PER_SERVER)}`;
  });
  // Without a prefix names say nothing of their server.
  const [first] = catalog.tools.values();
  const form = first !== undefined && first.name === first.own ? '' : 'Names have the form <server>__<name>. ';
  if (door.exposure === 'registry') return [OF_THE_REGISTRY, ...lines].join('\n').slice(0, MAX_INSTRUCTIONS);
  const head = `Gatehouse puts the tools, resources and prompts of several MCP servers behind one address. ${form}Servers:`;
  return [head, ...lines].join('\n').slice(0, MAX_INSTRUCTIONS);
}
