/** The tools for servers of the registry: which there are, how they are, and whatever is done with them. */
import { z } from 'zod';
import type { Json, JsonObject } from '../../../domain/json.ts';
import { mayUi } from '../../../domain/policy.ts';
import { pathOfKey } from '../../../domain/registry-path.ts';
import { trimSlashes } from '../../../domain/scope-rules.ts';
import type { ServerHealth } from '../../../domain/server-health.ts';
import { ungranted } from '../../registry/access.ts';
import { deniedServer, done, noSuchServer } from '../../registry/desk.ts';
import type { ServerView } from '../../registry/read.ts';
import { RegisterArguments, toNewServer } from './register-arguments.ts';
import { defineTool, type RegistryTool } from './registry-tool.ts';

const servicePath = z.string().min(1).max(512).describe('Path of the server, as list_services gives it: /github.');
const OnService = z.strictObject({ service_path: servicePath });

/** With or without the slash in front; one that cannot be is found nowhere. */
export const toPath = (written: string): string => pathOfKey(trimSlashes(written));

const OWNERS = 'register_service';
const MAX_SERVICES = 200;

export const SERVER_TOOLS: readonly RegistryTool[] = [
  defineTool({
    ...{ name: 'list_services', title: 'List servers', needs: { kind: 'ui', action: 'list_service' } },
    description:
      'Lists the MCP servers of the registry that you may see: path, name, description, tags, whether each is switched on, healthy, and how many tools it has. To find a tool by what it does, use intelligent_tool_finder instead.',
    args: z.strictObject({
      query: z.string().max(512).optional().describe('Only servers that say something like this of themselves.'),
      limit: z.int().min(1).max(MAX_SERVICES).default(100).describe('How many to return.'),
      offset: z.int().min(0).max(1_000_000_000).default(0).describe('How many to pass over.'),
    }),
    async run({ registry }, { who }, { query, limit, offset }) {
      const filter = query === undefined || query.trim() === '' ? {} : { query };
      const { servers, total } = await registry.read.list(who, filter, { offset, limit });
      const page = { total_count: total, limit, offset, has_next: offset + servers.length < total };
      return done({ services: servers.map(showService), ...page });
    },
  }),
  defineTool({
    ...{ name: 'healthcheck', title: 'Health of the servers', needs: { kind: 'ui', action: 'list_service' } },
    description:
      'Tells how the servers of the registry were found when somebody last looked: status, time and number of tools, by path. It connects to nothing; refresh_service does.',
    args: z.strictObject({ service_path: servicePath.optional() }),
    run({ registry, policy }, { who }, { service_path: written }) {
      const wanted = written === undefined ? null : toPath(written);
      // Over REST, too, one takes the right to see it, and all of them at once the right to check them.
      const mayAsk = (path: string) =>
        wanted === null ? mayUi(policy(), who, 'health_check_service', path) : path === wanted;
      const seen = registry.read.seen(who).filter(({ path }) => mayAsk(path));
      if (wanted !== null && seen.length === 0) return noSuchServer();
      if (seen.length === 0 && !mayUi(policy(), who, 'health_check_service', null))
        return deniedServer(ungranted('health_check_service'));
      const services = Object.fromEntries(
        seen.map(server => [server.path, showHealth(registry.read.health(who, server))]),
      );
      return done({ services, total_count: seen.length });
    },
  }),
  defineTool({
    ...{ name: 'register_service', title: 'Register a server', needs: { kind: 'ui', action: 'register_service' } },
    description:
      'Registers an MCP server at a path, so that those who may use it find and call its tools through this gateway. Refused when there is a server at that path already, unless overwrite is true or another version is named.',
    hasEffect: true,
    args: RegisterArguments,
    about: ({ path }) => path,
    async run({ registry }, { who }, args) {
      const result = await registry.register(who, toNewServer(args));
      if (result.kind === 'failure') return result;
      const { server, as } = result.value;
      return done({ service_path: server.path, service_name: server.name, version: server.version, registered_as: as });
    },
  }),
  defineTool({
    ...{ name: 'toggle_service', title: 'Switch a server on or off' },
    needs: { kind: 'ui', action: 'toggle_service', owners: OWNERS },
    description:
      'Switches a server on or off. A server that is off is neither listed nor called. Without enabled it is switched the other way than it is.',
    hasEffect: true,
    args: OnService.extend({ enabled: z.boolean().optional().describe('true: on, false: off.') }),
    about: ({ service_path: path }) => toPath(path),
    async run({ registry }, { who }, { service_path: path, enabled }) {
      const result = await registry.toggle(who, toPath(path), enabled ?? null, null);
      if (result.kind === 'failure') return result;
      const { value: server } = result;
      const found = showHealth(registry.read.health(who, server));
      return done({ service_path: server.path, new_enabled_state: server.enabled, ...found });
    },
  }),
  defineTool({
    ...{ name: 'refresh_service', title: 'Read a server anew' },
    needs: { kind: 'ui', action: 'health_check_service', owners: OWNERS },
    description: 'Connects to a server and reads its tools anew. Returns how it was found.',
    ...{ hasEffect: true, args: OnService, about: ({ service_path: path }) => toPath(path) },
    async run({ registry }, { who }, { service_path: path }) {
      const result = await registry.refresh(who, toPath(path));
      if (result.kind === 'failure') return result;
      return done({ service_path: result.value.server.path, ...showHealth(result.value.health) });
    },
  }),
  defineTool({
    ...{ name: 'remove_service', title: 'Remove a server' },
    needs: { kind: 'ui', action: 'delete_service', owners: OWNERS, orAll: 'modify_service' },
    description: 'Removes a server with everything that is kept of it: versions, credentials, ratings, group grants.',
    ...{ hasEffect: true, isDestructive: true, args: OnService, about: ({ service_path: path }) => toPath(path) },
    async run({ registry }, { who }, { service_path: path }) {
      const result = await registry.remove(who, toPath(path), null);
      return result.kind === 'failure' ? result : done({ service_path: result.value, removed: true });
    },
  }),
];

function showService({ card, health, numTools }: ServerView): JsonObject {
  return {
    ...{ service_path: card.path, service_name: card.name, description: card.description, tags: card.tags },
    ...{ is_enabled: card.enabled, version: card.version, supported_transports: card.supportedTransports },
    ...showHealth({ ...health, numTools }),
  };
}

function showHealth({ status, checkedAtMs, numTools }: ServerHealth) {
  const checked: Json = checkedAtMs === null ? null : new Date(checkedAtMs).toISOString();
  return { status, last_checked_iso: checked, num_tools: numTools };
}
