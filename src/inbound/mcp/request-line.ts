/**
 * The line of one request: what the gateway may tell or ask the client while it works. Legacy lines ask through their
 * session; a modern client cannot be asked (its calls are parked instead).
 */
import type { ClientAnswer, Line, Subscriber } from '../../domain/call.ts';
import type { Era, LogLevel, Revision } from '../../domain/era.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { RpcId } from '../../domain/rpc.ts';
import { showHeaders } from '../../domain/shown-headers.ts';
import type { Arrival } from './arrival.ts';
import type { Envelope } from './classify.ts';
import { notificationText } from './frames.ts';
import type { Outlet } from './outlet.ts';
import type { Session } from './session.ts';

const NOTHING_MORE = { address: null, headers: null, forwarded: null };

export class RequestLine implements Line {
  /** The client's. */
  readonly requestId: RpcId;
  readonly revision: Revision;
  readonly era: Era;
  readonly clientCapabilities: JsonObject;
  readonly clientInfo: JsonObject | null;
  readonly logLevel: LogLevel | null;
  readonly subscriber: Subscriber | null;
  readonly address: string | null;
  readonly forwarded: readonly string[] | null;
  /** Read only when somebody asks to see them. */
  readonly #headers: Arrival['headers'];
  readonly #session: Session | null;
  readonly #outlet: Outlet;
  readonly #progressToken: RpcId | null;
  #stop: ((reason: string) => void) | null = null;
  #cancelled = false;
  /** Ids of questions that the client has not answered. */
  #questions: RpcId[] = [];

  constructor(
    requestId: RpcId,
    from: Session | Envelope,
    outlet: Outlet,
    progressToken: RpcId | null,
    arrival: Omit<Arrival, 'id'> = NOTHING_MORE,
  ) {
    const session = 'who' in from ? from : null;
    this.requestId = requestId;
    this.#session = session;
    this.#outlet = outlet;
    this.#progressToken = progressToken;
    this.address = arrival.address;
    this.forwarded = arrival.forwarded;
    this.#headers = arrival.headers;
    this.subscriber = session?.isPassing ? null : session;
    this.era = session === null ? 'modern' : 'legacy';
    this.revision = from.revision;
    this.clientCapabilities = from.clientCapabilities;
    this.clientInfo = from.clientInfo;
    this.logLevel = from.logLevel;
  }

  get sessionId(): string | null {
    return this.#session === null || this.#session.isPassing ? null : this.#session.id;
  }

  get wantsProgress(): boolean {
    return this.#progressToken !== null;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  get isAsked(): boolean {
    return this.#questions.length > 0;
  }

  shownHeaders(): Record<string, string> | null {
    return this.#headers === null ? null : showHeaders(this.#headers, this.forwarded);
  }

  whenCancelled(stop: (reason: string) => void): void {
    this.#stop = stop;
    if (this.#cancelled) stop('cancelled');
  }

  cancel(reason: string): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#stop?.(reason);
    this.withdrawQuestions(reason);
  }

  /** What the client has not answered by now, nobody waits for. */
  withdrawQuestions(reason: string): void {
    for (const id of [...this.#questions]) this.#session?.withdraw(id, text => this.#send(text), reason);
  }

  notify(method: string, params: JsonObject): void {
    if (method !== 'notifications/progress') {
      this.#send(notificationText(method, params));
    } else if (this.#progressToken !== null) {
      this.#send(notificationText(method, { ...params, progressToken: this.#progressToken }));
    }
  }

  ask(method: string, params: JsonObject): Promise<ClientAnswer> {
    if (this.#session === null) {
      return Promise.resolve({ kind: 'error', error: { code: -32601, message: 'The client cannot be asked.' } });
    }
    const { id, answer } = this.#session.ask(text => this.#send(text), method, params);
    this.#questions.push(id);
    return answer.finally(() => {
      this.#questions = this.#questions.filter(open => open !== id);
    });
  }

  #send(text: string): boolean {
    return this.#outlet.message(text) || (this.#session?.standalone?.(text) ?? false);
  }
}
