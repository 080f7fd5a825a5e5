/**
 * CORS for browser clients (Fetch standard, 3.2): only for origins the guard has let through, each echoed exactly,
 * never `*` and never with credentials. What is not listed here a page cannot send or read.
 */
import type { HttpRequest, HttpResponse } from './http-message.ts';

const REQUEST_HEADERS = [
  'authorization',
  'x-authorization',
  'content-type',
  'accept',
  'mcp-protocol-version',
  'mcp-session-id',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'x-mcp-server-version',
].join(', ');
const EXPOSED = [
  'mcp-session-id',
  'mcp-protocol-version',
  'www-authenticate',
  'x-request-id',
  'retry-after',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
].join(', ');
/** Headers that mirror tool arguments (MCP 2026-07-28) have names of the server's choosing. */
const PARAM_HEADER = /^mcp-param-[!#$%&'*+.^_`|~0-9a-z-]{1,64}$/;
const MAX_PARAM_HEADERS = 32;
const MAX_AGE_S = 600;

/** Sets the headers that let a page of this origin read the answer; to be called before anything is written. */
export function allowOrigin(res: HttpResponse, origin: string): void {
  res.setHeader('access-control-allow-origin', origin);
  res.setHeader('access-control-expose-headers', EXPOSED);
  res.setHeader('vary', 'origin');
}

/**
 * Answers OPTIONS, preflight or plain, with the methods that are served at all, this one among them. The origin's own
 * headers are on the answer already where it has any.
 */
export function answerOptions(req: HttpRequest, res: HttpResponse, methods: string): void {
  if (req.headers.origin !== undefined && req.headers['access-control-request-method'] !== undefined) {
    const asked = String(req.headers['access-control-request-headers'] ?? '');
    const params = asked
      .toLowerCase()
      .split(',', 128)
      .map(name => name.trim())
      .filter(name => PARAM_HEADER.test(name))
      .slice(0, MAX_PARAM_HEADERS);
    res.setHeader('access-control-allow-methods', methods);
    res.setHeader('access-control-allow-headers', [REQUEST_HEADERS, ...params].join(', '));
    res.setHeader('access-control-max-age', String(MAX_AGE_S));
    res.setHeader('vary', 'origin, access-control-request-method, access-control-request-headers');
  } else {
    res.setHeader('allow', methods);
  }
  res.writeHead(204).end();
}
