/**
 * What a token of ours hangs on: the credential it was given out by. A key that is changed or taken away, an issuer that
 * is no longer believed, a door that got its first lock take the token with them, and rights that the parent lost since
 * are lost to the token too. Nothing is added here.
 */
import type { Identity, Lineage } from '../../domain/identity.ts';
import type { NamedKey } from '../../domain/named-key.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { effectiveScopes } from '../../domain/scope-rules.ts';
import type { Secret } from '../../domain/secret.ts';
import type { TokenSigner } from '../../ports/own-tokens.ts';
import { type Refusal, refusal } from '../../ports/token-verifier.ts';
import { digestOf } from './bearer.ts';
import { namedKeyHolder } from './static-keys.ts';

export interface LineageDeps {
  findKey(): Secret | null;
  /** The same list until it changes. */
  findNamedKeys(): readonly NamedKey[];
  /** The holder of the one key. */
  owner: Identity;
  /** Whoever logs in, and with what; null: nobody can. */
  login: { holder: Identity; password: Secret } | null;
  /** Names of the issuers that are believed. */
  issuers: ReadonlySet<string>;
  /** The same object until it changes. */
  policy(): PolicySet;
  mark: TokenSigner['mark'];
  isRevoked(who: Identity): boolean;
}

export interface Lineages {
  /** The same object until a verdict of `admit` may be another. */
  basis(): unknown;
  /** Who is left of the holder of one of our tokens. `ownScopes`: what the parent held itself. */
  admit(who: Identity, ownScopes: ReadonlySet<string>): Identity | Refusal;
  /** False once a token, or what it hangs on, is over. */
  stands(who: Identity): boolean;
  /** What a token that this caller gets will hang on; null: its own credential has just gone. */
  lineageOf(who: Identity): Pick<Lineage, 'method' | 'parent'> | null;
}

export function createLineages(deps: LineageDeps): Lineages {
  const { mark, issuers, owner, login } = deps;
  let basis = { key: deps.findKey(), named: deps.findNamedKeys(), policy: deps.policy() };

  const isOpen = () =>
    deps.findKey() === null && deps.findNamedKeys().length === 0 && issuers.size === 0 && login === null;

  /** Of what an operator wrote down: a key, or the password that takes what hangs on it along when it is changed. */
  function findHolder(subject: string): { holder: Identity; key: Secret } | null {
    if (subject === login?.holder.subject) return { holder: login.holder, key: login.password };
    if (subject === owner.subject) {
      const key = deps.findKey();
      return key === null ? null : { holder: owner, key };
    }
    const named = deps.findNamedKeys().find(({ name }) => `key:${name}` === subject);
    return named === undefined ? null : { holder: namedKeyHolder(named), key: named.key };
  }

  const keyMark = (subject: string, key: Secret) => mark(['key', subject, digestOf(key.reveal())]);

  function stands(who: Identity): boolean {
    const { lineage } = who;
    if (lineage === undefined || deps.isRevoked(who)) return false;
    switch (lineage.method) {
      case 'api-key':
      case 'login': {
        const found = findHolder(who.subject);
        return found !== null && keyMark(who.subject, found.key) === lineage.parent;
      }
      case 'jwt':
        return who.issuer !== null && issuers.has(who.issuer);
      case 'local':
        return isOpen();
      case 'vended':
        return false;
    }
  }

  return {
    stands,
    basis() {
      const [key, named, policy] = [deps.findKey(), deps.findNamedKeys(), deps.policy()];
      if (key !== basis.key || named !== basis.named || policy !== basis.policy) basis = { key, named, policy };
      return basis;
    },
    admit(who, ownScopes) {
      if (!stands(who)) return refusal('revoked');
      const method = who.lineage?.method ?? 'local';
      const holder = method === 'api-key' || method === 'login' ? (findHolder(who.subject)?.holder ?? null) : null;
      const parent: Identity = holder ?? { ...who, method, scopes: ownScopes };
      const { scopes } = deps.policy();
      // Without a file of scopes a scope is a word, which a parent of ours may still have lost.
      const left = scopes === null ? (holder?.scopes ?? who.scopes) : new Set(effectiveScopes(scopes, parent));
      const { agent, agentVerified, groups } = parent;
      return {
        ...who,
        agent,
        agentVerified,
        groups,
        scopes: new Set([...who.scopes].filter(scope => left.has(scope))),
      };
    },
    lineageOf(who) {
      if (who.method !== 'api-key' && who.method !== 'login') {
        const isNamed = who.method === 'jwt' && who.tokenId !== null;
        return { method: who.method, parent: isNamed ? (parentMark(mark, who) ?? '') : '' };
      }
      const found = findHolder(who.subject);
      return found === null ? null : { method: who.method, parent: keyMark(who.subject, found.key) };
    },
  };
}

/** How a token of an issuer is known as a parent; null where it has no id. */
export function parentMark(mark: TokenSigner['mark'], who: Pick<Identity, 'issuer' | 'tokenId'>): string | null {
  return who.tokenId === null ? null : mark(['token', who.issuer ?? '', who.tokenId]);
}
