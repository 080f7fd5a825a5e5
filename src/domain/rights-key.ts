/**
 * Everything of an identity that a decision may depend on, as one text: callers with the same key may do the same, so
 * what is worked out for one (a visible list) holds for the other. Time and token id are left out: they decide who is
 * let in, not what may be done.
 */
import type { Identity } from './identity.ts';

/** Identities are kept per credential, so the key is worked out once for each. */
const known = new WeakMap<Identity, string>();

export function rightsKey(who: Identity): string {
  let key = known.get(who);
  if (key === undefined) {
    const { method, subject, agent, agentVerified, scopes, groups, boundServer } = who;
    // Of a key or a login the rights may hang on whose it is; a token says all that counts.
    const holder = method === 'jwt' || method === 'vended' ? '' : subject;
    key = JSON.stringify([method, holder, agent, agentVerified, boundServer, [...scopes].sort(), [...groups].sort()]);
    known.set(who, key);
  }
  return key;
}
