/**
 * The path, query and body of a REST request, by the schemas of its route: JSON, or an HTML form where a route takes one.
 * Every mistake is said at once, by its place. Refused here: other types (a page of somebody else's could send them
 * without asking), encodings, and more than the route takes.
 */
import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { type Failure, failure } from '../../domain/error.ts';
import { sayIssue } from '../../domain/input-mistake.ts';
import { readBody } from '../http/body.ts';
import { hasBody } from '../http/problem.ts';
import { readJson } from '../mcp/read-json.ts';
import type { RestRoute } from './route.ts';

export type Read = { kind: 'read'; value: unknown } | Failure;

const JSON_TYPE = /^application\/json(?:\s*;|$)/i;
const FORM_TYPE = /^application\/x-www-form-urlencoded(?:\s*;|$)/i;
const MAX_MISTAKES = 20;

/** A name that is given several times is a list. */
export function readQuery(target: string): Record<string, string | string[]> {
  const at = target.indexOf('?');
  return at === -1 ? Object.create(null) : toRecord(new URLSearchParams(target.slice(at + 1)));
}

function toRecord(given: URLSearchParams): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.create(null);
  for (const name of new Set(given.keys())) {
    const values = given.getAll(name);
    record[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return record;
}

/** `where` stands before a mistake that has no place of its own. */
export function readBy(schema: z.ZodType, written: unknown, where: string): Read {
  const read = schema.safeParse(written);
  if (read.success) return { kind: 'read', value: read.data };
  const mistakes = read.error.issues.slice(0, MAX_MISTAKES).map(issue => {
    const at = issue.path.length === 0 ? where : issue.path.map(String).join('.');
    return `${at}: ${sayIssue(issue)}`;
  });
  return failure('INVALID_PARAMS', {}, { say: mistakes.join('; ') });
}

export async function readRequestBody(req: IncomingMessage, body: NonNullable<RestRoute['body']>): Promise<Read> {
  const type = req.headers['content-type'] ?? '';
  const form = FORM_TYPE.test(type) ? body.form : null;
  if (form === null && hasBody(req) && !JSON_TYPE.test(type)) {
    const say = body.form
      ? 'The body must be application/json or application/x-www-form-urlencoded.'
      : 'The body must be application/json.';
    return failure('UNSUPPORTED_MEDIA', {}, { say });
  }
  const bytes = await new Promise<Buffer | Failure>(done => readBody(req, body.maxBytes, done));
  if (!Buffer.isBuffer(bytes)) {
    if (bytes.code !== 'TOO_LARGE') return bytes;
    return { ...bytes, say: `The body is larger than the ${body.maxBytes} bytes that are taken here.` };
  }
  if (form !== null) return readBy(form, toRecord(new URLSearchParams(bytes.toString('utf8'))), 'body');
  if (body.isMessage && bytes.length > 0) {
    const message = readJson(bytes);
    return message.kind === 'failure' ? message : readBy(body.schema, message.value, 'body');
  }
  let written: unknown = {};
  try {
    if (bytes.length > 0) written = JSON.parse(bytes.toString('utf8'));
  } catch {
    return failure('PARSE_ERROR');
  }
  return readBy(body.schema, written, 'body');
}
