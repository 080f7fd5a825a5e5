/**
 * What a client sent for the servers behind us, taken from its request where some server asks for it. `Authorization` is
 * such a header only for a caller that identified itself to us by `X-Authorization`; what identified it never is.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Identity } from '../../domain/identity.ts';
import { findIngressHeader, findToken } from '../../services/identity/bearer.ts';

/** Names and values in turn; null: none. `wanted`: what any server asks for, lower-case; null: nothing. */
export function collectForwarded(
  headers: IncomingHttpHeaders,
  wanted: ReadonlySet<string> | null,
  who: Identity,
): readonly string[] | null {
  if (wanted === null) return null;
  let found: string[] | null = null;
  for (const name of wanted) {
    const value = headers[name];
    if (typeof value !== 'string') continue;
    if (name === 'authorization' && !isForTheServer(headers, who)) continue;
    found ??= [];
    found.push(name, value);
  }
  return found;
}

function isForTheServer(headers: IncomingHttpHeaders, who: Identity): boolean {
  if (who.method === 'local' || findIngressHeader(headers) !== 'x-authorization') return false;
  // Some clients send one credential in both.
  const { authorization } = headers;
  return findToken({ authorization }) !== findToken({ 'x-authorization': headers['x-authorization'] });
}
