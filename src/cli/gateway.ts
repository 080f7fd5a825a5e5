/**
 * How a command talks to a running gateway: where it is (`--url`, GATEWAY_URL), who asks (`--token-file`, GATEWAY_TOKEN;
 * never an argument, which every user of the machine can read), and what a person reads when the answer is no. Refused
 * here: a credential over plain HTTP to another machine.
 */
import { resolve } from 'node:path';
import { openGateway, type RestReply, type RestRequest } from '../app/gateway-desk.ts';
import { isLoopbackHost } from '../config/access.ts';
import { readTextFile } from '../config/text-file.ts';
import type { Host } from './host.ts';
import { printable } from './report.ts';

export interface GatewayOptions {
  url?: string | undefined;
  tokenFile?: string | undefined;
  /** Shows the credential over plain HTTP to another machine. */
  plainHttp?: boolean | undefined;
}

export interface Answered {
  status: number;
  /** JSON; null: none. */
  body: unknown;
  text: string;
}

export interface Gateway {
  /** Without a slash at its end. */
  readonly url: string;
  /**
   * Null: it was a no, and the person has been told; exit 1. Answers of 200 to 299 come back, and those that `also`
   * lists: what the command has something of its own to say to.
   */
  ask(request: RestRequest, also?: readonly number[]): Promise<Answered | null>;
}

const USUAL_URL = 'http://127.0.0.1:8000';
const MAX_TOKEN_FILE = 64 * 1024;
const FAILED = 1;
const MISUSED = 2;

type Credential = { ok: true; token: string | null; source: string } | { ok: false; says: string };

/** Yields what `act` does, or 2 where nothing could be asked. */
export async function atGateway(
  host: Host,
  options: GatewayOptions,
  act: (gateway: Gateway) => Promise<number>,
): Promise<number> {
  const refuse = (says: string) => {
    host.stderr.line(`error: ${says}`);
    return MISUSED;
  };
  const url = toBaseUrl(options.url ?? (host.env.GATEWAY_URL || USUAL_URL));
  if (url === null) return refuse('--url (GATEWAY_URL) must be an address such as https://gateway.example.com');
  const credential = findCredential(host, options.tokenFile);
  if (!credential.ok) return refuse(credential.says);
  const { token, source } = credential;
  const isOpen = url.protocol === 'http:' && !isLoopbackHost(url.hostname.replace(/^\[|\]$/g, ''));
  if (token !== null && isOpen && options.plainHttp !== true)
    return refuse(
      `${url.origin} is not encrypted, so the credential from ${source} was not sent (--plain-http sends it)`,
    );

  const baseUrl = url.origin + url.pathname.replace(/\/+$/, '');
  const client = openGateway(baseUrl, token);
  try {
    return await act({
      url: baseUrl,
      async ask(request, also = []) {
        const reply = await client.send(request);
        const isGood = reply.kind === 'answer' && reply.status >= 200 && reply.status < 300;
        if (reply.kind === 'answer' && (isGood || also.includes(reply.status))) return reply;
        for (const line of describeNo(reply, baseUrl, token === null ? null : { source, token }))
          host.stderr.line(line);
        return null;
      },
    });
  } finally {
    await client.close();
  }
}

/** For a command that was refused: the person has been told. */
export const REFUSED = FAILED;

/** The address of its MCP door, which is what people have at hand, will do as well. */
function toBaseUrl(written: string): URL | null {
  if (!URL.canParse(written)) return null;
  const url = new URL(written);
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return null;
  if (url.search !== '' || url.hash !== '') return null;
  url.pathname = url.pathname.replace(/\/mcp\/?$/, '/');
  return url;
}

