/**
 * From an address to a link through its handshake: which transport and which era a server speaks, asked once and
 * remembered by the caller as a Verdict. A modern question comes first where it costs nothing; a server that takes it
 * badly gets the legacy handshake, if need be in a fresh process.
 */
import type { Era } from '../../domain/era.ts';
import { isModernRevision } from '../../domain/era.ts';
import { LEADS_BACK } from '../../domain/gateway-path.ts';
import { isJsonObject } from '../../domain/json.ts';
import { RPC } from '../../domain/rpc.ts';
import type { HttpAddress, ServerSpec, StdioLaunch } from '../../domain/server.ts';
import type { Channel, ChannelHandler } from './channel.ts';
import type { Connecting } from './connection.ts';
import { FaultError, fault } from './fault.ts';
import type { HttpClient } from './http-client.ts';
import { LegacyLink } from './legacy-link.ts';
import type { DownstreamLimits } from './limits.ts';
import { type Link, type LinkDeps, RpcFaultError } from './link.ts';
import { ModernLink, type ModernOptions } from './modern-link.ts';
import { openSseChannel } from './sse-channel.ts';
import { openStdioChannel } from './stdio-channel.ts';
import { openStreamableHttpChannel } from './streamable-http-channel.ts';
import type { Watchdog } from './watchdog.ts';

export interface Verdict {
  era: Era;
  transport: Channel['transport'];
}

export interface NegotiateDeps {
  spec: ServerSpec;
  /** null for a stdio server. */
  http: HttpClient | null;
  link: LinkDeps;
  modern: ModernOptions;
  limits: DownstreamLimits;
  baseEnv: Readonly<Record<string, string | undefined>>;
  watchdog: Watchdog;
  /** This gateway's id: a server that shows it is refused. */
  instance: string;
  /** Processes given up on the way are still ending. */
  disposing(ended: Promise<void>): void;
}

/** `link` rejects with a FaultError; nothing stays open after that. */
export function negotiate(deps: NegotiateDeps, verdict: Verdict | null): Connecting {
  const attempt = new Attempt(deps, verdict);
  return { link: run(attempt, deps.instance), abort: () => attempt.abort() };
}

async function run(attempt: Attempt, instance: string): Promise<Link> {
  try {
    const link = await attempt.connect();
    // Here, not in the handshake: another era or transport would be tried in vain.
    if (link.facts.gateways.includes(instance)) throw new FaultError(fault('refused', LEADS_BACK));
    return link;
  } catch (error) {
    attempt.dispose();
    if (error instanceof RpcFaultError) {
      const detail = `handshake: JSON-RPC error ${error.error.code}: ${error.error.message}`;
      throw new FaultError(fault('refused', 'it refused the handshake', { detail }));
    }
    throw error;
  }
}

/** Replaced by the link at once; whatever reaches it has nobody to go to. */
const NOBODY: ChannelHandler = { frame() {}, faulted() {}, refused() {}, closed() {}, ailing() {} };

/** Of the time left, what the question that may be in vain is given. */
const PROBE_SHARE = 1 / 3;
const FIRST_TRY_SHARE = 1 / 2;

class Attempt {
  readonly #deps: NegotiateDeps;
  readonly #verdict: Verdict | null;
  readonly #endMs: number;
  #link: Link | null = null;
  #isAborted = false;
  #abortOpening: () => void = () => {};

  constructor(deps: NegotiateDeps, verdict: Verdict | null) {
    this.#deps = deps;
    this.#verdict = verdict;
    this.#endMs = deps.link.clock.monotonicMs() + deps.spec.connectTimeoutMs;
  }

  connect(): Promise<Link> {
    const { link } = this.#deps.spec;
    return link.kind === 'stdio' ? this.#connectStdio(link) : this.#connectHttp(link);
  }

  dispose(): void {
    if (this.#link !== null) this.#deps.disposing(this.#link.close());
    this.#link = null;
  }

  /** Also ends the question under way, whose fault then ends the attempt. */
  abort(): void {
    this.#isAborted = true;
    this.#abortOpening();
    this.dispose();
  }

  #requireWanted(): void {
    if (this.#isAborted) throw new FaultError(fault('unsent', 'it is no longer wanted', { isOutage: false }));
  }

  get #leftMs(): number {
    return Math.max(this.#endMs - this.#deps.link.clock.monotonicMs(), 1);
  }

  get #era(): Era | 'auto' {
    const { era } = this.#deps.spec;
    return era === 'auto' ? (this.#verdict?.era ?? 'auto') : era;
  }

  #legacy(channel: Channel, lastId = 0): LegacyLink {
    const link = new LegacyLink(this.#deps.link, channel, lastId);
    this.#link = link;
    return link;
  }

  #modern(channel: Channel, lastId = 0): ModernLink {
    const link = new ModernLink(this.#deps.link, channel, this.#deps.modern, lastId);
    this.#link = link;
    return link;
  }

  async #initialize(link: LegacyLink, timeoutMs: number): Promise<Link> {
    this.#requireWanted();
    await link.initialize(timeoutMs);
    return link;
  }

