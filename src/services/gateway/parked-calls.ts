/**
 * A modern client in front of a legacy server: a server's question during a call cannot be put to the client, so the
 * call is parked and the client gets `input_required` with a handle; its retry brings the answers and wakes the call.
 *
 * A handle is 256 random bits, used once, and good only for the same caller with the same server, method and parameters
 * within the time limit; whatever else is shown gets the same refusal. At the limit the downstream call is cancelled.
 */
import { randomBytes } from 'node:crypto';
import type { ClientAnswer, Line, Reply } from '../../domain/call.ts';
import { failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { isJsonObject, type Json, type JsonObject, objectOrEmpty } from '../../domain/json.ts';
import { RPC } from '../../domain/rpc.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import { digestCall } from './call-digest.ts';

const HANDLE_PREFIX = 'gatehouse.parked.';
/** Parked calls hold a place at their server, so their number is bounded. */
const MAX_PARKED = 1000;
/** Questions a server asks in one burst travel in one answer. */
const GATHER_MS = 15;
/** A legacy server may name its question; the modern era has names for them, the legacy one has not. */
const INPUT_KEY = 'mcp-gatehouse/input-key';
/** A parked call can put every kind of question; whether the client takes it is checked here, not by the server's link. */
const BRIDGED: JsonObject = { sampling: { tools: {} }, elicitation: { form: {}, url: {} }, roots: {} };

const UNANSWERED: ClientAnswer = { kind: 'error', error: { code: -32603, message: 'The client did not answer.' } };

export interface ParkedCalls {
  /** Runs a call that may be parked. `params` are the caller's, still with `inputResponses` and `requestState`. */
  run(
    who: Identity,
    server: ServerKey,
    method: string,
    params: JsonObject,
    line: Line,
    send: (params: JsonObject, line: Line) => Promise<Reply>,
  ): Promise<Reply>;
  size(): number;
}

interface Question {
  method: string;
  params: JsonObject;
  answer(answer: ClientAnswer): void;
}

export function createParkedCalls(clock: Clock, ttlMs: number): ParkedCalls {
  const parked = new Map<string, ParkedCall>();

  function park(call: ParkedCall): Reply {
    if (parked.size >= MAX_PARKED) {
      call.abandon('too many parked calls');
      return failure('OVERLOADED', {}, { retryAfterMs: 1000 });
    }
    const handle = HANDLE_PREFIX + randomBytes(32).toString('base64url');
    parked.set(handle, call);
    call.stopTimer = clock.after(ttlMs, () => {
      parked.delete(handle);
      call.abandon('parked for too long');
    });
    // Keys may be the server's own words, `__proto__` among them.
    const inputRequests = Object.fromEntries(
      [...call.questions].map(([key, { method, params }]) => [key, { method, params }]),
    );
    return {
      kind: 'answer',
      era: 'modern',
      result: { resultType: 'input_required', inputRequests, requestState: handle },
      bytes: null,
    };
  }

  async function wait(call: ParkedCall): Promise<Reply> {
    const reply = await call.replyOrQuestions(clock);
    return reply === null ? park(call) : call.withUrlQuestions(call.withMissingCapability(reply));
  }

  return {
    size: () => parked.size,
    async run(who, server, method, params, line, send) {
      const { requestState, inputResponses, ...rest } = params;
      if (inputResponses !== undefined && !isAnswerMap(inputResponses)) {
        return failure('INVALID_PARAMS', {}, { say: 'inputResponses must map keys to result objects.' });
      }
      // A digest of everything costs more than most calls: it is made when a handle is given out or shown.
      const owner = () => digestCall(who.subject, server, method, rest);
      if (requestState === undefined) {
        // Answers without a state: given ahead of the questions, which then need not be put.
        const call = new ParkedCall(owner, line, objectOrEmpty(inputResponses));
        call.start(send(rest, call));
        return wait(call);
      }
      const call = typeof requestState === 'string' ? parked.get(requestState) : undefined;
      if (call === undefined || call.owner !== owner()) return failure('STATE_INVALID');
      parked.delete(requestState as string);
      call.stopTimer();
      call.resume(line, objectOrEmpty(inputResponses));
      return wait(call);
    },
  };
}

function isAnswerMap(value: unknown): value is JsonObject {
  return isJsonObject(value) && Object.values(value).every(isJsonObject);
}

/** The line a downstream sees for the whole life of a call, while the client's connections come and go behind it. */
class ParkedCall implements Line {
  readonly #ownerOf: () => string;
  #owner: string | null = null;
  readonly questions = new Map<string, Question>();
  stopTimer: () => void = () => {};
  #line: Line | null;
  #reply: Reply | null = null;
  #stop: ((reason: string) => void) | null = null;
  #cancelled = false;
  #asked: Record<string, number> = {};
  #ahead: JsonObject;
  #missing: JsonObject = {};
  #capabilities: JsonObject;
  #wake: () => void = () => {};

  constructor(owner: () => string, line: Line, ahead: JsonObject) {
    this.#ownerOf = owner;
    this.#line = line;
    this.#ahead = ahead;
    this.#capabilities = line.clientCapabilities;
    this.#follow(line);
    this.revision = line.revision;
    this.era = line.era;
    this.address = line.address;
    this.clientInfo = line.clientInfo;
    this.logLevel = line.logLevel;
    this.wantsProgress = line.wantsProgress;
    this.forwarded = line.forwarded ?? null;
  }

  readonly revision: Line['revision'];
  readonly era: Line['era'];
  readonly address: string | null;
  readonly sessionId = null;
  readonly subscriber = null;
  readonly clientCapabilities = BRIDGED;
  readonly clientInfo: JsonObject | null;
  readonly logLevel: Line['logLevel'];
  readonly wantsProgress: boolean;
  readonly forwarded: readonly string[] | null;

  get owner(): string {
    this.#owner ??= this.#ownerOf();
    return this.#owner;
  }

  get isAsked(): boolean {
    return this.questions.size > 0;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  shownHeaders(): Record<string, string> | null {
    return this.#line?.shownHeaders?.() ?? null;
  }

  whenCancelled(stop: (reason: string) => void): void {
    this.#stop = stop;
    if (this.#cancelled) stop('cancelled');
  }

  notify(method: string, params: JsonObject): void {
    this.#line?.notify(method, params);
  }

  ask(method: string, params: JsonObject): Promise<ClientAnswer> {
    const needed = missingCapability(method, params, this.#capabilities);
    if (needed !== null) {
      Object.assign(this.#missing, needed);
      return Promise.resolve({ kind: 'error', error: { code: -32601, message: 'The client does not support this.' } });
    }
    if (this.#cancelled) return Promise.resolve(UNANSWERED);
    const key = this.#keyFor(method, params);
    const given = ownMember(this.#ahead, key);
    if (isJsonObject(given)) return Promise.resolve({ kind: 'result', result: given });
    return new Promise(resolve => {
      this.questions.set(key, { method, params: modernQuestion(params), answer: resolve });
      this.#wake();
    });
  }

  /**
   * MCP 2025-11-25 lets a server refuse a call until the client has visited some URLs (-32042). Modern clients are asked
   * to visit them; the server is called anew when they come back, so nothing is parked.
   */
  withUrlQuestions(reply: Reply): Reply {
    if (reply.kind !== 'relayed' || reply.error.code !== RPC.urlElicitationRequired) return reply;
    const { elicitations } = objectOrEmpty(reply.error.data);
    const questions = (Array.isArray(elicitations) ? elicitations : []).filter(isJsonObject);
    if (questions.length === 0) return reply;
    const missing = missingCapability('elicitation/create', { mode: 'url' }, this.#capabilities);
    if (missing !== null) return failure('MISSING_CAPABILITY', { requiredCapabilities: missing });
    const inputRequests = Object.fromEntries(
      questions.map((params, i) => [
        `elicitation_${i + 1}`,
        { method: 'elicitation/create', params: modernQuestion({ ...params, mode: 'url' }) },
      ]),
    );
    return { kind: 'answer', era: 'modern', result: { resultType: 'input_required', inputRequests }, bytes: null };
  }

  /** A server that failed for want of a capability is a missing capability to the client, which can then declare it. */
  withMissingCapability(reply: Reply): Reply {
    const failed = reply.kind === 'relayed' || (reply.kind === 'answer' && reply.result.isError === true);
    if (!failed || Object.keys(this.#missing).length === 0) return reply;
    return failure('MISSING_CAPABILITY', { requiredCapabilities: this.#missing });
  }

  start(reply: Promise<Reply>): void {
    void reply.then(settled => {
      this.#reply = settled;
      this.#wake();
    });
  }

  resume(line: Line, responses: JsonObject): void {
    this.#line = line;
    this.#follow(line);
    for (const [key, question] of [...this.questions]) {
      const result = ownMember(responses, key);
      if (!isJsonObject(result)) continue; // asked again in the next round
      this.questions.delete(key);
      question.answer({ kind: 'result', result });
    }
  }

  /** The reply, or null when the server waits for answers of the client. */
  async replyOrQuestions(clock: Clock): Promise<Reply | null> {
    while (this.#reply === null && this.questions.size === 0) {
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
    if (this.#reply === null) await new Promise<void>(resolve => clock.after(GATHER_MS, resolve));
    this.#line = null;
    return this.#reply;
  }

  abandon(reason: string): void {
    this.#cancelled = true;
    // First of all: a server that got its question answered would go on with a call that nobody waits for.
    this.#stop?.(reason);
    for (const { answer } of this.questions.values()) answer(UNANSWERED);
    this.questions.clear();
  }

  #keyFor(method: string, params: JsonObject): string {
    const hint = objectOrEmpty(params._meta)[INPUT_KEY];
    if (typeof hint === 'string' && !this.questions.has(hint)) return hint;
    const word = method.split('/')[0] ?? 'input';
    const count = (this.#asked[word] ?? 0) + 1;
    this.#asked[word] = count;
    return `${word}_${count}`;
  }

  #follow(line: Line): void {
    // Only while this line is the attached one: a closed stream is the client's cancellation, a parked call has none.
    line.whenCancelled(reason => {
      if (this.#line !== line) return;
      this.abandon(reason);
    });
  }
}

/** Keys come from servers and clients: what every object inherits is no answer. */
function ownMember(map: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** The id of a URL elicitation is a legacy notion; a key hint was for us. */
function modernQuestion(params: JsonObject): JsonObject {
  const { elicitationId, ...rest } = params;
  const question = params.mode === 'url' ? rest : params;
  if (!isJsonObject(question._meta) || question._meta[INPUT_KEY] === undefined) return question;
  const { [INPUT_KEY]: _key, ...meta } = question._meta;
  const { _meta, ...bare } = question;
  return Object.keys(meta).length > 0 ? { ...bare, _meta: meta } : bare;
}

/** What the client would have had to declare for this question, or null when it did. */
function missingCapability(method: string, params: JsonObject, declared: JsonObject): JsonObject | null {
  if (method === 'sampling/createMessage') {
    if (!isJsonObject(declared.sampling)) return { sampling: {} };
    return params.tools !== undefined && !isJsonObject(declared.sampling.tools) ? { sampling: { tools: {} } } : null;
  }
  if (method === 'roots/list') return isJsonObject(declared.roots) ? null : { roots: {} };
  if (method !== 'elicitation/create') return {};
  const { elicitation } = declared;
  if (params.mode === 'url')
    return isJsonObject(elicitation) && isJsonObject(elicitation.url) ? null : { elicitation: { url: {} } };
  // `elicitation: {}` means forms; a client that names only `url` takes no forms.
  const takesForms = isJsonObject(elicitation) && (isJsonObject(elicitation.form) || elicitation.url === undefined);
  return takesForms ? null : { elicitation: { form: {} } };
}
