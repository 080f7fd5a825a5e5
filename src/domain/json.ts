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

export function stringOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
