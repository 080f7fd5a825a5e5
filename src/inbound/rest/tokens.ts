/**
 * `POST /api/tokens/generate` and `/api/tokens/revoke`. What is answered may be a secret and is stored nowhere on the way
 * (RFC 6749, section 5.1). Who may have what is not decided here.
 */
import { z } from 'zod';
import { type Failure, failure } from '../../domain/error.ts';
import type { TokenRefusal, VendedToken, VendTokens } from '../../services/identity/vend-tokens.ts';
import { answer, defineRoute, type RestRoute } from './route.ts';

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

const Tokens = z.object({
  access_token: z.string(),
  refresh_token: z.null(),
  expires_in: z.int(),
  refresh_expires_in: z.int(),
  token_type: z.literal('Bearer'),
  scope: z.string(),
});
const Generated = z.object({
  success: z.literal(true),
  tokens: Tokens,
  client_id: z.string(),
  token_data: Tokens.extend({
    jti: z.string(),
    issued_at: z.int(),
    expires_at: z.int(),
    token_kind: z.enum(['user', 'resource']),
    resource_type: z.string().nullable(),
    resource_id: z.string().nullable(),
    description: z.string().nullable(),
    agent: z.string().nullable(),
  }),
  user_scopes: z.array(z.string()),
  requested_scopes: z.array(z.string()),
});
const Revoked = z.object({ success: z.literal(true), jti: z.string() });

export function tokenRoutes(tokens: VendTokens): RestRoute[] {
  return [
    defineRoute({
      ...{ method: 'POST', path: '/api/tokens/generate', operation: 'tokens/generate', tag: 'tokens' },
      summary: 'Get a short-lived token with a part of the rights of the caller',
      // Whether it may have one is written down with the attempt.
      ...{ access: { kind: 'caller' }, keepsBook: true, maxBytes: MAX_BODY, body: GenerateBody },
      answers: { 200: { says: 'The token.', schema: Generated } },
      fails: ['RESOURCE_NOT_FOUND'],
      async run({ who, body, id, address }) {
        const requested = body.requested_scopes ?? [];
        const description = body.description ?? null;
        const request = { scopes: requested, hours: body.expires_in_hours ?? null, description };
        const outcome = await tokens.vend(who, { ...request, resource: body.resource ?? null }, { id, address });
        if (outcome.kind === 'limited') return outcome;
        return outcome.kind === 'refused' ? toFailure(outcome) : answer(200, describe(outcome, requested, description));
      },
    }),
    defineRoute({
      ...{ method: 'POST', path: '/api/tokens/revoke', operation: 'tokens/revoke', tag: 'tokens' },
      summary: 'Take a token back: one of the caller, or any for an administrator',
      ...{ access: { kind: 'caller' }, keepsBook: true, maxBytes: MAX_BODY, body: RevokeBody },
      answers: { 200: { says: 'It is good for nothing any more.', schema: Revoked } },
      fails: ['RESOURCE_NOT_FOUND'],
      async run({ who, body: { jti }, id, address }) {
        const outcome = await tokens.revoke(who, jti, { id, address });
        return outcome.kind === 'refused' ? toFailure(outcome) : answer(200, { success: true, jti });
      },
    }),
  ];
}

function toFailure({ code, say, missing }: TokenRefusal): Failure {
  return failure(code, missing.length === 0 ? {} : { missing_scopes: [...missing] }, { say });
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
    token_data: {
      ...{ ...tokens, jti, issued_at: iat, expires_at: exp, token_kind: kind, ...resource, description },
      agent: claims.agent ?? null,
    },
    user_scopes: [...callerScopes],
    requested_scopes: requested.length > 0 ? requested : [...callerScopes],
  };
}
