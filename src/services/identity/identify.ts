/**
 * identify: from what a caller shows to who it is. The simplest honest rule set: without a configured key the door is
 * on loopback (config refuses anything else) and the caller is local; with one, every request must show it.
 */
import { type Challenge, type Identity, LOCAL_CALLER } from '../../domain/identity.ts';
import type { Secret } from '../../domain/secret.ts';

/** What a request showed, lower-case header names; a plain view so that every transport can build it. */
export interface Shown {
  readonly authorization?: string | undefined;
  readonly 'x-authorization'?: string | string[] | undefined;
}

export type Identify = (shown: Shown) => Identity | Challenge;

const KEY_HOLDER: Identity = { kind: 'identity', subject: 'key', agent: null, agentVerified: false, method: 'api-key' };

const CHALLENGE: Challenge = { kind: 'challenge', status: 401, wwwAuthenticate: 'Bearer realm="mcp"' };
const INVALID: Challenge = {
  kind: 'challenge',
  status: 401,
  wwwAuthenticate: 'Bearer realm="mcp", error="invalid_token"',
};

export function createIdentify(apiKey: Secret | null): Identify {
  if (apiKey === null) return () => LOCAL_CALLER;
  return shown => {
    // X-Authorization is the ingress credential where both are sent (contract 2.1).
    const header = shown['x-authorization'] ?? shown.authorization;
    if (typeof header !== 'string') return CHALLENGE;
    const token = /^Bearer +(\S+) *$/i.exec(header)?.[1];
    return token !== undefined && apiKey.matches(token) ? KEY_HOLDER : INVALID;
  };
}
