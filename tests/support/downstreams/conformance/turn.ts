/**
 * One request under way in the conformance fixture, written once for both eras: a tool asks, reports and logs
 * through its Turn. Modern: an unanswered question is thrown as `input_required` and the tool runs again on the
 * retry (MRTR, MCP 2026-07-28). Legacy: the question is a real request to the client. No tool knows which.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  MissingRequiredClientCapabilityError,
  ProtocolError,
  type ServerContext,
  type StandardSchemaV1,
} from '@modelcontextprotocol/server';
import { type Era, META, TASKS_EXTENSION } from '../../../../src/domain/era.ts';
import { isJsonObject, type JsonObject, objectOrEmpty } from '../../../../src/domain/json.ts';
import { RPC } from '../../../../src/domain/rpc.ts';
import type { TaskBoard } from './tasks.ts';

/** On a legacy request to the client: the name a modern client should see the question under. */
export const INPUT_KEY_META = 'mcp-gatehouse/input-key';

export type AskMethod = 'elicitation/create' | 'sampling/createMessage' | 'roots/list';
export interface Ask {
  method: AskMethod;
  params: JsonObject;
}

/** Thrown to end a modern turn with questions; the serving side turns it into the result. */
export class NeedsInput extends Error {
  readonly result: JsonObject;

  constructor(result: JsonObject) {
    super('more input is needed');
    this.result = result;
  }
}

export interface Turn {
  readonly era: Era;
  readonly signal: AbortSignal;
  /** Null where the client cannot take a task: legacy, or the extension was not declared. */
  readonly tasks: TaskBoard | null;
  /** Every answer, by key. `keepState` carries earlier answers through the client in a signed `requestState`. */
  ask(asks: Record<string, Ask>, keepState?: boolean): Promise<Record<string, JsonObject>>;
  /** Puts only the questions the client says it can answer; unanswered ones are absent from the result. */
  askWhatIsPossible(asks: Record<string, Ask>): Promise<Record<string, JsonObject>>;
  /** Refuses the request when the client has not declared the capability (modern only: legacy finds out by asking). */
  require(capabilities: JsonObject): void;
  progress(progress: number, total: number): Promise<void>;
  log(level: 'info' | 'debug', data: string): Promise<void>;
  /** Drops the response stream where the transport can resume it; otherwise nothing. */
  closeStream(): void;
}

export interface TurnSource {
  era: Era;
  /** What the state is bound to, so that one tool's state is no use to another. */
  subject: string;
  ctx: ServerContext;
  declared: JsonObject;
  board: TaskBoard;
}

/** Lets every object through: the fixture reads what it needs and the rest stays as it came. */
export const anyObject: StandardSchemaV1<JsonObject, JsonObject> = {
  '~standard': {
    version: 1,
    vendor: 'raw',
    validate: (value: unknown) => (isJsonObject(value) ? { value } : { issues: [{ message: 'expected an object' }] }),
  },
};

const CAPABILITY_OF: Record<AskMethod, string> = {
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
};

const ASK_TIMEOUT_MS = 120_000;

