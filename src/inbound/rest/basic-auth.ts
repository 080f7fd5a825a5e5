/** `Authorization: Basic` (RFC 7617), which the document-era routes are asked with: the operator's name and password. */
import type { IncomingHttpHeaders } from 'node:http';

const BELOW = '/api/internal/';
const BASIC = /^Basic +([A-Za-z0-9+/]+={0,2})$/i;

export const takesBasic = (path: string): boolean => path.startsWith(BELOW);

export interface Basic {
  user: string;
  password: string;
}

/** Null: it was not shown, or this is no route for it. */
export function readBasic(path: string, { authorization }: IncomingHttpHeaders): Basic | null {
  const encoded = takesBasic(path) ? BASIC.exec(authorization ?? '')?.[1] : undefined;
  if (encoded === undefined) return null;
  const [, user, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? [];
  return user === undefined || password === undefined ? null : { user, password };
}
