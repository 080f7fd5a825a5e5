/**
 * Who may talk to this listener at all, by the two headers a browser cannot forge for a web page: Host and Origin.
 * Stands before every route, so that a page in somebody's browser can neither rebind a name to our address nor post
 * across sites (MCP transports, security; RFC 9110 7.2; RFC 6454). Refused here: malformed authorities, names that
 * are not ours, origins that were not listed. Who the caller is, is not decided here.
 */
import { isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { DoorWord } from './door-words.ts';
import type { HttpRequest } from './http-message.ts';

export interface Refusal {
  status: 400 | 403;
  error: Extract<DoorWord, 'invalid_request' | 'invalid_host' | 'forbidden_host' | 'forbidden_origin'>;
}

export interface Guard {
  /** Checks the authority (Host, and the target when it is in absolute form). Null: nothing to object to. */
  checkHost(req: HttpRequest): Refusal | null;
  /** Null: absent or allowed. `host`: the Host beside it, which `checkHost` had nothing against. */
  checkOrigin(origin: string | undefined, host?: string): Refusal | null;
}

export interface GuardRules {
  /** The address we are bound to. */
  host: string;
  allowedHosts: readonly string[];
  corsOrigins: readonly string[];
  /** Set: our own pages are encrypted, and a plain page under our name is somebody else's. */
  tls?: unknown;
  /** Of our public address; null or absent: not known. */
  ownOrigin?: string | null;
}

const BAD_REQUEST: Refusal = { status: 400, error: 'invalid_request' };
const BAD_HOST: Refusal = { status: 400, error: 'invalid_host' };
const FOREIGN_HOST: Refusal = { status: 403, error: 'forbidden_host' };
const FOREIGN_ORIGIN: Refusal = { status: 403, error: 'forbidden_origin' };

/** `host`, `host:port` or `[v6]:port`, nothing else: no user info, no path, no query (RFC 9110, 7.2). */
const AUTHORITY = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_](?:[a-z0-9._-]{0,252}[a-z0-9_])?))(?::(\d{1,5}))?$/;
const LOOPBACK_ORIGIN = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?$/;
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1'];
const MAX_AUTHORITY = 262;
/** Enough for every name a gateway is known by; beyond it the map is emptied, never grown. */
const MAX_REMEMBERED = 256;

