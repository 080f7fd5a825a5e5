/**
 * `GET|POST /validate`: may whoever shows this credential send this message? For proxies that carry MCP themselves and ask
 * before each hop. Where the message goes is in `X-Original-URL`, what it is in the body; who sends it comes back as headers.
 * An address that is not plainly one of ours, or a message that two readers could take for two, is refused.
 */
import { z } from 'zod';
import { failure } from '../../domain/error.ts';
import { type Identity, usernameOf } from '../../domain/identity.ts';
import { composeIdentityHeaders } from '../../domain/identity-headers.ts';
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.ts';
import { REST_API } from '../../domain/scope-rules.ts';
import type { CallVerdict, MayCall } from '../../services/gateway/may-call.ts';
import { findEntrance } from '../mcp/doors.ts';
import { answer, defineRoute, type RestCall, type RestOutcome, type RestRoute } from './route.ts';

const texts = z.array(z.string());
const Valid = z.object({
  valid: z.literal(true),
  username: z.string(),
  client_id: z.string(),
  scopes: texts,
  method: z.string(),
  groups: texts,
  server_name: z.string(),
  tool_name: z.string(),
});

export interface ValidateParts {
  mayCall: MayCall;
  scopesOf(who: Identity): readonly string[];
  hasServer(server: string): boolean;
  /** How clients reach us, without a slash at the end. */
  publicUrl: string | null;
}

/** As much as a door takes. */
const MAX_BODY = 4 * 1024 * 1024;
const MAX_BATCH = 100;
/** Without a message the question is whether its server may be talked to at all. */
const NO_MESSAGE = { method: 'initialize', params: {} };

export function validateRoutes(parts: ValidateParts): RestRoute[] {
  const prefix = parts.publicUrl === null ? '' : new URL(parts.publicUrl).pathname.replace(/\/$/, '');
  const usual = {
    path: '/validate',
    operation: 'validate',
    tag: 'auth',
    access: { kind: 'bearer' },
    hasEffect: false,
    summary: 'Say whether a message may be sent to a server, and by whom',
    answers: { 200: { says: 'It may; the headers say who sends it.', schema: Valid } },
  } as const;
  return [
    defineRoute({ ...usual, method: 'GET', run: call => validate(call, null) }),
    defineRoute({
      ...{ ...usual, method: 'POST', isMessage: true, maxBytes: MAX_BODY, body: z.unknown() },
      run: call => validate(call, call.body as Json),
    }),
  ];

  async function validate(call: RestCall<unknown, unknown, unknown>, body: Json): Promise<RestOutcome> {
    const { who } = call;
    const place = readPlace(call.headers['x-original-url'], prefix, parts.hasServer);
    const messages = readMessages(body, place, call.headers['x-original-method']);
    if (place === null || messages === null) {
      return failure(
        'DENIED_BY_POLICY',
        {},
        { say: 'Access denied to what is no address or message of this gateway.' },
      );
    }
    let last: CallVerdict | null = null;
    // An address that nobody gave is a question about the caller alone.
    for (const { method, params } of place.kind === 'none' ? [] : messages) {
      last = await parts.mayCall(who, { server: place.server, method, params });
      call.note({ server: last.server, target: last.tool, rule: last.rule });
      if (last.kind === 'denied') {
        const say = `Access denied to ${last.server ?? 'mcp'}.${method.slice(0, 200)}`;
        return failure('DENIED_BY_POLICY', last.missing.length === 0 ? {} : { missing_scopes: [...last.missing] }, {
          say,
        });
      }
    }
    const scopes = parts.scopesOf(who);
    const [server, tool] = [last?.server ?? '', last?.tool ?? ''];
    const body200 = {
      ...{ valid: true, username: usernameOf(who), client_id: who.client ?? '', scopes, method: who.method },
      ...{ groups: [...who.groups], server_name: server, tool_name: tool },
    };
    return answer(200, body200, toHeaders(composeIdentityHeaders(who, scopes, server, tool)));
  }
}

/** `none`: nobody said. */
interface Place {
  kind: 'none' | 'door';
  server: string | null;
}

/** A server's folder stands for its door, as a proxy may have it. */
const SERVER = /^\/([A-Za-z0-9._-]{1,64})\/?$/;
const OF_THE_API = /^\/(?:api|v0\.1|v0)\/[A-Za-z0-9._~/-]*$/;

/** Null: an address, and none of ours. Nothing in it is decoded or resolved: a proxy might do that otherwise. */
function readPlace(
  url: string | string[] | undefined,
  prefix: string,
  hasServer: ValidateParts['hasServer'],
): Place | null {
  if (url === undefined || url === '') return { kind: 'none', server: null };
  const [, whole] = /^(?:https?:\/\/[^/?#\\\s]+)?(\/[^?#]*)(?:\?[^#]*)?$/i.exec(String(url)) ?? [];
  if (whole === undefined || !whole.startsWith(prefix)) return null;
  const path = whole.slice(prefix.length);
  if (path.split('/').some(step => step === '.' || step === '..')) return null;
  const entrance = findEntrance(path, hasServer);
  if (entrance !== null) return { kind: 'door', server: entrance.door.server };
  if (OF_THE_API.test(path)) return { kind: 'door', server: REST_API };
  const server = SERVER.exec(path)?.[1];
  return server === undefined ? null : { kind: 'door', server };
}

interface Asked {
  method: string;
  params: JsonObject;
}

/** Null: something else than messages. A batch is allowed where each of it is. */
function readMessages(body: Json, place: Place | null, verb: string | string[] | undefined): Asked[] | null {
  if (place?.kind === 'door' && place.server === REST_API) {
    return [{ method: String(verb ?? 'GET').toUpperCase(), params: {} }];
  }
  const isEmpty = body === null || (isJsonObject(body) && Object.keys(body).length === 0);
  if (isEmpty) return [NO_MESSAGE];
  const messages = Array.isArray(body) ? body : [body];
  if (messages.length === 0 || messages.length > MAX_BATCH) return null;
  const asked: Asked[] = [];
  for (const message of messages) {
    if (!isJsonObject(message)) return null;
    const { method, params } = message;
    // An answer to a server's question: whoever may talk to it may answer.
    const isAnswer = method === undefined && (message.result !== undefined || message.error !== undefined);
    if (isAnswer) asked.push(NO_MESSAGE);
    else if (typeof method === 'string') asked.push({ method, params: isJsonObject(params) ? params : {} });
    else return null;
  }
  return asked;
}

const NAMES = [
  'X-User',
  'X-Username',
  'X-Client-Id',
  'X-Scopes',
  'X-Groups',
  'X-Auth-Method',
  'X-Server-Name',
  'X-Tool-Name',
];

/** All of them, also those that say nothing: what a client sent under such a name must not stand in their place. */
function toHeaders(pairs: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.fromEntries(NAMES.map(name => [name.toLowerCase(), '']));
  for (let i = 0; i + 1 < pairs.length; i += 2) headers[pairs[i] ?? ''] = pairs[i + 1] ?? '';
  return headers;
}
