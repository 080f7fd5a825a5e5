/**
 * Names and patterns as policies write them: a name, `*`, `head*` or `*tail`. Only `*` is special and only once, so
 * `get_?` is a name like any other, nothing can be written that takes long to match, and one pattern can be compared
 * with another. Case counts and nothing is normalised: what looks alike is not the same name.
 */

/** Matches what begins with `head` and ends with `tail`; one of them is empty. */
export interface Pattern {
  readonly head: string;
  readonly tail: string;
}

/** The pattern in a written entry; `name` for one without a star, null for a star in the wrong place. */
export function parsePattern(written: string): Pattern | 'name' | null {
  const at = written.indexOf('*');
  if (at === -1) return 'name';
  if (written.indexOf('*', at + 1) !== -1) return null;
  if (at !== 0 && at !== written.length - 1) return null;
  return { head: written.slice(0, at), tail: written.slice(at + 1) };
}

export function matchesPattern({ head, tail }: Pattern, name: string): boolean {
  return name.startsWith(head) && name.endsWith(tail);
}

/** Whether every name that `inner` matches is matched by `outer` too. */
export function coversPattern(outer: Pattern, inner: Pattern): boolean {
  return inner.head.startsWith(outer.head) && inner.tail.endsWith(outer.tail);
}

/** A written list, ready to be asked. Entries are known by their place in it. */
export interface NameList {
  readonly written: readonly string[];
  /** Of a name that is there twice, the first place. */
  readonly exact: ReadonlyMap<string, number>;
  readonly patterns: readonly Pattern[];
  /** Where each pattern stands in `written`. */
  readonly places: readonly number[];
}

export const EMPTY_LIST: NameList = { written: [], exact: new Map(), patterns: [], places: [] };

/** `written` has been checked with `parsePattern`; what it refuses matches nothing here. */
export function compileNames(written: readonly string[]): NameList {
  const exact = new Map<string, number>();
  const patterns: Pattern[] = [];
  const places: number[] = [];
  for (const [place, entry] of written.entries()) {
    const pattern = parsePattern(entry);
    if (pattern === 'name') {
      if (!exact.has(entry)) exact.set(entry, place);
    } else if (pattern !== null) {
      patterns.push(pattern);
      places.push(place);
    }
  }
  return { written, exact, patterns, places };
}

/** Place of the first pattern that matches, or -1. */
export function findPattern({ patterns, places }: NameList, name: string): number {
  for (let i = 0; i < patterns.length; i++) {
    const pattern = patterns[i];
    if (pattern !== undefined && matchesPattern(pattern, name)) return places[i] ?? -1;
  }
  return -1;
}

/** Place of the entry that decides: the name itself before any pattern; -1: none matches. */
export function findEntry(list: NameList, name: string): number {
  return list.exact.get(name) ?? findPattern(list, name);
}

/** Place of an entry that matches everything which `written` matches, or -1. */
export function findCovering(list: NameList, written: string): number {
  const pattern = parsePattern(written);
  if (pattern === 'name') return findEntry(list, written);
  if (pattern === null) return -1;
  const found = list.patterns.findIndex(outer => coversPattern(outer, pattern));
  return found === -1 ? -1 : (list.places[found] ?? -1);
}