  async #discover(link: ModernLink, timeoutMs: number): Promise<Link> {
    await link.discover(timeoutMs);
    return link;
  }

  // stdio

  #spawn(launch: StdioLaunch): Channel {
    this.#requireWanted();
    const { baseEnv, limits, watchdog, link } = this.#deps;
    return openStdioChannel({ launch, baseEnv, limits, watchdog, log: link.log }, NOBODY);
  }

  async #connectStdio(launch: StdioLaunch): Promise<Link> {
    const channel = this.#spawn(launch);
    if (this.#era === 'legacy') return this.#initialize(this.#legacy(channel), this.#leftMs);
    const modern = this.#modern(channel);
    if (this.#era === 'modern') return this.#discover(modern, this.#leftMs);
    let isSilent = false;
    try {
      return await this.#discover(modern, Math.min(this.#deps.limits.probeTimeoutMs, this.#leftMs * PROBE_SHARE));
    } catch (error) {
      if (channel.pid === null) throw error;
      // Some servers end when anything precedes `initialize`.
      if (modern.isClosed) return this.#initialize(this.#restart(launch), this.#leftMs);
      if (!saysLegacy(error) && !isTimeout(error)) throw error;
      isSilent = isTimeout(error);
    }
    // Silence may be a slow start: the same process is asked in the other way. One that knows both eras is held to its first
    // question by the protocol and refuses the second; one that answers it all the same is taken at its word.
    const legacy = this.#legacy(channel, modern.lastId);
    try {
      return await this.#initialize(legacy, isSilent ? this.#leftMs * FIRST_TRY_SHARE : this.#leftMs);
    } catch (error) {
      if (!isSilent) throw error;
      if (error instanceof RpcFaultError) return this.#discover(this.#modern(channel, legacy.lastId), this.#leftMs);
      return this.#initialize(this.#restart(launch), this.#leftMs);
    }
  }

  #restart(launch: StdioLaunch): LegacyLink {
    this.dispose();
    return this.#legacy(this.#spawn(launch));
  }

  // HTTP

  async #connectHttp(address: HttpAddress): Promise<Link> {
    const { http, limits, link } = this.#deps;
    if (http === null) throw new FaultError(fault('unsent', 'it cannot be reached', { detail: 'no HTTP client' }));
    const options = { http, limits, clock: link.clock, log: link.log };
    const overSse = async (): Promise<Link> => {
      this.#requireWanted();
      const opening = openSseChannel(options, NOBODY, this.#leftMs);
      this.#abortOpening = opening.abort;
      const channel = await opening.channel;
      return this.#initialize(this.#legacy(channel), this.#leftMs);
    };
    if (address.transport === 'sse' || this.#verdict?.transport === 'sse') return overSse();

    if (this.#era !== 'legacy') {
      const isCertain = this.#era === 'modern';
      try {
        const channel = openStreamableHttpChannel(options, NOBODY);
        return await this.#discover(this.#modern(channel), isCertain ? this.#leftMs : this.#leftMs * PROBE_SHARE);
      } catch (error) {
        const cannotBeReached = error instanceof FaultError && error.fault.kind === 'unsent';
        const isRefusedEntry =
          error instanceof FaultError && (error.fault.status === 401 || error.fault.status === 429);
        if (isCertain || cannotBeReached || isRefusedEntry) throw error;
        this.dispose();
      }
    }
    try {
      return await this.#initialize(this.#legacy(openStreamableHttpChannel(options, NOBODY)), this.#leftMs);
    } catch (error) {
      if (address.transport !== 'auto' || !isRefusedMethod(error)) throw error;
      this.dispose();
      try {
        return await overSse();
      } catch {
        // The newer transport's answer says more about a server that has neither.
        throw error;
      }
    }
  }
}

/** Any JSON-RPC error but the one that names a modern version we also speak. */
function saysLegacy(error: unknown): boolean {
  if (error instanceof FaultError) return error.fault.kind === 'bad-answer' || error.fault.kind === 'refused';
  if (!(error instanceof RpcFaultError)) return false;
  const { code, data } = error.error;
  if (code !== RPC.unsupportedProtocolVersion || !isJsonObject(data) || !Array.isArray(data.supported)) return true;
  return !data.supported.some(isModernRevision);
}

function isTimeout(error: unknown): boolean {
  return error instanceof FaultError && error.fault.kind === 'lost';
}

/** How a server that knows only HTTP+SSE takes a POST to its stream's address. */
function isRefusedMethod(error: unknown): boolean {
  if (error instanceof RpcFaultError) return true;
  if (!(error instanceof FaultError)) return false;
  const { status } = error.fault;
  return status !== null && status >= 400 && status < 500 && status !== 401 && status !== 403 && status !== 429;
}
