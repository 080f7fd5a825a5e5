/**
 * A token of our own on paper: what is asked for, what stands in one, what revoking it means. Who may have one, and for
 * which scopes, is the services' to decide; how it is signed is outbound's.
 */
import { z } from 'zod';

/** Names every such token; no caller chooses it. */
export const VENDED_CLIENT = 'user-generated';
/** `typ` of the header: neither an access token of an issuer nor anything else that is signed. */
export const VENDED_TYPE = 'gatehouse+jwt';

const text = z.string().min(1).max(512);
const seconds = z.number().int().nonnegative();

/** The claims, apart from `iss` and `aud`, which the signer sets. */
export const VendedClaims = z.object({
  sub: text,
  /** Words with single spaces between; may be empty. */
  scope: z.string(),
  /** For conditions and limits; they give no rights. */
  groups: z.array(z.string()),
  exp: seconds,
  iat: seconds,
  jti: text,
  token_use: z.literal('access'),
  client_id: z.literal(VENDED_CLIENT),
  token_type: z.literal('user_generated'),
  token_kind: z.enum(['user', 'resource']),
  resource_type: z.literal('server').optional(),
  resource_id: text.optional(),
  /** Of the parent, as it was verified. */
  name: z.string().optional(),
  idp: z.string().optional(),
  agent: z.string().optional(),
  agent_verified: z.boolean().optional(),
  service: z.boolean().optional(),
  /** The scopes that the parent held itself; the others came to it through its groups. */
  own_scope: z.string().optional(),
  parent_method: z.enum(['local', 'api-key', 'jwt', 'login']),
  parent: z.string(),
});
export type VendedClaims = z.output<typeof VendedClaims>;

/**
 * `token`: one of ours, by its id. `parent`: everything given out by one credential, and that credential where an issuer
 * signed it, by its mark. `subject`: everything given out to a caller until then.
 */
export const Revocation = z.strictObject({
  kind: z.enum(['token', 'parent', 'subject']),
  key: z.string().min(1).max(2048),
  /** Unix milliseconds. What was given out later is not meant. */
  atMs: z.number(),
  /** From then on it need not be remembered: what it meant is over. */
  untilMs: z.number(),
});
export type Revocation = z.output<typeof Revocation>;

export const revocationKey = ({ kind, key }: Pick<Revocation, 'kind' | 'key'>): string => `${kind} ${key}`;
