/** Under what somebody is counted of whom nothing is known but the address. No rights follow from one. */

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
