/**
 * What both eras share of one connection to a server: our own request ids, the table of what is under way, and the way
 * of a frame to whoever waits for it. The era's part (envelopes, handshakes, questions of the server) is in the two
 * subclasses. Frames are forwarded as parsed JSON; nothing here knows what a tool is.
 */
import { type Era, isAtLeast, isLogLevel, type LogLevel } from '../../domain/era.ts';
import { isJsonObject, type JsonObject, objectOrEmpty } from '../../domain/json.ts';
import type { ListingKind, ServerFacts } from '../../domain/listing.ts';
import { isRpcError, isRpcId, type RpcError, type RpcId } from '../../domain/rpc.ts';
import { SlotTable } from '../../domain/slot-table.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Channel, ChannelHandler, Refusal } from './channel.ts';
import { Exchange, type ExchangeOwner } from './exchange.ts';
import { type Fault, FaultError, fault } from './fault.ts';
import { LARGE_FRAME_BYTES, parseJson, readLargeAnswer } from './frame.ts';
import type { MaskError } from './masked-error.ts';

/** Whoever keeps the link. */
export interface LinkHost {
  listChanged(kinds: readonly ListingKind[]): void;
  resourceUpdated(uri: string, params: JsonObject): void;
  /** Belongs to no call. */
  notification(method: string, params: JsonObject): void;
  closed(link: Link, no: Fault): void;
  ailing(link: Link, no: Fault): void;
}

export interface LinkDeps {
  clock: Clock;
  log: Log;
  clientInfo: JsonObject;
  /** Takes configured secrets out of what the server says in an error. */
  mask: MaskError;
  /** Callers of different identity may be under way on this connection. */
  isShared: boolean;
  host: LinkHost;
}

const SAME_BREATH_MS = 15;

const NO_FACTS: ServerFacts = {
  era: 'legacy',
  revision: '',
  capabilities: {},
  serverInfo: {},
  instructions: null,
  gateways: [],
};

const LIST_CHANGES: Readonly<Record<string, readonly ListingKind[]>> = {
  'notifications/tools/list_changed': ['tools'],
  'notifications/resources/list_changed': ['resources', 'templates'],
  'notifications/prompts/list_changed': ['prompts'],
};

export abstract class Link implements ChannelHandler {
  abstract readonly era: Era;
  readonly channel: Channel;
  facts: ServerFacts = NO_FACTS;
  /** Answers that nobody waits for: late, repeated, or with an id we never gave. */
  strayAnswers = 0;
  isClosed = false;
  /** Frames received. */
  heard = 0;
  protected readonly deps: LinkDeps;
  readonly #inFlight: SlotTable<Exchange>;
  #lastOwner: Exchange | null = null;
  #lastOwnedMs = Number.NEGATIVE_INFINITY;

  constructor(deps: LinkDeps, channel: Channel, lastId = 0) {
    this.deps = deps;
    this.channel = channel;
    this.#inFlight = new SlotTable(lastId);
    channel.handler = this;
  }

  /** So that another link on the same channel can go on counting. */
  get lastId(): number {
    return this.#inFlight.lastId;
  }

  get busy(): number {
    return this.#inFlight.size;
  }

  exchanges(): Exchange[] {
    return this.#inFlight.items();
  }

  /** Puts a request on the wire; its owner is told what comes of it, also at once. */
  start(exchange: Exchange): void {
    exchange.id = this.#inFlight.add(exchange);
    exchange.link = this;
    exchange.state = 'running';
    exchange.isSent = false;
    exchange.heardBefore = this.heard;
    this.put(exchange);
  }

