/**
 * The bounds of everything that talks to downstreams. Defaults are for production; tests shorten the waits.
 * Per-server choices (timeouts, calls in flight) are the operator's and stand in ServerSpec.
 */
export interface DownstreamLimits {
  /** One frame from a server: a JSON body, an SSE event, a stdio line. */
  maxFrameBytes: number;
  /** Text waiting for a child that does not read. */
  maxOutboxBytes: number;
  /** Sockets per HTTP server for calls; streams and notifications have their own few. */
  maxConnections: number;
  /** Connection sets of one server (callers or sessions it is kept apart for). */
  maxPartitions: number;
  /** Calls without a time limit of their own: until the response head, and for a JSON body in all. */
  headersTimeoutMs: number;
  /** How long a stdio server may think about `server/discover` before it is also offered `initialize`. */
  probeTimeoutMs: number;
  /** Waits between attempts double from base to max; each is spread over half to one and a half of itself. */
  backoffBaseMs: number;
  backoffMaxMs: number;
  /** Failures in a row that open the breaker. */
  breakerFailures: number;
  /** How long an open breaker's probe may take. */
  probeAnswerMs: number;
  /** A call that ran out of a shorter time than this says nothing about the server's health. */
  breakerMinTimeoutMs: number;
  /** Longest `Retry-After` that is believed. */
  maxRetryAfterMs: number;
  /** A connection that ends sooner counts towards a crash loop. */
  quickDeathMs: number;
  maxQuickDeaths: number;
  /** Connection sets other than the main one are closed after this long without a call. */
  idlePartitionMs: number;
  /** After stdin is closed, and again after SIGTERM. */
  stopGraceMs: number;
  /** How long calls of a removed server may take to finish. */
  retireMs: number;
  /** An answered event stream that the server does not end is cut after this long. */
  lingerMs: number;
  /** `list_changed` in a row become one event. */
  listChangedDelayMs: number;
}

export const DEFAULT_LIMITS: DownstreamLimits = {
  maxFrameBytes: 16 * 1024 * 1024,
  maxOutboxBytes: 32 * 1024 * 1024,
  maxConnections: 128,
  maxPartitions: 1000,
  headersTimeoutMs: 300_000,
  probeTimeoutMs: 1500,
  backoffBaseMs: 1000,
  backoffMaxMs: 30_000,
  breakerFailures: 5,
  probeAnswerMs: 5000,
  breakerMinTimeoutMs: 5000,
  maxRetryAfterMs: 60_000,
  quickDeathMs: 10_000,
  maxQuickDeaths: 5,
  idlePartitionMs: 300_000,
  stopGraceMs: 2000,
  retireMs: 300_000,
  lingerMs: 2000,
  listChangedDelayMs: 100,
};
