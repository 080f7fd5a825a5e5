/** Tokens of our own, put together: their keys and what was revoked are files that other processes may change too. */
import type { Config } from '../config/config.ts';
import type { Identity } from '../domain/identity.ts';
import type { PolicySet } from '../domain/policy.ts';
import { fileStamp } from '../outbound/files/file-stamp.ts';
import { type OwnKeys, openOwnKeys } from '../outbound/idp/own-keys.ts';
import { createOwnTokens } from '../outbound/idp/own-tokens.ts';
import { createRevocationFile } from '../outbound/idp/revocation-file.ts';
import { createMemoryLimits } from '../outbound/limits/memory-limits.ts';
import type { AuditLedger } from '../ports/audit.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { OwnTokens, Revocations } from '../ports/own-tokens.ts';
import type { Recorder } from '../ports/recorder.ts';
import { loginHolder } from '../services/identity/admin-login.ts';
import { createLineages, parentMark } from '../services/identity/lineage.ts';
import { createVendTokens, type VendTokens } from '../services/identity/vend-tokens.ts';

export interface TokenParts {
  own: OwnTokens;
  revocations: Revocations;
  tokens: VendTokens;
  /** Whether the holder of a token of ours, or of an issuer's, must go. */
  isOver(who: Identity): boolean;
  start(): void;
  stop(): void;
}

export interface TokenPartsDeps {
  owner: Identity;
  policy(): PolicySet;
  hasServer(server: string): boolean;
  /** Verdicts on issuers' tokens are dropped where this says so. */
  forget(which: (who: Identity) => boolean): void;
  recorder: Recorder;
  audit: AuditLedger;
  clock: Clock;
  log: Log;
}

/** So long at most until one process follows what another changed. */
const LOOK_MS = 500;

/** `current`: the configuration in force, for what a reload may change. */
export function createTokenParts(started: Config, current: () => Config, deps: TokenPartsDeps): TokenParts {
  const { clock, log } = deps;
  const { keyFile, revocationsFile, perHour, maxHours } = started.tokens;
  const { login } = started.identity;
  let keys: OwnKeys | null = null;
  /** What was revoked is known; without it no token of ours is good. */
  let isKnown = false;
  let [keyStamp, revokedStamp] = ['', ''];
  let complaint = '';
  let cancel = () => {};

  const mark = (words: readonly string[]) => own.mark(words);
  const revocations = createRevocationFile({
    path: revocationsFile,
    nowMs: () => clock.wallMs(),
    markOf: who => (own.isReady() ? parentMark(mark, who) : null),
  });
  const lineages = createLineages({
    findKey: () => current().apiKey,
    findNamedKeys: () => current().identity.keys,
    owner: deps.owner,
    login: login && { holder: loginHolder(login.user, login.groups), password: login.password },
    issuers: new Set(started.identity.issuers.map(({ issuer }) => issuer)),
    policy: deps.policy,
    mark,
    isRevoked: who => revocations.isRevoked(who),
  });
  const own = createOwnTokens({
    keys: () => (isKnown ? keys : null),
    publicUrl: findOwnAddress(started),
    basis: () => lineages.basis(),
    admit: (who, ownScopes) => lineages.admit(who, ownScopes),
    clock,
  });
  const onRevoked = () => {
    const isRevoked = (who: Identity) => revocations.isRevoked(who);
    own.forget(isRevoked);
    deps.forget(isRevoked);
  };

  /** Says the same only once. */
  function complain(what: string, reason: string | null): void {
    const said = reason === null ? '' : `${what}: ${reason}`;
    if (said !== '' && said !== complaint) log.error('tokens of our own', { detail: said });
    complaint = said;
  }

  function look(): void {
    const keysNow = fileStamp(keyFile);
    if (keysNow !== keyStamp || keys === null) {
      const found = openOwnKeys(keyFile, clock.wallMs(), keys);
      if (found.ok) keys = found.keys;
      else complain(keyFile, found.reason);
      keyStamp = fileStamp(keyFile);
    }
    if (keys === null) return;
    const revokedNow = fileStamp(revocationsFile);
    if (revokedNow === revokedStamp && isKnown) return;
    const wrong = revocations.sync();
    complain(revocationsFile, wrong);
    // What is in force stays in force; only a start without knowledge of it is no start.
    isKnown ||= wrong === null;
    revokedStamp = wrong === null ? fileStamp(revocationsFile) : '';
    onRevoked();
  }

  function lookAgain(): void {
    look();
    cancel = clock.after(LOOK_MS, lookAgain);
  }

  return {
    own,
    revocations,
    isOver: who => (who.method === 'vended' ? !own.isReady() || !lineages.stands(who) : revocations.isRevoked(who)),
    tokens: createVendTokens({
      signer: own,
      lineages,
      revocations,
      onRevoked,
      policy: deps.policy,
      hasServer: deps.hasServer,
      quota: createMemoryLimits(clock),
      perHour,
      maxHours,
      recorder: deps.recorder,
      audit: deps.audit,
      clock,
      log,
    }),
    start: lookAgain,
    stop: () => cancel(),
  };
}

/** An address that an issuer goes by is not ours to sign with. */
function findOwnAddress({ identity: { publicUrl, issuers } }: Config): string | null {
  return issuers.some(({ issuer }) => issuer === publicUrl) ? null : publicUrl;
}
