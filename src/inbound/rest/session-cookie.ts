/**
 * The cookie of a login (RFC 6265): for this host alone, kept from scripts, not sent along by other sites. Over TLS its name
 * keeps subdomains and plain pages from planting one (`__Host-`); over plain HTTP no browser would take such a name.
 */

export interface SessionCookie {
  readonly name: string;
  /** Null: the header holds none, or several, of which at least one is not from us. */
  find(header: string | undefined): string | null;
  /** `Set-Cookie`. */
  set(value: string): string;
  clear(): string;
}

const NAME = 'mcp_gateway_session';
const VALUE = /^[A-Za-z0-9_-]{43}$/;

export function createSessionCookie({ isSecure, ttlMs }: { isSecure: boolean; ttlMs: number }): SessionCookie {
  const name = isSecure ? `__Host-${NAME}` : NAME;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  const start = `${name}=`;
  return {
    name,
    find(header) {
      const given = (header ?? '')
        .split(';')
        .map(pair => pair.trim())
        .filter(pair => pair.startsWith(start));
      const value = given.length === 1 ? (given[0]?.slice(start.length) ?? '') : '';
      return VALUE.test(value) ? value : null;
    },
    set: value => `${start}${value}; Max-Age=${Math.floor(ttlMs / 1000)}; ${attributes}`,
    clear: () => `${start}; Max-Age=0; ${attributes}`,
  };
}