export function isLoopback(host: string): boolean {
  const bare = host.startsWith('[') ? host.slice(1, -1) : host;
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

export function createGuard(rules: GuardRules): Guard {
  const onLoopback = isLoopback(rules.host);
  const allowedAuthorities = new Set(rules.allowedHosts.map(host => host.toLowerCase()));
  const ownNames = new Set([...LOOPBACK_NAMES, ...ownAddresses(rules.host)]);
  // Without a list on a non-loopback bind any name passes: behind a proxy or a port mapping our own name cannot be
  // known, and a rebound page gains nothing, because such a bind refuses to start without a credential and a browser
  // does not send a bearer header by itself.
  const anyName = !onLoopback && allowedAuthorities.size === 0;
  const listed = rules.ownOrigin ? [...rules.corsOrigins, rules.ownOrigin] : rules.corsOrigins;
  const origins = new Set(listed.map(origin => origin.toLowerCase().replace(/\/$/, '')));

  const goodHosts = new Set<string>();
  const goodOrigins = new Set<string>();

  function judgeHost(raw: string): Refusal | null {
    const authority = parseAuthority(raw);
    if (authority === null) return BAD_HOST;
    if (anyName) return null;
    // Any port: behind a port mapping ours is unknown, and a rebinding page chooses its port freely anyway.
    if (ownNames.has(authority.name) || allowedAuthorities.has(authority.name)) return null;
    return allowedAuthorities.has(raw.toLowerCase()) ? null : FOREIGN_HOST;
  }

  function judgeOrigin(raw: string): Refusal | null {
    const origin = raw.toLowerCase();
    // Sandboxed frames and local files all share the origin `null`: it names nobody, listed or not.
    if (origin === 'null') return FOREIGN_ORIGIN;
    if (origins.has(origin)) return null;
    const port = onLoopback ? LOOPBACK_ORIGIN.exec(origin) : null;
    return port !== null && isPort(port[1]) ? null : FOREIGN_ORIGIN;
  }

  /**
   * A page of ours asks under the name it was got by (RFC 6454). Of names that were not told us only addresses count: a
   * name can be rebound to our address, an address cannot.
   */
  function isOwnPage(raw: string, host: string): boolean {
    const [, scheme, authority] = /^(https?):\/\/(.+)$/.exec(raw.toLowerCase()) ?? [];
    if (authority !== host.toLowerCase() || (rules.tls && scheme !== 'https')) return false;
    const name = parseAuthority(authority)?.name ?? '';
    return isIP(name) !== 0 || ownNames.has(name) || allowedAuthorities.has(name) || allowedAuthorities.has(authority);
  }

  return {
    checkHost(req) {
      const host = req.headers.host;
      // HTTP/1.0 health checkers send none; a browser always does, and browsers are what this guard is about.
      if (host === undefined) return req.httpVersion === '1.0' ? null : BAD_HOST;
      if (hasTwin(req.rawHeaders)) return BAD_REQUEST;
      if (!goodHosts.has(host)) {
        const refusal = judgeHost(host);
        if (refusal !== null) return refusal;
        remember(goodHosts, host);
      }
      return targetAgrees(req, host) ? null : BAD_REQUEST;
    },

    checkOrigin(origin, host) {
      if (origin === undefined || goodOrigins.has(origin)) return null;
      if (host !== undefined && isOwnPage(origin, host)) return null;
      const refusal = judgeOrigin(origin);
      if (refusal === null) remember(goodOrigins, origin);
      return refusal;
    },
  };
}

function remember(good: Set<string>, value: string): void {
  if (good.size >= MAX_REMEMBERED) good.clear();
  good.add(value);
}

function parseAuthority(raw: string): { name: string } | null {
  if (raw.length > MAX_AUTHORITY) return null;
  const parts = AUTHORITY.exec(raw.toLowerCase());
  if (parts === null || !isPort(parts[3])) return null;
  const [, v6, name] = parts;
  if (v6 !== undefined) return isIPv6(v6) ? { name: v6 } : null;
  return name === undefined || name.includes('..') ? null : { name };
}

function isPort(text: string | undefined): boolean {
  return text === undefined || Number(text) <= 65_535;
}

/** Node keeps the first of two Hosts or Authorizations and says nothing; another hop may have kept the second. */
function hasTwin(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  let credentials = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const length = rawHeaders[i]?.length;
    if (length === 4 && rawHeaders[i]?.toLowerCase() === 'host') hosts += 1;
    else if (length === 13 && rawHeaders[i]?.toLowerCase() === 'authorization') credentials += 1;
  }
  return hosts > 1 || credentials > 1;
}

/**
 * Brings an absolute-form target (`GET http://host/path`) into origin form, in place, so that everybody behind this
 * reads the same path. False when it names another authority than Host does, or is no target we serve.
 */
function targetAgrees(req: HttpRequest, host: string): boolean {
  const target = req.url ?? '';
  if (target.startsWith('/')) return true;
  if (target === '*') return req.method === 'OPTIONS';
  const parts = /^https?:\/\/([^/?#]*)(\/[^#]*)?$/i.exec(target);
  if (parts === null || parts[1]?.toLowerCase() !== host.toLowerCase()) return false;
  req.url = parts[2] ?? '/';
  return true;
}

/** The addresses a wildcard bind answers on, read once: probes of an orchestrator use them as Host. */
function ownAddresses(host: string): string[] {
  const bare = (host.startsWith('[') ? host.slice(1, -1) : host).toLowerCase();
  if (bare !== '0.0.0.0' && bare !== '::') return [bare];
  return Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(entry => entry.address.toLowerCase()));
}
