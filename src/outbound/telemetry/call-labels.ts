/** Which names of a finished call are real, so that they may become labels; the others may be a caller's invention. */
import type { CallRecord } from '../../domain/call.ts';

/** Nobody looked whether there is such a method. */
const NO_OPERATION: ReadonlySet<string | null> = new Set([
  ...['METHOD_NOT_FOUND', 'INVALID_REQUEST', 'PARSE_ERROR', 'MISSING_CAPABILITY', 'HEADER_MISMATCH'],
  ...['UNSUPPORTED_VERSION', 'SESSION_REQUIRED', 'SESSION_UNKNOWN', 'NOT_ACCEPTABLE'],
]);
const NO_TARGET: ReadonlySet<string | null> = new Set([
  ...NO_OPERATION,
  'TOOL_NOT_FOUND',
  'RESOURCE_NOT_FOUND',
  'PROMPT_NOT_FOUND',
  'TASK_NOT_FOUND',
  'INVALID_PARAMS',
]);

export function isOperationProven(call: CallRecord): boolean {
  return !NO_OPERATION.has(call.code);
}

/** Policy answers on the name alone, so a denied server or tool may be nobody's. */
export function isTargetProven(call: CallRecord): boolean {
  return call.server === null || (call.outcome !== 'denied' && call.outcome !== 'refused' && !NO_TARGET.has(call.code));
}
