/**
 * `POST /api/tokens/generate` and `/api/tokens/revoke`: JSON in, JSON out, errors as `{detail}`. What is answered may be a
 * secret and is stored nowhere on the way (RFC 6749, section 5.1). Who may have what is not decided here.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import { ERRORS, type Failure } from '../../domain/error.ts';
import type { Challenge, Identity } from '../../domain/identity.ts';
import type { Limited } from '../../domain/limits.ts';
import type { Challenges } from '../../services/identity/challenge.ts';
import type { TokenRefusal, VendedToken, VendTokens } from '../../services/identity/vend-tokens.ts';
import type { Limiter } from '../../services/limits/limiter.ts';
import { readBody } from '../http/body.ts';
import { limitHeaders } from '../http/limited.ts';

export interface TokenRouteDeps {
  tokens: VendTokens;
  identify(headers: IncomingHttpHeaders, path: string): Identity | Challenge | Promise<Identity | Challenge>;
  challenges: Challenges;
  limiter: Pick<Limiter, 'take' | 'release'>;
  /** Writes a refused credential down; says when its address has shown too many. */
  refused(req: IncomingMessage, path: string, challenge: Challenge): Limited | null;
  /** Whether a caller is in quarantine. */
  isShutOut(who: Identity): boolean;
}

type Bindings = { Bindings: HttpBindings };

const MAX_BODY = 64 * 1024;
const scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/, 'must be an OAuth scope');

const GenerateBody = z.strictObject({
  requested_scopes: z.array(scope).max(256).nullish(),
  expires_in_hours: z.number().int().min(1).max(24).nullish(),
  description: z.string().max(512).nullish(),
  resource: z
    .strictObject({ type: z.enum(['server', 'virtual_server', 'agent', 'skill']), id: z.string().min(1).max(512) })
    .nullish(),
});
const RevokeBody = z.strictObject({ jti: z.string().min(1).max(512) });

export function addTokenRoutes(routes: Hono<Bindings>, deps: TokenRouteDeps): void {
  const { tokens } = deps;

  function addRoute<T>(
    path: string,
    shape: z.ZodType<T>,
    run: (who: Identity, body: T, id: string, c: Context<Bindings>) => Promise<Response>,
  ): void {
    routes.all(path, async c => {
      const id = randomUUID();
      c.header('x-request-id', id);
      if (c.req.method !== 'POST') return c.json({ detail: 'Method not allowed.' }, 405, { allow: 'POST' });
      const who = await deps.identify(c.env.incoming.headers, path);
      if (who.kind === 'challenge') {
        const tooMany = deps.refused(c.env.incoming, path, who);
        return tooMany === null ? challenged(c, who) : limited(c, tooMany);
      }
      if (deps.isShutOut(who)) return c.json({ detail: 'Access denied.' }, 403);
      const taken = await deps.limiter.take(who, { method: path, server: null, tool: null });
      if (taken.kind === 'limited') return limited(c, taken);
      try {
        const body = await readJson(c, shape);
        return body instanceof Response ? body : await run(who, body.value, id, c);
      } finally {
        deps.limiter.release(taken.slot);
      }
    });
  }

  addRoute('/api/tokens/generate', GenerateBody, async (who, body, id, c) => {
    const requested = body.requested_scopes ?? [];
    const description = body.description ?? null;
    const request = { scopes: requested, hours: body.expires_in_hours ?? null, description };
    const outcome = await tokens.vend(who, { ...request, resource: body.resource ?? null }, id);
    if (outcome.kind === 'limited') return limited(c, outcome);
    if (outcome.kind === 'refused') return refused(c, outcome, deps.challenges);
    return c.json(describe(outcome, requested, description));
  });

  addRoute('/api/tokens/revoke', RevokeBody, async (who, { jti }, id, c) => {
    const outcome = await tokens.revoke(who, jti, id);
    return outcome.kind === 'refused' ? refused(c, outcome, deps.challenges) : c.json({ success: true, jti });
  });
}

function describe({ token, claims, callerScopes }: VendedToken, requested: string[], description: string | null) {
  const { iat, exp, jti, scope, token_kind: kind, resource_type: type, resource_id: bound } = claims;
  const tokens = {
    access_token: token,
    // Whoever may have a token may have the next one: there is nothing to refresh.
    refresh_token: null,
    expires_in: exp - iat,
    refresh_expires_in: 0,
    token_type: 'Bearer',
    scope,
  };
  const resource = { resource_type: type ?? null, resource_id: bound ?? null };
  return {
    success: true,
    tokens,
    client_id: claims.client_id,
    token_data: { ...tokens, jti, issued_at: iat, expires_at: exp, token_kind: kind, ...resource, description },
    user_scopes: [...callerScopes],
    requested_scopes: requested.length > 0 ? requested : [...callerScopes],
  };
}

function challenged(c: Context<Bindings>, { status, wwwAuthenticate }: Challenge): Response {
  const detail = status === 401 ? 'Authentication required.' : 'Access denied.';
  return c.json({ detail }, status, { 'www-authenticate': wwwAuthenticate });
}

function limited(c: Context<Bindings>, verdict: Limited): Response {
  return c.json({ detail: 'Too many requests; try again later.' }, 429, limitHeaders(verdict));
}

function refused(c: Context<Bindings>, { status, say, missing }: TokenRefusal, challenges: Challenges): Response {
  if (status === 503) return c.json({ detail: say }, 503, { 'retry-after': '1' });
  if (status !== 403 || missing.length === 0) return c.json({ detail: say }, status);
  const { wwwAuthenticate } = challenges.insufficientScope(c.req.path, missing);
  return c.json({ detail: say }, 403, { 'www-authenticate': wwwAuthenticate });
}

const JSON_TYPE = /^application\/json(?:\s*;|$)/i;

async function readJson<T>(c: Context<Bindings>, shape: z.ZodType<T>): Promise<{ value: T } | Response> {
  const { incoming } = c.env;
  if (!JSON_TYPE.test(incoming.headers['content-type'] ?? '')) {
    return c.json({ detail: 'The body must be application/json.' }, 415);
  }
  const body = await new Promise<Buffer | Failure>(done => readBody(incoming, MAX_BODY, done));
  if (!Buffer.isBuffer(body)) {
    const { http, say } = ERRORS[body.code];
    // Nothing more of it is read.
    return c.json({ detail: say }, http as 413, { connection: 'close' });
  }
  let written: unknown;
  try {
    written = body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
  } catch {
    return c.json({ detail: 'The body is not valid JSON.' }, 400);
  }
  const read = shape.safeParse(written);
  if (read.success) return { value: read.data };
  const [issue] = read.error.issues;
  const at = issue === undefined || issue.path.length === 0 ? 'body' : issue.path.map(String).join('.');
  return c.json({ detail: `${at}: ${issue?.message ?? 'is not valid'}` }, 400);
}
