/** Whose token is this, if it is anybody's: one implementation for the tokens of issuers, one for those of our own. */
import type { Identity } from '../domain/identity.ts';

/** Why not, as a word for the book. `form` and `issuer` mean: this is no token of ours to judge. */
export type RefusalReason =
  | ('form' | 'header' | 'alg' | 'issuer' | 'typ' | 'kid' | 'keys' | 'signature')
  | ('time' | 'expired' | 'not_yet' | 'lifetime' | 'audience' | 'client' | 'tenant')
  | ('subject' | 'claims' | 'bound' | 'revoked' | 'group_overage' | 'actor_not_permitted');

export interface Refusal {
  kind: 'refusal';
  /** 403: the token is good and its holder still may not in. */
  status: 401 | 403;
  reason: RefusalReason;
}

export function refusal(reason: RefusalReason, status: Refusal['status'] = 401): Refusal {
  return { kind: 'refusal', status, reason };
}

export interface TokenVerifier {
  /** `digest` is the token's, under which verdicts are kept. Synchronous for a token that was verified before. */
  verify(token: string, digest: string): Identity | Refusal | Promise<Identity | Refusal>;
  /** Drops what is kept of these callers: their next request is verified anew. Returns how many. */
  forget(which: (who: Identity) => boolean): number;
}
