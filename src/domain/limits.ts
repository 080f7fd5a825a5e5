/**
 * How much a caller may use: the rules an operator writes, and the two answers to "one more?". A limit says how many,
 * never who may; nothing here counts. Headers and error codes are made of `Limited` by the surfaces.
 */

/** What shares one count. `caller-and-server` counts every pair apart, `everyone` all callers together. */
export type LimitScope = 'caller' | 'agent' | 'server' | 'caller-and-server' | 'everyone';

export interface LimitRule {
  /** Unique among the rules, and stable: counts are kept under it. */
  id: string;
  by: LimitScope;
  /** Globs; null: any. A caller without agent or groups matches no list of them. */
  agents: readonly string[] | null;
  groups: readonly string[] | null;
  servers: readonly string[] | null;
  /** At least 1. */
  calls: number;
  perMs: number;
}

export interface LimitRules {
  rules: readonly LimitRule[];
  /** Calls under way at once; null: as many as the process takes. */
  inFlight: { perCaller: number | null; perServer: number | null };
  /** Open at once. Of callers that showed a credential: without one, all callers of the machine are the same. */
  sessionsPerCaller: number | null;
  streamsPerCaller: number | null;
  /** Of all callers together, those of the machine too. */
  streams: number | null;
  /** Credentials that were refused, per address. */
  refusalsPerAddress: { calls: number; perMs: number } | null;
}

export interface Allowed {
  kind: 'allowed';
  /** To be given back when the operation is over; 0: nothing is held. */
  slot: number;
}

export interface Limited {
  kind: 'limited';
  /** Which count is full: fit for the caller and for a label. */
  scope: LimitScope | 'address' | 'session' | 'stream';
  /** `rate`: too many in a time; `open`: too many at once. */
  what: 'rate' | 'open';
  limit: number;
  /** 0 where this very count is full. */
  remaining: number;
  /** Until one more is possible; at least 1. */
  retryAfterMs: number;
  /** Until the whole limit is there again. */
  resetMs: number;
}

export const UNLIMITED: LimitRules = {
  rules: [],
  inFlight: { perCaller: null, perServer: null },
  sessionsPerCaller: null,
  streamsPerCaller: null,
  streams: null,
  refusalsPerAddress: null,
};
