/**
 * A connection to a modern server (MCP 2026-07-28): no handshake and no session; every request carries its envelope, and
 * one long `subscriptions/listen` brings what a server says outside of calls.
 */
import { type Line, withArguments } from '../../domain/call.ts';
import { isModernRevision, LATEST_MODERN, META } from '../../domain/era.ts';
import { readPath } from '../../domain/gateway-path.ts';
import { isJsonObject, type JsonObject, objectOrEmpty, stringOrNull } from '../../domain/json.ts';
import { encodeHeaderValue, findNameParam, type ParamHeader, paramHeaderValues } from '../../domain/param-headers.ts';
import { RPC, type RpcError, type RpcId } from '../../domain/rpc.ts';
import { type Backoff, createBackoff } from './backoff.ts';
import type { Channel, Refusal } from './channel.ts';
import { createEnvelopes, type Envelopes, lacksCapability, OWNED_META } from './envelope.ts';
import { Exchange, type ExchangeOwner } from './exchange.ts';
import { FaultError, fault } from './fault.ts';
import { errorText, notificationText, requestFrame } from './frame.ts';
import { Link, type LinkDeps, RpcFaultError } from './link.ts';
import { refusalFault } from './refusal.ts';

/** This revision has no `ping`; the question that every server has to answer is as cheap. */
const SIGN_OF_LIFE = 'server/discover';

/** Headers per tool, learnt from its lists and shared by all connections to the server. */
export type ParamHeaderIndex = ReadonlyMap<string, readonly ParamHeader[]>;

export interface ModernOptions {
  paramHeaders: ParamHeaderIndex;
  /** Waits before a listen stream is opened again. */
  backoffBaseMs: number;
  backoffMaxMs: number;
}

export class ModernLink extends Link {
  readonly era = 'modern';
  readonly #options: ModernOptions;
  readonly #envelopes: Envelopes;
  readonly #isHttp: boolean;
  readonly #listenBackoff: Backoff;
  #listening: Exchange | null = null;
  #watched: ReadonlySet<string> = new Set();
  #isListenWanted = false;
  #cancelListenTimer: () => void = () => {};

  constructor(deps: LinkDeps, channel: Channel, options: ModernOptions, lastId = 0) {
    super(deps, channel, lastId);
    this.#options = options;
    this.#listenBackoff = createBackoff(options.backoffBaseMs, options.backoffMaxMs);
    this.#envelopes = createEnvelopes(deps.clientInfo);
    this.#isHttp = channel.transport !== 'stdio';
  }

  /** Throws FaultError or RpcFaultError. */
  async discover(timeoutMs: number): Promise<void> {
    const result = await this.ask('server/discover', {}, timeoutMs);
    const versions = Array.isArray(result.supportedVersions) ? result.supportedVersions : [];
    if (!versions.some(isModernRevision)) {
      throw new FaultError(fault('refused', 'it speaks no known protocol version', { detail: versions.join(' ') }));
    }
    const info = objectOrEmpty(result._meta)[META.serverInfo] ?? result.serverInfo;
    this.facts = {
      era: 'modern',
      revision: LATEST_MODERN,
      capabilities: objectOrEmpty(result.capabilities),
      serverInfo: objectOrEmpty(info),
      instructions: stringOrNull(result.instructions),
      gateways: readPath(result),
    };
  }

  async ping(timeoutMs: number): Promise<void> {
    try {
      await this.ask(SIGN_OF_LIFE, {}, timeoutMs);
    } catch (error) {
      if (!(error instanceof RpcFaultError)) throw error;
    }
  }

  /** Opens the listen stream, if the server has anything to say on one. */
  listen(): void {
    this.#isListenWanted = true;
    this.#relisten();
  }

  async watch(uris: ReadonlySet<string>): Promise<void> {
    const isSame = uris.size === this.#watched.size && [...uris].every(uri => this.#watched.has(uri));
    this.#watched = new Set(uris);
    if (!isSame && this.#isListenWanted) this.#relisten();
  }

  override close(): Promise<void> {
    this.#isListenWanted = false;
    this.#cancelListenTimer();
    return super.close();
  }

  protected put(exchange: Exchange): void {
    const { line, id, params, argumentBytes } = exchange;
    const method = exchange.method === 'ping' ? SIGN_OF_LIFE : exchange.method;
    let added = this.#envelopes.text(line);
    if (line?.wantsProgress) added += `,"progressToken":${id}`;
    this.channel.request(
      exchange,
      requestFrame({ id, method, params, argumentBytes }, added, OWNED_META),
      this.#isHttp ? this.#headers({ method, params, argumentBytes }) : null,
    );
  }

  #headers({ method, params, argumentBytes }: Pick<Exchange, 'method' | 'params' | 'argumentBytes'>): string[] {
    const headers = ['mcp-protocol-version', LATEST_MODERN, 'mcp-method', method];
    const param = findNameParam(method);
    const name = param === null ? undefined : params[param];
    if (typeof name === 'string') headers.push('mcp-name', encodeHeaderValue(name));
    if (method === 'tools/call' && typeof params.name === 'string' && this.#options.paramHeaders.size > 0) {
      const wanted = this.#options.paramHeaders.get(params.name);
      if (wanted !== undefined)
        headers.push(...paramHeaderValues(wanted, withArguments(params, argumentBytes).arguments));
    }
    return headers;
  }

