/** `Mcp-Param-*` headers must say what the arguments say, for tools that mirror any (MCP 2026-07-28, SEP-2243). */
import type { IncomingHttpHeaders } from 'node:http';
import type { Door } from '../../domain/call.ts';
import { type Catalog, findUniqueOwnTool } from '../../domain/catalog.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { JsonObject } from '../../domain/json.ts';
import { decodeHeaderValue, type ParamHeader, readMirrored, readParamHeaders } from '../../domain/param-headers.ts';
import type { Target } from '../../domain/policy.ts';

/** By the tool's definition: which headers mirror which arguments. */
const known = new WeakMap<JsonObject, readonly ParamHeader[]>();

/** `mayKnow`: to others the tool's parameters are no mistake but a secret, and the call is refused for what it is. */
export function findMirrorMistake(
  catalog: Catalog,
  mayKnow: (tool: Target) => boolean,
  headers: IncomingHttpHeaders,
  door: Door,
  method: string,
  params: JsonObject,
): Failure | null {
  if (method !== 'tools/call' || typeof params.name !== 'string') return null;
  const entry =
    door.server === null
      ? (catalog.tools.get(params.name) ?? findUniqueOwnTool(catalog, params.name))
      : catalog.ownTools.get(door.server)?.get(params.name);
  if (!entry) return null;
  let mirrored = known.get(entry.ownItem);
  if (mirrored === undefined) {
    mirrored = readParamHeaders(entry.ownItem.inputSchema) ?? [];
    known.set(entry.ownItem, mirrored);
  }
  for (const { header: name, path } of mirrored) {
    const said = headers[name];
    const decoded = typeof said === 'string' ? decodeHeaderValue(said) : null;
    const isReadable = said === undefined || decoded !== null;
    if (!isReadable || decoded !== readMirrored(params.arguments, path)) {
      if (!mayKnow({ kind: 'tool', server: entry.server, name: entry.own })) return null;
      return failure('HEADER_MISMATCH', {}, { say: `The ${name} header must equal the argument ${path.join('.')}.` });
    }
  }
  return null;
}
