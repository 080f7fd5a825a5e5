/**
 * The path of a server or an agent in the registry: `/github`, `/team/github`. It becomes a part of addresses of ours
 * (`/{path}/mcp`, `/api/servers/{path}/rate`), so what would be taken for a route of the gateway is refused, and what has
 * two spellings too.
 */
import { z } from 'zod';

const SEGMENT = /^[A-Za-z0-9._-]{1,64}$/;
const MAX_SEGMENTS = 4;

/** First segments that are addresses of the gateway itself, whatever comes after them. */
const ROUTES: ReadonlySet<string> = new Set([
  ...['mcp', 'sse', 'messages', 'message', 'api', 'v0.1', 'v0', '.well-known', 'ws', 'events'],
  ...['health', 'ready', 'metrics', 'docs', 'openapi.json', 'ui', 'assets', 'favicon.ico', 'robots.txt'],
  ...['login', 'logout', 'validate', 'oauth2', 'oauth', 'authorize', 'token', 'config', 'internal'],
  ...['register', 'toggle', 'edit', 'agent', 'proxy'],
  // Beside `/api/servers/{path}` and `/api/agents/{path}`; `all` stands for every server.
  ...['all', 'remove', 'groups', 'check-duplicates', 'tools', 'discover', 'batch', 'servers', 'agents'],
]);

/** Last segments that are addresses below a server or an agent. */
const BELOW: ReadonlySet<string> = new Set([
  ...['mcp', 'sse', 'messages', 'message', 'rate', 'rating', 'security-scan', 'rescan', 'versions', 'tools'],
  ...['toggle', 'health', 'pull-card', 'auth-credential', 'connect-config', 'server.json'],
]);

export type PathReading = { ok: true; path: string } | { ok: false; reason: string };

/**
 * The one spelling of a path, or what is wrong with it as the end of a sentence that begins with "the path". A missing
 * leading slash and a single trailing one are forgiven; nothing else is.
 */
export function readRegistryPath(written: string): PathReading {
  const inside = written.replace(/^\//, '').replace(/\/$/, '');
  if (inside === '') return { ok: false, reason: 'must name something, such as /github' };
  const segments = inside.split('/');
  if (segments.length > MAX_SEGMENTS) return { ok: false, reason: `has more than ${MAX_SEGMENTS} parts` };
  for (const segment of segments) {
    if (segment === '') return { ok: false, reason: 'has an empty part (two slashes in a row)' };
    if (segment === '.' || segment === '..') return { ok: false, reason: 'must not hold . or .. as a part' };
    if (!SEGMENT.test(segment))
      return { ok: false, reason: 'has a part that is not 1 to 64 of letters, digits, ".", "_" and "-"' };
  }
  const lower = segments.map(segment => segment.toLowerCase());
  const [first = ''] = lower;
  const last = lower.at(-1) ?? '';
  if (ROUTES.has(first))
    return { ok: false, reason: `begins with "${first}", which is an address of the gateway itself` };
  if (segments.length > 1 && (BELOW.has(last) || lower.includes('versions')))
    return { ok: false, reason: `holds "${BELOW.has(last) ? last : 'versions'}", which is an address below a server` };
  return { ok: true, path: `/${inside}` };
}

/** The name of a server in policy, routes and records: its path without the leading slash. */
export function keyOfPath(path: string): string {
  return path.slice(1);
}

export function pathOfKey(key: string): string {
  return `/${key}`;
}

/** Whether a server may be called so: a name in an operator's file, or a path of the registry. */
export function isServerKey(key: string): boolean {
  if (SEGMENT.test(key)) return true;
  const read = readRegistryPath(key);
  return read.ok && keyOfPath(read.path) === key;
}

/** A stored path: canonical, nothing is forgiven. */
export const RegistryPath = z.string().refine(written => {
  const read = readRegistryPath(written);
  return read.ok && read.path === written;
}, 'must be a path such as /github');
