/**
 * A refusal that was settled by headers alone, told to whoever sent the message in its own terms: under its id, in its era.
 * It stands whatever else is wrong with the message, and one that cannot be read is refused without an id.
 */
import type { Failure } from '../../domain/error.ts';
import { readBody } from '../http/body.ts';
import { eraOf, eraOfHeaders, idOf, readMessage } from './classify.ts';
import type { McpDeps } from './deps.ts';
import { type Exchange, headerOf } from './exchange.ts';
import { refuseWith } from './http-refusals.ts';
import { isJsonType, readJson } from './read-json.ts';

export function refuseWhenRead({ maxBodyBytes }: Pick<McpDeps, 'maxBodyBytes'>, at: Exchange, no: Failure): void {
  const { req } = at;
  const byHeaders = eraOfHeaders(req.headers);
  if (req.method !== 'POST' || !isJsonType(req.headers['content-type'])) return refuseWith(at, byHeaders, null, no);
  readBody(req, maxBodyBytes, body => {
    const parsed = Buffer.isBuffer(body) ? readJson(body) : body;
    if (parsed.kind === 'failure') return refuseWith(at, byHeaders, null, no);
    const message = readMessage(parsed.value);
    if (message.kind === 'refused') return refuseWith(at, byHeaders, message.id, no);
    at.method = message.kind === 'response' ? 'response' : message.method;
    refuseWith(at, eraOf(message, headerOf(req, 'mcp-protocol-version')), idOf(message), no);
  });
}