  /** Stops caring: the server is told where the era has a word for it. */
  abandon(exchange: Exchange, reason: string): void {
    if (!this.#inFlight.delete(exchange.id)) return;
    if (exchange.isSent && !this.isClosed) this.sayCancelled(exchange, reason);
    exchange.work?.abandon(exchange);
    exchange.work = null;
  }

  /** A question of our own. Yields the result; rejects with a FaultError, or an RpcFaultError for the server's own no. */
  ask(method: string, params: JsonObject, timeoutMs: number): Promise<JsonObject> {
    return new Promise((resolve, reject) => {
      const owner: ExchangeOwner = {
        answered(exchange, reply) {
          exchange.state = 'done';
          cancelTimer();
          if (reply.kind === 'answer') resolve(reply.result);
          else if (reply.kind === 'relayed') reject(new RpcFaultError(reply.error));
          else reject(new FaultError(fault('bad-answer', reply.detail ?? reply.code)));
        },
        faulted(exchange, no) {
          exchange.state = 'done';
          cancelTimer();
          reject(new FaultError(no));
        },
      };
      const exchange = new Exchange(owner, method, params, null, null, Number.POSITIVE_INFINITY, () => {});
      let cancelTimer = (): void => {};
      cancelTimer = this.deps.clock.after(timeoutMs, () => {
        this.abandon(exchange, 'timed out');
        owner.faulted(
          exchange,
          fault('lost', 'it did not answer in time', { detail: `${method} after ${timeoutMs} ms` }),
        );
      });
      this.start(exchange);
    });
  }

  /** A cheap question that any healthy server answers; a refusal of the server counts as an answer. */
  abstract ping(timeoutMs: number): Promise<void>;

  /** Keeps exactly these URIs subscribed. */
  abstract watch(uris: ReadonlySet<string>): Promise<void>;

  setLogLevel(_level: LogLevel | null): void {}

  rootsChanged(): void {}

  /** What is under way here is the caller's to settle first. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const exchange of this.#inFlight.items()) {
      this.#inFlight.delete(exchange.id);
      exchange.work?.abandon(exchange);
      exchange.work = null;
      if (exchange.line === null)
        exchange.owner.faulted(exchange, fault('unsent', 'the connection was closed', { isOutage: false }));
    }
    await this.channel.close();
  }

  protected abstract put(exchange: Exchange): void;
  protected abstract sayCancelled(exchange: Exchange, reason: string): void;
  protected abstract receiveRequest(id: RpcId, method: string, params: JsonObject, from: Exchange | null): void;
  /** Era-specific notifications. False: not known to the era. */
  protected abstract receiveNotification(method: string, params: JsonObject, from: Exchange | null): boolean;
  /** The era's reading of an error for one of our requests: most are the server's own, some speak of our hop. */
  protected abstract receiveError(exchange: Exchange, error: RpcError): void;
  abstract refused(exchange: Exchange, refusal: Refusal): void;

  frame(bytes: Buffer, from: Exchange | null): void {
    this.heard += 1;
    if (bytes.length >= LARGE_FRAME_BYTES) {
      const large = readLargeAnswer(bytes);
      if (large !== null) {
        this.#receiveResult(large.id, large.result, large.bytes, from);
        return;
      }
    }
    const parsed = parseJson(bytes);
    if (isJsonObject(parsed)) this.#receive(parsed, from);
    else if (Array.isArray(parsed)) {
      // MCP 2025-03-26 lets a server send batches.
      for (const part of parsed) if (isJsonObject(part)) this.#receive(part, from);
    } else if (from === null) this.deps.log.debug('a line that is not JSON was ignored', { bytes: bytes.length });
    else this.#spoil(from, 'its answer is not valid JSON');
  }

  #receive(frame: JsonObject, from: Exchange | null): void {
    const { id, method, result, error } = frame;
    if (typeof method === 'string') {
      const params = objectOrEmpty(frame.params);
      if (id === undefined) this.#receiveNotice(method, params, from);
      else if (isRpcId(id)) this.receiveRequest(id, method, params, from);
      return;
    }
    if (result !== undefined && typeof id === 'number') {
      if (isJsonObject(result)) this.#receiveResult(id, result, null, from);
      else this.#spoilById(id, from, 'its result is not an object');
    } else if (error !== undefined) {
      // An error without an id answers a request that could not be read: on a stream of its own, that one.
      const exchange =
        typeof id === 'number' ? this.#take(id, from) : (id ?? null) === null ? this.#takeOwn(from) : null;
      if (exchange === null) this.#stray(from);
      else if (isRpcError(error)) this.receiveError(exchange, error);
      else this.#fault(exchange, fault('bad-answer', 'its error is not a JSON-RPC error'));
    } else if (typeof id === 'number') this.#spoilById(id, from, 'its answer has neither result nor error');
    else this.#stray(from);
  }

