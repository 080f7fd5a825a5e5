/**
 * `x-mcp-header` (MCP 2026-07-28, SEP-2243): arguments of a tool that are mirrored in `Mcp-Param-*` request headers.
 * Pure: which arguments, whether the annotations are valid, and how a value is written in a header.
 */
import { isJsonObject, type Json, type JsonObject } from './json.ts';

export interface ParamHeader {
  /** As annotated; the header is `Mcp-Param-<name>`, compared without case. */
  name: string;
  /** Property names from the arguments object down to the value. */
  path: readonly string[];
}

export type ParamHeaders = { kind: 'valid'; headers: readonly ParamHeader[] } | { kind: 'invalid'; reason: string };

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TYPES: ReadonlySet<Json | undefined> = new Set(['string', 'integer', 'boolean']);
const MAX_DEPTH = 16;
const NONE: ParamHeaders = { kind: 'valid', headers: [] };

/** Reads a tool's input schema. Most have no annotation: they cost one scan of their text. */
export function readParamHeaders(inputSchema: Json | undefined): ParamHeaders {
  if (!isJsonObject(inputSchema) || !JSON.stringify(inputSchema).includes('"x-mcp-header"')) return NONE;
  const headers: ParamHeader[] = [];
  const taken = new Set<string>();
  const problem = readProperties(inputSchema, [], headers, taken);
  if (problem !== null) return { kind: 'invalid', reason: problem };
  // What the walk along `properties` did not meet stands under a keyword where it is not allowed.
  return headers.length === count(inputSchema, 0)
    ? { kind: 'valid', headers }
    : { kind: 'invalid', reason: 'annotated outside a chain of properties' };
}

function readProperties(
  schema: JsonObject,
  path: readonly string[],
  headers: ParamHeader[],
  taken: Set<string>,
): string | null {
  if (path.length > MAX_DEPTH || !isJsonObject(schema.properties)) return null;
  for (const [property, inner] of Object.entries(schema.properties)) {
    if (!isJsonObject(inner)) continue;
    const at = [...path, property];
    const name = inner['x-mcp-header'];
    if (name !== undefined) {
      if (typeof name !== 'string' || !TOKEN.test(name)) return `${at.join('.')}: not a header name`;
      if (!TYPES.has(inner.type)) return `${at.join('.')}: only strings, integers and booleans can be mirrored`;
      if (taken.has(name.toLowerCase())) return `${at.join('.')}: the header name is taken`;
      taken.add(name.toLowerCase());
      headers.push({ name, path: at });
    }
    const problem = readProperties(inner, at, headers, taken);
    if (problem !== null) return problem;
  }
  return null;
}

function count(value: Json, depth: number): number {
  if (depth > 64 || typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + count(item, depth + 1), 0);
  let sum = value['x-mcp-header'] === undefined ? 0 : 1;
  for (const inner of Object.values(value)) sum += count(inner, depth + 1);
  return sum;
}

/** The argument a header mirrors as text, or null when it is absent or no primitive. */
export function readMirrored(args: Json | undefined, { path }: ParamHeader): string | null {
  let value: Json | undefined = args;
  for (const property of path) value = isJsonObject(value) ? value[property] : undefined;
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}

const SENTINEL = /^=\?base64\?(.*)\?=$/s;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Plain where a header can carry the text as it is, else `=?base64?...?=` of its UTF-8. */
export function encodeHeaderText(text: string): string {
  return PLAIN.test(text) && !SENTINEL.test(text) ? text : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`;
}

/** The inverse; null when the sentinel holds no valid base64. Surrounding white space does not count. */
export function decodeHeaderText(value: string): string | null {
  const trimmed = value.trim();
  const encoded = SENTINEL.exec(trimmed)?.[1];
  if (encoded === undefined) return trimmed;
  return BASE64.test(encoded) ? Buffer.from(encoded, 'base64').toString('utf8') : null;
}
