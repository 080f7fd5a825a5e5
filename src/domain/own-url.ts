/**
 * Whether a URL that a caller names leads to this gateway: to its public address, or to the address that it listens on.
 * Only the origin counts; nothing is looked up, so a name that merely resolves to this machine is somebody else's.
 */
export interface OwnAddress {
  /** How clients reach us, or null. */
  publicUrl: string | null;
  /** Null while nothing is listened on. */
  listening: { scheme: 'http' | 'https'; host: string; port: number } | null;
}

const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];
const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

export function isOwnUrl(written: string, { publicUrl, listening }: OwnAddress): boolean {
  if (!URL.canParse(written)) return false;
  const url = new URL(written);
  // Where such a URL leads is not what it looks like at a glance.
  if (url.username !== '' || url.password !== '') return false;
  if (publicUrl !== null && url.origin === new URL(publicUrl).origin) return true;
  return listening !== null && originsOf(listening).includes(url.origin);
}

function originsOf({ scheme, host, port }: NonNullable<OwnAddress['listening']>): string[] {
  const own = host.includes(':') ? `[${host}]` : host;
  const hosts = LOOPBACK.includes(own) || EVERYWHERE.has(host) ? [...LOOPBACK, own] : [own];
  return hosts.map(name => new URL(`${scheme}://${name}:${port}`).origin);
}
