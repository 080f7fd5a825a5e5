/** How an HTTP refusal that is not JSON-RPC is spelled: `{error, detail}`, and the headers it carries. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { endLingering } from './body.ts';
import { type DoorWord, doorSays } from './door-words.ts';
import type { HttpRequest, HttpResponse } from './http-message.ts';

/** On every answer that is not MCP: no sniffing, no storing, no framing. */
export const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** A body up to this size is read and thrown away to keep the connection; reconnecting would cost more. */
const CHEAP_BODY = 65_536;
/** For the answer to arrive before the connection is cut. */
const UPGRADE_LINGER_MS = 500;

/** Answers and, where a body is under way that is not worth waiting for, closes the connection after it. */
export function refuse(
  req: HttpRequest,
  res: HttpResponse,
  status: number,
  error: DoorWord,
  headers: Readonly<Record<string, string>> = {},
): void {
  const payload = JSON.stringify(doorSays(error));
  const unread = !req.complete && hasBody(req) && !(Number(req.headers['content-length']) <= CHEAP_BODY);
  res.writeHead(status, {
    ...SECURITY_HEADERS,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(payload),
    'x-request-id': randomUUID(),
    ...headers,
    ...(unread ? { connection: 'close' } : {}),
  });
  if (unread) endLingering(req, res, payload);
  else res.end(payload);
}

/** The same for a request that has no response object: it asked for another protocol. */
export function refuseUpgrade(socket: Duplex, status: number, error: DoorWord): void {
  const payload = JSON.stringify(doorSays(error));
  const headers = {
    ...SECURITY_HEADERS,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(payload),
    'x-request-id': randomUUID(),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...lines, '', payload].join('\r\n'));
  // Nobody else knows this socket any more: what still comes is thrown away, and it ends here.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), UPGRADE_LINGER_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}

export function hasBody(req: HttpRequest): boolean {
  const length = req.headers['content-length'];
  return req.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
