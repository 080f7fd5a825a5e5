/** `gatehouse server ...`: the servers of a running gateway's registry. Facts go to stdout, what is said of them to stderr. */
import { resolve } from 'node:path';
import { readTextFile } from '../config/text-file.ts';
import { atGateway, type Gateway, type GatewayOptions, REFUSED } from './gateway.ts';
import type { Host } from './host.ts';
import { printable } from './report.ts';

export type ListOptions = GatewayOptions & { query?: string | undefined; json?: boolean | undefined };

const DONE = 0;
const MISUSED = 2;
const MAX_FILE = 256 * 1024;
const PAGE = 200;

interface Shown {
  path: string;
  health_status: string;
  num_tools: number;
  description: string;
}

/** Registers what a JSON file says, in the fields of the REST API. */
export async function addServer(host: Host, file: string, options: GatewayOptions): Promise<number> {
  const read = readTextFile(resolve(host.cwd, file), MAX_FILE);
  const body = read.ok ? parse(read.text) : null;
  if (body === null) {
    host.stderr.line(`error: ${file} ${read.ok ? 'must hold one JSON object' : `cannot be read: ${read.reason}`}`);
    return MISUSED;
  }
  return say(host, options, gateway => gateway.ask({ method: 'POST', path: '/api/servers/register', body }));
}

export function listServers(host: Host, options: ListOptions): Promise<number> {
  return atGateway(host, options, async gateway => {
    const query = options.query === undefined ? '' : `&query=${encodeURIComponent(options.query)}`;
    const all: Shown[] = [];
    for (let hasNext = true; hasNext; ) {
      const at = `limit=${PAGE}&offset=${all.length}&include_tools=false${query}`;
      const answer = await gateway.ask({ method: 'GET', path: `/api/servers?${at}` });
      if (answer === null) return REFUSED;
      const page = answer.body as { servers: Shown[]; has_next: boolean };
      all.push(...page.servers);
      hasNext = page.has_next && page.servers.length > 0;
    }
    if (options.json === true) host.stdout.line(JSON.stringify(all, null, 2));
    else for (const server of all) host.stdout.line(describe(server));
    if (all.length === 0)
      host.stderr.line(options.query === undefined ? 'There is no server to see.' : 'No server fits.');
    return DONE;
  });
}

export function showServer(host: Host, path: string, options: GatewayOptions): Promise<number> {
  return atGateway(host, options, async gateway => {
    const answer = await gateway.ask({ method: 'GET', path: `/api/servers/${toAddress(path)}` });
    if (answer === null) return REFUSED;
    host.stdout.line(JSON.stringify(answer.body, null, 2));
    return DONE;
  });
}

export function switchServer(host: Host, path: string, isOn: boolean, options: GatewayOptions): Promise<number> {
  const body = { path, new_state: isOn };
  return say(host, options, gateway => gateway.ask({ method: 'POST', path: '/api/servers/toggle', body }));
}

export function removeServer(host: Host, path: string, options: GatewayOptions): Promise<number> {
  return say(host, options, gateway => gateway.ask({ method: 'POST', path: '/api/servers/remove', body: { path } }));
}

export function refreshServer(host: Host, path: string, options: GatewayOptions): Promise<number> {
  return atGateway(host, options, async gateway => {
    const answer = await gateway.ask({ method: 'POST', path: `/api/refresh/${toAddress(path)}`, body: {} });
    if (answer === null) return REFUSED;
    const { status, num_tools: tools } = answer.body as { status: string; num_tools: number };
    host.stdout.line(`${printable(status)}, ${tools} tools`);
    return status.startsWith('unhealthy') ? REFUSED : DONE;
  });
}

function say(host: Host, options: GatewayOptions, ask: (gateway: Gateway) => ReturnType<Gateway['ask']>) {
  return atGateway(host, options, async gateway => {
    const answer = await ask(gateway);
    if (answer === null) return REFUSED;
    host.stderr.line(printable(String((answer.body as { message?: unknown }).message ?? 'Done.')));
    return DONE;
  });
}

function describe({ path, health_status: status, num_tools: tools, description }: Shown): string {
  return [path.padEnd(32), status.padEnd(20), String(tools).padStart(4), printable(description)].join('  ').trimEnd();
}

const toAddress = (path: string) => path.replace(/^\/+/, '').split('/').map(encodeURIComponent).join('/');

function parse(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
