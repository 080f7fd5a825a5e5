/**
 * Where an issuer's keys come from, and how long they are good. Remote sets are fetched ahead of their end, at most once
 * per cool-down whatever callers send, and outlive an outage for a configured time; then nothing verifies. A token never
 * has a say in where keys are looked for.
 */
import type { IssuerSettings, JwsAlgorithm } from '../../domain/issuer.ts';
import { type JsonObject, stringOrNull } from '../../domain/json.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FetchJson } from '../../ports/fetch-json.ts';
import type { Log } from '../../ports/log.ts';
import { type KeySet, pickKey, readKeySet, type VerifyKey } from './key-set.ts';

/** `unavailable`: there are no keys to look among. */
export type FoundKey = VerifyKey | 'unknown' | 'unavailable';

export interface KeySource {
  find(id: string | null, algorithm: JwsAlgorithm): FoundKey | Promise<FoundKey>;
  /** Whether what was verified with the present keys still counts; may start a fetch and waits for none. */
  vouches(): boolean;
  /** Fetches the first keys, again and again until there are some. */
  warm(): void;
  hasKeys(): boolean;
  /** What the issuer says of itself (OpenID Connect Discovery 1.0), where it was asked. */
  metadata(): JsonObject | null;
  close(): void;
}

export function createPinnedKeys(jwks: JsonObject): KeySource {
  const keys = readKeySet(jwks) ?? [];
  return {
    find: (id, algorithm) => pickKey(keys, id, algorithm) ?? (keys.length === 0 ? 'unavailable' : 'unknown'),
    vouches: () => true,
    warm: () => {},
    hasKeys: () => keys.length > 0,
    metadata: () => null,
    close: () => {},
  };
}

/** Keys are renewed in the background from this share of their age on, so that no caller has to wait for it. */
const EARLY = 0.8;
const FIRST_RETRY_MS = 1000;

export class RemoteKeys implements KeySource {
  readonly #issuer: IssuerSettings;
  readonly #ask: FetchJson;
  readonly #clock: Clock;
  readonly #log: Log;
  #keys: KeySet = [];
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  /** The latest attempt failed. */
  #failing = false;
  #retryMs = FIRST_RETRY_MS;
  #underWay: Promise<void> | null = null;
  #discovered: { uri: string; metadata: JsonObject } | null = null;
  #cancelRetry: (() => void) | null = null;
  #closed = false;

  constructor(issuer: IssuerSettings, deps: { fetch: FetchJson; clock: Clock; log: Log }) {
    this.#issuer = issuer;
    this.#ask = deps.fetch;
    this.#clock = deps.clock;
    this.#log = deps.log.with({ issuer: issuer.name });
  }

  find(id: string | null, algorithm: JwsAlgorithm): FoundKey | Promise<FoundKey> {
    const known = this.#mustWait() ? null : pickKey(this.#keys, id, algorithm);
    if (known !== null) {
      this.#renewEarly();
      return known;
    }
    const fetching = this.#underWay ?? (this.#mayTry() ? this.#refresh() : null);
    return fetching === null ? this.#look(id, algorithm) : fetching.then(() => this.#look(id, algorithm));
  }

  #look(id: string | null, algorithm: JwsAlgorithm): FoundKey {
    if (!this.#isUsable()) return 'unavailable';
    return pickKey(this.#keys, id, algorithm) ?? 'unknown';
  }

  vouches(): boolean {
    if (this.#mustWait()) return false;
    this.#renewEarly();
    return true;
  }

  warm(): void {
    if (this.#closed || this.hasKeys() || this.#underWay !== null) return;
    void this.#refresh().then(() => {
      if (this.#closed || this.hasKeys()) return;
      this.#cancelRetry = this.#clock.after(this.#retryMs, () => this.warm());
    });
  }

  hasKeys(): boolean {
    return this.#keys.length > 0 && this.#isUsable();
  }

  metadata(): JsonObject | null {
    return this.#discovered?.metadata ?? null;
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
  }

  #ageMs(): number {
    return this.#clock.monotonicMs() - this.#fetchedAtMs;
  }

  #isUsable(): boolean {
    return this.#ageMs() < this.#issuer.jwksMaxAgeMs + this.#issuer.jwksStaleForMs;
  }

