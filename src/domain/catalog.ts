/**
 * The catalog: what can be called now, under public names. An immutable snapshot derived from the servers' listings;
 * items stay as the server gave them, except for the name (or a URI that two servers claim).
 * Order is the configured order of servers, then each server's own order: stable, so that prompt caches hold.
 */
import { isJsonObject, type JsonObject } from './json.ts';
import { LISTING_FACTS, LISTING_KINDS, type Listing, type ListingKind, type ServerFacts } from './listing.ts';
import { hashedName, type PrefixStyle, publicName, serverOfName } from './names.ts';
import type { ServerKey, ServerStatus, Sharing } from './server.ts';

export interface CatalogEntry {
  kind: ListingKind;
  server: ServerKey;
  /** Name or URI on its server. */
  own: string;
  /** Name or URI we show. */
  name: string;
  /** The item as listed: `item.name` (or `.uri`) is the public one. */
  item: JsonObject;
  /** The item as its server gave it. */
  ownItem: JsonObject;
}

export interface ServerView {
  key: ServerKey;
  /** Of a registered server. */
  version?: string;
  /** What it is called by at the downstreams. Absent: its key. */
  connection?: string;
  description: string | null;
  sharing: Sharing;
  status: ServerStatus;
  reason: string | null;
  facts: ServerFacts | null;
  /** The last known one: kept while the server is away. */
  listing: Listing | null;
}

export interface Collision {
  kind: ListingKind;
  name: string;
  keeps: ServerKey;
  renamed: { server: ServerKey; to: string };
}

export interface Catalog {
  version: number;
  servers: ReadonlyMap<ServerKey, ServerView>;
  tools: ReadonlyMap<string, CatalogEntry>;
  resources: ReadonlyMap<string, CatalogEntry>;
  templates: ReadonlyMap<string, CatalogEntry>;
  prompts: ReadonlyMap<string, CatalogEntry>;
  /** Tools by server and own name. */
  ownTools: ReadonlyMap<ServerKey, ReadonlyMap<string, CatalogEntry>>;
  /** Own tool name -> its entry when exactly one server has it: MCP Apps call tools by their own name. */
  uniqueOwnTools: ReadonlyMap<string, CatalogEntry | null>;
  /** Servers one of whose URIs had to be renamed: own URI -> public URI. Absent for all others. */
  renamedUris: ReadonlyMap<ServerKey, ReadonlyMap<string, string>>;
  collisions: readonly Collision[];
  /** What each server brought: of one whose listing stays it is taken over as it is. */
  parts: ReadonlyMap<ServerKey, CatalogPart>;
}

/** One server's share. Shape: `entries` in its own order, each name once. */
export interface CatalogPart {
  listing: Listing;
  entries: readonly CatalogEntry[];
  tools: ReadonlyMap<string, CatalogEntry>;
  renamedUris: ReadonlyMap<string, string>;
  collisions: readonly Collision[];
}

export const EMPTY_CATALOG: Catalog = {
  version: 0,
  servers: new Map(),
  tools: new Map(),
  resources: new Map(),
  templates: new Map(),
  prompts: new Map(),
  ownTools: new Map(),
  uniqueOwnTools: new Map(),
  renamedUris: new Map(),
  collisions: [],
  parts: new Map(),
};

/** `kind name` -> whom it was given to first; carried from snapshot to snapshot so that no name ever moves. */
export type Claims = Map<string, { server: ServerKey; own: string }>;

/** A server that lists other names at every turn must not fill memory; only claims nobody shows are forgotten. */
const MAX_CLAIMS = 100_000;

/**
 * Merges the servers' listings. `claims` remembers which server had a name first and is extended here: a newcomer
 * never takes a name, it gets one with a hash tail and a line in `collisions`. A listing that `before` holds already costs
 * no more than putting its entries in their place: with many servers most of them did not change.
 */
export function mergeCatalog(
  servers: readonly ServerView[],
  style: PrefixStyle,
  claims: Claims,
  before: Catalog = EMPTY_CATALOG,
): Catalog {
  const maps = { tools: new Map(), resources: new Map(), templates: new Map(), prompts: new Map() } satisfies Record<
    ListingKind,
    Map<string, CatalogEntry>
  >;
  const uniqueOwnTools = new Map<string, CatalogEntry | null>();
  const parts = new Map<ServerKey, CatalogPart>();
  for (const { key, listing } of servers) {
    if (listing === null) continue;
    const known = before.parts.get(key);
    const part = known?.listing === listing ? known : partOf(key, listing, style, claims);
    parts.set(key, part);
    for (const entry of part.entries) maps[entry.kind].set(entry.name, entry);
    for (const [own, entry] of part.tools) uniqueOwnTools.set(own, uniqueOwnTools.has(own) ? null : entry);
  }
  if (claims.size > MAX_CLAIMS) forgetUnshown(claims, maps);
  return {
    version: before.version + 1,
    servers: byKey(servers),
    ...maps,
    ownTools: pick(parts, ({ tools }) => (tools.size > 0 ? tools : null)),
    uniqueOwnTools,
    renamedUris: pick(parts, ({ renamedUris }) => (renamedUris.size > 0 ? renamedUris : null)),
    collisions: [...parts.values()].flatMap(({ collisions }) => collisions),
    parts,
  };
}

