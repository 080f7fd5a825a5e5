/**
 * What a caller finds in the registry: servers, their tools, how they are. Whatever is shown passes `mayList`; tools pass
 * the question that a list of tools asks too.
 */
import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import { mayUiToAll } from '../../domain/policy.ts';
import type { Rating } from '../../domain/rating.ts';
import { type RegisteredServer, type ServerCard, serverKeyOf, toServerCard } from '../../domain/registered-server.ts';
import { sameServerUrl } from '../../domain/server-endpoint.ts';
import type { ServerHealth } from '../../domain/server-health.ts';
import { similarity } from '../../domain/similarity.ts';
import type { ServerFilter } from '../../ports/server-repository.ts';
import { findListDenial, mayChange, mayList } from './access.ts';
import { deniedServer, done, noSuchServer, type RegistryDesk, type Result } from './desk.ts';
import { openHeaders } from './server-secrets.ts';

/** A server as a caller sees it. */
export interface ServerView {
  card: ServerCard;
  health: ServerHealth;
  /** Those the caller may use; null: the server has not shown any yet, or is switched off. */
  tools: readonly JsonObject[] | null;
  /** How many these are; until the server has shown any, what its registrant says. */
  numTools: number;
  /** Empty: nobody has rated it. */
  ratings: readonly Rating[];
}

export interface Duplicates {
  /** Servers with the same address. */
  collisions: readonly RegisteredServer[];
  /** Servers that say much the same of themselves, the most alike first. */
  alike: readonly { server: RegisteredServer; score: number }[];
}

/** From here on two descriptions are worth a look. */
export const ALIKE = 0.6;
const MAX_ALIKE = 10;

export interface ReadServers {
  /** By path. `total` counts what this caller may see. */
  list(
    who: Identity,
    filter: ServerFilter,
    page: { offset: number; limit: number },
  ): Promise<{ servers: ServerView[]; total: number }>;
  /** All of them as they are kept, by path. */
  seen(who: Identity): readonly RegisteredServer[];
  find(who: Identity, path: string): Promise<Result<ServerView>>;
  /** Headers are named with their values only for whoever may change the server. */
  connection(
    who: Identity,
    path: string,
  ): Promise<Result<{ view: ServerView; headers: readonly [string, string][] | null }>>;
  /** Of a server that the caller was shown. */
  health(who: Identity, server: RegisteredServer): ServerHealth;
  findDuplicates(who: Identity, like: { name: string; description: string; url: string | null }): Duplicates;
}

export function createReadServers(desk: RegistryDesk): ReadServers {
  const { storage, policy, live, sealer } = desk;

  async function toView(who: Identity, server: RegisteredServer): Promise<ServerView> {
    const key = serverKeyOf(server);
    const listed = server.enabled ? live.tools(key) : null;
    const tools = listed?.filter(({ name }) => typeof name === 'string' && live.mayUse(who, key, name)) ?? null;
    return {
      card: toServerCard(server),
      health: live.health(who, server),
      tools,
      numTools: tools?.length ?? server.numTools,
      ratings: await storage.ratings.list({ kind: 'server', path: server.path }),
    };
  }

  const toViews = (who: Identity, servers: readonly RegisteredServer[]) =>
    Promise.all(servers.map(server => toView(who, server)));

  function seesAll(who: Identity): boolean {
    const { restricted } = policy();
    const listsAll = mayUiToAll(policy(), who, 'list_service');
    return listsAll && (restricted.size === 0 || mayUiToAll(policy(), who, 'modify_service'));
  }

  async function findSeen(who: Identity, path: string): Promise<Result<RegisteredServer>> {
    const server = await storage.servers.find(path);
    if (server === null) return noSuchServer();
    const denial = findListDenial(policy(), who, server);
    return denial === null ? done(server) : deniedServer(denial);
  }

  /** In steps: of many that fit the caller may see few. */
  async function collect(who: Identity, filter: ServerFilter): Promise<RegisteredServer[]> {
    const found: RegisteredServer[] = [];
    for (let after: string | null = null; ; ) {
      const { items } = await storage.servers.list(filter, { after, limit: STEP });
      for (const server of items) if (mayList(policy(), who, server)) found.push(server);
      if (items.length < STEP) return found;
      after = items.at(-1)?.path ?? null;
    }
  }

  const seenBy = (who: Identity) =>
    [...desk.current().servers.values()]
      .filter(server => mayList(policy(), who, server))
      .sort((a, b) => (a.path < b.path ? -1 : 1));

  return {
    async list(who, filter, { offset, limit }) {
      if (seesAll(who)) {
        const { items, total } = await storage.servers.list(filter, { offset, limit });
        return { servers: await toViews(who, items), total };
      }
      // Without a filter the snapshot has it all, and nothing is read.
      const seen = Object.keys(filter).length === 0 ? seenBy(who) : await collect(who, filter);
      return { servers: await toViews(who, seen.slice(offset, offset + limit)), total: seen.length };
    },
    seen: seenBy,
    async find(who, path) {
      const found = await findSeen(who, path);
      return found.kind === 'failure' ? found : done(await toView(who, found.value));
    },
    async connection(who, path) {
      const found = await findSeen(who, path);
      if (found.kind === 'failure') return found;
      const server = found.value;
      const opened = mayChange(policy(), who, 'modify_service', server) ? openHeaders(sealer, server) : null;
      const headers = opened?.map(({ name, value }): [string, string] => [name, value.reveal()]) ?? null;
      return done({ view: await toView(who, server), headers });
    },
    health: live.health,
    findDuplicates(who, { name, description, url }) {
      const seen = seenBy(who);
      const wanted = url === null ? null : sameServerUrl(url);
      const isSame = ({ proxyUrl, mcpEndpoint, sseEndpoint }: RegisteredServer) =>
        [proxyUrl, mcpEndpoint, sseEndpoint].some(other => other !== null && sameServerUrl(other) === wanted);
      const text = `${name} ${description}`;
      const alike = seen
        .map(server => ({ server, score: similarity(text, `${server.name} ${server.description}`) }))
        .filter(({ score }) => score >= ALIKE)
        .sort((a, b) => b.score - a.score)
        .slice(0, MAX_ALIKE);
      return { collisions: wanted === null ? [] : seen.filter(isSame), alike };
    },
  };
}

const STEP = 500;
