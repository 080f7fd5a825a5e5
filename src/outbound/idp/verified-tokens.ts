/**
 * Tokens that were verified, under their digests: bounded, and nothing is written at a hit. Two halves: when the younger is
 * full it becomes the older, and what is asked for again moves up (a clock with two positions).
 */
import type { Identity } from '../../domain/identity.ts';
import type { VerifyKey } from './key-set.ts';
import type { KeySource } from './key-source.ts';

export interface VerifiedToken {
  who: Identity;
  key: VerifyKey;
  source: KeySource;
}

export class VerifiedTokens {
  readonly #half: number;
  #young = new Map<string, VerifiedToken>();
  #old = new Map<string, VerifiedToken>();

  constructor(max: number) {
    this.#half = Math.max(1, Math.floor(max / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** Null also for what is over: expired, its key gone, or its issuer silent for too long. */
  find(digest: string, nowMs: number): Identity | null {
    const young = this.#young.get(digest);
    const found = young ?? this.#old.get(digest);
    if (found === undefined || nowMs >= found.who.expiresAtMs || !found.key.live || !found.source.vouches())
      return null;
    if (young === undefined) this.add(digest, found);
    return found.who;
  }

  add(digest: string, token: VerifiedToken): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#old.delete(digest);
    this.#young.set(digest, token);
  }

  forget(which: (who: Identity) => boolean): number {
    let forgotten = 0;
    for (const half of [this.#young, this.#old]) {
      for (const [digest, { who }] of half) {
        if (!which(who)) continue;
        half.delete(digest);
        forgotten += 1;
      }
    }
    return forgotten;
  }
}
