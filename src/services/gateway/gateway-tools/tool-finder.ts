/**
 * Finding tools for whoever asks in plain words, by whichever tool of ours: among what the caller may use and every search
 * offers, of one server or of those with certain tags. The answers differ in their shape alone.
 */
import type { CatalogEntry } from '../../../domain/catalog.ts';
import type { Identity } from '../../../domain/identity.ts';
import { isJsonObject, type JsonObject, objectOrEmpty } from '../../../domain/json.ts';
import { parseDescription } from '../../../domain/parsed-description.ts';
import type { RegisteredServer } from '../../../domain/registered-server.ts';
import { pathOfKey } from '../../../domain/registry-path.ts';
import type { ServerKey } from '../../../domain/server.ts';
import type { FoundTools, ToolSearch } from '../../../ports/tool-search.ts';
import type { CatalogBook } from '../../catalog/catalog-book.ts';
import type { Visible } from '../visible.ts';

export interface ToolWish {
  query: string;
  limit: number;
  /** Null: of any server. */
  server: ServerKey | null;
  /** Of the server, all of them; a server that the registry does not know has none. */
  tags: readonly string[];
  /** Tools of so many servers at most, the best one's first; null: of as many as fit. */
  maxServers: number | null;
}

export interface ServerFacts {
  /** In the registry, with its leading slash: what invoke_mcp_tool takes as server_name. */
  path: string;
  name: string;
  transports: readonly string[];
}

export interface ToolFinder {
  find(who: Identity, wish: ToolWish): Promise<FoundTools>;
  /** By its name for people only for whoever may list it. */
  describeServer(who: Identity, server: ServerKey): ServerFacts;
}

/** What a search for few servers looks through. */
const MANY = 50;

export function createToolFinder(deps: {
  catalog: CatalogBook;
  visible: Visible;
  search: ToolSearch;
  registered: {
    /** Null: the registry does not know it, or does not list it for this caller. */
    find(who: Identity, server: ServerKey): Pick<RegisteredServer, 'name' | 'tags' | 'supportedTransports'> | null;
    /** Whether searches find its tools; asked of what is not listed, too. */
    isOffered(server: ServerKey): boolean;
  };
  /** Waits for servers that are still starting. */
  settled(): Promise<void>;
}): ToolFinder {
  const { catalog, visible, search, registered, settled } = deps;

  /** Shape: what was given itself where all of it is wanted: the search knows it again. */
  function wantedOf(who: Identity, entries: readonly CatalogEntry[], tags: readonly string[]): readonly CatalogEntry[] {
    const asked = tags.map(tag => tag.toLowerCase());
    const hasTags = (server: ServerKey) => {
      if (asked.length === 0) return true;
      const has = new Set(registered.find(who, server)?.tags.map(tag => tag.toLowerCase()));
      return asked.every(tag => has.has(tag));
    };
    const servers = [...new Set(entries.map(({ server }) => server))];
    const wanted = new Set(servers.filter(server => registered.isOffered(server) && hasTags(server)));
    return wanted.size === servers.length ? entries : entries.filter(({ server }) => wanted.has(server));
  }

  return {
    async find(who, { query, limit, server, tags, maxServers }) {
      await settled();
      const entries = wantedOf(who, visible.entries(who, { server, exposure: null }, 'tools'), tags);
      const found = await search.search(catalog.current(), entries, query, maxServers === null ? limit : MANY);
      if (maxServers === null) return found;
      const servers = new Set<ServerKey>();
      const hits = found.hits.filter(({ entry }) => {
        if (servers.size < maxServers) servers.add(entry.server);
        return servers.has(entry.server);
      });
      return { ...found, hits: hits.slice(0, limit) };
    },
    describeServer(who, server) {
      const known = registered.find(who, server);
      const transports = known?.supportedTransports ?? [];
      return {
        path: pathOfKey(server),
        name: known?.name ?? server,
        transports: transports.length === 0 ? ['streamable-http'] : transports,
      };
    },
  };
}

/** In the shape of the registry's documents: as it is, it goes into invoke_mcp_tool. */
export function toDocumented({ ownItem, own }: CatalogEntry, server: ServerFacts, score: number): JsonObject {
  const { description, inputSchema } = ownItem;
  return {
    tool_name: own,
    tool_parsed_description: {
      main: parseDescription(typeof description === 'string' ? description : '').main,
      parameters: describeParameters(objectOrEmpty(inputSchema)),
    },
    tool_schema: inputSchema ?? {},
    service_path: server.path,
    service_name: server.name,
    supported_transports: [...server.transports],
    // The gateway shows the server its credential itself; whoever calls through it needs none.
    auth_provider: null,
    overall_similarity_score: score,
  };
}

/** Parameter -> what is said of it, else its type. */
function describeParameters({ properties }: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(objectOrEmpty(properties)).map(([name, schema]) => {
      const { description, title, type } = isJsonObject(schema) ? schema : {};
      return [name, description ?? title ?? type ?? ''];
    }),
  );
}