  #receiveResult(id: number, result: JsonObject, bytes: Buffer | null, from: Exchange | null): void {
    const exchange = this.#take(id, from);
    if (exchange === null) this.#stray(from);
    else exchange.owner.answered(exchange, { kind: 'answer', era: this.era, result, bytes });
  }

  /** On a response stream only that request's answer counts: a server may not answer one caller on another's stream. */
  #take(id: number, from: Exchange | null): Exchange | null {
    const exchange = this.#inFlight.find(id);
    if (exchange === null || (from !== null && from !== exchange)) return null;
    this.#inFlight.delete(id);
    exchange.work = null;
    return exchange;
  }

  #takeOwn(from: Exchange | null): Exchange | null {
    return from === null ? null : this.#take(from.id, from);
  }

  #stray(from: Exchange | null): void {
    this.strayAnswers += 1;
    this.deps.log.debug('an answer nobody waits for was dropped', { stray: this.strayAnswers, method: from?.method });
  }

  #spoil(from: Exchange, reason: string): void {
    if (this.#inFlight.find(from.id) !== from) return;
    from.work?.abandon(from);
    this.#fault(from, fault('bad-answer', reason));
  }

  #spoilById(id: number, from: Exchange | null, reason: string): void {
    const exchange = this.#take(id, from);
    if (exchange === null) this.#stray(from);
    else exchange.owner.faulted(exchange, fault('bad-answer', reason));
  }

  #fault(exchange: Exchange, no: Fault): void {
    this.#inFlight.delete(exchange.id);
    exchange.work = null;
    exchange.owner.faulted(exchange, no);
  }

  faulted(exchange: Exchange, no: Fault): void {
    if (this.#inFlight.find(exchange.id) === exchange) this.#fault(exchange, no);
  }

  closed(no: Fault): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const exchange of this.#inFlight.items()) {
      exchange.work?.abandon(exchange);
      this.#fault(exchange, { ...no, kind: exchange.isSent ? 'lost' : 'unsent', isOutage: true });
    }
    this.deps.host.closed(this, no);
  }

  ailing(no: Fault): void {
    if (!this.isClosed) this.deps.host.ailing(this, no);
  }

  /** Gives an exchange its fault in place of an answer; for the subclasses. */
  protected giveUp(exchange: Exchange, no: Fault): void {
    this.#fault(exchange, no);
  }

  protected relay(exchange: Exchange, error: RpcError): void {
    this.#inFlight.delete(exchange.id);
    exchange.work = null;
    exchange.owner.answered(exchange, { kind: 'relayed', era: this.era, error: this.deps.mask(error) });
  }

  /**
   * The call a message belongs to. On a response stream that is certain. Elsewhere it is the only call under way: where
   * there is exactly one, nobody else can be meant. Among several of one caller it is the only one whose client is not
   * being asked already (a call that waits for an answer asks nothing more); among callers, nobody is.
   */
  protected ownerOf(from: Exchange | null): Exchange | null {
    if (from !== null) return from.line === null ? null : from;
    const calls: Exchange[] = [];
    for (const exchange of this.#inFlight.items()) if (exchange.line !== null) calls.push(exchange);
    if (calls.length === 1) return calls[0] ?? null;
    if (this.deps.isShared) return null;
    const awake = calls.filter(({ line }) => line?.isAsked === false);
    if (awake.length === 1) {
      this.#lastOwner = awake[0] ?? null;
      this.#lastOwnedMs = this.deps.clock.monotonicMs();
      return this.#lastOwner;
    }
    // Questions put in one breath belong to the call whose first one was just passed on.
    const isSameBreath = this.deps.clock.monotonicMs() - this.#lastOwnedMs <= SAME_BREATH_MS;
    return awake.length === 0 && isSameBreath && this.#lastOwner?.state === 'running' ? this.#lastOwner : null;
  }

  #receiveNotice(method: string, params: JsonObject, from: Exchange | null): void {
    const kinds = LIST_CHANGES[method];
    if (kinds !== undefined) {
      this.deps.host.listChanged(kinds);
    } else if (method === 'notifications/progress') {
      this.#receiveProgress(params, from);
    } else if (method === 'notifications/resources/updated') {
      const clean = withoutSubscription(params);
      if (typeof clean.uri === 'string') this.deps.host.resourceUpdated(clean.uri, clean);
    } else if (method === 'notifications/message') {
      this.#receiveLog(params, from);
    } else if (!this.receiveNotification(method, params, from)) {
      const line = from?.line ?? null;
      if (line !== null) line.notify(method, params);
      else this.deps.host.notification(method, withoutSubscription(params));
    }
  }

  /** The token is our id of the request; what the server may have made of it otherwise is nobody's. */
  #receiveProgress(params: JsonObject, from: Exchange | null): void {
    const { progressToken, ...rest } = params;
    if (typeof progressToken !== 'number') return;
    const exchange = this.#inFlight.find(progressToken);
    if (exchange === null || (from !== null && from !== exchange)) return;
    if (exchange.line?.wantsProgress) exchange.line.notify('notifications/progress', rest);
  }

  #receiveLog(params: JsonObject, from: Exchange | null): void {
    const line = this.ownerOf(from)?.line ?? null;
    const floor = line?.logLevel ?? null;
    const isWanted = floor !== null && isLogLevel(params.level) && isAtLeast(params.level, floor);
    if (line !== null && isWanted) line.notify('notifications/message', params);
    // On a caller's own stream it is that caller's alone, wanted or not.
    else if (from?.line === null || from === null) this.deps.host.notification('notifications/message', params);
  }
}

const SUBSCRIPTION_KEY = 'io.modelcontextprotocol/subscriptionId';

/** The id of our own subscription means nothing further on. */
function withoutSubscription(params: JsonObject): JsonObject {
  if (!isJsonObject(params._meta) || params._meta[SUBSCRIPTION_KEY] === undefined) return params;
  const { [SUBSCRIPTION_KEY]: _, ...meta } = params._meta;
  const { _meta, ...rest } = params;
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}

/** The server's own no to a question of ours. */
export class RpcFaultError extends Error {
  readonly error: RpcError;

  constructor(error: RpcError) {
    super(`JSON-RPC error ${error.code}`);
    this.name = 'RpcFaultError';
    this.error = error;
  }
}
