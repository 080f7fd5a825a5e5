/**
 * The names of our endpoints as OAuth resources (RFC 8707, RFC 9728): one canonical URI each, made from the configured
 * public address and never from a request's Host.
 */
import { isServerKey } from './registry-path.ts';
import type { ServerKey } from './server.ts';

export interface Endpoint {
  /** Below the public address: `/mcp`, `/github/mcp`; empty for the address itself. */
  path: string;
  /** The one server behind it, or null for everything. */
  server: string | null;
}

/** Those behind which there is everything. */
export const WHOLE: ReadonlySet<string> = new Set([
  ...['', '/mcp', '/mcp/direct', '/mcp/agent', '/mcp/discovery', '/mcp/registry', '/sse'],
]);
const PER_SERVER = /^\/([A-Za-z0-9._/-]+)\/(?:mcp|sse)$/;

/** Servers under which registries offer their tools; where one is configured, it has the name. */
export const REGISTRY_NAMES: ReadonlySet<string> = new Set(['mcpgw', 'airegistry-tools']);

/** Whether a server of this name stands, or seems to stand, in a door of the registry; some proxies do not tell case apart. */
export function isRegistryName(server: ServerKey): boolean {
  return REGISTRY_NAMES.has(server.toLowerCase());
}

/** The endpoint a request path belongs to, or null; what an SSE client posts belongs to its stream's. */
export function findEndpoint(path: string): Endpoint | null {
  const plain = path === '/' ? '' : path.replace(/\/messages$/, '/sse');
  if (WHOLE.has(plain)) return { path: plain, server: null };
  const server = PER_SERVER.exec(plain)?.[1];
  return server === undefined || !isServerKey(server) ? null : { path: plain, server };
}

/**
 * Scheme and host of a web address in lower case, without the slash that stands for no path; the rest, and whatever is no
 * web address, as it is written. No dots are resolved: `/mcp/../admin` is not another way to say `/admin`.
 */
export function canonicalResource(uri: string): string {
  const [, authority, rest] = /^(https?:\/\/[^/?#]+)([\s\S]*)$/i.exec(uri) ?? [];
  if (authority === undefined || rest === undefined) return uri;
  return `${authority.toLowerCase()}${rest === '/' ? '' : rest}`;
}

/**
 * The endpoint of ours that a canonical resource names, or null. `hasServer` is asked of names that stand for the registry
 * where no server has them; unless it is known, one has.
 */
export function findResourceEndpoint(
  publicUrl: string,
  resource: string,
  hasServer: (server: string) => boolean = () => true,
): Endpoint | null {
  const own = canonicalResource(publicUrl);
  const found = resource.startsWith(own) ? findEndpoint(resource.slice(own.length)) : null;
  const isRegistry = found?.server != null && REGISTRY_NAMES.has(found.server) && !hasServer(found.server);
  return isRegistry ? { ...found, server: null } : found;
}
