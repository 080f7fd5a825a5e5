/**
 * A legacy client in front of a modern server: where the server answers `input_required`, the questions are put to the
 * client as real requests and the call is repeated with the answers (MRTR, MCP 2026-07-28).
 */
import { randomUUID } from 'node:crypto';
import type { ClientAnswer, Line, Reply } from '../../domain/call.ts';
import { failure } from '../../domain/error.ts';
import { isJsonObject, type JsonObject, objectOrEmpty } from '../../domain/json.ts';

/** A server that asks more often than this is looping. */
const MAX_ROUNDS = 8;

export function needsInput(reply: Reply): boolean {
  return reply.kind === 'answer' && reply.era === 'modern' && reply.result.resultType === 'input_required';
}

export async function answerRounds(
  first: Reply,
  params: JsonObject,
  line: Line,
  sendAgain: (params: JsonObject) => Promise<Reply>,
): Promise<Reply> {
  let reply = first;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (reply.kind !== 'answer' || !needsInput(reply)) return reply;
    const inputResponses: JsonObject = {};
    for (const [key, request] of Object.entries(objectOrEmpty(reply.result.inputRequests))) {
      if (!isJsonObject(request) || typeof request.method !== 'string') {
        return failure('BAD_ANSWER', {}, { detail: 'input request without a method' });
      }
      const answer = await askUnlessCancelled(line, request.method, legacyQuestion(objectOrEmpty(request.params)));
      if (answer === null) return failure('CANCELLED');
      if (answer.kind === 'error') return { kind: 'relayed', era: 'legacy', error: answer.error };
      inputResponses[key] = answer.result;
    }
    const { requestState } = reply.result;
    reply = await sendAgain({
      ...params,
      ...(Object.keys(inputResponses).length > 0 ? { inputResponses } : {}),
      // Byte-exact, and only if one was given: the server sealed it.
      ...(requestState === undefined ? {} : { requestState }),
    });
  }
  return needsInput(reply) ? failure('BAD_ANSWER', {}, { say: 'The server kept asking for input.' }) : reply;
}

/** Between two rounds no server call is there to be stopped, and a client that cancelled may never answer. */
function askUnlessCancelled(line: Line, method: string, params: JsonObject): Promise<ClientAnswer | null> {
  return new Promise(resolve => {
    line.whenCancelled(() => resolve(null));
    void line.ask(method, params).then(resolve);
  });
}

/** URL elicitation needs an id in the legacy era, which the modern one dropped. */
function legacyQuestion(params: JsonObject): JsonObject {
  return params.mode === 'url' && params.elicitationId === undefined
    ? { ...params, elicitationId: randomUUID() }
    : params;
}
