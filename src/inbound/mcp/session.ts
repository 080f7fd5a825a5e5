/**
 * A legacy client's MCP session: what the handshake settled, what is under way, and where unasked messages go.
 * One object per client, whatever the transport; small, because there may be ten thousand.
 */
import type { ClientAnswer, Door } from '../../domain/call.ts';
import type { LegacyRevision, LogLevel } from '../../domain/era.ts';
import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { RpcId } from '../../domain/rpc.ts';
import { notificationText, requestText } from './frames.ts';
import type { RequestLine } from './request-line.ts';
import type { SessionStreams } from './session-streams.ts';

/** Questions of servers that a client may have open at once. */
const MAX_ASKS = 100;

export class Session {
  readonly id: string;
  /** With the credential it showed last: another one of the same subject may give other rights, or last longer. */
  who: Identity;
  readonly door: Door;
  readonly createdAtMs: number;
  lastUsedAtMs: number;
  revision: LegacyRevision;
  clientCapabilities: JsonObject = {};
  clientInfo: JsonObject | null = null;
  logLevel: LogLevel | null = null;
  /** Of HTTP sessions, once the first was opened. */
  streams: SessionStreams | null = null;
  /** Sends a message no request is waiting for; false when there is no stream to put it on. */
  standalone: ((text: string) => boolean) | null = null;
  /** Streams and calls under way: a session in use does not expire. */
  uses = 0;
  ended = false;
  /** The place it holds among its caller's; 0: none. */
  slot = 0;
  /** Requests under way: few, and an array leaves no tables behind (domain/slot-table.ts says why that matters). */
  readonly #lines: RequestLine[] = [];
  #asks: Map<RpcId, (answer: ClientAnswer) => void> | null = null;
  #asked = 0;
  #hears = true;

  constructor(facts: { id: string; who: Identity; door: Door; revision: LegacyRevision; nowMs: number }) {
    this.id = facts.id;
    this.who = facts.who;
    this.door = facts.door;
    this.revision = facts.revision;
    this.createdAtMs = facts.nowMs;
    this.lastUsedAtMs = facts.nowMs;
  }

  /** Made for one request of a client that opened none: nothing can be kept for it. */
  get isPassing(): boolean {
    return this.id === '';
  }

  begin(line: RequestLine): void {
    this.#lines.push(line);
    this.uses++;
  }

  finish(line: RequestLine): void {
    const at = this.#lines.indexOf(line);
    if (at >= 0) this.#lines.splice(at, 1);
    this.uses--;
    line.withdrawQuestions('the request is over');
  }

  cancel(id: unknown, reason: string): void {
    this.#lines.findLast(line => line.requestId === id && !line.cancelled)?.cancel(reason);
  }

  /** Puts a question to the client through `send`. Resolves with its answer, or an error when none can come. */
  ask(
    send: (text: string) => boolean,
    method: string,
    params: JsonObject,
  ): { id: RpcId; answer: Promise<ClientAnswer> } {
    this.#asks ??= new Map();
    const asks = this.#asks;
    const id = `gatehouse-${++this.#asked}`;
    if (!this.#hears) return { id, answer: Promise.resolve(unanswered('The client is not listening any more.')) };
    if (asks.size >= MAX_ASKS) return { id, answer: Promise.resolve(unanswered('Too many open questions.')) };
    const answer = new Promise<ClientAnswer>(resolve => {
      asks.set(id, resolve);
      if (send(requestText(id, method, params))) return;
      asks.delete(id);
      resolve(unanswered('The client cannot be asked: it has no open stream.'));
    });
    return { id, answer };
  }

  /** The client will say nothing more: what it was asked, and what it would be asked, is answered here. */
  stopHearing(): void {
    this.#hears = false;
    for (const resolve of this.#asks?.values() ?? []) resolve(unanswered('The client is not listening any more.'));
    this.#asks?.clear();
  }

  /** Takes back a question nobody waits for any more, and says so to the client: it may be showing a dialog. */
  withdraw(id: RpcId, send: (text: string) => boolean, reason: string): void {
    if (!this.answered(id, unanswered('The question was withdrawn.'))) return;
    send(notificationText('notifications/cancelled', { requestId: id, reason }));
  }

  /** False when the answer belongs to no question of ours. */
  answered(id: RpcId, answer: ClientAnswer): boolean {
    const resolve = this.#asks?.get(id);
    if (resolve === undefined) return false;
    this.#asks?.delete(id);
    resolve(answer);
    return true;
  }

  /** Cancels what is under way and answers what was asked. */
  end(reason: string): void {
    this.ended = true;
    for (const line of [...this.#lines]) line.cancel(reason);
    for (const resolve of this.#asks?.values() ?? []) resolve(unanswered('The session ended.'));
    this.#asks?.clear();
    this.standalone = null;
    this.streams?.end();
  }
}

function unanswered(message: string): ClientAnswer {
  return { kind: 'error', error: { code: -32603, message } };
}
