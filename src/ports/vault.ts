/** Secrets that are kept at rest: a credential per owner, server and field. */
import type { Secret } from '../domain/secret.ts';
import type { ServerKey } from '../domain/server.ts';

export interface VaultSlot {
  /** The subject it belongs to, or `gateway` for the operator's own. */
  owner: string;
  server: ServerKey;
  /** `credential`, `header:x-tenant`, `refresh-token`, ... */
  field: string;
}

/** `unreadable`: something is kept there that was changed, moved, or sealed with a key that is not at hand. */
export type VaultFinding = { kind: 'secret'; secret: Secret } | { kind: 'none' } | { kind: 'unreadable' };

/** What is kept of an owner, without what it says. */
export interface VaultEntry {
  slot: VaultSlot;
  /** When it was last put there. */
  changedMs: number;
}

export interface Vault {
  /** Shape: by server, then by field. */
  list(owner: string): VaultEntry[];
  find(slot: VaultSlot): VaultFinding;
  /** On disk when it returns. Throws when it cannot be written; what was there before is then still there. */
  put(slot: VaultSlot, secret: Secret): void;
  /** False: there was nothing. */
  remove(slot: VaultSlot): boolean;
  /** Everything of a server that is no more. Returns how many. */
  removeServer(server: ServerKey): number;
  /** Seals everything readable with the newest key, so that older ones can be given up. Returns how many were not. */
  renewKey(): { renewed: number; unreadable: number };
}

/**
 * Seals what is stored elsewhere (a column of a record) with the key of the vault. Record and field are bound: what was
 * sealed for one is unreadable in the place of another.
 */
export interface Sealer {
  /** Shape: letters, digits, `.`, `-` and `_`; no two are alike. Throws where no key is at hand: nothing is kept in clear. */
  seal(recordId: string, field: string, plain: Secret): string;
  /** `unreadable`: changed, moved, cut short, or sealed with a key that is not at hand. */
  open(recordId: string, field: string, sealed: string): Exclude<VaultFinding, { kind: 'none' }>;
  /** The same sealed with the newest key, so that older ones can be given up; null: it is already, or is unreadable. */
  renew(recordId: string, field: string, sealed: string): string | null;
}