function findCredential({ env, cwd }: Host, file: string | undefined): Credential {
  if (file === undefined) {
    const token = (env.GATEWAY_TOKEN ?? '').trim();
    if (token === '') return { ok: true, token: null, source: '' };
    return isToken(token)
      ? { ok: true, token, source: 'GATEWAY_TOKEN' }
      : { ok: false, says: 'GATEWAY_TOKEN holds characters that no token has' };
  }
  const read = readTextFile(resolve(cwd, file), MAX_TOKEN_FILE);
  if (!read.ok) return { ok: false, says: `--token-file ${file} cannot be read: ${read.reason}` };
  const token = findToken(read.text.trim());
  return token !== null && isToken(token)
    ? { ok: true, token, source: `--token-file ${file}` }
    : { ok: false, says: `--token-file ${file} must hold a token, or JSON with an access_token` };
}

/** As it is, or as `token generate` and `token refresh` write it. */
function findToken(text: string): string | null {
  if (!text.startsWith('{')) return text;
  try {
    const { access_token: own, tokens } = JSON.parse(text) as { access_token?: unknown; tokens?: unknown };
    const token = own ?? (tokens as { access_token?: unknown } | undefined)?.access_token;
    return typeof token === 'string' ? token : null;
  } catch {
    return null;
  }
}

function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

function notOurs(url: string, status = ''): string[] {
  return [`error: ${url} does not answer as a gateway does${status}`, 'Is it a gateway, and is it https?'];
}

const UNREACHABLE = {
  refused: (url: string) => [
    `error: no gateway answers at ${url}`,
    'Start one with "gatehouse serve", or say where it is with --url or GATEWAY_URL.',
  ],
  unknown_host: (url: string) => [`error: nobody knows the host of ${url}`, 'Is --url or GATEWAY_URL written right?'],
  untrusted: (url: string) => [
    `error: the certificate of ${url} cannot be trusted`,
    'Name the authority that signed it with NODE_EXTRA_CA_CERTS=<file.pem>.',
  ],
  timeout: (url: string) => [`error: ${url} did not answer in time`],
  too_large: (url: string) => [`error: the answer of ${url} is too large`, 'Ask for less of it.'],
  broken: notOurs,
} as const;

/** What a token says of its own end, where it is past by the clock of the gateway; null: it says nothing, or is to come. */
function findEnd(token: string, now: string | undefined): string | null {
  try {
    const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown };
    const { exp } = payload;
    const isPast = typeof exp === 'number' && exp * 1000 < Date.parse(now ?? '');
    return isPast ? new Date(exp * 1000).toISOString() : null;
  } catch {
    return null;
  }
}

function describeNo(reply: RestReply, url: string, shown: { source: string; token: string } | null): readonly string[] {
  if (reply.kind === 'unreachable') return UNREACHABLE[reply.why](url);
  const { status, body, headers } = reply;
  const { detail } = (typeof body === 'object' && body !== null ? body : {}) as { detail?: unknown };
  const said = typeof detail === 'string' ? printable(detail) : null;
  // A gateway always says why.
  if (said === null && status !== 401) return notOurs(url, ` (${status})`);
  switch (status) {
    case 401: {
      if (shown === null)
        return [
          `error: the gateway at ${url} wants a credential and none was shown (401)`,
          'Put a key or token into a file and name it with --token-file, or set GATEWAY_TOKEN.',
        ];
      const end = findEnd(shown.token, headers.date);
      return [
        `error: the gateway at ${url} does not accept the credential from ${shown.source} (401)`,
        end === null
          ? 'It may be for another gateway, have ended, or have been revoked.'
          : `It expired at ${end}: get another one, for instance with "gatehouse token generate".`,
      ];
    }
    case 403: {
      const who = shown === null ? 'whoever shows no credential' : `the credential from ${shown.source}`;
      return [`error: ${said} (403)`, `The gateway does not let ${who} do this.`];
    }
    case 404:
      return said === 'There is no such route.'
        ? [
            `error: the gateway at ${url} does not offer this (404)`,
            'It may be switched off there, or be another version.',
          ]
        : [`error: ${said} (404)`];
    case 429:
      return [`error: ${said} (429)`, `Try again in ${printable(headers['retry-after'] ?? 'some')} seconds.`];
    default:
      return [`error: ${said} (${status})`];
  }
}
