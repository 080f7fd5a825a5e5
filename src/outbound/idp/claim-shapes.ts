/**
 * Claims as issuers write them, brought into one shape: lists that come as one string, names that hold dots, scopes in two
 * spellings. What has another shape gives nothing: no right is ever made of a misunderstanding.
 */
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.ts';

const MAX_ITEMS = 1000;
const MAX_TEXT = 512;
/** RFC 6749, section 3.3. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/;
/** Two texts that look alike on a screen are two; one that hides a part of itself is none. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the purpose.
const CONTROL = /[\x00-\x1f\x7f-\x9f]/;

/** By exact name first: names of claims are often URLs, whose dots are no path. */
export function findClaim(payload: JsonObject, name: string): Json | undefined {
  if (Object.hasOwn(payload, name)) return payload[name];
  let here: Json | undefined = payload;
  for (const step of name.split('.')) {
    if (!isJsonObject(here) || !Object.hasOwn(here, step)) return undefined;
    here = here[step];
  }
  return here;
}

/** A text that can be somebody's key: not empty, bounded, no control characters, no half characters. */
export function toIdentifier(value: Json | undefined): string | null {
  if (typeof value !== 'string' || value === '' || value.length > MAX_TEXT) return null;
  return CONTROL.test(value) || !value.isWellFormed() ? null : value;
}

export function findFirst(payload: JsonObject, names: readonly string[]): string | null {
  for (const name of names) {
    const value = toIdentifier(findClaim(payload, name));
    if (value !== null) return value;
  }
  return null;
}

/** One string is one group, whatever is in it. */
export function readGroups(payload: JsonObject, names: readonly string[]): Set<string> {
  const groups = new Set<string>();
  for (const name of names) {
    const value = findClaim(payload, name);
    const listed = Array.isArray(value) ? value : [value];
    for (const item of listed) {
      const group = toIdentifier(item);
      if (group !== null && groups.size < MAX_ITEMS) groups.add(group);
    }
  }
  return groups;
}

/** Words between single spaces, or a list of words; what is no scope token is left out. */
export function readScopes(payload: JsonObject, names: readonly string[]): Set<string> {
  const scopes = new Set<string>();
  for (const name of names) {
    const value = findClaim(payload, name);
    const words = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
    for (const word of words) {
      if (typeof word === 'string' && SCOPE_TOKEN.test(word) && scopes.size < MAX_ITEMS) scopes.add(word);
    }
  }
  return scopes;
}
