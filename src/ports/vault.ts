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

export interface Vault {
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
