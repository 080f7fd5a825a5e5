/**
 * Whether a URL that somebody else wrote may be fetched: how it is spelled, its scheme and port, and where its name leads.
 * Refused unless it is plainly a public one; operators list what else there is. Nothing is resolved here: the addresses
 * of a name are asked for by whoever opens the socket, and judged here too.
 */
import {
  type IpAddress,
  type IpRange,
  isInRange,
  isNeverReached,
  parseIp,
  parseRange,
  plainAddress,
  reachOf,
} from './ip-address.ts';

/** What is said of every refused URL, whatever the reason: the difference would be a map of the network. */
export const URL_REFUSED = 'The URL cannot be used: it must be a public https URL, or one that the operator allows.';

/** For the log alone. */
export type UrlRefusal =
  | 'malformed'
  | 'scheme'
  | 'user-info'
  | 'fragment'
  /** An address or name written so that it looks like another. */
  | 'spelling'
  | 'name'
  | 'port'
  | 'plain-http'
  | 'unresolved'
  | 'internal-address'
  | 'forbidden-address';

/** One line of `outbound.allow`. */
export interface AllowedTarget {
  /** A range of addresses, or a name: `*.` in front stands for every name below it. */
  match: { kind: 'range'; range: IpRange } | { kind: 'name'; name: string; below: boolean };
  /** null: every port that may be allowed. */
  port: number | null;
}

export interface OutboundRules {
  allow: readonly AllowedTarget[];
  /** Plain http to public addresses too; for development. */
  allowHttp: boolean;
}

export const NO_EXCEPTIONS: OutboundRules = { allow: [], allowHttp: false };

/** A URL whose writing is in order. */
export interface Destination {
  url: URL;
  /** Lower-case, without brackets and final dot. */
  host: string;
  /** Where the host is one. */
  address: IpAddress | null;
  port: number;
}

/** Printable, with an authority, and nothing in front of or behind it that parsers read in two ways. */
const WRITTEN = /^(https?):\/\/([^/?#\\]+)(?:[/?][^#\\]*)?$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const BLANK_OR_CONTROL = /[\u0000-\u0020\u007f-\u00a0\u2028\u2029\ufeff]/;
const MAX_URL = 2048;

export function readDestination(written: string): Destination | UrlRefusal {
  if (written.length > MAX_URL || BLANK_OR_CONTROL.test(written)) return 'malformed';
  if (!/^https?:/i.test(written)) return 'scheme';
  if (written.includes('#')) return 'fragment';
  const authority = WRITTEN.exec(written)?.[2];
  const url = URL.parse(written);
  if (authority === undefined || url === null) return 'malformed';
  if (authority.includes('@') || url.username !== '' || url.password !== '') return 'user-info';
  const to = destinationOf(url);
  const asWritten = authority.replace(/:\d*$/, '');
  if (!isPlainlySpelled(asWritten, url.hostname, to.address)) return 'spelling';
  return to.address === null && !isName(to.host) ? 'name' : to;
}

/** Of a URL of which only the parsed form is left, as where a socket is opened. */
export function destinationOf(url: URL): Destination {
  const host = url.hostname.replace(/^\[|\]$|\.$/g, '');
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return { url, host, address: parseIp(host), port };
}

const DECIMAL_DOTTED = /^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){1,3}$/;

/** Octal, hexadecimal, one big number, full-width digits: a URL that means well has no use for them. */
function isPlainlySpelled(written: string, parsed: string, address: IpAddress | null): boolean {
  if (address?.length === 4) return DECIMAL_DOTTED.test(written);
  // IPv4 in IPv6 with dots shows what it is.
  if (address !== null) return plainAddress(address).length === 16 || written.includes('.');
  if (/^[\x21-\x7e]*$/.test(written)) return written.toLowerCase() === parsed;
  return parsed.includes('xn--');
}

/** RFC 1035, 2.3.4; the underscore is no host name's, but some have it. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

const isName = (host: string) => host.length <= 253 && host.split('.').every(label => LABEL.test(label));

/** Names under which clouds hand out credentials to whoever stands inside. */
const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'instance-data',
  'instance-data.ec2.internal',
  'metadata.tencentyun.com',
]);

/** "Bad ports" of the Fetch standard: services that can be made to take an HTTP request for their own protocol. */
const NEVER_PORTS: ReadonlySet<number> = new Set([
  ...[0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109],
  ...[110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530],
  ...[531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190],
  ...[5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080],
]);

