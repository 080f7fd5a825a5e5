/**
 * A connection to a legacy server (MCP 2024-11-05 to 2025-11-25): the handshake, its session, and everything that is said
 * outside of calls: log level, roots, resource subscriptions, and the questions a server asks in the middle of a call.
 */
import { isAtLeast, isLegacyRevision, LATEST_LEGACY, type LogLevel } from '../../domain/era.ts';
import { readPath } from '../../domain/gateway-path.ts';
import { isJsonObject, type JsonObject, objectOrEmpty, stringOrNull } from '../../domain/json.ts';
import { RPC, type RpcError, type RpcId } from '../../domain/rpc.ts';
import type { Refusal } from './channel.ts';
import type { Exchange } from './exchange.ts';
import { FaultError, fault } from './fault.ts';
import { errorText, notificationText, requestFrame, resultText } from './frame.ts';
import { Link, RpcFaultError } from './link.ts';
import { refusalFault } from './refusal.ts';
import { answerQuestion } from './server-question.ts';

/** What can be carried on to a caller; whether this caller can answer is decided per question. */
const CAPABILITIES: JsonObject = {
  roots: { listChanged: true },
  sampling: { tools: {} },
  elicitation: { form: {}, url: {} },
};

const OWNED_META: ReadonlySet<string> = new Set(['progressToken']);
const ASIDE_MS = 10_000;
/** Questions of one server that may be with callers at once. */
const MAX_QUESTIONS = 100;
/** Codes under which servers say "no such session" in a 400. */
const SESSION_CODES: ReadonlySet<number> = new Set([-32000, -32001]);

export class LegacyLink extends Link {
  readonly era = 'legacy';
  #level: LogLevel | null = null;
  #wantedLevel: LogLevel | null = null;
  #watched = new Set<string>();
  /** Questions of the server that are with a caller. */
  readonly #questions = new Set<RpcId>();
  #isInitialized = false;

  /** Throws FaultError or RpcFaultError. */
  async initialize(timeoutMs: number): Promise<void> {
    const result = await this.ask(
      'initialize',
      { protocolVersion: LATEST_LEGACY, capabilities: CAPABILITIES, clientInfo: this.deps.clientInfo },
      timeoutMs,
    );
    const revision = result.protocolVersion;
    if (!isLegacyRevision(revision)) {
      throw new FaultError(fault('refused', 'it speaks no known protocol version', { detail: String(revision) }));
    }
    this.facts = {
      era: 'legacy',
      revision,
      capabilities: objectOrEmpty(result.capabilities),
      serverInfo: objectOrEmpty(result.serverInfo),
      instructions: stringOrNull(result.instructions),
      gateways: readPath(result),
    };
    this.channel.established(revision);
    // Waited for: over HTTP it travels beside the first request and must not come after it.
    await new Promise<void>(resolve => {
      const cancel = this.deps.clock.after(Math.min(timeoutMs, ASIDE_MS), resolve);
      this.channel.post(notificationText('notifications/initialized', {}), () => {
        cancel();
        resolve();
      });
    });
    this.#isInitialized = true;
    this.channel.listen();
    if (this.#wantedLevel !== null) this.#raiseLevel(this.#wantedLevel);
  }

  async ping(timeoutMs: number): Promise<void> {
    try {
      await this.ask('ping', {}, timeoutMs);
    } catch (error) {
      if (!(error instanceof RpcFaultError)) throw error;
    }
  }

  async watch(uris: ReadonlySet<string>): Promise<void> {
    if (objectOrEmpty(this.facts.capabilities.resources).subscribe !== true) return;
    const before = this.#watched;
    this.#watched = new Set(uris);
    const changes: Promise<unknown>[] = [];
    for (const uri of uris) if (!before.has(uri)) changes.push(this.#tell('resources/subscribe', { uri }));
    for (const uri of before) if (!uris.has(uri)) changes.push(this.#tell('resources/unsubscribe', { uri }));
    await Promise.all(changes);
  }

  override setLogLevel(level: LogLevel | null): void {
    this.#wantedLevel = level;
    if (level !== null && this.#isInitialized) this.#raiseLevel(level);
  }

  override rootsChanged(): void {
    if (this.#isInitialized) this.channel.post(notificationText('notifications/roots/list_changed', {}));
  }

  protected put(exchange: Exchange): void {
    const { line, id } = exchange;
    let added = '';
    if (line !== null) {
      if (line.logLevel !== null) this.#raiseLevel(line.logLevel);
      if (line.wantsProgress) added = `"progressToken":${id}`;
    }
    this.channel.request(exchange, requestFrame(exchange, added, OWNED_META), null);
  }

  protected sayCancelled(exchange: Exchange, reason: string): void {
    if (exchange.method === 'initialize') return;
    this.channel.post(notificationText('notifications/cancelled', { requestId: exchange.id, reason }));
  }

  protected receiveRequest(id: RpcId, method: string, params: JsonObject, from: Exchange | null): void {
    if (this.#questions.size >= MAX_QUESTIONS) {
      this.channel.post(errorText(id, { code: RPC.internalError, message: 'Too many requests are open.' }));
      return;
    }
    const owner = this.ownerOf(from);
    const answer = answerQuestion(method, params, owner?.line ?? null);
    if (!(answer instanceof Promise)) {
      this.channel.post(answer.kind === 'result' ? resultText(id, answer.result) : errorText(id, answer.error));
      return;
    }
    this.#questions.add(id);
    void answer.then(given => {
      // Withdrawn, or the connection is gone: there is nobody to tell.
      if (!this.#questions.delete(id) || this.isClosed) return;
      this.channel.post(given.kind === 'result' ? resultText(id, given.result) : errorText(id, given.error));
    });
  }

  protected receiveNotification(method: string, params: JsonObject): boolean {
    if (method !== 'notifications/cancelled') return false;
    const { requestId } = params;
    if (typeof requestId === 'string' || typeof requestId === 'number') this.#questions.delete(requestId);
    return true;
  }

  protected receiveError(exchange: Exchange, error: RpcError): void {
    this.relay(exchange, error);
  }

  refused(exchange: Exchange, { status, error, retryAfterMs }: Refusal): void {
    const isSessionLost =
      this.#isInitialized &&
      this.channel.transport === 'streamable-http' &&
      (status === 404
        ? error?.code !== RPC.methodNotFound
        : status === 400 && error !== null && SESSION_CODES.has(error.code));
    if (isSessionLost) {
      // A caller that has been through this once gets the server's own words.
      if (exchange.isRenewed && error !== null && status === 400) this.relay(exchange, error);
      else this.giveUp(exchange, fault('stale', 'it forgot the session', { detail: `HTTP ${status}` }));
    } else if (error !== null && status < 500 && status !== 401 && status !== 403 && status !== 429) {
      this.relay(exchange, error);
    } else this.giveUp(exchange, refusalFault(status, retryAfterMs));
  }

  /** Levels only become more verbose: others on the same connection may still want what one no longer does. */
  #raiseLevel(level: LogLevel): void {
    if (!this.#isInitialized) return;
    if (this.#level !== null && isAtLeast(level, this.#level)) return;
    if (!isJsonObject(this.facts.capabilities.logging)) return;
    this.#level = level;
    void this.#tell('logging/setLevel', { level });
  }

  /** A request whose result interests nobody. */
  async #tell(method: string, params: JsonObject): Promise<void> {
    try {
      await this.ask(method, params, ASIDE_MS);
    } catch (error) {
      this.deps.log.debug('a side request failed', { method, detail: error instanceof Error ? error.message : null });
    }
  }
}
