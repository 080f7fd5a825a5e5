/**
 * identify: from what a caller shows to who it is. The simplest honest rule set: without a configured key the door is
 * on loopback (config refuses anything else) and the caller is local; with one, every request must show it. A caller
 * that names no agent is taken for the default one, which is never verified.
 */
import { type Challenge, type Identity, LOCAL_CALLER } from '../../domain/identity.ts';
import type { Secret } from '../../domain/secret.ts';

/** What a request showed, lower-case header names; a plain view so that every transport can build it. */
export interface Shown {
  readonly authorization?: string | undefined;
  readonly 'x-authorization'?: string | string[] | undefined;
}

export type Identify = (shown: Shown) => Identity | Challenge;

const CHALLENGE: Challenge = {
  kind: 'challenge',
  status: 401,
  wwwAuthenticate: 'Bearer realm="mcp"',
  reason: 'missing',
};
const INVALID: Challenge = {
  kind: 'challenge',
  status: 401,
  wwwAuthenticate: 'Bearer realm="mcp", error="invalid_token"',
  reason: 'unknown',
};

/** The caller that needs no credential. Over stdio it is whoever launched us. */
export function localCaller(defaultAgent: string | null): Identity {
  return defaultAgent === null ? LOCAL_CALLER : { ...LOCAL_CALLER, agent: defaultAgent };
}

/** `findKey` is asked at every request: a key that is changed while the gateway runs is in force at once. */
export function createIdentify(findKey: () => Secret | null, defaultAgent: string | null): Identify {
  const local = localCaller(defaultAgent);
  const keyHolder: Identity = { ...local, subject: 'key', method: 'api-key' };
  return shown => {
    const key = findKey();
    if (key === null) return local;
    // X-Authorization is the ingress credential where both are sent.
    const header = shown['x-authorization'] ?? shown.authorization;
    if (typeof header !== 'string') return CHALLENGE;
    const token = /^Bearer +(\S+) *$/i.exec(header)?.[1];
    return token !== undefined && key.matches(token) ? keyHolder : INVALID;
  };
}
