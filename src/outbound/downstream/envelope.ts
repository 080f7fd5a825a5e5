/**
 * The envelope of a modern request (MCP 2026-07-28): version, client and capabilities in `params._meta`, written as text
 * once per set of capabilities. Declared is what the caller can do and we can carry; never more.
 */
import type { Line } from '../../domain/call.ts';
import { LATEST_MODERN, META, TASKS_EXTENSION } from '../../domain/era.ts';
import { isJsonObject, type JsonObject } from '../../domain/json.ts';

/** Keys of the hop: whatever a caller left in `_meta` under these names is replaced. */
export const OWNED_META: ReadonlySet<string> = new Set([
  META.protocolVersion,
  META.clientCapabilities,
  META.clientInfo,
  META.logLevel,
  'progressToken',
]);

const BRIDGED = ['sampling', 'elicitation', 'roots'] as const;

export interface Envelopes {
  /** `"key":value` pairs for `_meta`. */
  text(line: Line | null): string;
}

export function createEnvelopes(clientInfo: JsonObject): Envelopes {
  const head =
    `${JSON.stringify(META.protocolVersion)}:${JSON.stringify(LATEST_MODERN)},` +
    `${JSON.stringify(META.clientInfo)}:${JSON.stringify(clientInfo)},${JSON.stringify(META.clientCapabilities)}:`;
  const bare = `${head}{}`;
  // A session keeps one object of capabilities for all its calls; a modern request brings its own.
  const known = new WeakMap<JsonObject, string>();
  return {
    text(line) {
      if (line === null) return bare;
      let text = line.era === 'legacy' ? known.get(line.clientCapabilities) : undefined;
      if (text === undefined) {
        text = head + JSON.stringify(carriedCapabilities(line));
        if (line.era === 'legacy') known.set(line.clientCapabilities, text);
      }
      return line.logLevel === null ? text : `${text},${JSON.stringify(META.logLevel)}:"${line.logLevel}"`;
    },
  };
}

export function carriedCapabilities(line: Pick<Line, 'era' | 'clientCapabilities'>): JsonObject {
  const given = line.clientCapabilities;
  const carried: JsonObject = {};
  for (const name of BRIDGED) {
    const value = given[name];
    if (isJsonObject(value)) carried[name] = value;
  }
  if (isJsonObject(given.extensions)) {
    const extensions = { ...given.extensions };
    // A legacy caller has no result type for a task, so it may not be offered one.
    if (line.era === 'legacy') delete extensions[TASKS_EXTENSION];
    if (Object.keys(extensions).length > 0) carried.extensions = extensions;
  }
  return carried;
}

/** True when `required` names something that `given` does not have. */
export function lacksCapability(given: JsonObject, required: JsonObject): boolean {
  return Object.entries(required).some(([name, wanted]) => {
    const had = given[name];
    if (had === undefined || had === null) return true;
    return isJsonObject(wanted) && isJsonObject(had) && lacksCapability(had, wanted);
  });
}
