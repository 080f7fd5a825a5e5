/**
 * Names of HTTP headers and whose they are: the connection's, the protocol's, ours to tell a server who calls, the
 * caller's to identify itself. From it follows what an operator may set for a server and what a client may pass on.
 * Names are lower-case here.
 */

/** RFC 9110, section 5.6.2: what a header name is made of. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110, section 5.5, without obsolete bytes: a line break here would be another header. */
const HEADER_VALUE = /^[\t\x20-\x7e\u0080-\u00ff]*$/;

export const isHeaderName = (name: string): boolean => HEADER_NAME.test(name);
export const isHeaderValue = (value: string): boolean => HEADER_VALUE.test(value);

/** RFC 9110, section 7.6.1, and what frames a message: every hop has its own. */
const OF_THE_HOP: ReadonlySet<string> = new Set([
  ...['host', 'connection', 'content-length', 'transfer-encoding', 'upgrade', 'keep-alive', 'te', 'trailer', 'expect'],
  ...['proxy-connection', 'proxy-authenticate', 'proxy-authorization'],
]);

export const isOfTheHop = (name: string): boolean => OF_THE_HOP.has(name);

const OF_THE_PROTOCOL: ReadonlySet<string> = new Set([
  ...['content-type', 'content-encoding', 'accept', 'accept-encoding', 'last-event-id', 'cache-control'],
]);

/** Set by us alone for the servers that are told who calls. */
export const IDENTITY_HEADERS = [
  'x-user',
  'x-username',
  'x-client-id',
  'x-scopes',
  'x-groups',
  'x-auth-method',
  'x-server-name',
  'x-tool-name',
  'x-agent-id',
] as const;

const IDENTITY: ReadonlySet<string> = new Set(IDENTITY_HEADERS);

/** What proxies and web servers in front of an application believe in. */
const ELSEWHERE_IDENTITY: ReadonlySet<string> = new Set([
  ...['forwarded', 'via', 'x-real-ip', 'remote-user', 'x-remote-user', 'x-remote-group', 'x-authenticated-user'],
  ...['x-original-url', 'x-rewrite-url', 'x-http-method-override', 'x-method-override'],
]);

/** The gateway's own for every request; anybody else's value would break the connection or the protocol. */
export function isOurs(name: string): boolean {
  return OF_THE_HOP.has(name) || OF_THE_PROTOCOL.has(name) || name.startsWith('mcp-');
}

export function isIdentityHeader(name: string): boolean {
  return IDENTITY.has(name);
}

/** Whether an operator may have a header of clients passed on. Who the caller is, and how it showed that, never is. */
export function isForwardable(name: string): boolean {
  if (isOurs(name) || isIdentityHeader(name) || ELSEWHERE_IDENTITY.has(name) || name.startsWith('x-forwarded-')) {
    return false;
  }
  return name !== 'authorization' && name !== 'x-authorization' && name !== 'cookie' && name !== 'cookie2';
}
