/**
 * The part of a server's entry that says how it is reached over HTTP: address, credential, headers, and what it learns
 * of callers. A header is checked here against what the gateway sets itself and against what a line may hold, so that a
 * slip is a problem of the configuration and not of the first call.
 */
import { isIP } from 'node:net';
import { isForwardable, isHeaderName, isHeaderValue, isIdentityHeader, isOurs } from '../domain/header-names.ts';
import { Secret } from '../domain/secret.ts';
import type { HttpAddress } from '../domain/server.ts';
import { isLoopbackHost } from './access.ts';
import type { ServerEntry } from './schema.ts';

export type Report = (path: (string | number)[], message: string, hint?: string | null) => void;

const MAX_HEADERS = 10;

export function toAddress(entry: ServerEntry, report: Report): HttpAddress | null {
  const url = findUrl(entry.url ?? '', report);
  const identityHeaders = entry.identityHeaders ?? (url !== null && isNear(new URL(url).hostname));
  const headers = toHeaders(entry, identityHeaders, report);
  const forwardHeaders = toForwarded(entry, headers, report);
  if (entry.passthrough === true) {
    if (headers.has('authorization')) {
      report(['passthrough'], 'cannot be had beside an Authorization of the server’s own', 'remove one of the two');
    }
    if (entry.sharing === 'shared') {
      report(['passthrough'], 'needs connections that callers do not share', 'use sharing: per-principal');
    }
  }
  if (url === null) return null;
  return {
    kind: 'http',
    url,
    headers,
    transport: entry.transport ?? 'auto',
    identityHeaders,
    ...(entry.passthrough === true ? { passthrough: true } : {}),
    ...(forwardHeaders.length > 0 ? { forwardHeaders } : {}),
  };
}

function toHeaders(entry: ServerEntry, identityHeaders: boolean, report: Report): ReadonlyMap<string, Secret> {
  const headers = new Map<string, Secret>();
  const own = Object.entries(entry.headers ?? {});
  if (own.length > MAX_HEADERS) report(['headers'], `holds more than ${MAX_HEADERS} headers`);
  for (const [name, value] of own) {
    const wrong = findNameMistake(name, identityHeaders);
    if (wrong !== null) report(['headers', name], wrong);
    else if (headers.has(name.toLowerCase())) report(['headers', name], 'is given twice');
    else if (!isHeaderValue(value)) report(['headers', name], 'holds a character that no header may hold');
    else headers.set(name.toLowerCase(), new Secret(value));
  }
  const credential = toCredential(entry, identityHeaders, report);
  if (credential !== null && headers.has(credential.name)) report(['auth'], 'sets a header that "headers" sets too');
  else if (credential !== null) headers.set(credential.name, credential.value);
  return headers;
}

function findNameMistake(name: string, identityHeaders: boolean): string | null {
  if (!isHeaderName(name)) return 'is not a name for a header';
  if (isOurs(name.toLowerCase())) return 'is set by the gateway itself';
  return identityHeaders && isIdentityHeader(name.toLowerCase())
    ? 'tells this server who calls and is set by the gateway; "identityHeaders: false" leaves it to you'
    : null;
}

function toCredential(
  { auth }: ServerEntry,
  identityHeaders: boolean,
  report: Report,
): { name: string; value: Secret } | null {
  if (auth === undefined) return null;
  if (auth.scheme === 'none') {
    if (auth.credential !== undefined) report(['auth', 'credential'], 'is not used with "scheme: none"');
    return null;
  }
  const name = auth.header ?? (auth.scheme === 'bearer' ? 'Authorization' : 'X-API-Key');
  const wrong = findNameMistake(name, identityHeaders);
  if (wrong !== null) report(['auth', 'header'], wrong);
  const { credential = '' } = auth;
  if (credential.trim() === '') {
    report(['auth', 'credential'], auth.credential === undefined ? 'is missing' : 'is empty');
  } else if (!isHeaderValue(credential) || credential !== credential.trim()) {
    report(['auth', 'credential'], 'holds a character that no header may hold, or blanks around it');
  } else if (wrong === null) {
    const value = new Secret(auth.scheme === 'bearer' ? `Bearer ${credential}` : credential);
    return { name: name.toLowerCase(), value };
  }
  return null;
}

function toForwarded(entry: ServerEntry, headers: ReadonlyMap<string, Secret>, report: Report): string[] {
  const names = (entry.forwardHeaders ?? []).map(name => name.toLowerCase());
  if (names.length > MAX_HEADERS) report(['forwardHeaders'], `holds more than ${MAX_HEADERS} headers`);
  names.forEach((name, index) => {
    const at = ['forwardHeaders', index];
    if (!isHeaderName(name)) report(at, 'is not a name for a header');
    else if (name === 'authorization') report(at, 'is passed on with "passthrough: true" alone');
    else if (!isForwardable(name)) report(at, 'is never passed on: it belongs to the connection or says who calls');
    else if (headers.has(name)) report(at, 'is set for every request to this server already');
  });
  return [...new Set(names)];
}

/** Names that nobody can own on the internet. */
const NEAR_NAME = /^[^.]+$|\.(?:localhost|local|internal|svc|cluster\.local|home\.arpa)$/i;

/**
 * Whether a server stands on ground of the operator: this machine, a private address, a name without a domain (compose,
 * Kubernetes). Such a server is told who calls unless the operator says otherwise; to any other it would give away who
 * uses it, and in which groups they are.
 */
function isNear(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, '').toLowerCase();
  switch (isIP(plain)) {
    case 4:
      return isLoopbackHost(plain) || /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(plain);
    case 6:
      return isLoopbackHost(plain) || /^f[cd]/.test(plain);
    default:
      return NEAR_NAME.test(plain);
  }
}

function findUrl(written: string, report: Report): string | null {
  if (!/^https?:\/\//i.test(written)) {
    report(['url'], 'must begin with http:// or https://');
    return null;
  }
  if (!URL.canParse(written)) {
    report(['url'], 'is not a valid address');
    return null;
  }
  const url = new URL(written);
  if (url.username !== '' || url.password !== '') {
    report(['url'], 'must not hold a user name or password', 'put them into headers.Authorization');
    return null;
  }
  return url.href;
}
