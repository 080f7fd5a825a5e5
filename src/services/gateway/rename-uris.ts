/**
 * Puts public URIs in the place of a server's own where two servers claimed the same one: in links, contents,
 * `_meta.ui.resourceUri` and whatever else carries a URI under one of these members. Other strings are left alone.
 */
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.ts';

const URI_MEMBERS = new Set(['uri', 'resourceUri', 'uriTemplate', 'ui/resourceUri']);
const MAX_DEPTH = 32;

/** Returns the same object when nothing had to be renamed. */
export function renameUris(value: JsonObject, renamed: ReadonlyMap<string, string>): JsonObject {
  return renameIn(value, renamed, 0) as JsonObject;
}

function renameIn(value: Json, renamed: ReadonlyMap<string, string>, depth: number): Json {
  if (depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) {
    const items = value.map(item => renameIn(item, renamed, depth + 1));
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (!isJsonObject(value)) return value;
  let copy: JsonObject | null = null;
  for (const [member, was] of Object.entries(value)) {
    const now =
      typeof was === 'string'
        ? URI_MEMBERS.has(member)
          ? (renamed.get(was) ?? was)
          : was
        : renameIn(was, renamed, depth + 1);
    if (now !== was) copy = { ...(copy ?? value), [member]: now };
  }
  return copy ?? value;
}
