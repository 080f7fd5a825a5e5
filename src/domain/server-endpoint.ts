/**
 * Where a registered server is called: what its record says word for word wins over what follows from its address, which
 * gets `/mcp` or `/sse` behind it unless it ends so already.
 */
import type { RegisteredServer } from './registered-server.ts';
import type { HttpAddress } from './server.ts';

export interface Endpoint {
  url: string;
  transport: HttpAddress['transport'];
}

type Addressed = Pick<
  RegisteredServer,
  'proxyUrl' | 'mcpEndpoint' | 'sseEndpoint' | 'transport' | 'supportedTransports'
>;

/** Null: it has no address. */
export function findServerEndpoint(server: Addressed): Endpoint | null {
  const { proxyUrl, mcpEndpoint, sseEndpoint } = server;
  const isSse = speaksSseOnly(server);
  if (sseEndpoint !== null && (isSse || (mcpEndpoint === null && proxyUrl === null))) {
    return { url: sseEndpoint, transport: 'sse' };
  }
  if (mcpEndpoint !== null) return { url: mcpEndpoint, transport: toTransport(server) };
  if (proxyUrl === null) return null;
  const url = below(proxyUrl, isSse ? 'sse' : 'mcp');
  return { url, transport: isSse || new URL(url).pathname.endsWith('/sse') ? 'sse' : toTransport(server) };
}

function speaksSseOnly({ transport, supportedTransports }: Addressed): boolean {
  if (transport !== 'auto') return transport === 'sse';
  return supportedTransports.length > 0 && supportedTransports.every(word => word === 'sse');
}

function toTransport({ transport }: Addressed): Endpoint['transport'] {
  return transport === 'streamable-http' ? transport : 'auto';
}

function below(address: string, word: 'mcp' | 'sse'): string {
  const url = new URL(address);
  const path = url.pathname.replace(/\/+$/, '');
  if (!path.endsWith('/mcp') && !path.endsWith('/sse')) url.pathname = `${path}/${word}`;
  return url.href;
}

/** Addresses that mean the same server: without what is only said of the way to it. */
export function sameServerUrl(address: string): string {
  const url = URL.parse(address);
  if (url === null) return address;
  const path = url.pathname.replace(/\/+$/, '').replace(/\/(?:mcp|sse)$/, '');
  return `${url.host}${path}${url.search}`;
}
