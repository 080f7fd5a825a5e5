/**
 * JSON that reads the same for everybody: valid UTF-8, an object, no name twice in one object, not deep. Parsers differ in
 * which of two equal names they keep, so a text with two is nobody's proof (RFC 8725, 2.8 and RFC 7519, section 4).
 */
import { isJsonObject, type JsonObject } from '../../domain/json.ts';

const MAX_DEPTH = 16;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Null for whatever is not such a text. */
export function parseStrictObject(bytes: Uint8Array): JsonObject | null {
  try {
    const text = UTF8.decode(bytes);
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && hasUniqueNames(text) ? value : null;
  } catch {
    return null;
  }
}

/** Walks a text that is known to be JSON. False also for what is nested deeper than anybody needs. */
function hasUniqueNames(text: string): boolean {
  // One entry per open bracket: the names of an object so far, null for an array.
  const open: (Set<string> | null)[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at];
    if (char === '"') {
      const end = endOfString(text, at);
      const names = open.at(-1);
      if (names && isName(text, end)) {
        // Escapes are undone first: `"\\u0073ub"` is `"sub"`.
        const name = JSON.parse(text.slice(at, end)) as string;
        if (names.has(name)) return false;
        names.add(name);
      }
      at = end;
      continue;
    }
    if (char === '{' || char === '[') {
      if (open.length >= MAX_DEPTH) return false;
      open.push(char === '{' ? new Set() : null);
    } else if (char === '}' || char === ']') open.pop();
    at += 1;
  }
  return true;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** A string is a name where a colon follows. */
function isName(text: string, end: number): boolean {
  let at = end;
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n' || text[at] === '\r') at += 1;
  return text[at] === ':';
}