  protected sayCancelled(exchange: Exchange, reason: string): void {
    // Over HTTP the end of the response stream says it.
    if (!this.#isHttp)
      this.channel.post(notificationText('notifications/cancelled', { requestId: exchange.id, reason }));
  }

  /** A modern server asks nothing: it answers `input_required`. Over HTTP there is not even a way to reply. */
  protected receiveRequest(id: RpcId, method: string): void {
    this.deps.log.debug('a request of a modern server was refused', { method });
    if (!this.#isHttp) this.channel.post(errorText(id, { code: RPC.methodNotFound, message: 'Method not found' }));
  }

  protected receiveNotification(method: string, params: JsonObject): boolean {
    if (method === 'notifications/subscriptions/acknowledged') return true;
    if (method !== 'notifications/cancelled') return false;
    // One of two ways in which servers end a listen stream.
    const listening = this.#listening;
    if (listening !== null && params.requestId === listening.id) {
      this.giveUp(listening, fault('lost', 'it ended the subscription', { isOutage: false }));
    }
    return true;
  }

  protected receiveError(exchange: Exchange, error: RpcError): void {
    const no = this.#hopFault(exchange.line, error);
    if (no === null) this.relay(exchange, error);
    else this.giveUp(exchange, no);
  }

  refused(exchange: Exchange, { status, error, retryAfterMs }: Refusal): void {
    if (error !== null && status < 500 && status !== 401 && status !== 403 && status !== 429)
      this.receiveError(exchange, error);
    else this.giveUp(exchange, refusalFault(status, retryAfterMs));
  }

  /** Three codes describe the request we made of the caller's; only a capability the caller itself lacks is the caller's affair. */
  #hopFault(line: Line | null, error: RpcError): ReturnType<typeof fault> | null {
    const detail = `JSON-RPC error ${error.code}`;
    switch (error.code) {
      case RPC.missingClientCapability: {
        const required = isJsonObject(error.data) ? objectOrEmpty(error.data.requiredCapabilities) : {};
        if (line !== null && lacksCapability(line.clientCapabilities, required)) return null;
        return fault('refused', 'it needs something that the gateway cannot carry', { detail });
      }
      case RPC.headerMismatch:
        return fault('refused', 'it did not accept the headers of the request', { detail });
      case RPC.unsupportedProtocolVersion:
        // During the probe the server's own words matter.
        if (line === null) return null;
        return fault('stale', 'it no longer speaks this protocol version', { detail });
      default:
        return null;
    }
  }

  /** Opens a stream with the present filter and lets go of the one before, in this order: no change falls in between. */
  #relisten(): void {
    this.#cancelListenTimer();
    const filter = this.#filter();
    const before = this.#listening;
    this.#listening = null;
    if (filter !== null && !this.isClosed) this.#openListen(filter);
    if (before !== null) {
      this.abandon(before, 'the filter changed');
      before.state = 'done';
    }
  }

  #filter(): JsonObject | null {
    const { tools, prompts, resources } = this.facts.capabilities;
    const filter: JsonObject = {};
    if (objectOrEmpty(tools).listChanged === true) filter.toolsListChanged = true;
    if (objectOrEmpty(prompts).listChanged === true) filter.promptsListChanged = true;
    if (objectOrEmpty(resources).listChanged === true) filter.resourcesListChanged = true;
    if (this.#watched.size > 0 && isJsonObject(resources)) filter.resourceSubscriptions = [...this.#watched];
    return Object.keys(filter).length === 0 ? null : filter;
  }

  #openListen(filter: JsonObject): void {
    const openedMs = this.deps.clock.monotonicMs();
    const again = (): void => {
      if (this.#listening !== exchange) return;
      this.#listening = null;
      if (!this.#isListenWanted || this.isClosed) return;
      const hasLasted = this.deps.clock.monotonicMs() - openedMs > this.#options.backoffMaxMs;
      if (hasLasted) this.#listenBackoff.reset();
      this.#cancelListenTimer = this.deps.clock.after(this.#listenBackoff.nextMs(), () => this.#relisten());
    };
    const owner: ExchangeOwner = {
      answered: (ended, reply) => {
        ended.state = 'done';
        // "Method not found" and its like will not change until the next connection.
        if (reply.kind === 'relayed') this.#isListenWanted = false;
        again();
      },
      faulted: (ended, no) => {
        ended.state = 'done';
        if (no.kind === 'unsent') this.ailing(no);
        again();
      },
    };
    const exchange = new Exchange(
      owner,
      'subscriptions/listen',
      { notifications: filter },
      null,
      null,
      Number.POSITIVE_INFINITY,
      () => {},
    );
    exchange.isStream = true;
    this.#listening = exchange;
    this.start(exchange);
  }
}
