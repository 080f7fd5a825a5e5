/**
 * A server as an operator configures it, and the words for how it is doing. No I/O, no connection:
 * a downstream (ports/downstreams.ts) is the same thing once connected.
 */
import type { Secret } from './secret.ts';

/** The key under which an operator configured a server; also the first part of its public names. */
export type ServerKey = string;

export interface StdioLaunch {
  kind: 'stdio';
  command: string;
  args: readonly string[];
  /** Added to the allow-listed environment of the child; values may be secrets. */
  env: ReadonlyMap<string, Secret>;
  /** Absolute, or null for the gateway's own working directory. */
  cwd: string | null;
}

export interface HttpAddress {
  kind: 'http';
  url: string;
  /** Sent on every request to this server; names lower-case. */
  headers: ReadonlyMap<string, Secret>;
  /** `auto`: Streamable HTTP, and HTTP+SSE when the server answers that with 4xx. */
  transport: 'auto' | 'streamable-http' | 'sse';
  /** Somebody else than the operator wrote the URL: every socket to it is guarded (outbound/fetch). Absent: no. */
  isForeign?: boolean;
  /** It is told who calls (`X-User` and the like). Absent: no. */
  identityHeaders?: boolean;
  /** It gets the `Authorization` of callers that identify themselves by `X-Authorization`. Absent: no. */
  passthrough?: boolean;
  /** Further headers of clients that it gets; lower-case. */
  forwardHeaders?: readonly string[];
}

/** Who shares one connection (and one child process). */
export type Sharing = 'per-principal' | 'per-session' | 'shared';

export interface ServerSpec {
  key: ServerKey;
  description: string | null;
  enabled: boolean;
  link: StdioLaunch | HttpAddress;
  /** `auto`: modern where the server speaks it; the verdict is cached per server. */
  era: 'auto' | 'legacy' | 'modern';
  sharing: Sharing;
  start: 'eager' | 'lazy';
  /** From spawn or connect until the handshake is through. */
  connectTimeoutMs: number;
  /** One list request (a page of tools/list and the like). */
  listTimeoutMs: number;
  /** One call; null: no limit but the caller's. */
  callTimeoutMs: number | null;
  /** Calls under way at once on one connection set; the rest queue up to maxQueued, then fail at once. */
  maxInFlight: number;
  maxQueued: number;
  /** Of a registered server. Absent: it has none. */
  version?: string;
  /** The server of which this is a version that is not active: connected when it is asked for, and shown at its door alone. */
  versionOf?: ServerKey;
}

/** One version of a server, in one word; no key holds an `@`. The same as the key where there are no versions. */
export function versionKey(server: ServerKey, version: string | null | undefined): string {
  return version === null || version === undefined ? server : `${server}@${version}`;
}

/** What is kept of a server is kept by this: of one that has versions, of each for itself. */
export const originOf = ({ key, version, versionOf }: ServerSpec): string => versionKey(versionOf ?? key, version);

/** The server that a version belongs to; every rule, right and limit is about that. */
export function serverOfVersion(key: string): ServerKey {
  const at = key.indexOf('@');
  return at < 0 ? key : key.slice(0, at);
}

/** Null: of a server that has no versions. */
export function versionOfKey(key: string): string | null {
  const at = key.indexOf('@');
  return at < 0 ? null : key.slice(at + 1);
}

/**
 * `idle`: lazy and not yet used. `connecting`. `ready`. `down`: failed, will be tried again.
 * `failed`: crash loop, tried only by the breaker's probe. `disabled`: configured off.
 */
export type ServerStatus = 'idle' | 'connecting' | 'ready' | 'down' | 'failed' | 'disabled';

/** The reason of a server that answers, and takes no credential we have: it is there, and somebody has to see to it. */
export const CREDENTIALS_REFUSED = "it refused the gateway's credentials";
