/**
 * Headers that repeat parts of a modern request so that intermediaries need not read its body (MCP 2026-07-28, Streamable
 * HTTP): Mcp-Name, and Mcp-Param-* as a tool's input schema asks for with `x-mcp-header` (SEP-2243). Written for servers
 * and checked for clients by the same rules.
 */
import { isJsonObject, type Json } from './json.ts';

export interface ParamHeader {
  /** Lower-case, with its prefix. */
  header: string;
  /** Keys from `arguments` down to the value. */
  path: readonly string[];
}

const ANNOTATION = 'x-mcp-header';
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TYPES: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean']);
const MAX_DEPTH = 64;

/** null: the annotations break a rule, and a client over HTTP must leave the tool out of its list. */
export function readParamHeaders(inputSchema: Json | undefined): ParamHeader[] | null {
  const found: ParamHeader[] = [];
  const names = new Set<string>();
  return walk(inputSchema, [], true, 0) ? found : null;

  /** `isPlain`: reached through `properties` alone; anywhere else an annotation is invalid. */
  function walk(schema: Json | undefined, path: readonly string[], isPlain: boolean, depth: number): boolean {
    if (depth > MAX_DEPTH) return !hasAnnotation(schema);
    if (Array.isArray(schema)) return schema.every(part => walk(part, path, false, depth + 1));
    if (!isJsonObject(schema)) return true;
    const name = schema[ANNOTATION];
    if (name !== undefined) {
      if (!isPlain || path.length === 0 || typeof name !== 'string') return false;
      const header = `mcp-param-${name.toLowerCase()}`;
      if (!TOKEN.test(name) || !TYPES.has(schema.type) || names.has(header)) return false;
      names.add(header);
      found.push({ header, path });
    }
    for (const [key, part] of Object.entries(schema)) {
      if (!SUBSCHEMAS.has(key)) continue;
      if (!NAMED_SUBSCHEMAS.has(key) || !isJsonObject(part)) {
        if (!walk(part, path, false, depth + 1)) return false;
        continue;
      }
      for (const [property, child] of Object.entries(part)) {
        if (!walk(child, [...path, property], isPlain && key === 'properties', depth + 1)) return false;
      }
    }
    return true;
  }
}

/** Keywords under which schemas stand; values elsewhere (`default`, `examples`, `const`) are data. */
const NAMED_SUBSCHEMAS: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  'dependentSchemas',
  '$defs',
  'definitions',
]);

const SUBSCHEMAS: ReadonlySet<string> = new Set([
  ...NAMED_SUBSCHEMAS,
  'items',
  'prefixItems',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'propertyNames',
  'oneOf',
  'anyOf',
  'allOf',
  'not',
  'if',
  'then',
  'else',
]);

function hasAnnotation(schema: Json | undefined): boolean {
  return JSON.stringify(schema ?? null).includes(`"${ANNOTATION}"`);
}

/** The argument a header mirrors, as text; null when it is absent or no primitive. */
export function readMirrored(given: Json | undefined, path: readonly string[]): string | null {
  let value: Json | undefined = given;
  for (const key of path) value = isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value) ? String(value) : null;
}

/** Names and values in turn; what is absent or not representable is left out. */
export function paramHeaderValues(headers: readonly ParamHeader[], given: Json | undefined): string[] {
  return headers.flatMap(({ header, path }) => {
    const text = readMirrored(given, path);
    return text === null ? [] : [header, encodeHeaderValue(text)];
  });
}

/** Where the thing a request is about stands in its params. */
const NAME_PARAMS: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** The member of the parameters that `Mcp-Name` repeats for a method, or null. */
export function findNameParam(method: string): string | null {
  return NAME_PARAMS[method] ?? null;
}

/** Inner blanks and tabs are allowed, outer ones would be lost. */
const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/;
const SENTINEL = /^=\?base64\?(.*)\?=$/s;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function encodeHeaderValue(value: string): string {
  if (PLAIN.test(value) && !SENTINEL.test(value)) return value;
  return `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`;
}

/** The inverse; null when the sentinel holds no valid base64. Surrounding white space does not count. */
export function decodeHeaderValue(value: string): string | null {
  const trimmed = value.trim();
  const encoded = SENTINEL.exec(trimmed)?.[1];
  if (encoded === undefined) return trimmed;
  return BASE64.test(encoded) ? Buffer.from(encoded, 'base64').toString('utf8') : null;
}