/** Databases, queues and control planes, often without a password: only where an operator lists the port itself. */
const LISTED_PORTS: ReadonlySet<number> = new Set([
  ...[445, 873, 1433, 1521, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5984, 6379, 7000, 7001],
  ...[8086, 8500, 9042, 9092, 9200, 9300, 10250, 10255, 11211, 15672, 27017, 27018, 50000],
]);

/** Why a socket may not be opened, as far as that can be told without asking for addresses; null: go on. */
export function judgeDestination(to: Destination, rules: OutboundRules): UrlRefusal | null {
  if (METADATA_NAMES.has(to.host)) return 'name';
  if (NEVER_PORTS.has(to.port)) return 'port';
  return to.address === null ? null : judgeAddresses(to, [to.address], rules);
}

/** `addresses`: of the name, all of them. One bad one among good ones refuses all. */
export function judgeAddresses(
  to: Destination,
  addresses: readonly (IpAddress | null)[],
  rules: OutboundRules,
): UrlRefusal | null {
  if (addresses.length === 0) return 'unresolved';
  const forPort = rules.allow.filter(({ port }) => port === null || port === to.port);
  const isNamed = forPort.some(({ match }) => match.kind === 'name' && isNamedBy(to.host, match));
  let isListed = true;
  for (const given of addresses) {
    const address = given === null ? null : plainAddress(given);
    const reach = address === null ? 'never' : reachOf(address);
    if (address === null || reach === 'never') return 'forbidden-address';
    const isAllowed = isNamed || forPort.some(({ match }) => match.kind === 'range' && isInRange(address, match.range));
    if (reach === 'internal' && !isAllowed) return 'internal-address';
    isListed = isListed && isAllowed;
  }
  // A name without a dot means something in our own network alone, public though its address may be.
  if (to.address === null && !to.host.includes('.') && !isListed) return 'name';
  if (to.url.protocol === 'http:' && !rules.allowHttp && !isListed) return 'plain-http';
  return LISTED_PORTS.has(to.port) && !isPortListed(to, addresses, forPort) ? 'port' : null;
}

function isPortListed(
  { host, port }: Destination,
  addresses: readonly (IpAddress | null)[],
  allow: readonly AllowedTarget[],
): boolean {
  const exact = allow.filter(entry => entry.port === port);
  return addresses.every(address =>
    exact.some(({ match }) =>
      match.kind === 'name'
        ? isNamedBy(host, match)
        : address !== null && isInRange(plainAddress(address), match.range),
    ),
  );
}

function isNamedBy(host: string, { name, below }: { name: string; below: boolean }): boolean {
  return below ? host.endsWith(`.${name}`) : host === name;
}

/** One line of `outbound.allow`, or what is wrong with it in words for whoever wrote it. */
export function readAllowedTarget(written: string): AllowedTarget | string {
  if (written.includes('://')) return 'is a URL; give the host or the range of addresses alone';
  const [, target = '', digits] = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(written) ?? [null, written];
  const port = digits === undefined ? null : Number(digits);
  if (port !== null && (port > 65_535 || NEVER_PORTS.has(port))) return 'names a port that is never allowed';
  const range = parseRange(target.replace(/^\[|\]$/g, ''));
  if (range !== null) {
    if (range.bits === 0) return 'stands for every address there is';
    if (isNeverReached(range)) return 'is never allowed: link-local, metadata and reserved addresses stay refused';
    return { match: { kind: 'range', range: plainRange(range) }, port };
  }
  if (parseIp(target.split('/')[0] ?? '') !== null) return 'is not a range: the bits after its prefix must be zero';
  const below = target.startsWith('*.');
  const name = (below ? target.slice(2) : target).toLowerCase().replace(/\.$/, '');
  if (!isName(name) || /^[\d.]+$/.test(name) || name.includes('*')) return 'is not a host name, an address or a range';
  if (METADATA_NAMES.has(name)) return 'is never allowed: it hands out credentials of the machine';
  return { match: { kind: 'name', name, below }, port };
}

function plainRange({ address, bits }: IpRange): IpRange {
  const plain = plainAddress(address);
  return plain.length === address.length || bits < 96 ? { address, bits } : { address: plain, bits: bits - 96 };
}
