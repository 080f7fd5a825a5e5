/**
 * The JSON-RPC messages the load generator sends, in both eras, as text.
 * Built by hand because a call per 20 us leaves no room for an object tree; everything here is ASCII.
 */
import type { Era } from '../../../src/domain/era.ts';
import { LATEST_LEGACY, LATEST_MODERN, META } from '../../../src/domain/era.ts';

const CLIENT_INFO = '{"name":"bench","version":"1"}';

/** The envelope every modern request carries in `params._meta`. */
const ENVELOPE =
  `"_meta":{"${META.protocolVersion}":"${LATEST_MODERN}",` +
  `"${META.clientInfo}":${CLIENT_INFO},"${META.clientCapabilities}":{}}`;

export interface Request {
  id: number;
  method: string;
  /** The tool called; '' for other methods. Modern HTTP repeats it in a header. */
  name: string;
  text: string;
}

export function toInitialize(id: number): Request {
  const params = `{"protocolVersion":"${LATEST_LEGACY}","capabilities":{},"clientInfo":${CLIENT_INFO}}`;
  return {
    id,
    method: 'initialize',
    name: '',
    text: `{"jsonrpc":"2.0","id":${id},"method":"initialize","params":${params}}`,
  };
}

export const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

export function toDiscover(id: number): Request {
  return {
    id,
    method: 'server/discover',
    name: '',
    text: `{"jsonrpc":"2.0","id":${id},"method":"server/discover","params":{${ENVELOPE}}}`,
  };
}

export function toList(era: Era, id: number): Request {
  const params = era === 'modern' ? `{${ENVELOPE}}` : '{}';
  return {
    id,
    method: 'tools/list',
    name: '',
    text: `{"jsonrpc":"2.0","id":${id},"method":"tools/list","params":${params}}`,
  };
}

/** A call of an echo tool. `text` must need no escape in JSON. */
export function toEcho(era: Era, id: number, tool: string, text: string): Request {
  const meta = era === 'modern' ? `,${ENVELOPE}` : '';
  return {
    id,
    method: 'tools/call',
    name: tool,
    text: `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${tool}","arguments":{"text":"${text}"}${meta}}}`,
  };
}
