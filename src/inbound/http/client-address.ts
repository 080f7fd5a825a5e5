/**
 * Who is at the other end, for limits and the audit: the peer of the connection, unless the peer is a proxy that an operator
 * trusts; then the right-most hop of `X-Forwarded-For` that is no such proxy. What stands left of it anybody may have
 * written, so it is never read. No rights follow from an address.
 */
import { BlockList, isIP, SocketAddress } from 'node:net';
import type { HttpRequest } from './http-message.ts';

export type FindClientAddress = (req: HttpRequest) => string;

/** Longer chains of proxies do not exist; what is longer is read from the right up to here. */
const MAX_HOPS = 50;
const MAX_REMEMBERED = 1024;
/** A connection that broke meanwhile has no peer any more. */
const NOBODY = 'unknown';

/** `trustedProxies`: addresses and CIDR ranges that `isAddressRange` accepts. */
export function createFindClientAddress(trustedProxies: readonly string[]): FindClientAddress {
  const isTrusted = createIsTrusted(trustedProxies);
  return req => {
    const peer = req.socket.remoteAddress;
    if (peer === undefined) return NOBODY;
    const direct = toPlain(peer);
    const forwarded = req.headers['x-forwarded-for'];
    if (trustedProxies.length === 0 || forwarded === undefined || !isTrusted(direct)) return direct;
    return lastUntrusted(String(forwarded), direct, isTrusted);
  };
}

function lastUntrusted(forwarded: string, direct: string, isTrusted: (address: string) => boolean): string {
  let known = direct;
  let end = forwarded.length;
  for (let hop = 0; hop < MAX_HOPS && end > 0; hop++) {
    const comma = forwarded.lastIndexOf(',', end - 1);
    const address = toAddress(forwarded.slice(comma + 1, end).trim());
    // Junk was said by whoever stands before the last proxy we know: that one is the client for us.
    if (address === null) return known;
    known = address;
    if (!isTrusted(address)) return address;
    end = comma;
  }
  return known;
}

/** An address, also with a port or in brackets (RFC 7239, 6, as proxies write it); null for anything else. */
function toAddress(hop: string): string | null {
  if (hop.length > 64) return null;
  const bare = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(hop)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(hop)?.[1] ?? hop;
  return isIP(bare) === 0 || bare.includes('%') ? null : toPlain(bare);
}

/** What peers were called last: a connection asks with every request. */
let plain = new Map<string, string>();

/** One spelling per address: IPv4 in IPv6 as IPv4, IPv6 in its shortest form, without a zone. */
function toPlain(address: string): string {
  if (!address.includes(':')) return address;
  const before = plain.get(address);
  if (before !== undefined) return before;
  const said = spell(address);
  if (plain.size >= MAX_REMEMBERED) plain = new Map();
  plain.set(address, said);
  return said;
}

function spell(address: string): string {
  const bare = address.split('%')[0] ?? '';
  const short = new SocketAddress({ address: bare, family: 'ipv6' }).address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(short)?.[1];
  return mapped ?? short;
}

/** Remembers what it said of an address: a few proxies are asked about with every request. */
function createIsTrusted(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  let known = new Map<string, boolean>();
  return address => {
    const before = known.get(address);
    if (before !== undefined) return before;
    const isListed = list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
    if (known.size >= MAX_REMEMBERED) known = new Map();
    known.set(address, isListed);
    return isListed;
  };
}
