/**
 * Under whose name something is counted: the principal, where nobody is known the client, then the address. Never what
 * a caller can change at will between two calls: tokens, ports, the lower half of an IPv6 address.
 */
import { addressKey } from '../../domain/address-key.ts';
import type { Identity } from '../../domain/identity.ts';

export function callerKey(who: Identity, address: string | null): string {
  if (who.method !== 'local') return who.subject;
  if (who.client !== null) return `client ${who.client}`;
  return address === null ? who.subject : addressKey(address);
}

/** An agent id that nobody vouches for is a caller's own: with it no one uses up what is another's. */
export function agentKey(who: Identity, address: string | null): string {
  if (who.agent === null) return `caller ${callerKey(who, address)}`;
  return who.agentVerified ? `agent ${who.agent}` : `agent ${who.agent} of ${callerKey(who, address)}`;
}
