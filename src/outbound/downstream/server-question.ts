/**
 * What a legacy server asks of a client in the middle of a call: sampling, elicitation, roots. It is put only to the one
 * caller it can belong to and only if that caller declared it can answer; every other case gets the error that a client
 * without the capability would give. Refused here: guessing whose question it is.
 */
import type { ClientAnswer, Line } from '../../domain/call.ts';
import { isJsonObject, type JsonObject, objectOrEmpty } from '../../domain/json.ts';
import { RPC, type RpcError } from '../../domain/rpc.ts';

const NOBODY: RpcError = { code: RPC.internalError, message: 'No single caller owns this request.' };

const error = (code: number, message: string): ClientAnswer => ({ kind: 'error', error: { code, message } });

/** `line`: the caller it belongs to; null: none, or more than one. Never rejects. */
export function answerQuestion(
  method: string,
  params: JsonObject,
  line: Line | null,
): ClientAnswer | Promise<ClientAnswer> {
  switch (method) {
    case 'ping':
      return { kind: 'result', result: {} };
    case 'roots/list':
      if (line === null || !isJsonObject(line.clientCapabilities.roots))
        return { kind: 'result', result: { roots: [] } };
      return line.ask(method, params);
    case 'sampling/createMessage':
    case 'elicitation/create':
      if (line === null) return { kind: 'error', error: NOBODY };
      return refusal(method, params, line.clientCapabilities) ?? line.ask(method, params);
    default:
      // Tasks on the client's side and whatever comes after: nobody behind us declared them.
      return error(RPC.methodNotFound, 'Method not found');
  }
}

function refusal(method: string, params: JsonObject, capabilities: JsonObject): ClientAnswer | null {
  if (method === 'sampling/createMessage') {
    if (!isJsonObject(capabilities.sampling)) return error(RPC.methodNotFound, 'Method not found');
    const needsTools = params.tools !== undefined || params.toolChoice !== undefined;
    return needsTools && !isJsonObject(capabilities.sampling.tools)
      ? error(RPC.invalidParams, 'Tools in sampling are not supported.')
      : null;
  }
  if (!isJsonObject(capabilities.elicitation)) return error(RPC.methodNotFound, 'Method not found');
  const modes = objectOrEmpty(capabilities.elicitation);
  // An empty object is the form mode of the revisions that knew no other.
  const canForm = isJsonObject(modes.form) || !isJsonObject(modes.url);
  const isSupported = params.mode === 'url' ? isJsonObject(modes.url) : canForm;
  return isSupported ? null : error(RPC.invalidParams, 'This mode of elicitation is not supported.');
}
