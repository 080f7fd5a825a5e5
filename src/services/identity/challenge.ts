/**
 * `WWW-Authenticate` exactly (RFC 6750, section 3; RFC 9728, section 5.1): which resource's metadata, which scopes, and an
 * error only where something was shown. Fixed ASCII texts; nothing of a credential is in them, and nothing of Host.
 */
import type { Challenge } from '../../domain/identity.ts';
import { findEndpoint } from '../../domain/resource.ts';

/** Words for the book beside those of a token's refusal. */
export type ChallengeReason = 'missing' | 'unknown' | (string & {});

export interface Challenges {
  /** 401 without `error`: nothing was shown. */
  missing(path: string): Challenge;
  /** 401: what was shown is not good, for a reason that only the book learns. */
  invalid(path: string, reason: ChallengeReason): Challenge;
  /** 403: a good token lacks these scopes, all that this call needs at once. */
  insufficientScope(path: string, scopes: readonly string[]): Challenge;
  /** 403 that no other token of the same caller would change, so that none is asked for. */
  forbidden(path: string, reason: ChallengeReason): Challenge;
}

export interface ChallengeSettings {
  /** Without a slash at the end; null: no issuer is configured, so there is no metadata to point to. */
  publicUrl: string | null;
  /** What a first token should hold; may be empty. */
  scopes: readonly string[];
}

export const METADATA_PATH = '/.well-known/oauth-protected-resource';

/** RFC 6749, section 3.3: what may stand in a quoted `scope`. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

export function createChallenges({ publicUrl, scopes }: ChallengeSettings): Challenges {
  // Per endpoint path; a path that is none of ours is asked for the whole address, so nothing of a request is kept.
  const kept = new Map<string, Challenge>();

  function word(path: string, error: string | null, needed: readonly string[]): string {
    const parts: string[] = [];
    if (error !== null) parts.push(`error="${error}"`);
    if (publicUrl === null) parts.unshift('realm="mcp"');
    else parts.push(`resource_metadata="${publicUrl}${METADATA_PATH}${findEndpoint(path)?.path ?? ''}"`);
    const sayable = needed.filter(scope => SCOPE_TOKEN.test(scope));
    if (sayable.length > 0) parts.push(`scope="${sayable.join(' ')}"`);
    return `Bearer ${parts.join(', ')}`;
  }

  const challenge = (status: 401 | 403, reason: string, wwwAuthenticate: string): Challenge => ({
    kind: 'challenge',
    status,
    wwwAuthenticate,
    reason,
  });

  return {
    missing(path) {
      const at = findEndpoint(path)?.path ?? '';
      let found = kept.get(at);
      if (found === undefined) {
        found = challenge(401, 'missing', word(at, null, publicUrl === null ? [] : scopes));
        if (kept.size < 1000) kept.set(at, found);
      }
      return found;
    },
    invalid: (path, reason) => challenge(401, reason, word(path, 'invalid_token', publicUrl === null ? [] : scopes)),
    insufficientScope: (path, needed) => challenge(403, 'insufficient_scope', word(path, 'insufficient_scope', needed)),
    forbidden: (path, reason) => challenge(403, reason, word(path, null, [])),
  };
}
