/**
 * The bearer credential of a request (RFC 6750, header form alone): never from a query, a body or a cookie. Two headers
 * joined by a comma are not one credential.
 */
import { hash } from 'node:crypto';

/** What a request showed, lower-case header names; a plain view so that every transport can build it. */
export interface Shown {
  readonly authorization?: string | undefined;
  readonly 'x-authorization'?: string | string[] | undefined;
}

const BEARER = /^Bearer +([\x21-\x2b\x2d-\x7e]+) *$/i;

/** Which header is for us: `X-Authorization` where both are sent, and then the other belongs to the server behind. */
export function findIngressHeader(shown: Shown): 'x-authorization' | 'authorization' | null {
  if (shown['x-authorization'] !== undefined) return 'x-authorization';
  return shown.authorization === undefined ? null : 'authorization';
}

/** The token; null: something else was shown; undefined: nothing was. */
export function findToken(shown: Shown): string | null | undefined {
  const header = shown['x-authorization'] ?? shown.authorization;
  if (header === undefined) return undefined;
  if (typeof header !== 'string') return null;
  // As nearly everybody writes it; the pattern takes as long as everything else here together.
  if (header.startsWith('Bearer ')) {
    const token = header.slice(7);
    if (token !== '' && !token.includes(' ') && !token.includes(',')) return token;
  }
  return BEARER.exec(header)?.[1] ?? null;
}

/** What was read of headers before; they keep it beside the header it came from. */
const READ = Symbol('credential');

export interface Credential {
  token: string;
  digest: string;
}

/** The token and its digest; null and undefined as of `findToken`. A connection shows the same headers again and again. */
export function findCredential(shown: Shown & { [READ]?: Credential }): Credential | null | undefined {
  const known = shown[READ];
  if (known !== undefined) return known;
  const token = findToken(shown);
  if (typeof token !== 'string') return token;
  const credential = { token, digest: digestOf(token) };
  shown[READ] = credential;
  return credential;
}

/** Under which verdicts on a token are kept, so that no table holds a credential. */
export function digestOf(token: string): string {
  return hash('sha256', token, 'base64');
}
