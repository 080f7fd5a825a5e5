/**
 * JSON as data: the only shape in which frames travel through the house.
 * Values are what `JSON.parse` yields; nobody here adds classes or getters to them.
 */
export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the value as an object, or an empty one; for optional maps such as `_meta` and `capabilities`. */
export function objectOrEmpty(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

/**
 * A copy with every text in it changed, names of members too; below `maxDepth` there is null, so that nothing gets by
 * unchanged. `change` is told the member that holds a text directly, or null.
 */
export function changeTexts(
  value: Json,
  maxDepth: number,
  change: (text: string, member: string | null) => string,
  member: string | null = null,
): Json {
  if (typeof value !== 'string' && (typeof value !== 'object' || value === null)) return value;
  if (maxDepth < 0) return null;
  if (typeof value === 'string') return change(value, member);
  if (Array.isArray(value)) return value.map(item => changeTexts(item, maxDepth - 1, change));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [change(key, null), changeTexts(item, maxDepth - 1, change, key)]),
  );
}

/** Whether there is anything below so many levels of objects and arrays. */
export function isDeeperThan(value: Json, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some(item => isDeeperThan(item, levels - 1));
}

export function stringOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
