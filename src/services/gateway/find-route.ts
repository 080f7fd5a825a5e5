/**
 * From what a request names to the server and the name it has there. Pure look-ups in the catalog; policy has its say
 * on the result before anything is sent, and on names alone where nothing is found.
 */
import type { Door } from '../../domain/call.ts';
import { type Catalog, findTemplate, findUniqueOwnTool } from '../../domain/catalog.ts';
import { isJsonObject, type JsonObject } from '../../domain/json.ts';
import { LISTING_FACTS } from '../../domain/listing.ts';
import { isPlainReference } from '../../domain/plain-reference.ts';
import type { Target } from '../../domain/policy.ts';
import type { ServerKey } from '../../domain/server.ts';

export interface Found {
  target: Target;
  /** False: the name's server is known, the name is not in its list. */
  listed: boolean;
}

/** Whether the caller may learn that something is there. */
export type MayKnow = (target: Target) => boolean;

/**
 * `mayKnow`: a name that does not tell its server by itself (an own name, one with a hash) stands for its tool to those who
 * may use that tool; to others it is a name like any that nobody has, or a refusal would tell that the tool exists. Shape:
 * null only where not even a server can be told from the name.
 */
export function findTool(catalog: Catalog, door: Door, name: string, mayKnow: MayKnow): Found | null {
  if (door.server !== null) {
    const listed = catalog.ownTools.get(door.server)?.has(name) ?? false;
    return { target: { kind: 'tool', server: door.server, name }, listed };
  }
  const entry = catalog.tools.get(name) ?? findUniqueOwnTool(catalog, name);
  const target: Target | null = entry ? { kind: 'tool', server: entry.server, name: entry.own } : null;
  if (target !== null && (tellsItself(name, target) || mayKnow(target))) return { target, listed: true };
  return unlisted(catalog, 'tool', name);
}

/** `mayKnow` as for tools. */
export function findPrompt(catalog: Catalog, door: Door, name: string, mayKnow: MayKnow): Found | null {
  if (door.server !== null) return behindDoor(catalog, door.server, 'prompt', name);
  const entry = catalog.prompts.get(name);
  const target: Target | null = entry ? { kind: 'prompt', server: entry.server, name: entry.own } : null;
  if (target !== null && (tellsItself(name, target) || mayKnow(target))) return { target, listed: true };
  const found = unlisted(catalog, 'prompt', name);
  return found === null || !isPlainReference(found.target.name) ? null : found;
}

/**
 * An address says nothing of its server. So behind the door to everything one that the caller may not know of is like any
 * that nobody has; behind a server's own door policy answers by the name alone.
 */
export function findResource(catalog: Catalog, door: Door, uri: string, mayKnow: MayKnow): Found | null {
  if (door.server !== null) return behindDoor(catalog, door.server, 'resource', uri);
  const found = findHolder(catalog, uri);
  return found === null || mayKnow(found.target) ? found : null;
}

function findHolder(catalog: Catalog, uri: string): Found | null {
  const entry = catalog.resources.get(uri);
  if (entry !== undefined) return { target: { kind: 'resource', server: entry.server, name: entry.own }, listed: true };
  if (!isPlainReference(uri)) return null;
  const template = findTemplate(catalog, uri);
  if (template !== null) {
    // A renamed template differs by what stands in front.
    const own = uri.slice(template.name.length - template.own.length);
    return { target: { kind: 'resource', server: template.server, name: own }, listed: true };
  }
  // Neither listed nor templated: servers may still know it (links in results). Only when there is no choice to make.
  const holders = [...catalog.servers.values()].filter(view => isJsonObject(view.facts?.capabilities.resources));
  const only = holders.length === 1 ? holders[0] : undefined;
  return only === undefined ? null : { target: { kind: 'resource', server: only.key, name: uri }, listed: false };
}

/** Behind a server's own door it may know more than it lists, but nothing that reads in two ways. */
function behindDoor(catalog: Catalog, server: ServerKey, kind: 'prompt' | 'resource', name: string): Found | null {
  const { key } = LISTING_FACTS[`${kind}s`];
  const isKnown = () => catalog.servers.get(server)?.listing?.[`${kind}s`].some(item => item[key] === name) === true;
  return isPlainReference(name) || isKnown() ? { target: { kind, server, name }, listed: true } : null;
}

/** `ref` of completion/complete: a prompt by name or a template by URI. Returns the reference as its server knows it. */
export function findReference(
  catalog: Catalog,
  door: Door,
  ref: JsonObject,
  mayKnow: MayKnow,
): (Found & { ownRef: JsonObject }) | null {
  if (ref.type === 'ref/prompt' && typeof ref.name === 'string') {
    const found = findPrompt(catalog, door, ref.name, mayKnow);
    return found && { ...found, ownRef: { ...ref, name: found.target.name } };
  }
  if (ref.type === 'ref/resource' && typeof ref.uri === 'string') {
    const template = door.server === null ? catalog.templates.get(ref.uri) : undefined;
    const found: Found | null =
      template === undefined
        ? findResource(catalog, door, ref.uri, mayKnow)
        : { target: { kind: 'template', server: template.server, name: template.own }, listed: true };
    if (template !== undefined && found !== null && !mayKnow(found.target)) return null;
    return found && { ...found, ownRef: { ...ref, uri: found.target.name } };
  }
  return null;
}

/** `<server>__<rest>` tells the server even where the rest is unknown. */
function unlisted(catalog: Catalog, kind: 'tool' | 'prompt', name: string): Found | null {
  const target = readName(kind, name);
  return target !== null && catalog.servers.has(target.server) ? { target, listed: false } : null;
}

/** Asked on every call: no name is made for it. */
export function tellsItself(name: string, { server, name: own }: Target): boolean {
  if (name.length !== server.length + own.length + 2) return false;
  return name.startsWith(server) && name.startsWith('__', server.length) && name.endsWith(own);
}

/** What a name of our own making says by itself, whether or not there is such a server; null: it is of another form. */
export function readName(kind: 'tool' | 'prompt', name: string): Target | null {
  const at = name.indexOf('__');
  return at <= 0 ? null : { kind, server: name.slice(0, at), name: name.slice(at + 2) };
}
