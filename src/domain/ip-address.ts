/**
 * IP addresses as bytes, and what may be reached at them: everybody's internet, ground of an operator's own, or what no
 * gateway ever has business with. IPv4 inside IPv6 is taken out first: what counts is where the packets end. Refused
 * unless known to be good (IANA special-purpose registries, RFC 6890, RFC 8190).
 */

/** 4 or 16 bytes. */
export type IpAddress = readonly number[];

export interface IpRange {
  address: IpAddress;
  /** Leading bits that count. */
  bits: number;
}

/**
 * `global`: a public unicast address. `internal`: loopback and private networks, which an operator may allow. `never`:
 * link-local, cloud metadata, multicast, documentation, and forms of an address that only serve to hide it.
 */
export type Reach = 'global' | 'internal' | 'never';

const OCTET = /^(?:0|[1-9]\d{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;

/** null: no address. A zone (`%eth0`) is refused: only link-local addresses have one. */
export function parseIp(text: string): IpAddress | null {
  return text.includes(':') ? parseV6(text) : parseV4(text);
}

function parseV4(text: string): number[] | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every(part => OCTET.test(part) && Number(part) <= 255)) return null;
  return parts.map(Number);
}

function parseV6(text: string): number[] | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half, i) => parseGroups(half, i === halves.length - 1));
  if (head === null || head === undefined || tail === null) return null;
  if (tail === undefined) return head.length === 16 ? head : null;
  const missing = 16 - head.length - tail.length;
  return missing < 2 ? null : [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** Groups between colons; the last two may be written as IPv4. */
function parseGroups(text: string, isLast: boolean): number[] | null {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    if (isLast && i === groups.length - 1 && group.includes('.')) {
      const v4 = parseV4(group);
      if (v4 === null) return null;
      bytes.push(...v4);
    } else if (GROUP.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
    } else return null;
  }
  return bytes;
}

/** An address, or a range in CIDR form without bits beyond its prefix; null: neither. */
export function parseRange(text: string): IpRange | null {
  const [written = '', prefix, ...more] = text.split('/');
  const address = parseIp(written);
  if (address === null || more.length > 0) return null;
  const most = address.length * 8;
  if (prefix === undefined) return { address, bits: most };
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > most) return null;
  const range = { address, bits: Number(prefix) };
  return firstOf(range).every((byte, i) => byte === address[i]) ? range : null;
}

/** The lowest address of a range. */
function firstOf({ address, bits }: IpRange): IpAddress {
  return address.map((byte, i) => byte & maskOf(bits - i * 8));
}

const maskOf = (bits: number): number => (bits >= 8 ? 255 : bits <= 0 ? 0 : 255 & (0xff << (8 - bits)));

export function isInRange(address: IpAddress, { address: first, bits }: IpRange): boolean {
  if (address.length !== first.length) return false;
  return address.every((byte, i) => ((byte ^ (first[i] ?? 0)) & maskOf(bits - i * 8)) === 0);
}

/** Of texts written here. */
function rangesOf(...texts: readonly string[]): readonly IpRange[] {
  return texts.map(text => {
    const range = parseRange(text);
    if (range === null) throw new Error(`not a range: ${text}`);
    return range;
  });
}

const INTERNAL_4 = rangesOf('10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16');
const NEVER_4 = rangesOf(
  '0.0.0.0/8',
  // Link-local, and with it the metadata service of most clouds.
  '169.254.0.0/16',
  // Metadata where a cloud gave it an address of its own: Alibaba, Azure, Oracle.
  ...['100.100.100.200', '168.63.129.16', '192.0.0.192'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
);

const INTERNAL_6 = rangesOf('::1', 'fc00::/7', '64:ff9b:1::/48');
/** Metadata within private space: AWS, Google, Scaleway. */
const NEVER_6 = rangesOf('fd00:ec2::/32', 'fd20:ce::/64', 'fd00:42::42');
/** All that is handed out for public use. */
const UNICAST_6 = rangesOf('2000::/3');
const SPECIAL_6 = rangesOf('2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20');

const MAPPED = rangesOf('::ffff:0:0/96');
const NAT64 = rangesOf('64:ff9b::/96');
const NAT64_LOCAL = rangesOf('64:ff9b:1::/48');
/** Where RFC 6052 puts the four bytes for prefixes of 48, 56, 64 and 96 bits. */
const NAT64_PLACES = [
  [6, 7, 9, 10],
  [7, 9, 10, 11],
  [9, 10, 11, 12],
  [12, 13, 14, 15],
];

const isAmong = (address: IpAddress, ranges: readonly IpRange[]) => ranges.some(range => isInRange(address, range));

/** IPv4 written as IPv6 (`::ffff:a.b.c.d`) is the same address to every system; everything else as it is. */
export function plainAddress(address: IpAddress): IpAddress {
  return address.length === 16 && isAmong(address, MAPPED) ? address.slice(12) : address;
}

export function reachOf(given: IpAddress): Reach {
  const address = plainAddress(given);
  if (address.length === 4) {
    if (isAmong(address, NEVER_4)) return 'never';
    return isAmong(address, INTERNAL_4) ? 'internal' : 'global';
  }
  // Translators: a public IPv4 behind one is as good as itself; anything else behind one is hidden (RFC 6052, 3.1).
  if (isAmong(address, NAT64)) return reachOf(address.slice(12)) === 'global' ? 'global' : 'never';
  if (isAmong(address, NAT64_LOCAL)) {
    const readings = NAT64_PLACES.map(places => places.map(place => address[place] ?? 0));
    // Zeros are what is left over by a reading that is not meant.
    const isHiding = readings.some(v4 => v4[0] !== 0 && reachOf(v4) !== 'global');
    return isHiding ? 'never' : 'internal';
  }
  if (isAmong(address, NEVER_6)) return 'never';
  if (isAmong(address, INTERNAL_6)) return 'internal';
  // 6to4, Teredo, and IPv4-compatible addresses are not among these: nobody serves anything there any more.
  return isAmong(address, UNICAST_6) && !isAmong(address, SPECIAL_6) ? 'global' : 'never';
}

/** The first and the last address of a range are both out of reach for good. */
export function isNeverReached(range: IpRange): boolean {
  const last = range.address.map((byte, i) => byte | (255 & ~maskOf(range.bits - i * 8)));
  return reachOf(range.address) === 'never' && reachOf(last) === 'never';
}