  /**
   * Old keys are not used before the issuer was asked, because one of them may have been taken back; an issuer that did not
   * answer the last time is asked again in the background, or every caller would wait out its silence.
   */
  #mustWait(): boolean {
    const age = this.#ageMs();
    if (age < this.#issuer.jwksMaxAgeMs) return false;
    return !this.#failing || !this.#isUsable();
  }

  /** Before there are any keys the pause is shorter: nobody can get in anyway. */
  #mayTry(): boolean {
    const pause = this.#fetchedAtMs === Number.NEGATIVE_INFINITY ? this.#retryMs : this.#issuer.jwksCooldownMs;
    return !this.#closed && this.#clock.monotonicMs() - this.#triedAtMs >= pause;
  }

  #renewEarly(): void {
    if (this.#ageMs() < this.#issuer.jwksMaxAgeMs * EARLY) return;
    if (this.#underWay === null && this.#mayTry()) void this.#refresh();
  }

  #refresh(): Promise<void> {
    this.#triedAtMs = this.#clock.monotonicMs();
    this.#underWay = this.#load()
      .catch((cause: unknown) => {
        this.#failing = true;
        this.#log.error('keys could not be read', { detail: String(cause) });
      })
      .finally(() => {
        this.#underWay = null;
      });
    return this.#underWay;
  }

  async #load(): Promise<void> {
    const uri = await this.#findUri();
    const answer = uri === null ? null : await this.#ask(uri, this.#issuer.fetchTimeoutMs);
    const keys = answer?.ok === true ? readKeySet(answer.document, this.#keys) : null;
    if (keys !== null) {
      this.#keys = keys;
      this.#fetchedAtMs = this.#clock.monotonicMs();
      if (keys.length === 0) this.#log.warn('the issuer publishes no key that can be used');
      else if (this.#failing) this.#log.info('the issuer can be reached again');
      this.#failing = false;
      this.#retryMs = FIRST_RETRY_MS;
      return;
    }
    if (answer !== null) this.#complain(answer.ok ? 'no key set' : answer.why);
    this.#failing = true;
    // The address may have moved.
    this.#discovered = null;
    this.#retryMs = Math.min(this.#retryMs * 2, this.#issuer.jwksCooldownMs);
  }

  async #findUri(): Promise<string | null> {
    const { keys, issuer, fetchTimeoutMs } = this.#issuer;
    if (keys.kind === 'uri') return keys.uri;
    if (this.#discovered !== null) return this.#discovered.uri;
    const answer = await this.#ask(discoveryUrl(issuer), fetchTimeoutMs);
    if (!answer.ok) {
      this.#complain(answer.why);
      return null;
    }
    const uri = stringOrNull(answer.document.jwks_uri);
    if (answer.document.issuer !== issuer || uri === null) {
      this.#complain('the metadata is of another issuer, or names no keys');
      return null;
    }
    this.#discovered = { uri, metadata: answer.document };
    return uri;
  }

  #complain(why: string): void {
    const hint = why === 'not_allowed' ? 'the keys are kept on another host: name it with jwksUri' : undefined;
    this.#log.warn('the keys of an issuer could not be fetched', { why, hint });
  }
}

/** OpenID Connect Discovery 1.0, section 4: appended to the issuer, whose own slash at the end goes. */
export function discoveryUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
}

/** The origins an issuer's keys may come from: all that a fetch for it may open a socket to. */
export function originsOf({ keys, issuer }: IssuerSettings): string[] {
  if (keys.kind === 'pinned') return [];
  return [new URL(keys.kind === 'uri' ? keys.uri : issuer).origin];
}
