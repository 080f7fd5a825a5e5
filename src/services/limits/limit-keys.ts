/**
 * Under whose name something is counted: the principal, where nobody is known the client, then the address. Never what
 * a caller can change at will between two calls: tokens, ports, the lower half of an IPv6 address.
 */
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

/** IPv4 whole, IPv6 by its network of 64 bits: one household has all the addresses in it (RFC 6177). */
export function addressKey(address: string): string {
  if (!address.includes(':')) return `address ${address}`;
  const [left = '', right] = address.toLowerCase().split('%')[0]?.split('::') ?? [];
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  // An IPv4 tail takes the place of two groups.
  const tailLength = tail.length + (tail.at(-1)?.includes('.') ? 1 : 0);
  const zeros = right === undefined ? 0 : Math.max(0, 8 - head.length - tailLength);
  const groups = [...head, ...new Array<string>(zeros).fill('0'), ...tail];
  const network = groups.slice(0, 4).map(group => group.replace(/^0+(?=.)/, ''));
  return `address ${network.join(':')}::/64`;
}
