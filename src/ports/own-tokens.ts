/** Tokens of our own: signing and verifying them, and remembering which of them are over before their time. */
import type { Identity } from '../domain/identity.ts';
import type { JsonObject } from '../domain/json.ts';
import type { Revocation, VendedClaims } from '../domain/vended.ts';
import type { TokenVerifier } from './token-verifier.ts';

export interface TokenSigner {
  /** False while there is no key, or what was revoked cannot be known: then nothing is signed and nothing verified. */
  isReady(): boolean;
  /** Rejects when not ready. */
  sign(claims: VendedClaims): Promise<string>;
  /** The same text for the same words, in every process with these keys; tells nobody else what they were. Only while ready. */
  mark(words: readonly string[]): string;
}

export interface OwnTokens extends TokenSigner, TokenVerifier {
  /** The public keys as a JWK set; null: there are none. */
  published(): JsonObject | null;
}

export interface Revocations {
  /** Holders of tokens of ours and of issuers alike. */
  isRevoked(who: Identity): boolean;
  /** In force at once. `kept` false: not on the disk yet, so that a restart might forget it. `full`: not in force. */
  add(entry: Revocation): 'kept' | 'unkept' | 'full';
}
