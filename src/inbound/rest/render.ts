/** How the REST API answers: JSON, and for every no `{detail}` with the headers that say what to do about it. */
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { ContentfulStatusCode, StatusCode } from 'hono/utils/http-status';
import { ERRORS } from '../../domain/error.ts';
import type { Challenge } from '../../domain/identity.ts';
import { objectOrEmpty } from '../../domain/json.ts';
import type { Limited } from '../../domain/limits.ts';
import type { Challenges } from '../../services/identity/challenge.ts';
import { limitHeaders } from '../http/limited.ts';
import type { RestOutcome } from './route.ts';

type RestContext = Context<{ Bindings: HttpBindings }>;

export function problem(
  c: RestContext,
  status: number,
  detail: string,
  headers: Record<string, string> = {},
): Response {
  return c.json({ detail }, status as ContentfulStatusCode, headers);
}

export function challenged(c: RestContext, { status, wwwAuthenticate }: Challenge): Response {
  const detail = status === 401 ? 'Authentication required.' : 'Access denied.';
  return problem(c, status, detail, { 'www-authenticate': wwwAuthenticate });
}

export function limited(c: RestContext, verdict: Limited): Response {
  return problem(c, 429, 'Too many requests; try again later.', limitHeaders(verdict));
}

export function render(c: RestContext, outcome: RestOutcome, challenges: Challenges): Response {
  if (outcome.kind === 'limited') return limited(c, outcome);
  if (outcome.kind === 'failure') {
    const { http, say } = ERRORS[outcome.code];
    const headers: Record<string, string> = {};
    if (http === 503) headers['retry-after'] = String(Math.max(1, Math.ceil((outcome.retryAfterMs ?? 1000) / 1000)));
    // Nothing more of it is read.
    if (http === 413) headers.connection = 'close';
    const missing = outcome.data.missing_scopes;
    if (Array.isArray(missing)) {
      headers['www-authenticate'] = challenges.insufficientScope(c.req.path, missing.map(String)).wwwAuthenticate;
    }
    const more = objectOrEmpty(outcome.data.fields);
    return c.json({ ...more, detail: outcome.say ?? say }, http as ContentfulStatusCode, headers);
  }
  const { status, body, text, pieces, headers = {} } = outcome;
  if (pieces !== undefined) return c.body(toStream(pieces), status as ContentfulStatusCode, { ...headers });
  if (text !== undefined) return c.body(text, status as ContentfulStatusCode, { ...headers });
  if (body === undefined) return c.body(null, status as StatusCode, { ...headers });
  return c.json(body as object, status as ContentfulStatusCode, { ...headers });
}

/** Taken piece by piece, as fast as the reader reads. */
function toStream(pieces: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return ReadableStream.from(
    (async function* () {
      for await (const piece of pieces) yield encoder.encode(piece);
    })(),
  );
}