export function createTurn(source: TurnSource): Turn {
  const { ctx, declared, era } = source;
  const modern = era === 'modern';
  const received = modern ? receivedAnswers(source) : { answers: {}, round: 0 };
  const progressToken = ctx.mcpReq._meta?.progressToken;
  const declaresTasks = objectOrEmpty(declared.extensions)[TASKS_EXTENSION] !== undefined;

  const needInput = (asks: Record<string, Ask>, keepState: boolean): never => {
    const inputRequests: JsonObject = {};
    for (const [key, ask] of Object.entries(asks)) inputRequests[key] = { method: ask.method, params: ask.params };
    const result: JsonObject = { resultType: 'input_required', inputRequests };
    if (keepState) {
      result.requestState = signState({
        subject: source.subject,
        round: received.round + 1,
        answers: received.answers,
      });
    }
    throw new NeedsInput(result);
  };

  const askLegacy = (key: string, ask: Ask): Promise<JsonObject> =>
    ctx.mcpReq
      .send({ method: ask.method, params: { ...ask.params, _meta: { [INPUT_KEY_META]: key } } }, anyObject, {
        timeout: ASK_TIMEOUT_MS,
      })
      // The client's refusal is this tool's failure, not a protocol error of ours.
      .catch(error => {
        throw new Error(`The client did not answer ${ask.method}: ${error instanceof Error ? error.message : error}`);
      });

  return {
    era,
    signal: ctx.mcpReq.signal,
    tasks: modern && declaresTasks ? source.board : null,

    async ask(asks, keepState = false) {
      const keys = Object.keys(asks);
      if (!modern) {
        const answers = await Promise.all(Object.entries(asks).map(([key, ask]) => askLegacy(key, ask)));
        return Object.fromEntries(keys.map((key, i) => [key, answers[i] ?? {}]));
      }
      const missing = keys.filter(key => received.answers[key] === undefined);
      if (missing.length === 0) return Object.fromEntries(keys.map(key => [key, objectOrEmpty(received.answers[key])]));
      for (const key of missing) this.require({ [CAPABILITY_OF[asks[key]?.method ?? 'roots/list']]: {} });
      return needInput(Object.fromEntries(Object.entries(asks).filter(([key]) => missing.includes(key))), keepState);
    },

    async askWhatIsPossible(asks) {
      if (modern) {
        const possible = Object.entries(asks).filter(([, ask]) => declared[CAPABILITY_OF[ask.method]] !== undefined);
        return possible.length === 0 ? {} : this.ask(Object.fromEntries(possible));
      }
      const settled = await Promise.allSettled(Object.entries(asks).map(([key, ask]) => askLegacy(key, ask)));
      const answers: Record<string, JsonObject> = {};
      Object.keys(asks).forEach((key, i) => {
        const outcome = settled[i];
        if (outcome?.status === 'fulfilled') answers[key] = outcome.value;
      });
      return answers;
    },

    require(capabilities) {
      if (!modern) return;
      const missing = Object.entries(capabilities).filter(([name, detail]) => !covers(declared[name], detail));
      if (missing.length === 0) return;
      throw new MissingRequiredClientCapabilityError({ requiredCapabilities: Object.fromEntries(missing) });
    },

    async progress(progress, total) {
      if (progressToken === undefined) return;
      await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total } });
    },

    log: (level, data) => ctx.mcpReq.log(level, data),
    closeStream: () => ctx.http?.closeSSE?.(),
  };
}

function covers(declared: unknown, needed: unknown): boolean {
  if (!isJsonObject(declared)) return false;
  return Object.entries(objectOrEmpty(needed)).every(([key, inner]) => covers(declared[key], inner));
}

/** Earlier answers from the signed state, then this round's on top. */
function receivedAnswers({ ctx, subject }: TurnSource): { answers: JsonObject; round: number } {
  const kept = ctx.mcpReq.requestState();
  const state = kept === undefined ? { answers: {}, round: 0 } : readState(kept, subject);
  return {
    round: state.round,
    answers: { ...state.answers, ...(ctx.mcpReq.inputResponses as JsonObject | undefined) },
  };
}

interface KeptState {
  subject: string;
  round: number;
  answers: JsonObject;
}

const stateKey = randomBytes(32);

function signState(state: KeptState): string {
  const body = Buffer.from(JSON.stringify(state)).toString('base64url');
  return `${body}.${mac(body).toString('base64url')}`;
}

function readState(text: unknown, subject: string): KeptState {
  const [body = '', tag = '', ...rest] = typeof text === 'string' ? text.split('.') : [];
  const given = Buffer.from(tag, 'base64url');
  const right = mac(body);
  // The text is compared too: base64url decoding forgives trailing junk, which would let an appended suffix pass.
  const intact = rest.length === 0 && given.length === right.length && timingSafeEqual(given, right);
  if (intact && tag === right.toString('base64url')) {
    const state = JSON.parse(Buffer.from(body, 'base64url').toString()) as KeptState;
    if (state.subject === subject) return state;
  }
  throw new ProtocolError(RPC.invalidParams, 'The request state is not valid');
}

function mac(body: string): Buffer {
  return createHmac('sha256', stateKey).update(body).digest();
}

/** Capabilities the caller declared: in the envelope (modern) or at the handshake (legacy). */
export function declaredCapabilities(era: Era, ctx: ServerContext, atHandshake: unknown): JsonObject {
  const envelope = ctx.mcpReq.envelope as JsonObject | undefined;
  return objectOrEmpty(era === 'modern' ? envelope?.[META.clientCapabilities] : atHandshake);
}
