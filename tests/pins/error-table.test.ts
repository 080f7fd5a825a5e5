/** Literals frozen: clients read these numbers. A change here is a change of the contract, never a refactoring. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ERRORS } from '../../src/domain/error.ts';

test('every error code keeps its HTTP status and its number in each era', () => {
  const table = Object.entries(ERRORS).map(([code, { http, legacy, modern, retry }]) => [
    code,
    http,
    legacy,
    modern,
    retry,
  ]);
  expect(table).toEqual([
    ['DENIED_BY_POLICY', 403, -32000, -31000, false],
    ['SERVER_UNAVAILABLE', 503, -32001, -31001, true],
    ['TOOL_NOT_FOUND', 404, -32002, -31002, false],
    ['INVALID_AGENT_ID', 400, -32003, -31003, false],
    ['TIMEOUT', 504, -32004, -31004, true],
    ['FALLBACK_AGENT_NOT_IN_RULES', 500, -32003, -31003, false],
    ['NO_FALLBACK_CONFIGURED', 400, -32003, -31003, false],
    ['OVERLOADED', 503, -32005, -31005, true],
    ['OUTCOME_UNKNOWN', 502, -32007, -31007, false],
    ['BAD_ANSWER', 502, -32008, -31008, false],
    ['CANCELLED', 499, -32009, -31009, false],
    ['SHUTTING_DOWN', 503, -32010, -31010, true],
    ['RATE_LIMITED', 429, -32011, -31011, true],
    ['AUDIT_UNAVAILABLE', 503, -32012, -31012, true],
    ['TOO_LARGE', 413, -32600, -32600, false],
    ['UNAUTHENTICATED', 401, -32600, -32600, false],
    ['SESSION_REQUIRED', 400, -32000, -32600, false],
    ['SESSION_UNKNOWN', 404, -32001, -32600, false],
    ['METHOD_NOT_ALLOWED', 405, -32000, -32600, false],
    ['NOT_ACCEPTABLE', 406, -32000, -32600, false],
    ['UNSUPPORTED_MEDIA', 415, -32600, -32600, false],
    ['PARSE_ERROR', 400, -32700, -32700, false],
    ['INVALID_REQUEST', 400, -32600, -32600, false],
    ['INVALID_PARAMS', 400, -32602, -32602, false],
    ['METHOD_NOT_FOUND', 404, -32601, -32601, false],
    ['RESOURCE_NOT_FOUND', 404, -32002, -32602, false],
    ['NOT_FOUND', 404, -32602, -32602, false],
    ['CONFLICT', 409, -32600, -32600, false],
    ['STALE', 412, -32600, -32600, false],
    ['UNPROCESSABLE', 422, -32602, -32602, false],
    ['PROMPT_NOT_FOUND', 404, -32602, -32602, false],
    ['TASK_NOT_FOUND', 404, -32602, -32602, false],
    ['MISSING_CAPABILITY', 400, -32600, -32021, false],
    ['HEADER_MISMATCH', 400, -32600, -32020, false],
    ['UNSUPPORTED_VERSION', 400, -32600, -32022, false],
    ['STATE_INVALID', 400, -32602, -32602, false],
    ['INTERNAL', 500, -32603, -32603, false],
  ]);
});

/** Said once policies choose a default agent; nobody meets them before. */
const NOT_YET = new Set(['FALLBACK_AGENT_NOT_IN_RULES', 'NO_FALLBACK_CONFIGURED']);

test.each(Object.entries(ERRORS).filter(([code]) => !NOT_YET.has(code)))(
  'the README says what to do about %s, with its numbers',
  (code, { legacy, modern }) => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const row = readme.split('\n').find(line => line.startsWith('|') && line.includes(`\`${code}\``)) ?? '';
    expect(row).toContain(String(legacy));
    // The modern number is not told where only legacy clients can meet the code.
    if (modern !== legacy && modern !== -32600) expect(row).toContain(String(modern));
  },
);