/** The same lists with what else is known of the servers now, or null where a list is another. */
export function withConditions(before: Catalog, servers: readonly ServerView[]): Catalog | null {
  const listing = servers.filter(view => view.listing !== null);
  if (listing.length !== before.parts.size) return null;
  const known = before.parts.entries();
  for (const view of listing) {
    const [key, part] = known.next().value ?? [];
    if (key !== view.key || part?.listing !== view.listing) return null;
  }
  return { ...before, servers: byKey(servers) };
}

function partOf(server: ServerKey, listing: Listing, style: PrefixStyle, claims: Claims): CatalogPart {
  const entries = new Map<string, CatalogEntry>();
  const tools = new Map<string, CatalogEntry>();
  const renamedUris = new Map<string, string>();
  const collisions: Collision[] = [];
  for (const kind of LISTING_KINDS) {
    for (const ownItem of listing[kind]) {
      const own = ownItem[LISTING_FACTS[kind].key];
      if (typeof own !== 'string') continue;
      const wanted = wantedName(kind, style, server, own);
      const name = claim(claims, kind, server, own, wanted, style);
      const unique = `${kind} ${name}`;
      if (entries.has(unique)) continue; // the server listed the same name twice: the first counts
      if (name !== wanted) {
        const keeps = claims.get(`${kind} ${wanted}`)?.server ?? server;
        collisions.push({ kind, name: wanted, keeps, renamed: { server, to: name } });
        if (kind === 'resources' || kind === 'templates') renamedUris.set(own, name);
      }
      const entry: CatalogEntry = { kind, server, own, name, item: publicItem(kind, ownItem, name), ownItem };
      entries.set(unique, entry);
      if (kind === 'tools') tools.set(own, entry);
    }
  }
  return { listing, entries: [...entries.values()], tools, renamedUris, collisions };
}

function byKey(servers: readonly ServerView[]): ReadonlyMap<ServerKey, ServerView> {
  return new Map(servers.map(view => [view.key, view]));
}

function pick<T>(
  parts: ReadonlyMap<ServerKey, CatalogPart>,
  find: (part: CatalogPart) => T | null,
): ReadonlyMap<ServerKey, T> {
  const found = new Map<ServerKey, T>();
  for (const [server, part] of parts) {
    const value = find(part);
    if (value !== null) found.set(server, value);
  }
  return found;
}

function wantedName(kind: ListingKind, style: PrefixStyle, server: ServerKey, own: string): string {
  return kind === 'tools' || kind === 'prompts' ? publicName(style, server, own) : own;
}

/** The first of the names this item could have that is free or its own already: also the way out is claimed. */
function claim(
  claims: Claims,
  kind: ListingKind,
  server: ServerKey,
  own: string,
  wanted: string,
  style: PrefixStyle,
): string {
  let name = wanted;
  for (let round = 0; ; round++) {
    const holder = claims.get(`${kind} ${name}`);
    if (holder === undefined) claims.set(`${kind} ${name}`, { server, own });
    if (holder === undefined || (holder.server === server && holder.own === own)) return name;
    // A URI keeps its scheme readable behind the server's key; a name gets the tail of its hash.
    name = kind === 'tools' || kind === 'prompts' ? hashedName(style, server, own, round) : `${server}+${name}`;
  }
}

function forgetUnshown(claims: Claims, shown: Record<ListingKind, ReadonlyMap<string, CatalogEntry>>): void {
  for (const claimed of claims.keys()) {
    const at = claimed.indexOf(' ');
    if (!shown[claimed.slice(0, at) as ListingKind].has(claimed.slice(at + 1))) claims.delete(claimed);
  }
}

/** The own name stays readable as `title` where the server gave none. */
function publicItem(kind: ListingKind, item: JsonObject, name: string): JsonObject {
  const field = LISTING_FACTS[kind].key;
  if (item[field] === name) return item;
  if (field !== 'name') return { ...item, [field]: name };
  const annotated = isJsonObject(item.annotations) && typeof item.annotations.title === 'string';
  const titled = typeof item.title === 'string' || annotated;
  return titled ? { ...item, name } : { ...item, name, title: item.name ?? name };
}

/**
 * The one tool that its server calls so; null: none, or several. What reads like a public name of a known server is that
 * server's, whoever calls a tool of his own so, and while that server is away too.
 */
export function findUniqueOwnTool({ uniqueOwnTools, servers }: Catalog, own: string): CatalogEntry | null {
  const entry = uniqueOwnTools.get(own) ?? null;
  const claimed = serverOfName(own);
  const isAnothers = claimed !== null && claimed !== entry?.server && servers.has(claimed);
  return isAnothers ? null : entry;
}

/** The server a template belongs to for a concrete URI, or null. Matching is linear in the URI's length. */
export function findTemplate(catalog: Catalog, uri: string): CatalogEntry | null {
  for (const entry of catalog.templates.values()) if (matchesTemplate(entry.name, uri)) return entry;
  return null;
}

/**
 * Whether a URI could come from a template (RFC 6570): the literal parts occur in order, the first at the start and the
 * last at the end. Expressions match anything, so this errs towards asking the server, which then decides.
 */
export function matchesTemplate(template: string, uri: string): boolean {
  const literals = template.split(/\{[^{}]*\}/);
  const first = literals[0] ?? '';
  const last = literals[literals.length - 1] ?? '';
  if (literals.length === 1) return template === uri;
  if (!uri.startsWith(first) || uri.length < first.length + last.length || !uri.endsWith(last)) return false;
  let at = first.length;
  for (const literal of literals.slice(1, -1)) {
    const found = uri.indexOf(literal, at);
    if (found < 0 || found + literal.length > uri.length - last.length) return false;
    at = found + literal.length;
  }
  return true;
}
