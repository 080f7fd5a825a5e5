/**
 * The public documents of an OAuth resource server: RFC 9728 metadata, one per endpoint, and a copy of what the only issuer
 * says of itself (RFC 8414) for clients that look for it here; and the public keys of our own tokens. Every value is
 * configured; nothing of a request is in them. Without issuers there are no documents. A path that is no endpoint has
 * none: never another's.
 */
import type { JsonObject } from '../../domain/json.ts';
import { findEndpoint, WHOLE } from '../../domain/resource.ts';
import type { HttpRequest, HttpResponse } from '../http/http-message.ts';
import { refuse } from '../http/problem.ts';
import type { NativeRoutes, ServedRoute } from '../http/served.ts';

export interface WellKnownDeps {
  /** Without a slash at the end; null: nothing is served. */
  publicUrl: string | null;
  issuers: readonly string[];
  scopes: readonly string[];
  /** The issuer's own metadata as it was read, or null. */
  issuerMetadata(): JsonObject | null;
  /** The public keys of our own tokens (RFC 7517), or null where none are given out. */
  ownKeys?(): JsonObject | null;
}

export interface WellKnown extends NativeRoutes {
  /** True for a path whose documents any page may read: the Origin guard has nothing to protect there. */
  isPublic(path: string): boolean;
}

const RESOURCE = '/.well-known/oauth-protected-resource';
const OWN_KEYS = '/.well-known/jwks.json';
const AUTHORIZATION_SERVER = '/.well-known/oauth-authorization-server';
const DOCUMENTS = [
  ...[AUTHORIZATION_SERVER, OWN_KEYS],
  ...[...WHOLE, '/{server}/mcp', '/{server}/sse'].map(endpoint => RESOURCE + endpoint),
];

export function createWellKnown(deps: WellKnownDeps): WellKnown {
  const { publicUrl } = deps;

  function findDocument(path: string): JsonObject | null {
    if (path === OWN_KEYS) return deps.ownKeys?.() ?? null;
    if (publicUrl === null) return null;
    if (path === AUTHORIZATION_SERVER) return deps.issuerMetadata();
    const endpoint = path === `${RESOURCE}/` ? null : findEndpoint(path.slice(RESOURCE.length));
    if (endpoint === null) return null;
    // Of every name a server could have, as its door answers: which servers there are is not for everybody.
    return {
      resource: `${publicUrl}${endpoint.path}`,
      authorization_servers: [...deps.issuers],
      ...(deps.scopes.length > 0 ? { scopes_supported: [...deps.scopes] } : {}),
      bearer_methods_supported: ['header'],
    };
  }

  const isPublic = (path: string) =>
    path === AUTHORIZATION_SERVER || path === OWN_KEYS || path === RESOURCE || path.startsWith(`${RESOURCE}/`);

  return {
    served: () => DOCUMENTS.map((path): ServedRoute => ({ kind: 'document', method: 'GET', path })),
    isPublic: path => isPublic(path) && (publicUrl !== null || (path === OWN_KEYS && deps.ownKeys !== undefined)),
    handle(req, res, path) {
      if (!isPublic(path)) return false;
      const isRead = req.method === 'GET' || req.method === 'HEAD';
      const document = isRead ? findDocument(path) : null;
      if (!isRead) refuse(req, res, 405, 'method_not_allowed', { allow: 'GET, HEAD' });
      else if (document === null) refuse(req, res, 404, 'not_found', ANY_ORIGIN);
      else answer(req, res, document);
      return true;
    },
  };
}

/** The documents are public and no credential is read for them, so any page may. */
const ANY_ORIGIN = { 'access-control-allow-origin': '*' };

function answer(req: HttpRequest, res: HttpResponse, document: JsonObject): void {
  const body = JSON.stringify(document);
  res.writeHead(200, {
    ...ANY_ORIGIN,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'public, max-age=300',
    'x-content-type-options': 'nosniff',
  });
  res.end(req.method === 'HEAD' ? undefined : body);
}
