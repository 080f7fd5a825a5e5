/** Keys that an operator wrote: the one of the whole gateway, and named ones with rights of their own. */
import { type Identity, LOCAL_CALLER } from '../../domain/identity.ts';
import type { NamedKey } from '../../domain/named-key.ts';
import { rightsKey } from '../../domain/rights-key.ts';
import type { Secret } from '../../domain/secret.ts';
import { digestOf } from './bearer.ts';

export function namedKeyHolder(named: NamedKey): Identity {
  return {
    ...LOCAL_CALLER,
    subject: `key:${named.name}`,
    name: named.name,
    method: 'api-key',
    agent: named.agent,
    // The operator tied the agent to the key, which is as good as an issuer's word.
    agentVerified: named.agent !== null,
    scopes: new Set(named.scopes),
    groups: new Set(named.groups),
  };
}

export interface KeyTable {
  /** `key` and `named` are those in force now. */
  find(digest: string, key: Secret | null, named: readonly NamedKey[]): Identity | null;
  /** Whether a holder that was found once still has that key, and with it the same rights. */
  holds(who: Identity, key: Secret | null, named: readonly NamedKey[]): boolean;
}

/**
 * Everybody with a key, under the digest of it. Looking a digest up tells by its time at most something of a digest, of
 * which nobody can make a key; and it costs the same for one key and for a hundred. `owner`: the holder of the one key.
 */
export function createKeyTable(owner: Identity): KeyTable {
  let knownKey: Secret | null = null;
  let knownNamed: readonly NamedKey[] = [];
  let holders: ReadonlyMap<string, Identity> = new Map();
  const digests = new WeakMap<Identity, string>();

  function follow(key: Secret | null, named: readonly NamedKey[]): void {
    if (key === knownKey && named === knownNamed) return;
    const next = new Map(named.map(entry => [digestOf(entry.key.reveal()), namedKeyHolder(entry)]));
    if (key !== null) next.set(digestOf(key.reveal()), { ...owner });
    for (const [digest, who] of next) digests.set(who, digest);
    holders = next;
    knownKey = key;
    knownNamed = named;
  }

  return {
    find(digest, key, named) {
      follow(key, named);
      return holders.get(digest) ?? null;
    },
    holds(who, key, named) {
      follow(key, named);
      const digest = digests.get(who);
      // Somebody's copy of a holder is at least told by its name.
      if (digest === undefined) return [...holders.values()].some(({ subject }) => subject === who.subject);
      const now = holders.get(digest);
      return now !== undefined && rightsKey(now) === rightsKey(who);
    },
  };
}
